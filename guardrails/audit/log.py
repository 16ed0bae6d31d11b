"""The audit log: one event per step, chained, on disk before anything is shown.

Two tables. ``events`` holds headers, which never hold personal data, and a chain of hashes over them. ``payloads``
holds what was said, encrypted with a key of its own beside it. A header carries a commitment to its payload's
ciphertext, so that a payload may be erased (key, salt and ciphertext together) and the chain still verifies. What
quotes documents is sealed once more inside its payload, with the documents' keys; see ``keys.py``.

The chain shows any changed, reordered or removed row, except removal of the newest ones and a complete rewrite.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Connection, Index, Integer, LargeBinary, MetaData, String, Table, func, select

from guardrails.audit import keys as document_keys
from guardrails.audit.keys import DocumentKey, Quoted
from guardrails.database import fold, open_sqlite, writing
from guardrails.sealed import Unreadable

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
    # asked, searched, sentence, notice, failed, closed; reviewed; ingested, released, removed;
    # erased, purged, held, unheld
    kind: str
    conversation: str
    turn: str
    actor: str
    facts: Mapping[str, Any]  # of the header: counts, labels, hashes, durations; never words
    payload: Mapping[str, Any] | None = field(default_factory=dict)  # None: erased; ``Erased`` in place of a part


class AuditLog:
    """Appends events, reads them back. Safe under threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = open_sqlite(path, durable=True)
        metadata.create_all(self._engine)
        document_keys.metadata.create_all(self._engine)

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
        with self.writing() as connection:
            return self.write(connection, kind, conversation, turn, actor, facts or {}, payload or {})

    def writing(self) -> AbstractContextManager[Connection]:
        """One transaction, for an event and what it tells of."""
        return writing(self._engine)

    def write(
        self,
        connection: Connection,
        kind: str,
        conversation: str = "",
        turn: str = "",
        actor: str = "",
        facts: Mapping[str, Any] = MappingProxyType({}),
        payload: Mapping[str, Any] = MappingProxyType({}),
    ) -> int:
        """Record one event as part of a transaction; see ``append``."""
        key, salt = AESGCM.generate_key(256), os.urandom(SALT_BYTES)
        ciphertext = _encrypted(_plain(payload, _place(turn, kind)), key, salt)
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
                "facts": _plain(facts),
                "commitment": hashlib.sha256(salt + ciphertext).hexdigest(),
            }
        )
        connection.execute(
            events.insert().values(seq=seq, kind=kind, turn=turn, header=header, hash=link(previous, header))
        )
        connection.execute(payloads.insert().values(seq=seq, key=key, salt=salt, ciphertext=ciphertext))
        return seq

    def keys_of(self, sources: Iterable[str]) -> dict[str, DocumentKey]:
        """Source to the key that quotations of this document are sealed with; new ones are on disk."""
        with self.writing() as connection:
            return document_keys.keys_of(connection, sources)

    def keys(self, ids: Collection[int]) -> dict[int, DocumentKey]:
        """Keys of documents by their ids, destroyed ones too."""
        with self._engine.connect() as connection:
            return document_keys.keyring(connection, ids)

    def fold(self) -> None:
        """Leave nothing in the write-ahead file."""
        fold(self._engine)

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
            ids = set().union(*(document_keys.key_ids(event.payload) for event in found))
            ring = document_keys.keyring(connection, ids) if ids else {}
        found = [_opened(event, ring) for event in found]
        return found[::-1] if newest else found

    def export(self) -> Iterator[str]:
        """Every event as one line of JSON, with what is needed to verify the chain elsewhere.

        Quotations of documents stay sealed, so that they can be erased from an export as well.
        """
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
        erased: set[int] = set()  # keys of documents whose destruction was recorded
        query = select(events, payloads.c.key, payloads.c.salt, payloads.c.ciphertext)
        with self._engine.connect() as connection:
            ring = document_keys.keyring(connection)
            joined = query.outerjoin(payloads, payloads.c.seq == events.c.seq).order_by(events.c.seq)
            for row in connection.execute(joined):
                expected += 1
                wrong += _faults(row, expected, previous, ring, erased)
                previous, expected = _bytes(row.hash), row.seq
            strays = connection.scalars(select(payloads.c.seq).where(payloads.c.seq.not_in(select(events.c.seq))))
            wrong += [f"payload {seq} belongs to no event" for seq in strays]
        gone = [key.id for key in ring.values() if key.erased and key.id not in erased]
        return wrong + [f"key {id} of a document was destroyed, and no erasure was recorded" for id in gone]

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


def _faults(row: Any, expected: int, previous: bytes, ring: Mapping[int, DocumentKey], erased: set[int]) -> list[str]:
    """What is wrong with one event.

    Args:
        ring: the keys of documents.
        erased: is told which of them were destroyed, as far as this event says so.
    """
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
        elif (payload := _decrypted(row.key, row.salt, row.ciphertext)) is None:
            wrong.append(f"the key of event {row.seq} was changed")
        else:
            document_keys.opened(payload, ring, _place(row.turn, row.kind))
        if row.kind == "erased":
            erased.update(header["facts"]["keys"])
    except Unreadable:
        wrong.append(f"a quotation of event {row.seq} does not open: the key of a document was changed or removed")
    except (ValueError, KeyError, TypeError):
        wrong.append(f"the header or payload of event {row.seq} cannot be read")
    # A cell may have become text where bytes were written: SQLite lets it.
    if link(previous, _bytes(row.header)) != row.hash:
        wrong.append(f"event {row.seq} was changed, or an event before it was changed, moved or removed")
    return wrong


def _encrypted(payload: Any, key: bytes, salt: bytes) -> bytes:
    # A key is used once, so that a nonce taken from the salt is as good as any.
    return AESGCM(key).encrypt(salt[:12], rfc8785.dumps(payload), None)


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


def _opened(event: Event, ring: Mapping[int, DocumentKey]) -> Event:
    """The event with its quotations open; erased as a whole where they do not open: ``verify`` says why."""
    try:
        return replace(event, payload=document_keys.opened(event.payload, ring, _place(event.turn, event.kind)))
    except Unreadable:
        return replace(event, payload=None)


def _place(turn: str, kind: str) -> str:
    """What a quotation belongs to."""
    return f"{turn}\0{kind}"


def _plain(value: Any, place: str = "") -> Any:
    """The value as JSON types. Lone surrogates, which JSON cannot hold, are replaced; quotations are sealed."""
    if isinstance(value, Quoted):
        return document_keys.sealed(value, _plain(value.words), place)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, place) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, place) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
