"""Canaries: made-up identities that are planted in one place each, and a scanner that finds them however they lie.

A canary is found in UTF-8 and UTF-16, in any case, as hex, base64 and percent-encoded, with its digits alone, as HTML
and JSON escape it, and inside gzip, zlib and zip members, nested too.
"""

from __future__ import annotations

import base64
import html
import json
import random
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

SEED = 20261124
DEEPEST = 3  # members inside members
LONGEST = 1 << 26  # bytes of one unpacked member
NUMBER_LIKE = 8  # digits from which a value is also looked for by its digits alone
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")
# Where a member may begin: its magic, how many bytes to skip (zip: read from the header), and zlib's window bits.
GZIP, ZIP = b"\x1f\x8b\x08", b"PK\x03\x04"
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


@dataclass(frozen=True, slots=True)
class Canary:
    """One made-up value."""

    place: str  # where it was planted
    kind: str
    value: str
    told_by: str  # the part of it that nothing else has, e.g. the family name; looked for as well

    def __str__(self) -> str:
        return f"{self.kind} of {self.place}"


@dataclass(frozen=True, slots=True)
class Identity:
    """One made-up person, planted in one place."""

    place: str
    name: Canary
    email: Canary
    phone: Canary
    iban: Canary
    card: Canary

    @property
    def all(self) -> tuple[Canary, ...]:
        return self.name, self.email, self.phone, self.iban, self.card

    def sentences(self) -> str:
        return (
            f"Write to {self.email.value} or call {self.phone.value}. The IBAN is {self.iban.value}. "
            f"The card is {self.card.value}. Ask for {self.name.value}."
        )


def identities(*places: str) -> dict[str, Identity]:
    """A person for each place. No two share a value."""
    dice = random.Random(SEED)  # noqa: S311 - the same people in every run
    lines = dice.sample(range(1000), len(places))  # of a block of numbers that is kept for fiction
    return {place: _identity(dice, place, line) for place, line in zip(places, lines, strict=True)}


def _identity(dice: random.Random, place: str, line: int) -> Identity:
    given, family, mailbox, host = (_word(dice) for _ in range(4))
    digits = "".join(dice.choices("0123456789", k=9))
    account = "".join(dice.choices("0123456789", k=18))
    phone = f"+44 20 7946 0{line:03}"
    email = f"{mailbox}@{host}.example.org".lower()
    iban = _grouped(f"DE{98 - int(account + '131400') % 97:02}{account}")
    card = _grouped((issued := f"400000{digits[:9]}") + _luhn(issued))
    return Identity(
        place,
        Canary(place, "name", f"Dr. {given} {family}", family),
        Canary(place, "e-mail", email, mailbox.lower()),
        Canary(place, "phone", phone, phone),
        Canary(place, "IBAN", iban, iban),
        Canary(place, "card", card, card),
    )


def _word(dice: random.Random) -> str:
    return "".join(dice.choice("bdfgklmnprstvz") + dice.choice("aeiou") for _ in range(5)).capitalize()


def _grouped(signs: str) -> str:
    return " ".join(signs[at : at + 4] for at in range(0, len(signs), 4))


def _luhn(digits: str) -> str:
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(digits))]
    return str(-sum(number - 9 * (number > 9) for number in doubled) % 10)


def forms(canary: Canary) -> frozenset[tuple[str, bytes]]:
    """The ways in which a canary may lie in bytes, each named; text and hex in lower case."""
    found: set[tuple[str, bytes]] = set()
    for text in _spellings(canary):
        for encoding in ENCODINGS:
            raw = text.encode(encoding)
            found |= {(encoding, raw.lower()), (f"hex of {encoding}", raw.hex().encode())}
            found |= {(f"base64 of {encoding}", sign) for cased in (text, text.lower(), text.upper())
                      for sign in _base64(cased.encode(encoding))}  # fmt: skip
        escaped = {quote(text, safe=""), quote_plus(text), html.escape(text), json.dumps(text)[1:-1]}
        escaped |= {"".join(f"%{byte:02x}" for byte in text.encode())}
        found |= {("escaped", sign.lower().encode()) for sign in escaped}
    return frozenset(found)


def _spellings(canary: Canary) -> set[str]:
    digits = "".join(re.findall(r"\d", canary.value))
    spelled = {canary.value, canary.told_by, canary.told_by.replace(" ", ""), canary.told_by.replace(" ", "-")}
    return spelled | ({digits} if len(digits) >= NUMBER_LIKE else set())


def _base64(raw: bytes) -> Iterator[bytes]:
    """What of the encoded value does not depend on its neighbours, for each of the three ways it may be aligned."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].replace(b"+", b"-").replace(b"/", b"_")


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found. Names it, since the value says little."""

    where: str
    canary: Canary
    form: str

    def __str__(self) -> str:
        return f"{self.canary} in {self.where} as {self.form}"


class Scanner:
    """Looks for canaries in bytes, texts and folders."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._forms = [(canary, sorted(forms(canary))) for canary in canaries]

    def text(self, text: str, where: str) -> list[Hit]:
        return self.bytes(text.encode("utf-8", "surrogatepass"), where)

    def bytes(self, data: bytes, where: str, depth: int = 0) -> list[Hit]:
        lowered = data.lower()
        hits = [
            Hit(where, canary, form)
            for canary, signs in self._forms
            for form, sign in signs
            if sign in (data if form.startswith("base64") else lowered)
        ]
        for name, member in _members(data) if depth < DEEPEST else ():
            hits += self.bytes(member, f"{where} > {name}", depth + 1)
        return hits

    def folder(self, folder: Path) -> list[Hit]:
        """Every file below, whatever it is, and the names of all."""
        hits = []
        for path in sorted(folder.rglob("*")):
            where = path.relative_to(folder).as_posix()
            hits += self.text(where, f"the name of {where}")
            if path.is_file() and not path.is_symlink():
                hits += self.bytes(path.read_bytes(), where)
        return hits


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What unpacks, wherever in the data it begins; also one that is cut off."""
    for name, magic, bits in (("gzip", GZIP, 31), *(("zlib", magic, 15) for magic in ZLIB), ("zip", ZIP, -15)):
        at = data.find(magic)
        while at >= 0:
            start = at + (_header(data, at) if name == "zip" else 0)
            if member := _unpacked(data[start:], bits):
                yield f"{name} at {at}", member
            at = data.find(magic, at + 1)


def _header(data: bytes, at: int) -> int:
    """Length of a zip member's header."""
    names = data[at + 26 : at + 30]
    return 30 + int.from_bytes(names[:2], "little") + int.from_bytes(names[2:], "little")


def _unpacked(data: bytes, bits: int) -> bytes:
    """As much as unpacks."""
    unpacker, unpacked = zlib.decompressobj(bits), b""
    try:
        for at in range(0, len(data), 4096):
            unpacked += unpacker.decompress(data[at : at + 4096], LONGEST)
            if unpacker.eof or len(unpacked) > LONGEST:
                break
    except zlib.error:
        pass
    return unpacked
