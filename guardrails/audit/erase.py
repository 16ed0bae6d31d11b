"""Erasing what the record quotes of a document, and the legal hold that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, delete, insert

from guardrails.audit import keys
from guardrails.audit.log import AuditLog
from guardrails.audit.review import ReviewError


def erase(log: AuditLog, source: str, actor: str) -> str:
    """Destroy the key of what the record quotes of a document, and record it.

    Returns:
        Since when a legal hold keeps the key, until it is lifted; empty when none does. What is recorded of the
        document from now on has another key either way.
    """
    with log.writing() as connection:
        document = keys.fingerprint(connection, source)
        keys.ask_erasure(connection, document, _now())
        _destroyed(log, connection, document, actor)
        return keys.held_since(connection, document)


def erase_all_but(log: AuditLog, sources: Collection[str], actor: str) -> int:
    """``erase`` every document but these; how many there were to erase."""
    with log.writing() as connection:
        gone = keys.documents_with_keys(connection) - {keys.fingerprint(connection, source) for source in sources}
        for document in gone:
            keys.ask_erasure(connection, document, _now())
            _destroyed(log, connection, document, actor)
    return len(gone)


def record_purge(log: AuditLog, source: str, actor: str, facts: Mapping[str, Any]) -> None:
    """Record that a document was removed completely, with counts."""
    _note(log, "purged", source, actor, facts)


def is_known(log: AuditLog, source: str) -> bool:
    """Whether the record quotes a document, or did."""
    with log.writing() as connection:
        return keys.was_quoted(connection, keys.fingerprint(connection, source))


def hold(log: AuditLog, source: str, reason: str, actor: str) -> bool:
    """Keep what the record quotes of a document, also when it is purged; whether anything is quoted yet.

    Raises:
        ReviewError: it is on hold already, or there is no reason.
    """
    if not reason.strip():
        raise ReviewError("a legal hold needs a reason, for instance the number of the case")

    def begin(connection: Connection, document: bytes) -> None:
        if keys.held_since(connection, document):
            raise ReviewError(f"{source} is on legal hold already")
        connection.execute(insert(keys.holds).values(document=document, since=_now()))

    _note(log, "held", source, actor, payload={"reason": reason.strip()}, beside=begin)
    return is_known(log, source)


def unhold(log: AuditLog, source: str, actor: str) -> bool:
    """Lift a legal hold; whether that let a key be destroyed that a purge had asked for.

    Raises:
        ReviewError: it is not on hold.
    """
    done: list[bool] = []

    def end(connection: Connection, document: bytes) -> None:
        if not keys.held_since(connection, document):
            raise ReviewError(f"{source} is not on legal hold")
        connection.execute(delete(keys.holds).where(keys.holds.c.document == document))
        done.append(_destroyed(log, connection, document, actor))

    _note(log, "unheld", source, actor, beside=end)
    log.fold()
    return done[0]


def moved(log: AuditLog, old: str, new: str) -> None:
    """A document has another name from now on: what is quoted of it goes with it, and so does a legal hold.

    To be called before the index knows of it, so that an interruption leaves nothing that a purge does not reach.
    """
    with log.writing() as connection:
        keys.rename(connection, keys.fingerprint(connection, old), keys.fingerprint(connection, new))


def _destroyed(log: AuditLog, connection: Connection, document: bytes, actor: str) -> bool:
    """Destroy what is to be destroyed, unless it is on hold, and record it."""
    if keys.held_since(connection, document):
        return False
    now = _now()
    ids = keys.destroy(connection, document, now)
    if ids:
        log.write(connection, "erased", actor=actor, facts={"document": document.hex(), "keys": ids, "done": now})
    return bool(ids)


def _note(
    log: AuditLog,
    kind: str,
    source: str,
    actor: str,
    facts: Mapping[str, Any] = MappingProxyType({}),
    payload: Mapping[str, Any] = MappingProxyType({}),
    beside: Callable[[Connection, bytes], None] = lambda connection, document: None,
) -> None:
    with log.writing() as connection:
        document = keys.fingerprint(connection, source)
        log.write(connection, kind, actor=actor, facts={"document": document.hex(), **facts}, payload=payload)
        beside(connection, document)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
