"""Checks that could not be made in the last day are counted, whoever was answered, whatever else is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guardrails.audit import alarms
from guardrails.audit.alarms import guard_alarms
from guardrails.audit.log import AuditLog
from guardrails.audit.review import NotAllowed, ReviewDesk
from rag.types import Reader

RAN = {"guard": "pii", "status": "ran", "milliseconds": 3.0}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    made = AuditLog(tmp_path / "audit.sqlite")
    yield made
    made.close()


def note(log: AuditLog, kind: str, *runs: tuple[str, str]) -> None:
    guards = [{"guard": guard, "status": status, "milliseconds": 1.0} for guard, status in runs]
    log.append(kind, turn="t", facts={"guards": [RAN, *guards]})


def test_checks_that_ran_or_were_switched_off_are_no_alarm(log: AuditLog) -> None:
    note(log, "asked", ("harm", "skipped"))
    log.append("ingested", facts={"files": {"failed": 3}})
    log.append("failed", turn="t", facts={"stage": "generation", "error": "ModelError"})
    assert guard_alarms(log) == []


def test_each_guard_is_counted_by_how_it_fell_out(log: AuditLog) -> None:
    note(log, "asked", ("injection", "failed"))
    note(log, "sentence", ("grounding", "timed out"))
    note(log, "sentence", ("grounding", "failed"), ("injection", "ran"))
    log.append("failed", turn="t", facts={"stage": "guard", "error": "passage not checked"})
    found = {alarm.guard: (alarm.failed, alarm.timed_out, alarm.count) for alarm in guard_alarms(log)}
    assert found == {"injection": (1, 0, 1), "grounding": (1, 1, 2), "passages": (1, 0, 1)}
    last = {alarm.guard: alarm.last for alarm in guard_alarms(log)}
    assert last["grounding"] == log.read(kind="sentence", newest=1)[0].at
    assert [alarm.guard for alarm in guard_alarms(log)] == ["passages", "grounding", "injection"]


def test_what_is_older_than_a_day_is_no_alarm(log: AuditLog) -> None:
    note(log, "asked", ("pii", "failed"))
    assert guard_alarms(log, datetime.now(UTC) + timedelta(hours=23, minutes=59))
    assert guard_alarms(log, datetime.now(UTC) + timedelta(hours=24, seconds=1)) == []


def test_a_day_longer_than_one_batch_is_counted_whole(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "BATCH", 2)
    for _ in range(11):
        note(log, "sentence", ("grounding", "failed"))
    assert [alarm.failed for alarm in guard_alarms(log)] == [11]


def test_only_reviewers_are_told(log: AuditLog) -> None:
    with pytest.raises(NotAllowed):
        ReviewDesk(log).alarms(Reader("somebody"))
