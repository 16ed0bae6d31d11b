"""Conversations at rest: each reader's own, encrypted, gone with their key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.dialogue.memory import TITLE_LENGTH, Memory
from rag.errors import NotAllowed, StoreError
from rag.types import Message, Reader

ANNA, BEN = (Reader(name, roles=frozenset({"user"})) for name in ("anna", "ben"))
QUESTION = "Is Wolfgang Quendel on leave? " + "He did not answer his telephone. " * 300
ANSWER = "The documents do not say."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.sqlite"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    memory = Memory(path)
    memory.add("c", ANNA, Message("user", QUESTION), Message("assistant", ANSWER))
    yield memory
    memory.close()


def change(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_what_was_said_comes_back_in_order(memory: Memory, path: Path) -> None:
    memory.add("c", ANNA, Message("user", "And now? \ud800 é 😀"))
    again = Memory(path)
    said = [Message("user", QUESTION), Message("assistant", ANSWER), Message("user", "And now? \ud800 é 😀")]
    assert again.messages("c", ANNA) == said
    again.close()


def test_conversations_are_listed_newest_first_by_their_first_question(memory: Memory) -> None:
    memory.add("d", ANNA, Message("user", "Which?"))
    memory.add("c", ANNA, Message("user", "And now?"))
    listed = memory.conversations(ANNA)
    assert [(known.id, known.title) for known in listed] == [("c", QUESTION[:TITLE_LENGTH]), ("d", "Which?")]
    assert listed[0].at > listed[1].at


def test_a_reader_reaches_only_their_own(memory: Memory) -> None:
    assert (memory.messages("c", BEN), memory.conversations(BEN)) == ([], [])
    memory.add("c", BEN, Message("user", "Mine, by the same name"))
    assert len(memory.messages("c", ANNA)) == 2
    assert [known.title for known in memory.conversations(BEN)] == ["Mine, by the same name"]
    for call in (memory.conversations, lambda reader: memory.messages("c", reader)):
        with pytest.raises(NotAllowed):
            call(Reader("nobody", roles=frozenset()))


def test_no_file_holds_the_words(memory: Memory, path: Path) -> None:
    def lying() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert b"messages" in lying(), "the files are not what they seem"
    assert not [word for word in (b"Quendel", b"telephone", b"documents") if word in lying()]
    memory.close()
    assert not [word for word in (b"Quendel", b"telephone", b"documents") if word in lying()]


def test_without_its_key_a_conversation_is_gone_and_others_are_not(memory: Memory, path: Path) -> None:
    memory.add("d", ANNA, Message("user", "Which?"))
    change(path, "DELETE FROM keys WHERE conversation = 'c'")
    assert memory.messages("c", ANNA) == []
    assert [known.id for known in memory.conversations(ANNA)] == ["d"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET sealed = x'00' WHERE role = 'user'",
        "UPDATE messages SET sealed = 'text' WHERE role = 'user'",
        "UPDATE messages SET role = 'system'",
        "UPDATE keys SET key = zeroblob(32)",
        "UPDATE keys SET key = 'short'",
        "UPDATE messages SET sealed = (SELECT sealed FROM messages WHERE conversation = 'd') WHERE conversation = 'c'",
    ],
)
def test_a_message_that_was_changed_or_moved_is_not_shown(memory: Memory, path: Path, statement: str) -> None:
    memory.add("d", ANNA, Message("user", "Which?"))
    change(path, statement)
    with pytest.raises(StoreError, match="a message or its key was changed"):
        memory.messages("c", ANNA)
    with pytest.raises(StoreError, match="a message or its key was changed"):
        memory.conversations(ANNA)


def test_a_file_of_an_earlier_version_is_named(path: Path) -> None:
    change(path, "CREATE TABLE messages (id INTEGER, reader TEXT, conversation TEXT, role TEXT, content TEXT, at TEXT)")
    with pytest.raises(StoreError, match=r"conversations\.sqlite is of an earlier version.*delete or move it"):
        Memory(path)


def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(StoreError, match=r"conversations\.sqlite cannot be opened \(DatabaseError\)"):
        Memory(path)


def test_a_store_that_cannot_be_read_or_written_says_so_without_words(memory: Memory, path: Path) -> None:
    change(path, "DROP TABLE keys")
    with pytest.raises(StoreError, match=r"^a conversation cannot be kept \(OperationalError\)$"):
        memory.add("c", ANNA, Message("user", QUESTION))
    with pytest.raises(StoreError, match=r"^conversations cannot be read \(OperationalError\)$"):
        memory.messages("c", ANNA)
