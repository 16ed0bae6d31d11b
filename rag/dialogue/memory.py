"""Conversations: what was said, by whom, so that a follow-up is understood and a page can be opened again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, Text, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from guardrails.database import open_sqlite, writing
from rag.access import require
from rag.errors import StoreError
from rag.types import Message, Reader

TITLE_LENGTH = 60  # characters of the first question

metadata = MetaData()
messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reader", String, nullable=False, index=True),
    Column("conversation", String, nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("at", DateTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation, as listed."""

    id: str
    title: str
    at: datetime  # of its last message


class Memory:
    """Conversations in one database file. A reader reaches only their own."""

    def __init__(self, path: Path) -> None:
        self._engine = open_sqlite(path, durable=False)
        metadata.create_all(self._engine)

    def add(self, conversation: str, reader: Reader, *said: Message) -> None:
        """Keep what was said.

        Raises:
            StoreError: it cannot be written.
        """
        now = datetime.now(UTC)
        rows = [
            {"reader": reader.id, "conversation": conversation, "role": m.role, "content": m.content, "at": now}
            for m in said
        ]
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(messages), rows)
        except SQLAlchemyError as error:  # its own message would quote what was said
            raise StoreError(f"a conversation cannot be kept ({type(error).__name__})") from None

    def messages(self, conversation: str, reader: Reader) -> list[Message]:
        """Everything said in a conversation of this reader, oldest first; empty when it is somebody else's."""
        require(reader, "user")
        mine = (messages.c.conversation == conversation) & (messages.c.reader == reader.id)
        query = select(messages.c.role, messages.c.content).where(mine).order_by(messages.c.id)
        with self._engine.connect() as connection:
            return [Message(role, content) for role, content in connection.execute(query)]

    def conversations(self, reader: Reader) -> list[Conversation]:
        """This reader's conversations, newest first, named by their first question."""
        require(reader, "user")
        first, last = func.min(messages.c.id), func.max(messages.c.at)
        mine = (
            select(messages.c.conversation, first.label("first"), last.label("at"))
            .where(messages.c.reader == reader.id)
            .group_by(messages.c.conversation)
            .subquery()
        )
        query = (
            select(mine, messages.c.content).join(messages, messages.c.id == mine.c.first).order_by(mine.c.at.desc())
        )
        with self._engine.connect() as connection:
            return [
                Conversation(row.conversation, row.content[:TITLE_LENGTH], row.at) for row in connection.execute(query)
            ]

    def close(self) -> None:
        self._engine.dispose()
