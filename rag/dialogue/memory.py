"""Conversations: what was said, by whom, so that a follow-up is understood and a page can be opened again.

What was said lies encrypted, with a key for each conversation in a table of its own. A row of that table may be
deleted; then the conversation is gone, also from copies of the messages that were made without the keys. (Its bytes
leave the disk when SQLite next folds the write-ahead file into the database.) An answer is sealed with the keys of the
documents that it quotes as well, which lie with the audit log: it goes with any of them.

This protects from searches over the bytes of the file and of what the file system keeps of it (deleted pages, the
write-ahead file), and from a copy of the messages alone. It does not protect from whoever has the whole folder: the
keys lie in the same file. Who talked when, and how much, is not hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from guardrails.audit.keys import DocumentKey
from guardrails.database import open_sqlite, writing
from guardrails.sealed import Unreadable, combined, new_key, seal, unseal
from rag.access import require
from rag.errors import StoreError
from rag.types import Message, Reader

TITLE_LENGTH = 60  # characters of the first question
ERASED = "This answer was erased together with a document that it quoted."

Keys = Callable[
    [Collection[int]], Mapping[int, DocumentKey]
]  # keys of documents by id, as ``AuditLog.keys`` gives them

metadata = MetaData()
messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reader", String, nullable=False, index=True),
    Column("conversation", String, nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("rests_on", JSON),  # ids of the keys of documents that it is sealed with as well
    Column("at", DateTime, nullable=False),
)
keys = Table(
    "keys",
    metadata,
    Column("reader", String, primary_key=True),
    Column("conversation", String, primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
)
WITH_KEYS = messages.join(keys, (keys.c.conversation == messages.c.conversation) & (keys.c.reader == messages.c.reader))


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation, as listed."""

    id: str
    title: str
    at: datetime  # of its last message


def no_keys(ids: Collection[int]) -> Mapping[int, DocumentKey]:
    return {}


class Memory:
    """Conversations in one database file. A reader reaches only their own.

    Args:
        keys: where the keys of documents are; without, no answer may rest on one.

    Raises:
        StoreError: the file is of an earlier version, or no database.
    """

    def __init__(self, path: Path, keys: Keys = no_keys) -> None:
        self._keys = keys
        self._engine = open_sqlite(path, durable=False)
        try:
            metadata.create_all(self._engine)
            known = {column["name"] for column in inspect(self._engine).get_columns("messages")}
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise StoreError(f"the conversations at {path} cannot be opened ({type(error).__name__})") from None
        if "sealed" not in known:
            self._engine.dispose()
            raise StoreError(f"{path} is of an earlier version, which did not encrypt conversations: delete or move it")
        if "rests_on" not in known:
            with writing(self._engine) as connection:
                connection.exec_driver_sql("ALTER TABLE messages ADD COLUMN rests_on JSON")

    def add(self, conversation: str, reader: Reader, *said: Message) -> None:
        """Keep what was said.

        Raises:
            StoreError: it cannot be written.
        """
        now = datetime.now(UTC)
        try:
            with writing(self._engine) as connection:
                key = _key(connection, conversation, reader)
                rows = [
                    {"reader": reader.id, "conversation": conversation, "role": m.role, "at": now}
                    | self._sealed(m, key, _place(reader.id, conversation, m.role))
                    for m in said
                ]
                connection.execute(insert(messages), rows)
        except SQLAlchemyError as error:
            raise StoreError(f"a conversation cannot be kept ({type(error).__name__})") from None

    def messages(self, conversation: str, reader: Reader) -> list[Message]:
        """Everything said in a conversation of this reader, oldest first; empty when it is somebody else's.

        Raises:
            StoreError: it cannot be read, or was changed.
        """
        require(reader, "user")
        mine = (messages.c.conversation == conversation) & (messages.c.reader == reader.id)
        query = select(messages, keys.c.key).select_from(WITH_KEYS).where(mine).order_by(messages.c.id)
        return [self._message(row) for row in self._rows(query)]

    def conversations(self, reader: Reader) -> list[Conversation]:
        """This reader's conversations, newest first, named by their first question.

        Raises:
            StoreError: they cannot be read, or were changed.
        """
        require(reader, "user")
        first, last = func.min(messages.c.id), func.max(messages.c.at)
        mine = (
            select(first.label("first"), last.label("last"))
            .where(messages.c.reader == reader.id)
            .group_by(messages.c.conversation)
            .subquery()
        )
        query = (
            select(messages, keys.c.key, mine.c.last)
            .select_from(WITH_KEYS.join(mine, messages.c.id == mine.c.first))
            .order_by(mine.c.last.desc())
        )
        return [
            Conversation(row.conversation, _content(row, row.key)[:TITLE_LENGTH], row.last) for row in self._rows(query)
        ]

    def close(self) -> None:
        self._engine.dispose()

    def _sealed(self, message: Message, key: bytes, place: str) -> dict[str, Any]:
        keys = self._keys(message.rests_on) if message.rests_on else {}
        if any(one.asked for one in keys.values()):  # purged while the answer was written
            return {"sealed": seal(ERASED, key, place), "rests_on": []}
        return {"sealed": seal(message.content, _with(key, keys), place), "rests_on": sorted(keys)}

    def _message(self, row: Row[Any]) -> Message:
        if not row.rests_on:
            return Message(row.role, _content(row, row.key))
        keys = self._keys(row.rests_on)
        if any(key.asked for key in keys.values()):
            return Message(row.role, ERASED)
        return Message(row.role, _content(row, _with(row.key, keys)), tuple(row.rests_on))

    def _rows(self, query: Any) -> Iterable[Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise StoreError(f"conversations cannot be read ({type(error).__name__})") from None


def _key(connection: Connection, conversation: str, reader: Reader) -> bytes:
    """The key of a conversation; a new one at its first message."""
    of_this = (keys.c.conversation == conversation) & (keys.c.reader == reader.id)
    known: bytes | None = connection.scalar(select(keys.c.key).where(of_this))
    if known is not None:
        return known
    key = new_key()
    connection.execute(insert(keys).values(reader=reader.id, conversation=conversation, key=key))
    return key


def _content(row: Row[Any], key: bytes) -> str:
    try:
        return unseal(row.sealed, key, _place(row.reader, row.conversation, row.role))
    except Unreadable:
        raise StoreError("a conversation cannot be read: a message or its key was changed") from None


def _with(key: bytes, of_documents: Mapping[int, DocumentKey]) -> bytes:
    """The key of a message that quotes documents."""
    return combined([key, *(of_documents[id].key for id in sorted(of_documents))]) if of_documents else key


def _place(reader: str, conversation: str, role: str) -> str:
    """What a message belongs to."""
    return f"{reader}\0{conversation}\0{role}"
