"""Phone numbers, with the rules of the regions that an organisation's documents are likely to name.

``phonenumbers`` says which runs of digits are dialled somewhere, which is nearly any run of the right length. So a
number counts only if it is written like one, or stands beside a word that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

REGIONS = ("US", "GB", "DE", "ES", "FR", "CH", "AT", "IT")  # numbers with an international prefix need none of them
# Words that name a telephone, and ways of saying "call" that end in the number itself.
WORDS = (
    r"(?:tele|cell|i)?phones?|phone\s(?:number|no\.?)|tel|mobile|cell|fax|hot\s?line|sms|whatsapp|tele[fp]o\w+|handy\w*|mobil\w*"
    r"|(?:not)?rufnummer|durchwahl|teléfonos?|tfno|tlf|móvil|téléphone|portable"
    r"|(?:desk|office|work|home|direct)(?=\s?:)"
    r"|(?:call|dial|ring|text|reach)(?:\s[\w']+){0,4}?(?:\s(?:on|at))?|llam\w+\sal?|appelez(?:\sle)?|erreichbar\sunter"
)

_DIGITS = r"\d(?:[\s\u00a0().\u2010-\u2015/-]{0,3}\d)"
_INNER = r"(?:\s?(?:x|ext\.?)\s?\d{1,5})?"  # the extension behind a number
# With a prefix: any country, also ranges that are kept for films and are dialled nowhere.
_PREFIXED = re.compile(rf"(?<![\w+])(?:\+|00)\s?(?!0){_DIGITS}{{7,14}}{_INNER}(?!\w)")
# Grouped as in North America, or with the trunk prefix 0 of most of Europe; a mere run of digits is no number.
_WRITTEN = re.compile(
    r"(?<![\w.,/+-])(?<!\d\s)"
    rf"(?:(?:\([2-9]\d\d\)\s?|[2-9]\d\d[ .-])\d{{3}}[ .-]\d{{4}}|\(?0{_DIGITS}{{8,11}}){_INNER}(?![\w/-]|[.,]\d)"
)
_BESIDE_A_WORD = re.compile(
    rf"(?<![\w+.,])\(?{_DIGITS}{{6,13}}{_INNER}(?!\w|[.,]\d|\s?(?:[€$£%]|euro?s?\b|chf\b|usd\b))", re.IGNORECASE
)
# A further one of a list: "+41 44 555 01 99, home 0445550198".
_FURTHER = re.compile(r"[\s,;/&]{1,3}(?:[^\W\d]{1,12}[\s:.]{1,2}){0,2}(?P<value>0\d{9,10})(?!\w|[.,]\d)")
_EXTENSION = re.compile(
    r"\b(?:ext(?:ension)?|durchwahl|nebenstelle|extensión|poste)\s?[.:]?\s?(?:no\.?\s)?(\d{3,5})\b", re.IGNORECASE
)
_SEPARATED = re.compile(r"\d[\s\u00a0().\u2010-\u2015/-]+\d")
_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}")
# The word, and what may stand between it and the number: "phone (office, weekdays): ", "phone number is ".
_WORD = re.compile(rf"(?<!\w)(?:{WORDS})(?!\w)\.?[^.!?\n\d]{{0,24}}$", re.IGNORECASE)
_WORD_BEHIND = re.compile(
    r"[ \t]{1,3}\(?(?:office|desk|fax|mobile|cell|home|work|tel)\)?[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_REACH = 60  # characters before a number that are looked at


def phones(text: str) -> Iterator[tuple[int, int, float]]:
    """Numbers in ``text``: start, end, score. They may overlap."""
    if sum(map(str.isdigit, text)) < 3:
        return
    for match in _PREFIXED.finditer(text):
        yield *match.span(), 0.85
        if further := _FURTHER.match(text, match.end()):
            yield *further.span("value"), 0.7
    for match in _EXTENSION.finditer(text):
        yield *match.span(1), 0.6
    for match in _WRITTEN.finditer(text):
        if _SEPARATED.search(match[0]) and not _DATE.search(match[0]) and _dialled(match[0]):
            yield *match.span(), 0.6
    for match in _BESIDE_A_WORD.finditer(text):
        before = text[max(0, match.start() - _REACH) : match.start()]
        if not _DATE.fullmatch(match[0]) and (_WORD.search(before) or _WORD_BEHIND.match(text, match.end())):
            yield *match.span(), 0.75
    if _BESIDE_A_WORD.fullmatch(text.strip(" .")) and _dialled(text):  # nothing but a number: it was asked for
        yield len(text) - len(text.lstrip(" .")), len(text.rstrip(" .")), 0.46


def _dialled(number: str) -> bool:
    import phonenumbers

    for region in REGIONS:
        try:
            if phonenumbers.is_possible_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
