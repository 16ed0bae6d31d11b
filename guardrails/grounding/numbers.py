"""Numbers as values: 1,200 and 1 200 and "twelve hundred" are told apart from 1.2, and 25 days from 25 %."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

WORDS: dict[str, float] = {
    **dict.fromkeys(("two", "zwei", "dos", "deux", "twice"), 2),
    **dict.fromkeys(("three", "drei", "tres", "trois"), 3),
    **dict.fromkeys(("four", "vier", "cuatro", "quatre"), 4),
    **dict.fromkeys(("five", "fünf", "cinco", "cinq"), 5),
    **dict.fromkeys(("six", "sechs", "seis"), 6),
    **dict.fromkeys(("seven", "sieben", "siete", "sept"), 7),
    **dict.fromkeys(("eight", "acht", "ocho", "huit"), 8),
    **dict.fromkeys(("nine", "neun", "nueve", "neuf"), 9),
    **dict.fromkeys(("ten", "zehn", "diez", "dix"), 10),
    **dict.fromkeys(("eleven", "elf", "once", "onze"), 11),
    **dict.fromkeys(("twelve", "zwölf", "doce", "douze", "dozen"), 12),
    **dict.fromkeys(("thirteen", "dreizehn", "trece", "treize"), 13),
    **dict.fromkeys(("fourteen", "vierzehn", "catorce", "quatorze", "fortnight"), 14),
    **dict.fromkeys(("fifteen", "fünfzehn", "quince", "quinze"), 15),
    **dict.fromkeys(("sixteen", "sechzehn", "dieciséis", "seize"), 16),
    **dict.fromkeys(("seventeen", "siebzehn"), 17),
    **dict.fromkeys(("eighteen", "achtzehn"), 18),
    **dict.fromkeys(("nineteen", "neunzehn"), 19),
    **dict.fromkeys(("twenty", "zwanzig", "veinte", "vingt"), 20),
    **dict.fromkeys(("thirty", "dreißig", "dreissig", "treinta", "trente"), 30),
    **dict.fromkeys(("forty", "vierzig", "cuarenta", "quarante"), 40),
    **dict.fromkeys(("fifty", "fünfzig", "cincuenta", "cinquante"), 50),
    **dict.fromkeys(("sixty", "sechzig", "sesenta", "soixante"), 60),
    **dict.fromkeys(("seventy", "siebzig", "setenta"), 70),
    **dict.fromkeys(("eighty", "achtzig", "ochenta"), 80),
    **dict.fromkeys(("ninety", "neunzig", "noventa"), 90),
}
MAGNITUDES: dict[str, float] = {
    **dict.fromkeys(("hundred", "hundert", "cien", "cent"), 1e2),
    **dict.fromkeys(("thousand", "tausend", "mil", "mille", "k"), 1e3),
    **dict.fromkeys(("million", "millions", "millionen", "mio", "millones", "m", "mn"), 1e6),
    **dict.fromkeys(("billion", "billions", "milliarde", "milliarden", "mrd", "bn"), 1e9),
}
MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar enero janvier", "feb february februar febrero février", "mar march märz marzo mars",
            "apr april abril avril", "may mai mayo", "jun june juni junio juin", "jul july juli julio juillet",
            "aug august agosto août", "sep sept september septiembre septembre", "oct october oktober octubre octobre",
            "nov november noviembre novembre", "dec december dezember diciembre décembre",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
NOT_ALONE = frozenset({"may", "mar", "mars"})  # far more often something else, unless a day stands beside it
UNITS: dict[str, str] = {
    unit: kind
    for kind, units in {
        "share": "% percent per-cent pct prozent ciento pourcent points",
        "second": "second seconds sekunde sekunden segundo segundos seconde secondes",
        "minute": "minute minutes min minuten minuto minutos",
        "hour": "hour hours h hr hrs stunde stunden hora horas heure heures",
        "day": "day days tag tage tagen día días jour jours weekday weekdays",
        "week": "week weeks woche wochen semana semanas semaine semaines",
        "month": "month months monat monate monaten mes meses mois",
        "year": "year years jahr jahre jahren año años an ans année années",
        "euro": "€ euro euros eur",
        "dollar": "$ dollar dollars dólar dólares usd",
        "pound": "£ gbp pound pounds lb lbs pfund libra libras livre livres",  # money or weight: the word is the same
        "franc": "chf franken franc francs",
        "cent": "cent cents",
        "millimetre": "mm millimetre millimetres millimeter millimeters",
        "centimetre": "cm centimetre centimetres centimeter centimeters zentimeter",
        "metre": "metre metres meter meters metern metro metros mètre mètres",
        "kilometre": "km kilometre kilometres kilometer kilometers kilometern kilómetro kilómetros kilomètre",
        "mile": "mile miles meile meilen milla millas",
        "foot": "ft foot feet",
        "gram": "gram grams gramm gramo gramos gramme grammes",
        "kilogram": "kg kilo kilos kilogram kilograms kilogramm kilogramo kilogramos kilogramme kilogrammes",
        "tonne": "tonne tonnes tonnen ton tons tonelada toneladas",
        "litre": "litre litres liter liters litern litro litros",
        "megabyte": "mb megabyte megabytes",
        "gigabyte": "gb gigabyte gigabytes",
    }.items()
    for unit in units.split()
}
_ABOUT = """about around approximately roughly nearly almost over under some ca approx more less than up least most
    etwa rund ungefähr fast knapp gut über unter mehr als mindestens höchstens
    unos casi aproximadamente más menos cerca environ presque près plus moins"""
ABOUT = frozenset(_ABOUT.split())

_ISO = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})\b")
_DOTTED = re.compile(r"\b(?P<day>\d{1,2})(?P<mark>[./])\s?(?P<month>\d{1,2})(?P=mark)\s?(?P<year>\d{4})\b")
_NAMES = "|".join(sorted(MONTHS, key=len, reverse=True))
_NAMED = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th|er)?\s+(?:of\s+|de\s+)?(?P<name>{_NAMES})\b"
    rf"|\b(?P<name_>{_NAMES})\.?\s+(?P<day_>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?!\d)|\b(?P<hour_>\d{1,2})\s?(?:Uhr|o'clock)\b")
_NUMBER = re.compile(
    r"(?<![\w.,])[$€£]?\s?(\d+(?:[.,'\u2019\u00a0\u202f ]\d{3})+(?!\d)|\d+)"  # whole, with separators
    r"((?:[.,]\d+)?)(st|nd|rd|th|k|m|bn|%)?(?!\d)"
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?|[%€$£]")
TOLERANCE = 1e-9
ROUGH = 0.05  # how far "about 1,200" may be from what the source says


@dataclass(frozen=True, slots=True)
class Number:
    """One number as it stands in a text."""

    start: int  # characters, end exclusive
    end: int
    values: tuple[float, ...]  # what it may mean: 1.200 is twelve hundred or one point two
    unit: str = ""  # kind of unit beside it, where that is plain
    rough: bool = False  # "about", "nearly", "more than"
    date: bool = False  # a date, a month or a year
    unit_end: int = 0  # where the unit's word ends; 0 where it does not follow the number


def numbers(text: str) -> list[Number]:
    """The numbers of ``text`` in order, those in words included. "One" is an article."""
    found: list[Number] = []
    for kind in (_dates, _clock_times, _figures, _spelt, _months):
        taken = [(number.start, number.end) for number in found]
        found += [number for number in kind(text) if not any(a < number.end and number.start < b for a, b in taken)]
    return sorted(found, key=lambda number: (number.start, number.end))


def supported(number: Number, known: Sequence[Number]) -> bool:
    """Whether one of ``known`` says the same: the value, and no other kind of unit."""
    return any(same(number, other) for other in known)


def other_unit(number: Number, known: Sequence[Number]) -> bool:
    """Whether one of ``known`` has the value, measured in something else.

    A magnitude is part of the value, as in "1.2 million" and "1,200,000": five billion are another number than five
    million, not another unit.
    """
    return any(
        bool(number.unit_end and other.unit) and not _same_unit(number, other) and _same_value(number, other)
        for other in known
    )


def same(number: Number, other: Number) -> bool:
    """Whether ``other`` says ``number``, or a date that it is a part of."""
    return any(_same_value(number, part) and _same_unit(number, part) for part in _parts(other))


def _parts(number: Number) -> tuple[Number, ...]:
    """A date, its month and its day; any other number alone."""
    if number.unit != "date":
        return (number,)
    months = replace(number, values=tuple(value // 100 for value in number.values), unit="month of the year")
    days = replace(number, values=tuple(value % 100 for value in number.values), unit="day of the month")
    return number, months, days


def _same_value(number: Number, other: Number) -> bool:
    for value in number.values:
        for known in other.values:
            if abs(value - known) <= TOLERANCE * max(1.0, abs(known)):
                return True
            if number.rough and known and abs(value - known) <= ROUGH * abs(known):
                return True
            if not float(known).is_integer() and not number.date and value == round(known) and value >= 2:
                return True
    return False


def _same_unit(number: Number, other: Number) -> bool:
    return not number.unit or not other.unit or number.unit == other.unit


def _dates(text: str) -> Iterator[Number]:
    """Day and month as one value, 100 times the month and the day; the year is a number of its own."""
    for match in (*_ISO.finditer(text), *_DOTTED.finditer(text)):
        day, month = int(match["day"]), int(match["month"])
        orders = {(month, day), (day, month)} if match.groupdict().get("mark") == "/" else {(month, day)}
        values = tuple(sorted(100.0 * m + d for m, d in orders if 1 <= m <= 12 and 1 <= d <= 31))
        if values:
            year_first = match.start("year") == match.start()
            between = (match.end("year") + 1, match.end()) if year_first else (match.start(), match.start("year") - 1)
            yield Number(*between, values, "date", date=True)
            yield Number(*match.span("year"), (float(match["year"]),), date=True)
    for match in _NAMED.finditer(text):
        name = match["name"] or match["name_"]
        value = 100.0 * MONTHS[name.casefold()] + int(match["day"] or match["day_"])
        yield Number(match.start(), match.end(), (value,), "date", date=True)


def _clock_times(text: str) -> Iterator[Number]:
    for match in _CLOCK.finditer(text):
        minutes = 60 * int(match["hour"] or match["hour_"]) + int(match["minute"] or 0)
        yield Number(*match.span(), (float(minutes),), "clock")


def _figures(text: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        yield _figure(text, match)


def _months(text: str) -> Iterator[Number]:
    for match in _WORD.finditer(text):
        name = match[0].casefold()
        if name in MONTHS and name not in NOT_ALONE and (len(name) > 3 or match[0][0].isupper()):
            yield Number(*match.span(), (float(MONTHS[name]),), "month of the year", date=True)


def _figure(text: str, match: re.Match[str]) -> Number:
    whole, fraction, mark = match[1], match[2], (match[3] or "").casefold()
    factor, end, unit, unit_end = _following(text, match.end())
    factor = MAGNITUDES.get(mark, factor)
    values = tuple(sorted({value * factor for value in _readings(whole, fraction)}))
    before = "share" if mark == "%" else UNITS[match[0][0]] if match[0][0] in "$€£" else ""
    year = not fraction and len(whole) == 4 and whole[:2] in ("18", "19", "20") and factor == 1.0
    year = year and not (before or unit)
    unit_end = unit_end if before in ("", unit) else 0
    return Number(match.start(1), end, values, before or unit, _rough(text, match.start()), year, unit_end)


def _following(text: str, at: int, shortest: int = 1) -> tuple[float, int, str, int]:
    """What a number that ends at ``at`` is multiplied by and where that ends; its unit and where that ends.

    Args:
        shortest: letters of a magnitude; "m" and "k" belong to figures.
    """
    word = _WORD.match(text, _skip(text, at))
    factor = MAGNITUDES.get(word[0].casefold(), 1.0) if word and len(word[0]) >= shortest else 1.0
    if word and factor != 1.0:
        at, word = word.end(), _WORD.match(text, _skip(text, word.end()))
    unit = UNITS.get(word[0].casefold(), "") if word else ""
    return factor, at, unit, word.end() if word and unit else 0


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \u00a0\u202f-":
        at += 1
    return at


def _readings(whole: str, fraction: str) -> set[float]:
    """Both readings where a mark may separate thousands or decimals."""
    digits = "".join(c for c in whole if c.isdecimal())
    tail = fraction[1:]
    found = {float(f"{digits}.{tail}" if tail else digits)}
    separators = [c for c in whole if not c.isdecimal()]
    if len(separators) == 1 and separators[0] in ".," and not tail:
        found.add(float(whole.replace(",", ".")))
    if len(tail) == 3:
        found.add(float(digits + tail))
    return found


def _rough(text: str, start: int) -> bool:
    before = [word.casefold() for word in re.findall(r"[^\W\d_]+", text[max(0, start - 24) : start])]
    return any(word in ABOUT for word in before[-2:])


def _spelt(text: str) -> Iterator[Number]:
    for match in re.finditer(r"[^\W\d_]+(?:-[^\W\d_]+)?", text):
        value = _spelt_value(match[0].casefold())
        if value is None:
            continue
        factor, end, unit, unit_end = _following(text, match.end(), shortest=3)
        yield Number(match.start(), end, (value * factor,), unit, _rough(text, match.start()), unit_end=unit_end)


def _spelt_value(word: str) -> float | None:
    if word in WORDS:
        return WORDS[word]
    tens, dash, ones = word.partition("-")
    if dash and WORDS.get(tens, 0) >= 20 and WORDS.get(ones, 10) < 10:
        return WORDS[tens] + WORDS[ones]
    return 21.0 if word == "twenty-one" else None
