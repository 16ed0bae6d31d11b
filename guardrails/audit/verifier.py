"""Verifies a log of Candor. Needs Python 3.11 and this one file: no package, no network, no trust in the installation.

    python verifier.py EXPORT CHECKPOINTS --public-key KEY

EXPORT is what ``candor audit export`` writes: a signed statement about it, then one event a line. CHECKPOINTS is the
file that was kept in a second place, KEY the public key as ``candor audit key`` prints it. Exit status 0: all of it
holds; 1: it does not, one line for each fault; 2: it cannot be read.

The log is a Merkle tree (RFC 6962) over its events' headers in canonical JSON (RFC 8785). A checkpoint signs (Ed25519,
RFC 8032) the root of the first so many events, and the SHA-256 of the checkpoint before it. A header commits to its
payload by SHA-256 over a secret salt and the payload, so that both may be erased together. Events of version 1 came
before the tree, which holds them too: each has a hash over the one before it and its header, and commits to its
ciphertext.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

CHECKPOINT, HEAD, EXPORT = "candor checkpoint", "candor signed head", "candor export"  # what a statement is
NONE = bytes(32)  # the hash before the first
CLOCK = timedelta(seconds=1)  # time services may set a clock back by less
OPENS, CLOSES = "asked", "closed"  # the kinds of event between which an answer is under way
Verify = Callable[[bytes, bytes, bytes], bool]  # public key, message, signature


class Unusable(Exception):
    """A file is not what it should be. The message says which, and why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement about the first ``size`` events."""

    number: int  # from 1
    size: int
    root: str
    at: str
    previous: str
    hash: str  # SHA-256 of its whole line


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, as it is stored."""

    header: bytes
    hash: bytes
    payload: bytes | None = None  # canonical JSON; None: it is not there
    salt: bytes = b""
    ciphertext: bytes = b""  # only version 1 commits to it


@dataclass(slots=True)
class Report:
    events: int = 0
    faults: list[str] = field(default_factory=list)  # something was changed, moved, removed, or the clock set back
    open_turns: list[str] = field(default_factory=list)  # begun and not closed: interrupted, or still under way
    checkpoints: int = 0


def canonical(value: Any) -> bytes:
    """JSON by RFC 8785. Numbers that were parsed from it are written as they were."""
    return _written(value).encode("utf-8", "surrogatepass")


def leaf(header: bytes) -> bytes:
    return hashlib.sha256(b"\0" + header).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def link(previous: bytes, header: bytes) -> bytes:
    """What chained a header of version 1 to the one before it."""
    return hashlib.sha256(b"candor event\0" + previous + header).digest()


def grown(edge: Sequence[bytes], size: int, hash: bytes) -> tuple[bytes, ...]:
    """The edge of a tree with one more leaf, in O(log n).

    Args:
        edge: the roots of the full subtrees of a tree, the largest first: one for each 1 of ``size`` in binary.
    """
    new = [*edge, hash]
    while size & 1:
        right, left = new.pop(), new.pop()
        new.append(node(left, right))
        size >>= 1
    return tuple(new)


def root(edge: Sequence[bytes]) -> bytes:
    """The Merkle tree hash, from the edge of the tree."""
    if not edge:
        return hashlib.sha256(b"").digest()
    hash = edge[-1]
    for left in reversed(edge[:-1]):
        hash = node(left, hash)
    return hash


def origin(key: bytes) -> str:
    """What statements signed with a key name as the log that they are of."""
    return f"candor/{hashlib.sha256(key).hexdigest()[:16]}"


def statement(line: str | bytes, kind: str, key: bytes, verify: Verify | None) -> dict[str, Any]:
    """A signed statement, its line taken apart.

    Args:
        verify: None: something that is verified besides vouches for the line.

    Raises:
        Unusable: it is none, or not signed with this key.
    """
    try:
        values: dict[str, Any] = json.loads(line)
        unsigned = {name: value for name, value in values.items() if name != "signature"}
        signature = bytes.fromhex(values["signature"])
        if canonical(values) != (line if isinstance(line, bytes) else line.encode()) or values["type"] != kind:
            raise Unusable(f"there is no {kind} where one belongs")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unusable(f"a {kind} cannot be read") from None
    if values["origin"] != origin(key):
        raise Unusable(f"a {kind} is of another log, signed with another key")
    if verify and not verify(key, canonical(unsigned), signature):
        raise Unusable(f"the signature of a {kind} does not verify")
    return values


def read_checkpoints(lines: Sequence[str], key: bytes, verify: Verify) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints that can be used, and what is wrong with the lines. One signature vouches for a run of them."""
    hashes = [hashlib.sha256(line.encode("utf-8", "surrogateescape")).hexdigest() for line in lines]
    found: list[Checkpoint] = []
    faults: list[str] = []
    last = Checkpoint(0, 0, "", "", "", NONE.hex())
    for place, (line, hash) in enumerate(zip(lines, hashes, strict=True), start=1):
        vouched = place < len(lines) and f'"previous":"{hash}"' in lines[place]
        try:
            values = statement(line, CHECKPOINT, key, None if vouched else verify)
            one = Checkpoint(hash=hash, **{of: values[of] for of in ("number", "size", "root", "at", "previous")})
            if _earlier(one.at, last.at or one.at):
                faults.append(f"the clock was set back between checkpoints {last.number} and {one.number}")
            if (one.previous, one.number) != (last.hash, last.number + 1) or one.size <= last.size:
                faults.append(f"checkpoint {one.number} does not follow the line before it: one was moved or removed")
            found.append(one)
            last = one
        except Unusable as error:
            faults.append(f"line {place} of the checkpoints: {error}")
        except (ValueError, KeyError, TypeError):
            faults.append(f"line {place} of the checkpoints cannot be read")
    return found, faults


class Walk:
    """Goes through the events of a log in order, and compares them with themselves and with the checkpoints."""

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        self.report = Report(checkpoints=len(checkpoints))
        self.tell = self.report.faults.append
        self.seq = 0
        self.edge: tuple[bytes, ...] = ()
        self._chain = NONE
        self._at = ""
        self._open: dict[str, str] = {}
        self._agreed = 0  # events that a checkpoint vouches for
        self._differs = False
        self._hashes = {one.hash for one in checkpoints}
        self._due: dict[int, list[Checkpoint]] = {}
        for one in checkpoints:
            self._due.setdefault(one.size, []).append(one)

    def step(self, entry: Entry) -> dict[str, Any]:
        """Take the next event; its header, empty where it cannot be read."""
        self.edge = grown(self.edge, self.report.events, leaf(entry.header))
        self.report.events += 1
        self.seq += 1
        header: dict[str, Any] = {}
        try:
            self._compare(values := json.loads(entry.header), entry)
            header = values
        except (ValueError, KeyError, TypeError, AttributeError):
            self.tell(f"the header or payload of event {self.seq} cannot be read")
        for one in self._due.pop(self.report.events, ()):
            self._against(one)
        return header

    def end(self, said: Mapping[str, Any], where: str = "log") -> Report:
        """All events were taken.

        Args:
            said: the signed statement about them all. Checkpoints made after its time, if it has one, may be of more.
        """
        held, last = self.report.events, said["checkpoint"]
        ahead = [one for due in self._due.values() for one in due if one.at < said.get("at", "9")]
        for one in sorted(ahead, key=lambda one: one.size)[-1:]:
            newest = "the newest were removed, or an older copy was put in its place"
            self.tell(f"the {where} has {held} events, but {one.size} were signed on {one.at}: {newest}")
        if said["size"] != held:
            self.tell(f"the {where} has {held} events, and {said['size']} by its signed head")
        elif said["root"] != root(self.edge).hex():
            self.tell(f"the events of the {where} are not those that its signed head is of")
        if last["number"] and last["hash"] not in self._hashes:
            self.tell(f"checkpoint {last['number']}, the last by the signed head, is not there, or another one is")
        self.report.open_turns = [f"turn {turn} was begun on {at} and not closed" for turn, at in self._open.items()]
        return self.report

    def _compare(self, header: Mapping[str, Any], entry: Entry) -> None:
        if header["seq"] != self.seq:
            told = "is missing" if header["seq"] > self.seq else "is not in its place"
            self.tell(f"event {self.seq} {told}")
            self.seq = header["seq"]
        old = header["version"] == 1
        expected = link(self._chain, entry.header) if old else leaf(entry.header)
        self._chain = entry.hash
        if entry.hash != expected:
            before = ", or an event before it was changed, moved or removed" if old else ""
            self.tell(f"event {self.seq} was changed{before}")
        committed = entry.ciphertext if old else entry.payload
        if entry.payload is None or committed is None:
            self.tell(f"the payload of event {self.seq} is gone, and no erasure was recorded")
        elif hashlib.sha256(entry.salt + committed).hexdigest() != header["commitment"]:
            self.tell(f"the payload of event {self.seq} was changed")
        if _earlier(header["at"], self._at or header["at"]):
            self.tell(f"the clock was set back before event {self.seq}, to {header['at']}")
        self._at = header["at"]
        if header["kind"] == OPENS:
            self._open[header["turn"]] = header["at"]
        elif header["kind"] == CLOSES:
            self._open.pop(header["turn"], None)

    def _against(self, one: Checkpoint) -> None:
        same = root(self.edge).hex() == one.root
        if same and _earlier(one.at, self._at):
            self.tell(f"checkpoint {one.number} is older than event {self.seq}: the clock was set back")
        if same and not self._differs:
            self._agreed = one.size
        elif not self._differs:
            events, signed = f"events {self._agreed + 1} to {one.size}", f"{one.number} signed on {one.at}"
            self.tell(f"{events} are not those that checkpoint {signed}: one was changed, moved, removed or put in")
        self._differs = self._differs or not same  # once one differs, no later one can agree


def verify_export(lines: Iterable[str], checkpoints: Sequence[str], key: bytes, verify: Verify) -> Report:
    """Compare an export with its signed statement, which is the first line, and with checkpoints kept elsewhere."""
    rows = iter(lines)
    said = statement(next(rows, "").rstrip("\n"), EXPORT, key, verify)
    kept, faults = read_checkpoints(checkpoints, key, verify)
    walk = Walk(kept)
    for line in rows:
        walk.step(_entry(line))
    report = walk.end(said, "export")
    report.faults = faults + report.faults
    return report


def public_key(text: str) -> bytes:
    """The key out of a PEM file; raises ``Unusable`` where it holds no Ed25519 key."""
    try:
        der = base64.b64decode("".join(line for line in text.splitlines() if "-----" not in line), validate=True)
    except ValueError:
        der = b""
    if len(der) != 44 or not der.startswith(bytes.fromhex("302a300506032b6570032100")):  # RFC 8410
        raise Unusable("the public key is no Ed25519 key in PEM")
    return der[12:]


P = 2**255 - 19  # the field, order and base point of edwards25519: RFC 8032, 5.1
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE = (4 * pow(5, -1, P) % P).to_bytes(32, "little")
Point = tuple[int, int, int, int]  # x/z, y/z, z, x*y/z


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature verifies: RFC 8032, 5.1.7."""
    try:
        place, commitment = _point(key), _point(signature[:32])
    except ValueError:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = _times(scalar, _point(BASE)), _plus(commitment, _times(challenge, place))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P
    return same and scalar < Q and len(signature) == 64


def _plus(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    product: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            product = _plus(product, point)
        point = _plus(point, point)
        scalar >>= 1
    return product


def _point(data: bytes) -> Point:
    """A point of the curve out of its 32 bytes: RFC 8032, 5.1.3."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if len(data) != 32 or y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("these bytes are no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _written(value: Any) -> str:
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, (bool, int, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_written(name)}:{_written(value[name])}" for name in names) + "}"
    return "[" + ",".join(map(_written, value)) + "]"


def _number(value: float) -> str:
    """As ECMAScript writes it: RFC 8785, 3.2.2.3."""
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0") if value else "0"
    sign, figures, exponent = Decimal(text).normalize().as_tuple()
    digits, point = "".join(map(str, figures)), len(figures) + int(exponent)
    minus = "-" if sign else ""
    if len(digits) <= point <= 21:
        return minus + digits.ljust(point, "0")
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{tail}e{point - 1:+d}"


def _earlier(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) < datetime.fromisoformat(other) - CLOCK


def lines_of(path: Path) -> list[str]:
    """The lines of a file of checkpoints, but for those that were cut off as they were written, and written again."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    lines = text.removesuffix("\n").split("\n") if text else []
    pairs = zip(lines, [*lines, ""][1:], strict=True)
    return [line for line, after in pairs if len(line) >= len(after) or not after.startswith(line)]


def _entry(line: str) -> Entry:
    try:
        row = json.loads(line)
        payload = None if row["payload"] is None else canonical(row["payload"])
        parts = (bytes.fromhex(row[name]) for name in ("salt", "ciphertext"))
        return Entry(canonical(row["header"]), bytes.fromhex(row["hash"]), payload, *parts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Entry(b"", b"")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an export of Candor's log against its checkpoints.")
    parser.add_argument("export", type=Path)
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("--public-key", type=Path, required=True, help="a file, as candor audit key prints it")
    chosen = parser.parse_args(arguments)
    try:
        key = public_key(chosen.public_key.read_text(encoding="utf-8"))
        with chosen.export.open(encoding="utf-8", errors="surrogateescape") as lines:
            report = verify_export(lines, lines_of(chosen.checkpoints), key, signed)
    except (OSError, Unusable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{told}\n" for told in [*report.faults, *report.open_turns])
    holds = "do not hold" if report.faults else "hold"
    sys.stdout.write(f"{report.events} events and {report.checkpoints} checkpoints {holds}.\n")
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
