"""The log notices what was changed, and keeps words out of what stays for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from guardrails.audit.log import AuditLog
from guardrails.database import writing

WORDS = "canary-47-11"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    log = AuditLog(tmp_path / "audit.sqlite")
    for number in range(1, 7):
        log.append("asked", turn=f"t{number}", facts={"n": number}, payload={"question": f"{WORDS} {number}"})
    yield log
    log.close()


def execute(log: AuditLog, statement: str) -> None:
    with writing(log._engine) as connection:
        connection.execute(text(statement))


def test_an_untouched_log_verifies(log: AuditLog) -> None:
    assert log.verify() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET header = replace(header, 't3', 't4') WHERE seq = 3",
        "UPDATE events SET turn = 't9' WHERE seq = 3",
        "UPDATE events SET kind = 'closed' WHERE seq = 3",
        "UPDATE events SET hash = zeroblob(32) WHERE seq = 3",
        "UPDATE events SET hash = zeroblob(32) WHERE seq = 6",
        "UPDATE events SET header = x'00' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM payloads WHERE seq = 3",
        "UPDATE payloads SET ciphertext = zeroblob(40) WHERE seq = 3",
        "UPDATE payloads SET salt = zeroblob(16) WHERE seq = 3",
        "UPDATE payloads SET key = zeroblob(32) WHERE seq = 3",
        "UPDATE payloads SET seq = 60 WHERE seq = 6",
        "UPDATE events SET seq = CASE seq WHEN 2 THEN 30 ELSE seq END",
        "INSERT INTO payloads SELECT 99, key, salt, ciphertext FROM payloads WHERE seq = 2",
    ],
)
def test_every_change_is_noticed(log: AuditLog, statement: str) -> None:
    execute(log, statement)
    assert log.verify() != []


def test_swapped_rows_are_noticed(log: AuditLog) -> None:
    for statement in (
        "UPDATE events SET seq = 90 WHERE seq = 2",
        "UPDATE events SET seq = 2 WHERE seq = 3",
        "UPDATE events SET seq = 3 WHERE seq = 90",
    ):
        execute(log, statement)
    assert log.verify() != []


def test_events_read_back_as_written(log: AuditLog) -> None:
    event = log.read(turn="t4")[0]
    assert (event.seq, event.facts, event.payload) == (4, {"n": 4}, {"question": f"{WORDS} 4"})


def test_words_are_not_in_the_header(log: AuditLog) -> None:
    with log._engine.connect() as connection:
        headers = connection.execute(text("SELECT header FROM events")).scalars().all()
    assert not any(WORDS.encode() in header for header in headers)


def test_threads_and_processes_leave_no_gap(log: AuditLog) -> None:
    other = AuditLog(log.path)
    threads = [
        threading.Thread(target=lambda at=at: [at.append("x") for _ in range(25)]) for at in (log, log, other, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.count() == 106
    assert log.verify() == []
    other.close()


def test_what_cannot_be_written_raises(log: AuditLog) -> None:
    execute(log, "DROP TABLE payloads")
    with pytest.raises(SQLAlchemyError):
        log.append("asked")
    assert log.count() == 6


@pytest.mark.parametrize("words", ["\ud800 half a character", "\x00", "a" * 100_000, "ä€𝄞"])
def test_any_words_can_be_recorded(log: AuditLog, words: str) -> None:
    log.append("asked", turn="odd", payload={"question": words})
    assert log.verify() == []
    assert len(log.read(turn="odd")) == 1
