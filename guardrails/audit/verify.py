"""Verifies a log in its database, against the signed head there and the checkpoints in both places.

The rules stand in ``verifier.py``, which verifies exports alone. Here is what only a database has: columns that repeat
headers, keys that quotations open with, and the second place that may still lack what was just written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from guardrails.audit import keys as document_keys
from guardrails.audit.checkpoints import checkpoints, heads
from guardrails.audit.keys import DESTROYED, DocumentKey
from guardrails.audit.signing import verify
from guardrails.audit.storage import decrypted, events, payloads, place
from guardrails.audit.verifier import HEAD, Entry, Report, Unusable, Walk, lines_of, read_checkpoints, root, statement
from guardrails.sealed import Unreadable

PATIENCE = 1.0  # seconds within which a process copies what it wrote to the second place


def examine(engine: Engine, key: bytes, second_place: Path) -> Report:
    """What is wrong with a log, and which turns were not closed.

    Args:
        key: the public key that it is signed with.
    """
    kept = lines_of(second_place)  # before the database is read, which can only have more than this
    with engine.connect() as connection:
        stored, wrong = _stored(connection)
        if len(stored) > len(kept):
            time.sleep(PATIENCE)
            kept += [line for line in lines_of(second_place)[len(kept) :] if line in stored]
        usable, faults = read_checkpoints(stored, key, verify)
        if kept != stored:
            faults += _differences(stored, kept, second_place)
            others, more = read_checkpoints(kept, key, verify)
            faults += [f"{second_place.name}: {fault}" for fault in more]
            usable = list(dict.fromkeys([*usable, *others]))
        walk = Walk(usable)
        told = _walk(connection, walk)
        said, head_faults = _head(connection, walk, key)
    report = walk.end(said)
    report.faults = wrong + faults + report.faults + told + head_faults
    return report


def _walk(connection: Connection, walk: Walk) -> list[str]:
    """Take every event; what is wrong with what only a database has."""
    ring = document_keys.keyring(connection)
    destroyed: dict[int, str] = {}  # keys of documents whose destruction was recorded, and when, if that was
    faults: list[str] = []
    query = select(events, payloads.c.key, payloads.c.salt, payloads.c.ciphertext)
    for row in connection.execute(query.outerjoin(payloads, payloads.c.seq == events.c.seq).order_by(events.c.seq)):
        plain = None if row.key is None else decrypted(row.key, row.salt, row.ciphertext)
        payload = None if row.key is None else plain or b""
        header = walk.step(Entry(_bytes(row.header), row.hash, payload, row.salt or b"", row.ciphertext or b""))
        repeated = tuple(header.get(name) for name in ("seq", "kind", "turn"))
        if (row.seq, row.kind, row.turn) != repeated or not isinstance(row.header, bytes):
            faults.append(f"event {row.seq} does not agree with its header")
        if plain is not None:
            faults += _quotations(row, plain, ring)
        elif payload is not None and header.get("version") == 1:
            faults.append(f"the key of event {row.seq} was changed")
        destroyed |= _destroyed(header)
    strays = connection.scalars(select(payloads.c.seq).where(payloads.c.seq.not_in(select(events.c.seq))))
    return faults + [f"payload {seq} belongs to no event" for seq in strays] + _keys(ring, destroyed)


def _quotations(row: Any, plain: bytes, ring: Mapping[int, DocumentKey]) -> list[str]:
    try:
        document_keys.opened(json.loads(plain), ring, place(row.turn, row.kind))
    except Unreadable:
        return [f"a quotation of event {row.seq} does not open: the key of a document was changed or removed"]
    except (ValueError, KeyError, TypeError):
        return [f"the payload of event {row.seq} cannot be read"]
    return []


def _destroyed(header: Mapping[str, Any]) -> dict[int, str]:
    """The keys whose destruction an event records, and when; "" in records made before 0.4.0."""
    facts = header["facts"] if header.get("kind") == "erased" else {}
    return dict.fromkeys(facts.get("keys", ()), facts.get("done", ""))


def _keys(ring: Mapping[int, DocumentKey], destroyed: Mapping[int, str]) -> list[str]:
    """What is wrong with keys of documents that were destroyed, or should have been."""
    faults = []
    for id, done in destroyed.items():
        key = ring.get(id)
        if key is None or key.key != DESTROYED or not key.erased or (done and key.erased != done):
            faults.append(f"key {id} of a document is not as the record of its erasure says")
    gone = [key.id for key in ring.values() if key.erased and key.id not in destroyed]
    return faults + [f"key {id} of a document was destroyed, and no erasure was recorded" for id in gone]


def _stored(connection: Connection) -> tuple[list[str], list[str]]:
    """The checkpoints of the database, and what is wrong with how they lie there."""
    rows = connection.execute(select(checkpoints).order_by(checkpoints.c.number)).all()
    moved = [row.number for place, row in enumerate(rows, start=1) if row.number != place]
    faults = [f"checkpoint {number} of the database was moved, or one before it removed" for number in moved]
    return [row.line if isinstance(row.line, str) else "" for row in rows], faults


def _differences(stored: Sequence[str], kept: Sequence[str], second_place: Path) -> list[str]:
    """How the checkpoints of the two places differ."""
    if not kept:
        return [f"there are no checkpoints in {second_place}: the file was removed, or another one is meant"]
    lacking, unknown = len(set(stored) - set(kept)), len(set(kept) - set(stored))
    faults = []
    if lacking:
        faults.append(
            f"{second_place} lacks {lacking} of the {len(stored)} checkpoints of the log: they were changed or removed "
            "there, or the process ended before they were copied; the newest are copied with the next event"
        )
    if unknown:
        faults.append(
            f"{second_place} has {unknown} checkpoints that the log does not have: they were changed there, or an "
            "older or another log was put in place of this one"
        )
    return faults or [f"the checkpoints in {second_place} are not in their order"]


def _head(connection: Connection, walk: Walk, key: bytes) -> tuple[Mapping[str, Any], list[str]]:
    """What the signed head says; what the events themselves say, where it cannot be used, and why."""
    itself = {"size": walk.report.events, "root": root(walk.edge).hex(), "checkpoint": {"number": 0}}
    rows = connection.execute(select(heads)).all()
    if not rows and not walk.report.events:
        return itself, []
    try:
        if [row.id for row in rows] != [1] or not isinstance(rows[0].line, str):
            raise Unusable("it is not there, or not as it was written")
        said = statement(rows[0].line, HEAD, key, verify)
        return said, [] if rows[0].edge == b"".join(walk.edge) else ["the edge of the tree is not that of its events"]
    except (Unusable, TypeError) as error:
        return itself, [f"the signed head of the log cannot be used: {error}"]


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
