"""The signed head of the log, and checkpoints: signed heads that are kept, in the database and in a second place.

The head is signed anew with every transaction, and holds the edge of the tree, so that appending costs O(log n). It
proves what the database holds; but an older copy of the database has a sound head too. What shows that is the second
place, a file that is only ever appended to: nothing that a checkpoint there is of can be taken back without a trace.
It belongs where whoever may write the database cannot change it, for instance on a write-once share.

What may still vanish unnoticed is what was recorded after the last checkpoint: the answer under way.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, func, insert, select, update

from guardrails.audit.signing import LogError, SigningKey, append, verify
from guardrails.audit.verifier import CHECKPOINT, EXPORT, HEAD, NONE, Unusable, grown, leaf, origin, root, statement

# Steps of an answer, of which more will follow. After any other event, a checkpoint is made.
UNDER_WAY = frozenset({"asked", "searched", "sentence", "notice", "failed"})
TAIL = 1 << 14  # bytes; the last line of the second place is shorter
HASH = 32  # bytes

metadata = MetaData()
heads = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True),  # 1
    Column("line", String, nullable=False),
    Column("edge", LargeBinary, nullable=False),
)
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("line", String, nullable=False),
)
GET_HEAD = select(heads.c.line, heads.c.edge)
PUT_HEAD = update(heads).where(heads.c.id == 1)


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """When checkpoints are made besides at the end of an answer, and where their second place is."""

    folder: Path | None = None  # None: beside the database
    events: int = 100
    minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Last:
    """The newest checkpoint."""

    number: int = 0
    size: int = 0
    at: str = ""
    hash: str = NONE.hex()


@dataclass(frozen=True, slots=True)
class Head:
    """The log so far."""

    size: int = 0
    seq: int = 0  # of the newest event; more than ``size`` where events of version 1 had been removed
    edge: tuple[bytes, ...] = ()  # see ``verifier.grown``
    last: Last = field(default_factory=Last)
    is_due: bool = False  # a checkpoint

    def with_event(self, seq: int, header: bytes, kind: str) -> Head:
        edge = grown(self.edge, self.size, leaf(header))
        return Head(self.size + 1, seq, edge, self.last, self.is_due or kind not in UNDER_WAY)

    def said(self) -> dict[str, Any]:
        """What is signed."""
        return {"size": self.size, "seq": self.seq, "root": root(self.edge).hex(), "checkpoint": asdict(self.last)}


class Seals:
    """Keeps the head and the checkpoints of one database. What takes a connection needs a transaction that writes."""

    def __init__(self, database: Path, chosen: Checkpointing) -> None:
        self.key_file = database.with_suffix(".key")
        self.second_place = (chosen.folder or database.parent) / "checkpoints.jsonl"
        self._chosen = chosen
        self._key: SigningKey | None = None
        self._written = ("", Head())  # by this process, the last

    @property
    def key(self) -> SigningKey:
        """Raises ``LogError`` when it cannot be had."""
        self._key = self._key or SigningKey.read(self.key_file)
        return self._key

    def head(self, connection: Connection) -> Head:
        """The head that the next event is put on; the first of all where there is none.

        Raises:
            LogError: it is not what was signed. To carry on would vouch for what somebody else wrote.
        """
        row = connection.execute(GET_HEAD).first()
        if row is None:
            return self._first()
        line, known = self._written
        return known if row.line == line else self._read(row.line, row.edge)

    def seal(self, connection: Connection, head: Head) -> bool:
        """Sign the head, at the end of a transaction; whether a checkpoint was made too."""
        now = datetime.now(UTC)
        made = self._is_due(head, now)
        if made:
            head = self._checkpoint(connection, head, now.isoformat(timespec="microseconds"))
        line = self.key.sign(HEAD, head.said())
        values = {"line": line, "edge": b"".join(head.edge)}
        if not connection.execute(PUT_HEAD, values).rowcount:
            connection.execute(insert(heads), values | {"id": 1})
        self._written = (line, head)
        return made

    def export(self, connection: Connection) -> str:
        """A signed statement of what an export holds, and when it was made: no checkpoint before that has more."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        how = "python verifier.py EXPORT CHECKPOINTS --public-key KEY; see candor audit verifier, candor audit key"
        return self.key.sign(EXPORT, self.head(connection).said() | {"at": at, "verify": how})

    def copy(self, connection: Connection) -> None:
        """Append to the second place what it lacks.

        Lines that were removed in the middle are not put back, and where it differs from the database, only the newest
        is added: ``verify`` tells.

        Raises:
            LogError: it cannot be written, or belongs to another log.
        """
        newest = connection.scalar(select(func.max(checkpoints.c.number)))
        if newest is None:
            return
        try:
            tail = self._tail()
            since = self._known(connection, tail, newest)
            query = select(checkpoints.c.line).where(checkpoints.c.number > since).order_by(checkpoints.c.number)
            lines = [f"{line}\n" for line in connection.scalars(query)]
            if lines:
                cut_off = bool(tail) and not tail.endswith(b"\n")  # when the process ended
                append(self.second_place, ("\n" * cut_off + "".join(lines)).encode())
        except OSError as error:
            raise LogError(
                f"checkpoints of the log cannot be kept in {self.second_place} ({type(error).__name__}); nothing more "
                "is recorded until they can: see audit.checkpoints in the settings"
            ) from None

    def _first(self) -> Head:
        if self._tail():
            raise LogError(
                f"the log has no signed head, but {self.second_place} has checkpoints: they are of another log, or a "
                "part of this one was removed; see candor audit verify"
            )
        self._key = SigningKey.read_or_make(self.key_file)
        return Head()

    def _read(self, line: Any, stored: Any) -> Head:
        key = self.key.public
        try:
            said = statement(line, HEAD, key, verify)
            edge = tuple(stored[at : at + HASH] for at in range(0, len(stored), HASH))
            if root(edge).hex() != said["root"]:
                raise Unusable("the edge of the tree is not its own")
        except (Unusable, TypeError) as error:
            raise LogError(f"the head of the log was changed: {error}; see candor audit verify") from None
        return Head(said["size"], said["seq"], edge, Last(**said["checkpoint"]))

    def _is_due(self, head: Head, now: datetime) -> bool:
        waiting = head.size - head.last.size
        age = now - datetime.fromisoformat(head.last.at) if head.last.at else timedelta()
        late = abs(age) >= timedelta(minutes=self._chosen.minutes)  # before it: the clock was set back
        return waiting > 0 and (head.is_due or late or waiting >= self._chosen.events)

    def _checkpoint(self, connection: Connection, head: Head, at: str) -> Head:
        number = head.last.number + 1
        values = {"number": number, "size": head.size, "root": root(head.edge).hex(), "at": at}
        line = self.key.sign(CHECKPOINT, values | {"previous": head.last.hash})
        connection.execute(insert(checkpoints), {"number": number, "line": line})
        hash = hashlib.sha256(line.encode()).hexdigest()
        return replace(head, last=Last(number, head.size, at, hash), is_due=False)

    def _tail(self) -> bytes:
        """The end of the second place; empty when there is none."""
        try:
            with self.second_place.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                return file.read()
        except FileNotFoundError:
            return b""

    def _known(self, connection: Connection, tail: bytes, newest: int) -> int:
        """The number of the checkpoint up to which the second place needs none."""
        lines = tail.splitlines()
        if lines and not lines[-1].endswith(b"}"):  # cut off when the process ended
            lines.pop()
        if not lines:
            return 0
        try:
            said = json.loads(lines[-1])
            number, of = int(said["number"]), said["origin"]
        except (ValueError, KeyError, TypeError):
            return newest - 1
        if of != origin(self.key.public):
            raise LogError(f"{self.second_place} is of another log; name another folder as audit.checkpoints")
        stored = connection.scalar(select(checkpoints.c.line).where(checkpoints.c.number == number))
        return number if stored == lines[-1].decode() else newest - 1
