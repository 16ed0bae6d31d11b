"""Guard checks that could not be made lately, from the log: what an operator has to know, whoever was answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from guardrails.audit.log import AuditLog, Event

WINDOW = timedelta(hours=24)
CHECKING = ("asked", "searched", "sentence")  # the events that carry how each guard fared
PASSAGES = "passages"  # stands for the guard where the record says only that a passage could not be checked
BATCH = 500


@dataclass(frozen=True, slots=True)
class GuardAlarm:
    """One guard whose checks could not all be made."""

    guard: str
    failed: int
    timed_out: int
    last: datetime

    @property
    def count(self) -> int:
        return self.failed + self.timed_out


def guard_alarms(log: AuditLog, now: datetime | None = None) -> list[GuardAlarm]:
    """The guards that failed or ran out of time within the last 24 hours, the one that did so last first."""
    found: dict[str, GuardAlarm] = {}
    for event in _since(log, (now or datetime.now(UTC)) - WINDOW):
        for guard, status in _mishaps(event):
            known = found.get(guard, GuardAlarm(guard, 0, 0, event.at))
            late = status == "timed out"
            found[guard] = GuardAlarm(guard, known.failed + (not late), known.timed_out + late, event.at)
    return sorted(found.values(), key=lambda alarm: alarm.last, reverse=True)


def _mishaps(event: Event) -> Iterator[tuple[str, str]]:
    """Guard and status of each check that could not be made."""
    if event.kind == "failed":
        if event.facts.get("stage") == "guard":
            yield PASSAGES, "failed"
        return
    for run in event.facts.get("guards", ()):
        if run["status"] in ("failed", "timed out"):
            yield run["guard"], run["status"]


def _since(log: AuditLog, begin: datetime) -> Iterable[Event]:
    """The events since then, in order. The log is read from its end, so that its length does not matter."""
    wanted = BATCH
    while True:
        events = log.read(kind=(*CHECKING, "failed"), newest=wanted)
        if len(events) < wanted or events[0].at < begin:
            return [event for event in events if event.at >= begin]
        wanted *= 4
