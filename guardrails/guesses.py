"""The folds of ``guardrails/canonical.py`` that guess: they may take a value apart as well as put one together.

So each has a view of its own, and only what a detector finds in it counts. All are linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardrails.folds import A_DIGIT, Edits, Fold

NEAR = 64  # characters of the words on either side of a line's end

# -- layout: marks and line ends inside a value ------------------------------------------------------------------------

_MARK = re.compile("[*`~]+|_+|[\\\\<]|[\u2190-\u2bff\U0001f000-\U0001faff]{1,8}")
_MARKED = re.compile("[*`~_\\\\<\u2190-\u2bff\U0001f000-\U0001faff]")
_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|span|code|sub|sup|wbr|font|mark|small|ins|del)\b[^<>]{0,100}>|<!--[^<>]{0,100}-->"
)
_SIGN = re.compile(r"[\w@.+()/:-]")
_LINE_END = re.compile(r"\n[ \t]{0,8}(?:>[ \t]{0,8}){0,8}(?=\S)")  # with the marks of a quotation
_A_TITLE = r"\b(?:[A-Z]\w{0,5}\.|Frau|Herrn?|Se\u00f1ora?|Monsieur|Madame|Mme|Mlle|M[rs]s?|Dr|Prof\w{0,6})"
_TITLE = re.compile(rf"{_A_TITLE}\Z")
_TITLED = re.compile(rf"{_A_TITLE}\s[*_`~]{{0,3}}[\w'-]{{0,30}}\s?\Z")
_HYPHENS = "-\u2010\u2011"


def emphasis(text: str) -> Edits:
    """Marks, tags and pictures inside a value: not those of running text, which are many."""
    if not _MARKED.search(text):
        return
    for match in _MARK.finditer(text):
        start, end = match.span()
        if text[start] == "<":
            tag = _TAG.match(text, start)
            if tag:
                yield *tag.span(), ""
        elif _inside(text, start, end):
            yield start, end, ""


def _inside(text: str, start: int, end: int) -> bool:
    """Whether a mark is inside a word, beside a number or in a name with a title. One "_" alone joins words."""
    before, after = text[max(0, start - 3) : start], text[end : end + 3]
    if _SIGN.match(before[-1:]) and _SIGN.match(after[:1]):
        return text[start:end] not in "_\\" or not (before[-1].isalnum() and after[0].isalnum())
    if text[start] > "~" or text[start] == "\\":
        return False
    return any(sign.isdigit() or sign == "@" for sign in before + after) or bool(
        _TITLED.search(text[max(0, start - NEAR) : start])
    )


def unwrapped(text: str) -> Edits:
    """A line's end inside what may be a value: a number, an address, a word with a capital."""
    if "\n" not in text:
        return
    for match in _LINE_END.finditer(text):
        start = match.start()
        while start > max(0, match.start() - NEAR) and text[start - 1] in " \t\r":
            start -= 1
        if text[start - 1 : start] in ("", "\n"):
            continue  # a paragraph ends
        before = text[max(0, start - NEAR) : start].rsplit(None, 2)
        after = text[match.end() : match.end() + NEAR].split(None, 1)
        if not (before and after):
            continue  # a line of white space of another kind, or the end
        between = _between(before[-1], after[0])
        if between is None and len(before) > 1 and _TITLE.search(before[-2]) and _name(before[-1]) and _name(after[0]):
            between = " "
        if between is not None:
            kept_hyphen = before[-1][-1] not in _HYPHENS or "-" in before[-1][:-1] or "-" in after[0]
            yield start - (not kept_hyphen), match.end(), between


def _name(word: str) -> bool:
    return word[0].isupper() and word[-1].isalpha() and not word.isupper()


def _between(before: str, after: str) -> str | None:
    """What stands between two words that a line's end parts; none where nothing speaks for one value."""
    last, first = before[-1], after[0]
    if last in _HYPHENS:
        whole = before + after
        return "" if before[0].isupper() or "@" in whole or any(map(str.isdigit, whole)) or _key(before) else None
    if _code(before) and _code(after) and (last.isdigit() or first.isdigit()):
        return ""
    if _key(before) and first.isalnum():
        return ""
    return "" if _number_goes_on(before, after) or _address_goes_on(before, after) else None


def _code(word: str) -> bool:
    """A group of capitals or digits, as in an IBAN."""
    return word[0].isalnum() and word == word.upper() and (len(word) <= 4 or any(map(str.isdigit, word)))


def _key(word: str) -> bool:
    """Whether it may be the beginning of an access key."""
    return len(word) >= 12 and word[1:-1].count("-") + word[1:-1].count("_") > 1


def _number_goes_on(before: str, after: str) -> bool:
    if after[0].isdigit():
        return before[-1].isdigit() or (before[-1] in "./:" and before[-2:-1].isdigit())
    return before[-1].isdigit() and after[0] in "-./:" and after[1:2].isdigit()


def _address_goes_on(before: str, after: str) -> bool:
    _, web, host = before.rpartition("://")
    if web and "/" in host:
        return before[-1] in "/?&=_%" or after[0] in "/?&=_%"
    _, mail, host = host.rpartition("@")
    if web or mail:
        return "." not in host[:-1]  # a whole one may end the line
    return "@" in after and (before[-1] in "_+%" or after[0] in "@._+")


# -- spaced letters ----------------------------------------------------------------------------------------------------

_SPACED = re.compile(r"([ _|*/~,\u00b7-])\S(?:(?:\1{1,3}|\1 \1)\S)+")  # from its first gap
_CLOSED = re.compile(r"[.,;:!?)\]\"']{0,3}(?:\s|\Z)")
_OPENING = " \t\n([\"':="
_FEWEST = 4  # letters or digits
_WORDS_OF_ONE_LETTER = frozenset("ayeou\u00e0\u00e9\u00e8")


def spaced(text: str) -> Edits:
    """ "a n n a", "4-1-1-1": a wider gap stays one, where the value itself has one."""
    for match in _SPACED.finditer(text):
        start = _first_sign(text, match.start())
        run, separator = text[start : match.end()], re.escape(match[1])
        gaps = list(re.finditer(rf"(?<=\S)(?:{separator} {separator}|{separator}{{1,3}})(?=\S)", run))
        if not _CLOSED.match(text, match.end()):  # the last sign begins a word
            run = run[: gaps.pop().start()] if gaps else ""
        if sum(map(str.isalnum, run)) >= _FEWEST:
            yield from _closed_up(run, gaps, match[1], start)


def _closed_up(run: str, gaps: list[re.Match[str]], separator: str, start: int) -> Edits:
    if _stands_alone(run[0], run[gaps[0].end()]):
        gaps = gaps[1:]
    if gaps and _stands_alone(run[-1], run[gaps[-1].start() - 1]):
        gaps = gaps[:-1]
    for gap in gaps:
        inside = gap[0][1:2] if len(gap[0]) == 3 else gap[0][1:].strip(separator.strip())  # a gap of the value
        yield start + gap.start(), start + gap.end(), inside


def _first_sign(text: str, gap: int) -> int:
    """Where a run begins that has its first gap here: with a single sign before, or else after it."""
    alone = gap > 0 and not text[gap - 1].isspace() and (gap == 1 or text[gap - 2] in _OPENING)
    return gap - 1 if alone else gap + 1


def _stands_alone(sign: str, neighbour: str) -> bool:
    """Whether a letter beside a number is a word, as in "a 4 1 1 1"."""
    return sign in _WORDS_OF_ONE_LETTER and neighbour.isdigit()


# -- words for signs ---------------------------------------------------------------------------------------------------

_DOT = "dot|punkt|punto|point|ponto|punt|puntje"
_AT = "arroba|arobase|arobas|chiocciola|apenstaartje|klammeraffe|\u00e4t"  # words that mean nothing else
_SAID = {
    ".": _DOT,
    "-": "dash|hyphen|minus|bindestrich|guion|gui\u00f3n|tiret|trattino|tra\u00e7o|h\u00edfen|streepje|koppelteken",
    "_": "underscore|unterstrich|guion bajo|gui\u00f3n bajo|tiret bas|trattino basso|sublinhado|underline",
    "/": "slash|schr\u00e4gstrich|barra",
}
_SIGN_OF = {word: sign for sign, words in _SAID.items() for word in words.split("|")}
_ANY_SAID = "|".join(sorted(_SIGN_OF, key=len, reverse=True))

_BRACKETED = re.compile(rf"[\[({{<][ ]?(?:(\.|{_DOT})|@|at|a|{_AT})[ ]?[\])}}>][ ]?(?=\w)", re.IGNORECASE)
_SCHEME = re.compile(r"hxxp(?=s?:)", re.IGNORECASE)
_DOT_WORDS = tuple(f" {word} " for word in _DOT.split("|"))
_SURE_WORDS = (" @", "@ ", *_AT.split("|"))
_SAID_WORDS = tuple(f" {word} " for word in _SIGN_OF)
_JOINER = rf"(?:[.]|[ ][.][ ]?|\s{{1,2}}(?:{_ANY_SAID})\s{{1,2}})"
_AT_SIGN = re.compile(
    rf"(?<=\w)(?:\s{{1,2}}(?:(?-i:AT)|{_AT}|(?P<unsure>at|chez))\s{{1,2}}|[ ]{{0,2}}@[ ]{{0,2}})(?=\w)",
    re.IGNORECASE,
)
_HOST = re.compile(rf"[^\W_][\w-]{{0,62}}(?:{_JOINER}[^\W_][\w-]{{0,62}}){{1,6}}", re.IGNORECASE)
_LOCAL = re.compile(rf"(?<![\w.+-])\w[\w.+-]{{0,63}}(?:{_JOINER}\w[\w.+-]{{0,63}}){{0,4}}\Z", re.IGNORECASE)
_IN_ADDRESS = re.compile(rf"\s{{1,2}}({_ANY_SAID})\s{{1,2}}|[ ][.][ ]?", re.IGNORECASE)
_NOT_A_HOST = re.compile(r"(?:the|this|that|an?|my|our|your|its|le|la|les|ce|un|une)\b", re.IGNORECASE)
_BETWEEN_DIGITS = re.compile(rf"(?<=\d)\s{{1,2}}({_ANY_SAID})\s{{1,2}}(?=\d)", re.IGNORECASE)
_WEB = re.compile(rf"\b(?:www|https?://[^\W_][\w-]{{0,62}})(?:{_JOINER}[^\W_][\w-]{{0,62}}){{1,6}}", re.IGNORECASE)

_DIGITS = (
    "zero cero zéro null nul oh",
    "one eins uno un um een één",
    "two zwei zwo dos deux due dois twee",
    "three drei tres trois tre três drie",
    "four vier cuatro quatre quattro quatro",
    "five fünf cinco cinq cinque vijf",
    "six sechs seis sei zes",
    "seven sieben siete sept sette sete zeven",
    "eight acht ocho huit otto oito",
    "nine neun nueve neuf nove negen",
)
_DIGIT_OF = {word: str(digit) for digit, words in enumerate(_DIGITS) for word in words.split()}
_NUMBER_WORD = "|".join(sorted(_DIGIT_OF, key=len, reverse=True))
_SPOKEN_SIGN = rf"(?:{_NUMBER_WORD}|{_ANY_SAID}|plus|pi\u00f9|m[a\u00e1]s|mais|[^\s,;-])"
_SPOKEN_NUMBER = re.compile(rf"(?<!\w){_SPOKEN_SIGN}(?:[\s,;-]{{1,3}}{_SPOKEN_SIGN}){{3,}}(?!\w)", re.IGNORECASE)
_LETTERS = re.compile(r"\w+")


def bracketed(text: str) -> Edits:
    """ "(at)" and "[.]": written by those who want no program to see an address."""
    for match in _BRACKETED.finditer(text):
        start = match.start() - (text[match.start() - 1 : match.start()] == " ")
        if start and _SIGN.match(text, start - 1):
            yield start, match.end(), "." if match[1] else "@"


def scheme(text: str) -> Edits:
    """ "hxxp", from the same hands."""
    if "xx" in text:
        for match in _SCHEME.finditer(text):
            yield *match.span(), "http"


def addresses(text: str) -> Edits:
    """ "anna at mail dot org", in six languages; a mere "at" only before a host with its dots spelled out too."""
    last = 0
    said = text.lower()
    if (
        not any(word in said for word in _DOT_WORDS)
        and not any(word in said for word in _SURE_WORDS)
        and " AT " not in text
    ):
        return
    for match in _AT_SIGN.finditer(text):
        host = _HOST.match(text, match.end())
        if not host or (match["unsure"] and not _spelled_out(host[0])):
            continue
        first = max(last, match.start() - 2 * NEAR)
        local = _LOCAL.search(text[first : match.start()])
        if not local:
            continue
        yield from _signs(text, first + local.start(), match.start())
        if match[0] != "@":
            yield *match.span(), "@"
        yield from _signs(text, *host.span())
        last = host.end()


def _spelled_out(host: str) -> bool:
    return not _NOT_A_HOST.match(host) and re.search(rf"\s(?:{_DOT})\s", host, re.IGNORECASE) is not None


def _signs(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    for match in _IN_ADDRESS.finditer(text, start, end):
        yield *match.span(), _sign(match[1]) if match[1] else "."


def _sign(word: str) -> str:
    return _SIGN_OF[word.lower()]


def between_digits(text: str) -> Edits:
    """ "192 dot 168", "078 dash 05"."""
    said = text.lower() if A_DIGIT.search(text) else ""
    if any(word in said for word in _SAID_WORDS):
        for match in _BETWEEN_DIGITS.finditer(text):
            yield *match.span(), _sign(match[1])


def web(text: str) -> Edits:
    said = text.lower()
    if ("www" in said or "http" in said) and any(word in said for word in _DOT_WORDS):
        for match in _WEB.finditer(text):
            yield from _signs(text, *match.span())


def number_words(text: str) -> Edits:
    """Four digits or more, each a word; what stands between them keeps its place."""
    words = text.lower().replace(",", " ").replace("-", " ").split()
    if _DIGIT_OF.keys().isdisjoint(words):
        return
    places = [place for place, word in enumerate(words) if word in _DIGIT_OF]
    if not any(last - first < 16 for first, last in zip(places, places[3:], strict=False)):
        return
    for match in _SPOKEN_NUMBER.finditer(text):
        said = list(_LETTERS.finditer(match[0]))
        if sum(word[0].lower() in _DIGIT_OF for word in said) < 4:
            continue
        for word in said:
            if (sign := _spoken_sign(word[0].lower())) is not None:
                yield match.start() + word.start(), match.start() + word.end(), sign


def _spoken_sign(word: str) -> str | None:
    if word in ("plus", "pi\u00f9", "mas", "m\u00e1s", "mais"):
        return "+"
    return _DIGIT_OF.get(word) or _SIGN_OF.get(word)


LAYOUT: tuple[Fold, ...] = (emphasis, unwrapped)
SPACED: tuple[Fold, ...] = (number_words, spaced)
SPOKEN: tuple[Fold, ...] = (bracketed, scheme, between_digits, addresses, web)
