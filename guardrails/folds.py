"""The folds of ``guardrails/canonical.py``: each takes a text and says what to put in place of which characters.

All are linear in the text: what an expression repeats is bounded, or cannot begin again inside what it failed on. A
fold that does not occur in a text costs one search for the sign that it needs.
"""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from base64 import b32decode
from collections.abc import Callable, Iterator
from functools import lru_cache

Edits = Iterator[tuple[int, int, str]]


# -- encodings ---------------------------------------------------------------------------------------------------------


def _octet(sign: str) -> str:
    """One character in UTF-8, each byte as two hexadecimal digits after the sign."""
    first = rf"{sign}(?:[2-7][0-9A-Fa-f]|0[9AaDd])"
    return rf"{first}|{sign}[C-Fc-f][0-9A-Fa-f](?:{sign}[89ABab][0-9A-Fa-f]){{1,3}}"


_PERCENT = re.compile(_octet("%"))
_QUOTED_PRINTABLE = re.compile(_octet("="))
_SOFT_BREAK = re.compile(r"=[ \t]{0,8}\r?\n")
_ENTITY = re.compile(r"&(?:#[xX][0-9A-Fa-f]{1,6};?|#[0-9]{1,7};?|[A-Za-z][A-Za-z0-9]{1,31};)")
_ESCAPE = re.compile(r"\\(?:u\{?([0-9A-Fa-f]{4})\}?|x([0-9A-Fa-f]{2}))")
_BASE64 = re.compile(  # a whole run, and the lines that one is wrapped into in e-mail
    r"[A-Za-z0-9+/_-]{10,}(?:(?<=[A-Za-z0-9+/]{40})\r?\n[A-Za-z0-9+/_-]+)*={0,6}"
)
_PART = re.compile(r"[A-Za-z0-9]{10,}={0,2}")  # of a path, or of words joined by dashes
_CODES = re.compile(r"[1-9]\d{1,2}(?:[ ,;]{1,2}[1-9]\d{1,2}){5,}")
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:0x|\\x)?[0-9A-Fa-f]{2}"
    r"(?:[0-9A-Fa-f]{10,}|([ :,-]{0,2}(?:0x|\\x)?)[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4,})(?![0-9A-Za-z])"
)
A_DIGIT = re.compile(r"\d")
_HEX_SIGN = re.compile(r"0x|\\x|[^0-9A-Fa-f]")


def percent(text: str) -> Edits:
    if "%" in text:
        for match in _PERCENT.finditer(text):
            if new := _utf8(bytes.fromhex(match[0].replace("%", ""))):
                yield *match.span(), new


def quoted_printable(text: str) -> Edits:
    """Letters and digits stand for themselves there, so that "a=41" is left alone."""
    if "=" in text:
        for match in re.finditer(rf"{_SOFT_BREAK.pattern}|{_QUOTED_PRINTABLE.pattern}", text):
            new = "" if match[0][-1] == "\n" else _utf8(bytes.fromhex(match[0].replace("=", "")))
            if new is not None and not (new.isascii() and new.isalnum()):
                yield *match.span(), new


def entities(text: str) -> Edits:
    if "&" in text:
        for match in _ENTITY.finditer(text):
            if (new := html.unescape(match[0])) != match[0]:
                yield *match.span(), new


def escapes(text: str) -> Edits:
    """As in JSON and JavaScript."""
    if "\\" in text:
        for match in _ESCAPE.finditer(text):
            new = chr(int(match[1] or match[2], 16))
            if new.isprintable():
                yield *match.span(), new


def base64(text: str) -> Edits:
    """Base64 and base32, and a part of a run that is one."""
    for match in _BASE64.finditer(text):
        if _a_word(match[0]):
            continue
        if new := _from_base64(match[0]) or _from_base32(match[0]):
            yield *match.span(), new
            continue
        for part in _PART.finditer(match[0]):
            if len(part[0]) < len(match[0]) and (new := _from_base64(part[0])):
                yield match.start() + part.start(), match.start() + part.end(), new


def _a_word(run: str) -> bool:
    """Whether only the first letter may be a capital, so that it is no encoding: most long runs of a text are words."""
    return run.isalpha() and run[1:].islower()


def hexadecimal(text: str) -> Edits:
    if not A_DIGIT.search(text):  # every ASCII character but a few begins with one
        return
    for match in _HEX.finditer(text):
        digits = _HEX_SIGN.sub("", match[0])
        if len(digits) % 2 == 0 and (new := _utf8(bytes.fromhex(digits))):
            yield *match.span(), new


def codes(text: str) -> Edits:
    """Each character as its number in ASCII."""
    if not A_DIGIT.search(text):
        return
    for match in _CODES.finditer(text):
        numbers = [int(number) for number in re.findall(r"\d+", match[0])]
        if not all(32 <= number < 127 for number in numbers) or text[match.end() : match.end() + 1].isalnum():
            continue
        new = "".join(map(chr, numbers))
        other = "".join(chr(int(f"{number % 100:02}", 16)) for number in numbers)  # they may be hexadecimal as well
        if max(numbers) > 99 or _digits(new) > _digits(other):
            yield *match.span(), new


def _digits(text: str) -> int:
    return sum(sign.isdecimal() for sign in text)


def _from_base64(run: str) -> str | None:
    signs = "".join(run.split()).rstrip("=").replace("-", "+").replace("_", "/")
    if len(signs) % 4 == 1:
        return None
    return _utf8(binascii.a2b_base64(signs + "=" * (-len(signs) % 4)))


def _from_base32(run: str) -> str | None:
    signs = run.rstrip("=")
    try:
        return _utf8(b32decode(signs + "=" * (-len(signs) % 8)))
    except ValueError:  # other signs, or of a length that no bytes have
        return None


def _utf8(octets: bytes) -> str | None:
    """The text that these bytes are; none where they are no printable one."""
    wide = len(octets) % 2 == 0 and not any(octets[1::2])  # UTF-16, as Windows has it, of ASCII
    try:
        text = octets[::2].decode() if wide else octets.decode()
    except UnicodeDecodeError:
        return None
    return text if text.translate(_WHITE).isprintable() else None


_WHITE = str.maketrans(dict.fromkeys("\t\n\r\u00ad\u200b\u200c\u200d\u2060\ufeff", " "))


# -- characters --------------------------------------------------------------------------------------------------------

_SUPPLEMENT = re.compile("[\ufe00-\ufe0f\U000e0020-\U000e01ef]")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")  # a second ASCII that is not displayed
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")  # 256 of them: bytes that are not displayed
_OVERRIDE = re.compile("\u202e([^\u202c\u2069\n]+)[\u202c\u2069]?")  # displayed from right to left
_NOT_DISPLAYED = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_NOT_DISPLAYED}]+")
_OF_A_VALUE = re.compile(r"[\w@.+/:\uff01-\uff5e-]")
_MARKS = re.compile(  # accents, strokes and frames
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_ASCII = re.compile(r"[0-9A-Za-z]")

# Signs that Unicode does not hold equal, though they look alike or do the same.
_ALIKE = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u058a\u30fc", "-"),
    **dict.fromkeys("\u3002\uff61\u2024\u00b7\u2022\u2027\u2219\u22c5\u0387\ua4f8", "."),
    **dict.fromkeys("\u2044\u2215\u29f8", "/"),
    **dict.fromkeys("\u2236\ua789\u02d0\u0589", ":"),
    **dict.fromkeys("\u2028\u2029\u1680", " "),
    "\u2795": "+",
    "\u066b": ".",
    **dict(
        zip(  # small capitals, and letters without their dot or serif
            "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280"
            "\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22\u0131\u0251\u0261\u0269",
            "abcdefghijklmnoprstuvwyziagi",
            strict=True,
        )
    ),
    **{chr(0x1F150 + i): chr(65 + i) for i in range(26)},  # in circles, negative
    **{chr(0x1F170 + i): chr(65 + i) for i in range(26)},  # in squares, negative
}
# Letters of Cyrillic, Greek, Armenian and Cherokee that look like a Latin one.
_HOMOGLYPHS = dict(
    zip(
        "\u0430\u0441\u0435\u043e\u0440\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u04cf\u043a"
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405\u050c\u0474\u042c"
        "\u03b1\u03bf\u03bd\u03c1\u03c5\u03b9\u03ba\u03c4\u03c7\u03b3\u03b7\u03c9\u03f2\u03f3"
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03f9"
        "\u0578\u0585\u057d\u0570\u0581\u0566"
        "\u13aa\u13f4\u13df\u13a0\u13ac\u13c0\u13bb\u13ab\u13e6\u13de\u13b7\u13e2\u13da\u13a2\u13d9\u13b3\u13c3",
        "aceopyxijsdhqwlkABEKMHOPCTYXIJSGVb" + "aovpuiktxynwcj" + "ABEZHIKMNOPTYXC" + "nouhgq" + "ABCDEGHJKLMPSTVWZ",
        strict=True,
    )
)
_FOREIGN = re.compile("[" + "".join(_HOMOGLYPHS) + "]")
_WORD = re.compile(r"[\w@.%+-]+")  # of an address too
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


def smuggled(text: str) -> Edits:
    """Words written in characters that are not displayed at all."""
    if text.isascii() or not _SUPPLEMENT.search(text):
        return
    for match in _TAGS.finditer(text):
        for place, sign in enumerate(match[0], match.start()):
            yield place, place + 1, chr(ord(sign) - 0xE0000)
    for match in _SELECTORS.finditer(text):
        octets = bytes(code - (0xFE00 if code < 0x10000 else 0xE00F0) for code in map(ord, match[0]))
        if new := _utf8(octets):
            yield *match.span(), new


def overridden(text: str) -> Edits:
    """What is displayed from right to left. All of it comes from the whole run: half an override is not left behind."""
    if "\u202e" in text:
        for match in _OVERRIDE.finditer(text):
            yield *match.span(), match[1][::-1]


def invisible(text: str) -> Edits:
    for match in _INVISIBLE.finditer(text):
        start, end = match.span()
        if _OF_A_VALUE.match(text, end) or (start and _OF_A_VALUE.match(text, start - 1)):
            yield start, end, ""


def marked(text: str) -> Edits:
    """An accent that makes a letter of its own stays with it; others go, from ASCII."""
    if not text.isascii():
        for match in _MARKS.finditer(text):
            start = match.start() - 1
            if start >= 0 and " " <= text[start] <= "~":
                yield start, match.end(), unicodedata.normalize("NFC", text[start : match.end()])[0]


def alike(text: str) -> Edits:
    """Characters that are an ASCII one in other clothes: full width, mathematical, circled, digits of other scripts."""
    if text.isascii():
        return
    odd = [sign for sign in set(text) if _plain(sign) != sign]
    if not odd:
        return
    for run in re.finditer(f"[{re.escape(''.join(sorted(odd)))}]+", text):
        signs = [_plain(sign) for sign in run[0]]
        if any(map(_ASCII.search, signs)) or _between_signs(text, *run.span()):
            yield from ((place, place + 1, sign) for place, sign in enumerate(signs, run.start()))


@lru_cache(4096)
def _plain(sign: str) -> str:
    """The ASCII that a character stands for; itself where there is none."""
    if sign.isascii():
        return sign
    if sign in _ALIKE:
        return _ALIKE[sign]
    if sign in "\u00aa\u00ba":  # of ordinals, as in "n\u00ba"
        return sign
    new = unicodedata.normalize("NFKC", sign)
    digit = unicodedata.digit(new, None) if len(new) == 1 else None
    if digit is not None:
        return str(digit)
    kept = new.isascii() and len(new) <= 4 and (len(new) == 1 or _ASCII.search(new))
    return new if kept else sign


def _between_signs(text: str, start: int, end: int) -> bool:
    """Whether dashes, dots or spaces may be part of a value: in running text they are seldom worth a second look."""
    around = [sign for sign in (text[start - 1 : start], text[end : end + 1]) if sign]
    signs = [sign.isascii() and sign.isalnum() for sign in around]
    return any(sign.isdecimal() for sign in around) or "@" in around or (len(signs) == 2 and all(signs))


def homoglyphs(text: str) -> Edits:
    """Only in words of Latin letters, digits or an "@" too, and only if each letter then is Latin: words of other
    scripts stay as they are."""
    if text.isascii() or not _FOREIGN.search(text):
        return
    for word in _WORD.finditer(text):
        foreign = list(_FOREIGN.finditer(word[0]))
        if foreign and _all_alike(word[0]):
            for match in foreign:
                yield word.start() + match.start(), word.start() + match.end(), _HOMOGLYPHS[match[0]]


def _all_alike(word: str) -> bool:
    return all(not sign.isalpha() or sign in _HOMOGLYPHS or _LATIN.match(sign) for sign in word) and (
        "@" in word or any(sign.isdecimal() or _LATIN.match(sign) for sign in word)
    )


Fold = Callable[[str], Edits]
DECODED: tuple[Fold, ...] = (percent, quoted_printable, entities, escapes, base64, codes, hexadecimal)
READ: tuple[Fold, ...] = (smuggled, overridden, invisible, alike, marked, homoglyphs)
