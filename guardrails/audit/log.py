"""The audit log: one event per step, on disk before anything is shown, in a tree whose root is signed.

Two tables. ``events`` holds headers, which never hold personal data; they are the leaves of a Merkle tree (RFC 6962).
``payloads`` holds what was said, encrypted with a key of its own beside it. A header commits to its payload by a hash
over a secret salt and the payload, so that key, salt and ciphertext may be erased together and the log still verifies.
What quotes documents is sealed once more inside its payload, with the documents' keys; see ``keys.py``.

Any change shows: ``checkpoints.py`` says how the tree is signed, ``verify.py`` and ``verifier.py`` look.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, func, inspect, select

from guardrails.audit import checkpoints, storage
from guardrails.audit import keys as document_keys
from guardrails.audit.checkpoints import Checkpointing, Head, Seals, heads
from guardrails.audit.keys import DocumentKey, Quoted
from guardrails.audit.signing import LogError
from guardrails.audit.storage import SALT_BYTES, decrypted, encrypted, events, payloads, place
from guardrails.audit.verifier import Report, leaf
from guardrails.audit.verify import examine
from guardrails.database import fold, open_sqlite, writing
from guardrails.sealed import Unreadable

VERSION = 2  # of the envelope; events of version 1 were chained by hashes, and are carried along
HEAD = "candor head"  # in the notes of a connection: the head that the transaction has come to
PUT_EVENT, PUT_PAYLOAD = events.insert(), payloads.insert()  # built once: that takes as long as running them

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One step, as it was recorded."""

    seq: int  # from 1, without gaps
    at: datetime
    # asked, searched, sentence, notice, failed, closed; rated, reviewed; ingested, released, removed;
    # erased, purged, held, unheld; carried
    kind: str
    conversation: str
    turn: str
    actor: str
    facts: Mapping[str, Any]  # of the header: counts, labels, hashes, durations; never words
    payload: Mapping[str, Any] | None = field(default_factory=dict)  # None: erased; ``Erased`` in place of a part


class AuditLog:
    """Appends events, reads them back. Safe under threads and processes."""

    def __init__(self, path: Path, checkpointing: Checkpointing = Checkpointing()) -> None:  # noqa: B008 - frozen
        self.path = path
        self.seals = Seals(path, checkpointing)
        self._engine = open_sqlite(path, durable=True)
        self._is_behind = True  # the second place may lack checkpoints
        if not inspect(self._engine).has_table(heads.name):
            with writing(self._engine) as connection:  # so that one process makes them
                for tables in (storage, document_keys, checkpoints):
                    tables.metadata.create_all(connection)
        self._carry_over()

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

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, for an event and what it tells of.

        Raises:
            LogError: the log cannot be carried on, or the second place lacks a checkpoint and cannot be written.
        """
        if self._is_behind:
            self._copy()
        with writing(self._engine) as connection:
            connection.info.pop(HEAD, None)
            yield connection
            head = connection.info.pop(HEAD, None)
            if head and self.seals.seal(connection, head):
                self._is_behind = True
        if head and self._is_behind:
            try:
                self._copy()
            except LogError as error:  # this event is on disk; the next one is not taken
                logger.error("%s", error)

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
        plain = rfc8785.dumps(_plain(payload, place(turn, kind)))
        head: Head = connection.info.get(HEAD) or self.seals.head(connection)
        seq = head.seq + 1
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
                "commitment": hashlib.sha256(salt + plain).hexdigest(),
            }
        )
        row = {"seq": seq, "kind": kind, "turn": turn, "header": header, "hash": leaf(header)}
        connection.execute(PUT_EVENT, row)
        row = {"seq": seq, "key": key, "salt": salt, "ciphertext": encrypted(plain, key, salt)}
        connection.execute(PUT_PAYLOAD, row)
        connection.info[HEAD] = head.with_event(seq, header, kind)
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
        """A signed statement of what is exported, then every event as one line of JSON; see ``verifier.py``.

        Quotations of documents stay sealed, so that they can be erased from an export as well.
        """
        with writing(self._engine) as connection:  # so that no checkpoint is made meanwhile
            newest, said = self.seals.head(connection).seq, self.seals.export(connection)
        yield said
        query = select(events, payloads).outerjoin(payloads, payloads.c.seq == events.c.seq)
        with self._engine.connect() as connection:
            for row in connection.execute(query.where(events.c.seq <= newest).order_by(events.c.seq)):
                yield json.dumps(_exported(*row), ensure_ascii=False)

    def examine(self, key: bytes | None = None, second_place: Path | None = None) -> Report:
        """What is wrong with the log, and which turns were not closed.

        Args:
            key: the public key; that of the installation unless given.
            second_place: a file of checkpoints; the one that is written unless given.

        Raises:
            LogError: there is no public key.
        """
        second_place = second_place or self.seals.second_place
        if not (key or self.seals.key_file.exists() or self.count() or second_place.exists()):
            return Report()  # nothing was ever recorded
        return examine(self._engine, key or self.seals.key.public, second_place)

    def verify(self) -> list[str]:
        """What is wrong with the log, one plain sentence each; empty when all of it holds."""
        try:
            return self.examine().faults
        except LogError as error:
            return [str(error)]

    def count(self) -> int:
        """How many events there are."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(events)) or 0

    def close(self) -> None:
        self._engine.dispose()

    def _copy(self) -> None:
        with writing(self._engine) as connection:  # so that one process copies at a time
            self.seals.copy(connection)
        self._is_behind = False

    def _carry_over(self) -> None:
        """Take the events of version 1 into the tree, and seal the end of their chain by an event of its own.

        Their chain stays, and is verified as before.
        """
        with self._engine.connect() as connection:
            newest = connection.scalar(select(events.c.header).order_by(events.c.seq.desc()).limit(1))
            if newest is None or connection.scalar(select(heads.c.id)):
                return
        if json.loads(newest)["version"] != 1 or self.seals.second_place.exists():
            return  # the head was removed: nothing more is recorded, and ``verify`` tells
        with self.writing() as connection:
            head = self.seals.head(connection)
            if head.size:
                return  # another process was first
            for row in connection.execute(select(events).order_by(events.c.seq)):
                head = head.with_event(row.seq, row.header, row.kind)
            connection.info[HEAD] = head
            self.write(connection, "carried", facts={"events": head.size, "chain": row.hash.hex()})


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
        None if key is None else _loaded(decrypted(key, salt, ciphertext)),
    )


def _opened(event: Event, ring: Mapping[int, DocumentKey]) -> Event:
    """The event with its quotations open; erased as a whole where they do not open: ``verify`` says why."""
    try:
        return replace(event, payload=document_keys.opened(event.payload, ring, place(event.turn, event.kind)))
    except Unreadable:
        return replace(event, payload=None)


def _loaded(plain: bytes | None) -> dict[str, Any] | None:
    """The payload; None where it does not open."""
    payload: dict[str, Any] | None = None if plain is None else json.loads(plain)
    return payload


def _exported(
    seq: int,
    kind: str,
    turn: str,
    header: bytes,
    hash: bytes,
    _: int | None,
    key: bytes | None,
    salt: bytes,
    text: bytes,
) -> dict[str, Any]:
    """One event as a line of an export has it, with what its header commits to."""
    values = json.loads(header)
    line = {"header": values, "hash": hash.hex(), "payload": None, "salt": "", "ciphertext": ""}
    if key is not None:
        line |= {"payload": _loaded(decrypted(key, salt, text)), "salt": salt.hex()}
        line["ciphertext"] = text.hex() if values["version"] == 1 else ""
    return line


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
