"""Keys of documents: what the record quotes of a document is sealed with the document's key.

To destroy the key is to erase the quotations wherever they lie, in the log as in every export and copy of it, while
the chain of the log still verifies. A document is known here by a keyed fingerprint of its source, since names of files
may say who they are about. A key is overwritten where it stands, in a row whose size never changes, so that no copy of
it is left in the file's free space.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, insert, select, update

from guardrails.sealed import Unreadable, combined, new_key, seal, unseal

metadata = MetaData()
document_keys = Table(
    "document_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("document", LargeBinary(32), nullable=False, index=True),  # fingerprint of its source
    Column("key", LargeBinary(32), nullable=False),  # zeros: destroyed
)
erasures = Table(
    "erasures",
    metadata,
    Column("key_id", Integer, primary_key=True),
    Column("asked", String, nullable=False),
    Column("done", String),  # none: a legal hold keeps the key
)
holds = Table("holds", metadata, Column("document", LargeBinary(32), primary_key=True), Column("since", String))
naming = Table("naming", metadata, Column("id", Integer, primary_key=True), Column("key", LargeBinary(32)))
DESTROYED = bytes(32)


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """The key of one document, or of one of its lives: purged and brought in again, it has a new one."""

    id: int
    key: bytes = field(repr=False)
    asked: str = ""  # when it was to be destroyed
    erased: str = ""  # when it was


@dataclass(frozen=True, slots=True)
class Quoted:
    """A part of a payload that quotes documents: readable for as long as the keys of all of them are."""

    words: Any
    keys: tuple[DocumentKey, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What is read where a key was destroyed."""

    on: str  # an ISO date


def fingerprint(connection: Connection, source: str) -> bytes:
    """What a document is known by; the key for it is made at first use."""
    key = connection.scalar(select(naming.c.key))
    if key is None:
        key = os.urandom(32)
        connection.execute(insert(naming).values(id=1, key=key))
    return hmac.digest(key, source.encode("utf-8", "surrogatepass"), hashlib.sha256)


def keys_of(connection: Connection, sources: Iterable[str]) -> dict[str, DocumentKey]:
    """Source to key; one that has none, or whose key was to be destroyed, gets a new one."""
    found = {}
    for source in dict.fromkeys(sources):
        document = fingerprint(connection, source)
        row = connection.execute(_live().where(document_keys.c.document == document)).first()
        if row is None:
            key = new_key()
            made = insert(document_keys).values(document=document, key=key).returning(document_keys.c.id)
            found[source] = DocumentKey(connection.execute(made).scalar_one(), key)
        else:
            found[source] = DocumentKey(row.id, row.key)
    return found


def keyring(connection: Connection, ids: Collection[int] | None = None) -> dict[int, DocumentKey]:
    """Keys by id, destroyed ones too: all, or these."""
    query = select(document_keys, erasures.c.asked, erasures.c.done).outerjoin(
        erasures, erasures.c.key_id == document_keys.c.id
    )
    if ids is not None:
        query = query.where(document_keys.c.id.in_(ids))
    return {row.id: DocumentKey(row.id, row.key, row.asked or "", row.done or "") for row in connection.execute(query)}


def ask_erasure(connection: Connection, document: bytes, now: str) -> None:
    """The keys of a document are not to be used any more, and go when nothing keeps them."""
    ids = [row.id for row in connection.execute(_live().where(document_keys.c.document == document))]
    if ids:
        connection.execute(insert(erasures), [{"key_id": id, "asked": now} for id in ids])


def destroy(connection: Connection, document: bytes, now: str) -> list[int]:
    """Destroy the keys of a document that are not to be used any more; their ids."""
    waiting = (
        select(document_keys.c.id)
        .join(erasures, erasures.c.key_id == document_keys.c.id)
        .where(document_keys.c.document == document, erasures.c.done.is_(None))
    )
    ids = list(connection.scalars(waiting))
    connection.execute(update(document_keys).where(document_keys.c.id.in_(ids)).values(key=DESTROYED))
    connection.execute(update(erasures).where(erasures.c.key_id.in_(ids)).values(done=now))
    return ids


def held_since(connection: Connection, document: bytes) -> str:
    """Since when a document is on legal hold; empty when it is not."""
    return connection.scalar(select(holds.c.since).where(holds.c.document == document)) or ""


def was_quoted(connection: Connection, document: bytes) -> bool:
    """Whether the record quotes a document, or did."""
    return connection.scalar(select(document_keys.c.id).where(document_keys.c.document == document)) is not None


def rename(connection: Connection, old: bytes, new: bytes) -> None:
    connection.execute(update(document_keys).where(document_keys.c.document == old).values(document=new))
    since = held_since(connection, old)
    if since and not held_since(connection, new):
        connection.execute(insert(holds).values(document=new, since=since))


def documents_with_keys(connection: Connection) -> set[bytes]:
    """Fingerprints of the documents that the record quotes."""
    return {row.document for row in connection.execute(_live())}


def sealed(quoted: Quoted, words: Any, belongs_to: str) -> dict[str, Any]:
    """A quotation as it stands in a payload.

    Args:
        words: the quotation's, as JSON types.
    """
    keys = sorted(set(quoted.keys), key=lambda key: key.id)
    text = seal(json.dumps(words), combined([key.key for key in keys]), belongs_to)
    return {"sealed": base64.b64encode(text).decode(), "keys": [key.id for key in keys]}


def key_ids(value: Any) -> set[int]:
    """The keys that a payload needs to be read."""
    if is_sealed(value):
        return set(value["keys"])
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return set().union(*map(key_ids, parts))


def is_sealed(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"sealed", "keys"}


def opened(value: Any, keys: Mapping[int, DocumentKey], belongs_to: str) -> Any:
    """A payload with its quotations open, or ``Erased`` in place of those whose key is destroyed.

    Raises:
        Unreadable: one was changed, or a key was.
    """
    if is_sealed(value):
        return _opened(value, keys, belongs_to)
    if isinstance(value, Mapping):
        return {name: opened(part, keys, belongs_to) for name, part in value.items()}
    return [opened(part, keys, belongs_to) for part in value] if isinstance(value, list) else value


def _opened(value: Mapping[str, Any], keys: Mapping[int, DocumentKey], belongs_to: str) -> Any:
    own = [keys[id] for id in value["keys"] if id in keys]
    if len(own) < len(value["keys"]):
        raise Unreadable("a key is missing")
    gone = [key.erased for key in own if key.erased]
    if gone:
        return Erased(min(gone)[:10])
    if not all(isinstance(key.key, bytes) for key in own):  # a cell may hold another type: SQLite lets it
        raise Unreadable("a key is none")
    text = unseal(base64.b64decode(value["sealed"]), combined([key.key for key in own]), belongs_to)
    return json.loads(text)


def _live() -> Any:
    """Keys that are in use."""
    return (
        select(document_keys)
        .outerjoin(erasures, erasures.c.key_id == document_keys.c.id)
        .where(erasures.c.key_id.is_(None))
    )
