"""The audit log: one event per step, chained, on disk before anything is shown.

Two tables. ``events`` holds headers, which never hold personal data, and a chain of hashes over them. ``payloads``
holds what was said, encrypted with a key of its own beside it. A header carries a commitment to its payload's
ciphertext, so that a payload may be erased (key, salt and ciphertext together) and the chain still verifies.

The chain shows any changed, reordered or removed row, except removal of the newest ones and a complete rewrite.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Connection, Index, Integer, LargeBinary, MetaData, String, Table, func, select

from guardrails.database import open_sqlite, writing

VERSION = 1  # of the envelope
GENESIS = bytes(32)  # the hash before the first event
SALT_BYTES = 16

metadata = MetaData()
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("turn", String, nullable=False),  # kind and turn repeat the header, for look-ups; verify compares them
    Column("header", LargeBinary, nullable=False),  # canonical JSON, RFC 8785
    Column("hash", LargeBinary(32), nullable=False),
    Index("events_by_turn", "turn", "seq"),
    Index("events_by_kind", "kind", "seq"),
)
payloads = Table(
    "payloads",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
    Column("salt", LargeBinary(SALT_BYTES), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One step, as it was recorded."""

    seq: int  # from 1, without gaps
    at: datetime
    kind: str  # asked, searched, sentence, notice, failed, closed; reviewed; ingested, released, removed
    conversation: str
    turn: str
    actor: str
    facts: Mapping[str, Any]  # of the header: counts, labels, hashes, durations; never words
    payload: Mapping[str, Any] | None = field(default_factory=dict)  # None: erased


class AuditLog:
    """Appends events, reads them back. Safe under threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = open_sqlite(path, durable=True)
        metadata.create_all(self._engine)

    def append(
        self,
        kind: str,
        *,
        conversation: str = "",
        turn: str = "",
        actor: str = "",
        facts: Mapping[str, Any] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> int:
        """Record one event; when this returns, the disk has it.

        Args:
            facts: stays for ever, in the clear: no personal data, nothing that somebody wrote.
            payload: redacted words and whatever else may have to be erased one day.

        Returns:
            The event's sequence number.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it is not on disk; the caller must show nothing.
        """
        key, salt = AESGCM.generate_key(256), os.urandom(SALT_BYTES)
        ciphertext = _encrypted(payload or {}, key, salt)
        with writing(self._engine) as connection:
            seq, previous = _last(connection)
            seq += 1
            header = rfc8785.dumps(
                {
                    "version": VERSION,
                    "seq": seq,
                    "at": datetime.now(UTC).isoformat(timespec="microseconds"),
                    "kind": kind,
                    "conversation": conversation,
                    "turn": turn,
                    "actor": actor,
                    "facts": _plain(facts or {}),
                    "commitment": hashlib.sha256(salt + ciphertext).hexdigest(),
                }
            )
            connection.execute(
                events.insert().values(seq=seq, kind=kind, turn=turn, header=header, hash=link(previous, header))
            )
            connection.execute(payloads.insert().values(seq=seq, key=key, salt=salt, ciphertext=ciphertext))
        return seq

    def read(
        self, *, turn: str | None = None, kind: str | Sequence[str] | None = None, newest: int | None = None
    ) -> list[Event]:
        """Events in order of sequence: of one turn, of one kind or some, the ``newest`` so many of them."""
        query = select(events.c.header, payloads).outerjoin(payloads, payloads.c.seq == events.c.seq)
        if turn is not None:
            query = query.where(events.c.turn == turn)
        if kind is not None:
            query = query.where(events.c.kind.in_([kind] if isinstance(kind, str) else kind))
        query = query.order_by(events.c.seq.desc()).limit(newest) if newest else query.order_by(events.c.seq)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        found = [_event(header, key, salt, ciphertext) for header, _, key, salt, ciphertext in rows]
        return found[::-1] if newest else found

    def export(self) -> Iterator[str]:
        """Every event as one line of JSON, with what is needed to verify the chain elsewhere."""
        query = select(events.c.header, events.c.hash, payloads).outerjoin(payloads, payloads.c.seq == events.c.seq)
        with self._engine.connect() as connection:
            for header, hashed, _, key, salt, ciphertext in connection.execute(query.order_by(events.c.seq)):
                line = {"header": json.loads(header), "hash": hashed.hex()}
                line["payload"] = None if key is None else _decrypted(key, salt, ciphertext)
                line["salt"], line["ciphertext"] = ("", "") if key is None else (salt.hex(), ciphertext.hex())
                yield json.dumps(line, ensure_ascii=False)

    def verify(self) -> list[str]:
        """What is wrong with the log, one plain sentence each; empty when the chain holds."""
        wrong: list[str] = []
        previous, expected = GENESIS, 0
        query = select(events, payloads.c.key, payloads.c.salt, payloads.c.ciphertext)
        with self._engine.connect() as connection:
            joined = query.outerjoin(payloads, payloads.c.seq == events.c.seq).order_by(events.c.seq)
            for row in connection.execute(joined):
                expected += 1
                wrong += _faults(row, expected, previous)
                previous, expected = _bytes(row.hash), row.seq
            strays = connection.scalars(select(payloads.c.seq).where(payloads.c.seq.not_in(select(events.c.seq))))
            wrong += [f"payload {seq} belongs to no event" for seq in strays]
        return wrong

    def count(self) -> int:
        """How many events there are."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(events)) or 0

    def close(self) -> None:
        self._engine.dispose()


def link(previous: bytes, header: bytes) -> bytes:
    """The hash that chains a header to the one before it: SHA-256 over both."""
    return hashlib.sha256(b"candor event\0" + previous + header).digest()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _last(connection: Connection) -> tuple[int, bytes]:
    row = connection.execute(select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def _faults(row: Any, expected: int, previous: bytes) -> list[str]:
    wrong = []
    if row.seq != expected:
        wrong.append(f"event {expected} is missing")
    try:
        header = json.loads(row.header)
        if (row.seq, row.kind, row.turn) != (header["seq"], header["kind"], header["turn"]):
            wrong.append(f"event {row.seq} does not agree with its header")
        if row.ciphertext is None:
            wrong.append(f"the payload of event {row.seq} is gone, and no erasure was recorded")
        elif hashlib.sha256(row.salt + row.ciphertext).hexdigest() != header["commitment"]:
            wrong.append(f"the payload of event {row.seq} was changed")
        elif _decrypted(row.key, row.salt, row.ciphertext) is None:
            wrong.append(f"the key of event {row.seq} was changed")
    except (ValueError, KeyError, TypeError):
        wrong.append(f"the header or payload of event {row.seq} cannot be read")
    # A cell may have become text where bytes were written: SQLite lets it.
    if link(previous, _bytes(row.header)) != row.hash:
        wrong.append(f"event {row.seq} was changed, or an event before it was changed, moved or removed")
    return wrong


def _encrypted(payload: Mapping[str, Any], key: bytes, salt: bytes) -> bytes:
    # A key is used once, so that a nonce taken from the salt is as good as any.
    return AESGCM(key).encrypt(salt[:12], rfc8785.dumps(_plain(payload)), None)


def _decrypted(key: bytes, salt: bytes, ciphertext: bytes) -> dict[str, Any] | None:
    """The payload; None when key, salt and ciphertext do not belong together."""
    try:
        payload: dict[str, Any] = json.loads(AESGCM(key).decrypt(salt[:12], ciphertext, None))
    except (InvalidTag, ValueError):
        return None
    return payload


def _event(header: bytes, key: bytes | None, salt: bytes, ciphertext: bytes) -> Event:
    values = json.loads(header)
    return Event(
        values["seq"],
        datetime.fromisoformat(values["at"]),
        values["kind"],
        values["conversation"],
        values["turn"],
        values["actor"],
        values["facts"],
        None if key is None else _decrypted(key, salt, ciphertext),
    )


def _plain(value: Any) -> Any:
    """The value as JSON types. Lone surrogates, which JSON cannot hold, are replaced."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
