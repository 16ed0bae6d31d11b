"""Disguised personal values: ``python -m tests.quality.disguises [FOLDER]``.

Each value is put into a sentence of six languages, plain and in each disguise. What the detector finds plain counts; of
those, a disguised one is caught if the findings cover every character that carries it: then the redacted text no longer
holds it. Plain Presidio, as in ``baselines.py``, beside it. With a folder of labelled texts: in how many of their rows
without any personal value something is found, without the text's folded views and with them.
"""

from __future__ import annotations

import base64
import codecs
import sys
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guardrails.pii import Detection, Detector
from rag.evaluation.pii import counted_as, read
from tests.quality.baselines import LANGUAGES, plain_presidio

CARRIERS = {
    "en": "Thank you for the call yesterday. {word} {value} is what we have on file, so please check it today.",
    "de": "Vielen Dank für den Anruf gestern. {word} {value} steht in unseren Akten, bitte prüfen Sie das heute.",
    "es": "Gracias por la llamada de ayer. {word} {value} consta en nuestro archivo, revíselo hoy por favor.",
    "fr": "Merci pour votre appel d'hier. {word} {value} figure dans notre dossier, merci de vérifier cela.",
    "it": "Grazie per la chiamata di ieri. {word} {value} risulta nel nostro archivio, la prego di controllare.",
    "pt": "Obrigado pela chamada de ontem. {word} {value} consta do nosso arquivo, verifique hoje por favor.",
}
WORDS = ("en", "de", "es", "fr", "it", "pt")  # the order of the words below
VALUES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("e-mail", ("anna.weiss@example.org", "jo_smith2@mail.co.uk"), ("E-mail:",) * 6),
    ("phone, prefixed", ("+49 30 23125 123", "+34 913 368 000"), ("Tel.",) * 6),
    ("phone, beside its word", ("030 23125 123",),
        ("Phone", "Telefon", "Teléfono", "Téléphone", "Telefono", "Telefone")),
    ("IBAN", ("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"), ("IBAN",) * 6),
    ("payment card", ("4012-8888-8888-1881", "4012 8888 8888 1881"),
        ("Card", "Karte", "Tarjeta", "Carte", "Carta", "Cartão")),
    ("US SSN", ("078-05-1123",), ("SSN",) * 6),
    ("IP address", ("192.168.20.7",), ("IP",) * 6),
    ("MAC address", ("00:1B:44:11:3A:B7",), ("MAC",) * 6),
    ("date of birth", ("12.03.1984", "12/03/1984"), ("Born", "Geboren", "Nacida el", "Née le", "Nata il", "Nascida")),
    ("passport", ("AB1234567",), ("Passport", "Reisepass", "Pasaporte", "Passeport", "Passaporto", "Passaporte")),
    ("Spanish DNI", ("12345678Z",), ("DNI",) * 6),
    ("Italian fiscal code", ("RSSMRA85T10A562S",), ("Codice fiscale",) * 6),
    ("name with title", ("Anna Weiss",), ("Dr.", "Frau", "Señora", "Madame", "Dr.", "Dra. Sra.")),
    ("web address", ("https://example.org/patients?id=4711",), ("Link:",) * 6),
    ("API key", ("sk-proj-abcdefghijklmnopqrstuvwx",), ("Key",) * 6),
    ("password", ("hunter2!xy",),
        ("Password:", "Passwort:", "Contraseña:", "Mot de passe :", "Password:", "Password:")),
    ("staff number", ("E-20417",),
        ("Employee number", "Personalnummer", "Número de empleado", "Matricule", "Staff ID", "Staff ID")),
)  # fmt: skip

FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
HOMOGLYPHS = str.maketrans("aceopxyiABEKMHOPCTX", "асеорхуіАВЕКМНОРСТХ")  # noqa: RUF001 - that is what they are for
GREEK = str.maketrans("oAvBEZHIKMNOPTYX", "οΑνΒΕΖΗΙΚΜΝΟΡΤΥΧ")  # noqa: RUF001
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
LEET = str.maketrans("0135", "oles")
AT = {"en": "at", "de": "ät", "es": "arroba", "fr": "arobase", "it": "chiocciola", "pt": "arroba"}
DOT = {"en": "dot", "de": "Punkt", "es": "punto", "fr": "point", "it": "punto", "pt": "ponto"}
DIGITS = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
    "pt": "zero um dois três quatro cinco seis sete oito nove",
}


def mathematical(value: str) -> str:
    return "".join(
        chr(0x1D41A + ord(c) - 97)
        if "a" <= c <= "z"
        else chr(0x1D400 + ord(c) - 65)
        if "A" <= c <= "Z"
        else chr(0x1D7CE + int(c))
        if c.isdecimal()
        else c
        for c in value
    )


def circled(value: str) -> str:
    return "".join(
        chr(0x24D0 + ord(c) - 97) if "a" <= c <= "z" else chr(0x24B6 + ord(c) - 65) if "A" <= c <= "Z" else c
        for c in value
    )


def middle(value: str, put: str) -> str:
    """``put`` in the middle of the longest part without spaces."""
    part = max(value.split(" "), key=len)
    place = value.index(part) + len(part) // 2
    return value[:place] + put + value[place:]


def wrapped(value: str) -> str:
    sign = next((sign for sign in " @." if sign in value), "")
    return value.replace(sign, f"{sign.strip()}\n", 1) if sign else value


def by_half(value: str, mark: str) -> str:
    return mark + value[: len(value) // 2] + mark + value[len(value) // 2 :]


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def percent(value: str) -> str:
    return "".join(f"%{octet:02X}" for octet in value.encode())


def hexadecimal(value: str, between: str = "") -> str:
    return value.encode().hex(between) if between else value.encode().hex()


def smuggled(value: str) -> str:
    return "".join(chr(0xFE00 + octet if octet < 16 else 0xE00F0 + octet) for octet in value.encode())


def spelled(value: str, language: str, brackets: str = "") -> str:
    left, right = brackets or "  "
    return (
        value.replace("@", f" {left}{AT[language]}{right} ")
        .replace(".", f" {left}{DOT[language]}{right} ")
        .replace("  ", " ")
    )


def in_words(value: str, language: str) -> str:
    words = DIGITS[language].split()
    return " ".join(" ".join(words[int(c)] if c.isdecimal() else c for c in part) for part in value.split())


Disguise = Callable[[str, str], str]  # value and language
DISGUISES: dict[str, Disguise] = {
    "zero-width space between all": lambda v, _: "\u200b".join(v),
    "zero-width joiner in the middle": lambda v, _: middle(v, "\u200d"),
    "word joiner and byte order mark": lambda v, _: middle(v, "\u2060\ufeff"),
    "soft hyphens": lambda v, _: "\u00ad".join(v),
    "variation selectors": lambda v, _: "\ufe0f".join(v),
    "control characters": lambda v, _: middle(v, "\x00\x08"),
    "tag characters": lambda v, _: "".join(chr(0xE0000 + ord(c)) for c in v),
    "bytes as variation selectors": lambda v, _: "\U0001f600" + smuggled(v),
    "right-to-left override": lambda v, _: f"\u202e{v[::-1]}\u202c",
    "isolates around parts": lambda v, _: "\u2066" + middle(v, "\u2069\u2066") + "\u2069",
    "full width": lambda v, _: v.translate(FULL_WIDTH),
    "mathematical bold": lambda v, _: mathematical(v),
    "circled letters": lambda v, _: circled(v),
    "Cyrillic homoglyphs": lambda v, _: v.translate(HOMOGLYPHS),
    "Greek homoglyphs": lambda v, _: v.translate(GREEK),
    "Arabic digits": lambda v, _: v.translate(ARABIC),
    "Devanagari digits": lambda v, _: v.translate(DEVANAGARI),
    "keycaps": lambda v, _: "".join(c + "\ufe0f\u20e3" if c.isdecimal() else c for c in v),
    "struck through": lambda v, _: "".join(c + "\u0336" for c in v),
    "no-break spaces": lambda v, _: v.replace(" ", "\u00a0"),
    "typographic dashes": lambda v, _: v.replace("-", "\u2011"),
    "percent encoded": lambda v, _: percent(v),
    "percent encoded signs": lambda v, _: urllib.parse.quote(v, safe=""),
    "HTML entities, decimal": lambda v, _: "".join(f"&#{ord(c)};" for c in v),
    "HTML entities, hexadecimal": lambda v, _: "".join(f"&#x{ord(c):x};" for c in v),
    "JavaScript escapes": lambda v, _: "".join(f"\\u{ord(c):04x}" for c in v),
    "quoted printable signs": lambda v, _: "".join(c if c.isalnum() else f"={ord(c):02X}" for c in v),
    "base64": lambda v, _: encoded(v),
    "base64 without padding": lambda v, _: encoded(v).rstrip("="),
    "hexadecimal": lambda v, _: hexadecimal(v),
    "hexadecimal with spaces": lambda v, _: hexadecimal(v, " "),
    "bold half": lambda v, _: by_half(v, "**"),
    "backticks": lambda v, _: middle(v, "``"),
    "HTML tag inside": lambda v, _: middle(v, "<b></b>"),
    "wrapped with a hyphen": lambda v, _: middle(v, "-\n"),
    "wrapped as in quoted printable": lambda v, _: middle(v, "=\n"),
    "wrapped at spaces or signs": lambda v, _: wrapped(v),
    "wrapped in a quotation": lambda v, _: v.replace(" ", "\n> ", 1) if " " in v else middle(v, "\n> "),
    "spaced": lambda v, _: " ".join(v),
    "spaced by underscores": lambda v, _: "_".join(v),
    "spaced by dashes": lambda v, _: "-".join(v),
    "at and dot in brackets": lambda v, language: v.replace("@", "(at)").replace(".", "[dot]"),
    "at and dot in words": lambda v, language: spelled(v, language),
    "at and dot in words and brackets": lambda v, language: spelled(v, language, "[]"),
    "signs in brackets": lambda v, _: v.replace(".", "[.]").replace("@", "[@]").replace("http", "hxxp"),
    "digits in words": in_words,
    "base64 of percent": lambda v, _: encoded(percent(v)),
    "percent of base64": lambda v, _: urllib.parse.quote(encoded(v), safe=""),
    "percent twice": lambda v, _: urllib.parse.quote(percent(v)),
    "base64 twice": lambda v, _: encoded(encoded(v)),
    "full width with zero width": lambda v, _: "\u200b".join(v.translate(FULL_WIDTH)),
    "homoglyphs, bold, soft hyphen": lambda v, _: by_half(middle(v.translate(HOMOGLYPHS), "\u00ad"), "**"),
    "entities of full width": lambda v, _: "".join(f"&#{ord(c)};" for c in v.translate(FULL_WIDTH)),
    "spaced full width": lambda v, _: " ".join(v.translate(FULL_WIDTH)),
    "hexadecimal of base64": lambda v, _: hexadecimal(encoded(v)),
    "base32": lambda v, _: base64.b32encode(v.encode()).decode(),
    "UTF-16 in base64": lambda v, _: base64.b64encode(v.encode("utf-16-le")).decode(),
    "decimal codes": lambda v, _: " ".join(str(ord(c)) for c in v),
    "commas between": lambda v, _: ",".join(v),
    "emoji between": lambda v, _: middle(v, "\U0001f600"),
}  # fmt: skip
# Disguises that no fold was made for.
UNFORESEEN: dict[str, Disguise] = {
    "reversed": lambda v, _: v[::-1],
    "ROT13": lambda v, _: codecs.encode(v, "rot13"),
    "letters for digits": lambda v, _: v.translate(LEET),
    "base85": lambda v, _: base64.b85encode(v.encode()).decode(),
    "octal escapes": lambda v, _: "".join(f"\\{ord(c):03o}" for c in v),
    "UTF-7": lambda v, _: v.encode("utf-7").decode().replace("@", "+AEA-"),
    "each in brackets": lambda v, _: "".join(f"({c})" for c in v),
    "full stops between": lambda v, _: ".".join(v),
    "two spaces inside": lambda v, _: middle(v, "  "),
    "each twice": lambda v, _: "".join(c + c for c in v),
    "in two halves": lambda v, _: f"{v[: len(v) // 2]} (first half) {v[len(v) // 2 :]}",
}  # fmt: skip


def cases() -> Iterator[tuple[str, str, str, str, str]]:
    """Kind of value, language, the text before the value, the value, the text after it."""
    for kind, values, words in VALUES:
        for language, word in zip(WORDS, words, strict=True):
            before, after = CARRIERS[language].replace("{word}", word).split("{value}")
            for value in values:
                yield kind, language, before, value, after


def covered(found: Sequence[Detection], text: str, start: int, end: int) -> bool:
    """Whether every character between that can carry a part of the value is in what is found."""
    hidden = {place for value in found for place in range(value.start, value.end)}
    carrying = [place for place in range(start, end) if text[place].isalnum() or text[place] >= "\U000e0000"]
    return hidden.issuperset(carrying)


Find = Callable[[str, str], Sequence[Detection]]
Count = list[int]  # caught, of those found plain
ALL = "**all**"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many disguised values are caught."""

    disguise: defaultdict[str, Count] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    kind: defaultdict[str, Count] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    language: defaultdict[str, Count] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    missed: list[tuple[str, str, str]] = field(default_factory=list)  # disguise, kind, language


def tally(find: Find, disguises: Mapping[str, Disguise]) -> Tally:
    counts = Tally()
    for kind, language, before, value, after in cases():
        if not caught(find, language, before, value, after):
            continue
        for name, disguise in disguises.items():
            hidden = disguise(value, language)
            if hidden == value:
                continue
            found = caught(find, language, before, hidden, after)
            for count in (counts.disguise[name], counts.kind[kind], counts.language[language]):
                count[0] += found
                count[1] += 1
            if not found:
                counts.missed.append((name, kind, language))
    return counts


def caught(find: Find, language: str, before: str, value: str, after: str) -> bool:
    text = before + value + after
    return covered(find(text, language), text, len(before), len(before + value))


def alarms(folder: Path, detector: Detector) -> Iterator[tuple[str, int, int, int]]:
    """For each file: rows without personal values, those with a finding in the plain text, and in any view."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        rows = plain = folded = 0
        for row in read(path):
            if not row.labelled and not row.unclear:
                rows += 1
                plain += any(counted_as(found.label, row.types) for found in detector.plain(row.text))
                folded += any(counted_as(found.label, row.types) for found in detector.detect(row.text))
        yield path.name, rows, plain, folded


def main(folder: str | None = None) -> None:
    detector = Detector()
    detectors: tuple[tuple[str, Find], ...] = (
        ("Candor", lambda text, _: detector.detect(text)),
        ("plain Presidio", lambda text, language: plain_presidio(language if language in LANGUAGES else "en")(text)),
    )
    for title, disguises in (("Foreseen", DISGUISES), ("Unforeseen", UNFORESEEN)):
        tallies = {name: tally(find, disguises) for name, find in detectors}
        for part in ("disguise", "kind", "language"):
            _print(f"{title}, by {part}", {name: getattr(one, part) for name, one in tallies.items()})
    if folder:
        for row in alarms(Path(folder), detector):
            sys.stdout.write("| " + " | ".join(map(str, row)) + " |\n")


def _print(title: str, tables: Mapping[str, Mapping[str, Count]]) -> None:
    sys.stdout.write(f"\n| {title} | {' | '.join(tables)} |\n| --- |{' ---: |' * len(tables)}\n")
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    for name in [*names, ALL]:
        cells = [share(table[name] if name != ALL else total(table)) for table in tables.values()]
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")


def total(table: Mapping[str, Count]) -> Count:
    return [sum(count[i] for count in table.values()) for i in (0, 1)]


def share(count: Count) -> str:
    return f"{count[0] / count[1]:.3f} ({count[1]})" if count[1] else "-"


if __name__ == "__main__":
    main(*sys.argv[1:])
