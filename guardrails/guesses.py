"""The folds of ``guardrails/canonical.py`` that guess: they may take a value apart as well as put one together.

So each has a view of its own, and only what a detector finds in it counts. All are linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardrails.folds import Edits, Fold

NEAR = 64  # characters of the words on either side of a line's end

# -- layout: marks and line ends inside a value ------------------------------------------------------------------------

_EMPHASIS = re.compile(
    r"(?<=\w)(?:[*`~]+|_{2,})|(?:[*`~]+|_{2,})(?=\w)"
    r"|(?<![A-Za-z0-9_])_(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])_(?![A-Za-z0-9_])"  # one alone joins words, inside them
    r"|(?<=\w)\\(?=[@._+()/:-])"
    r"|(?<=[\w@.:/-])[\u2190-\u2bff\U0001f000-\U0001faff]{1,8}(?=[\w@.:/-])"  # arrows, symbols, emoji
    r"|</?(?:b|i|u|s|em|strong|span|code|sub|sup|wbr|font|mark|small|ins|del)\b[^<>]{0,100}>|<!--[^<>]{0,100}-->"
)
_LINE_END = re.compile(r"[ \t]{0,8}\r?\n[ \t]{0,8}(?:>[ \t]{0,8}){0,8}(?=\S)")  # with the marks of a quotation
_TITLE = re.compile(r"(?:[A-Z]\w{0,5}\.|Frau|Herrn?|Se\u00f1ora?|Monsieur|Madame|Mme|Mlle|M[rs]s?|Dr|Prof\w{0,6})\Z")
_HYPHENS = "-\u2010\u2011"


def emphasis(text: str) -> Edits:
    for match in _EMPHASIS.finditer(text):
        yield *match.span(), ""


def unwrapped(text: str) -> Edits:
    """A line's end inside what may be a value: a number, an address, a word with a capital."""
    if "\n" not in text:
        return
    for match in _LINE_END.finditer(text):
        before = text[max(0, match.start() - NEAR) : match.start()].rsplit(None, 2)
        after = text[match.end() : match.end() + NEAR].split(None, 1)
        between = _between(before[-1], after[0]) if before else None
        if between is None and len(before) > 1 and _TITLE.search(before[-2]) and _name(before[-1]) and _name(after[0]):
            between = " "
        if between is not None:
            kept_hyphen = before[-1][-1] not in _HYPHENS or "-" in before[-1][:-1] or "-" in after[0]
            yield match.start() - (not kept_hyphen), match.end(), between


def _name(word: str) -> bool:
    return word[0].isupper() and word[-1].isalpha() and not word.isupper()


def _between(before: str, after: str) -> str | None:
    """What stands between two words that a line's end parts; none where nothing speaks for one value."""
    last, first = before[-1], after[0]
    if last in _HYPHENS:
        whole = before + after
        return "" if before[0].isupper() or "@" in whole or any(map(str.isdigit, whole)) or _key(before) else None
    if _of_a_code(last) and _of_a_code(first) and (last.isdigit() or first.isdigit()):
        return ""
    if _key(before) and first.isalnum():
        return ""
    return "" if _number_goes_on(before, after) or _address_goes_on(before, after) else None


def _of_a_code(sign: str) -> bool:
    return sign.isdigit() or sign.isupper()


def _key(word: str) -> bool:
    """Whether it may be the beginning of an access key."""
    return len(word) >= 12 and word[1:-1].count("-") + word[1:-1].count("_") > 1


def _number_goes_on(before: str, after: str) -> bool:
    if after[0].isdigit():
        return before[-1] in "./:" and before[-2:-1].isdigit()
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

_SPACED = re.compile(
    r"(?<![^\s(\[\"':=])\S([ _|*/~,\u00b7-])\S(?:(?:\1{1,3}|\1 \1)\S){2,}(?=[.,;:!?)\]\"']{0,3}(?:\s|\Z))"
)
_WORDS_OF_ONE_LETTER = frozenset("ayeou\u00e0\u00e9\u00e8")


def spaced(text: str) -> Edits:
    """ "a n n a", "4-1-1-1": a wider gap stays one, where the value itself has one."""
    for match in _SPACED.finditer(text):
        separator = re.escape(match[1])
        gaps = list(re.finditer(rf"(?<=\S)(?:{separator} {separator}|{separator}{{1,3}})", match[0]))
        for gap in gaps:
            if gap is gaps[0] and _stands_alone(match[0][0], match[0][gap.end()]):
                continue
            if gap is gaps[-1] and _stands_alone(match[0][-1], match[0][gap.start() - 1]):
                continue
            inside = gap[0][1:2] if len(gap[0]) == 3 else gap[0][1:].strip(match[1].strip())  # a gap of the value
            yield match.start() + gap.start(), match.start() + gap.end(), inside


def _stands_alone(sign: str, neighbour: str) -> bool:
    """Whether a letter beside a number is a word, as in "a 4 1 1 1"."""
    return sign in _WORDS_OF_ONE_LETTER and neighbour.isdigit()


# -- words for signs ---------------------------------------------------------------------------------------------------

_DOT = r"dot|punkt|punto|point|ponto|punt|puntje"
_AT = r"arroba|arobase|arobas|chiocciola|apenstaartje|klammeraffe|\u00e4t"  # words that mean nothing else
_SAID = {
    ".": _DOT,
    "-": r"dash|hyphen|minus|bindestrich|gui[o\u00f3]n|tiret|trattino|tra\u00e7o|h\u00edfen|streepje|koppelteken",
    "_": r"underscore|unterstrich|gui[o\u00f3]n\ bajo|tiret\ bas|trattino\ basso|sublinhado|underline",
    "/": r"slash|schr\u00e4gstrich|barra",
}
_SIGN_OF = {word: sign for sign, words in _SAID.items() for word in words.replace("[o\u00f3]", "o").split("|")}
_ANY_SAID = "|".join(sorted(_SAID.values(), key=len, reverse=True))

_BRACKETED = re.compile(
    rf"(?<=\w)\s?[\[({{<]\s?(?:(?P<dot>\.|{_DOT})|(?P<at>@|at|a|{_AT}))\s?[\])}}>]\s?(?=\w)|\b(?P<scheme>hxxp)(?=s?:)",
    re.IGNORECASE,
)
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
_SPOKEN_SIGN = rf"(?:{_NUMBER_WORD}|{_ANY_SAID}|plus|pi\u00f9|m[a\u00e1]s|mais|[^\s,;])"
_SPOKEN_NUMBER = re.compile(rf"(?<!\w){_SPOKEN_SIGN}(?:[\s,;-]{{1,3}}{_SPOKEN_SIGN}){{3,}}(?!\w)", re.IGNORECASE)
_LETTERS = re.compile(r"\w+")


def bracketed(text: str) -> Edits:
    """ "(at)", "[.]" and "hxxp": written by those who want no program to see an address."""
    for match in _BRACKETED.finditer(text):
        yield *match.span(), "http" if match["scheme"] else "." if match["dot"] else "@"


def addresses(text: str) -> Edits:
    """ "anna at mail dot org", in six languages; a mere "at" only before a host with its dots spelled out too."""
    last = 0
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
    return _SIGN_OF[word.lower().replace("\u00f3", "o")]


def between_digits(text: str) -> Edits:
    """ "192 dot 168", "078 dash 05"."""
    for match in _BETWEEN_DIGITS.finditer(text):
        yield *match.span(), _sign(match[1])


def web(text: str) -> Edits:
    for match in _WEB.finditer(text):
        yield from _signs(text, *match.span())


def number_words(text: str) -> Edits:
    """Four digits or more, each a word; what stands between them keeps its place."""
    for match in _SPOKEN_NUMBER.finditer(text):
        words = list(_LETTERS.finditer(match[0]))
        digits = sum(word[0].lower() in _DIGIT_OF for word in words)
        if digits < 4 and (not digits or len(match[0].split()) < 8):  # a digit said among letters that are spelled
            continue
        for word in words:
            if (sign := _spoken_sign(word[0].lower())) is not None:
                yield match.start() + word.start(), match.start() + word.end(), sign


def _spoken_sign(word: str) -> str | None:
    if word in ("plus", "pi\u00f9", "mas", "m\u00e1s", "mais"):
        return "+"
    return _DIGIT_OF.get(word) or _SIGN_OF.get(word.replace("\u00f3", "o"))


LAYOUT: tuple[Fold, ...] = (emphasis, unwrapped)
SPACED: tuple[Fold, ...] = (number_words, spaced)
SPOKEN: tuple[Fold, ...] = (bracketed, between_digits, addresses, web)
