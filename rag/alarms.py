"""What an operator must know about the guards, in plain sentences: for the Review page and ``candor doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from guardrails.audit.alarms import GuardAlarm
from guardrails.policy import Policy
from rag.web import words


def of_guards(alarms: Iterable[GuardAlarm], now: datetime | None = None) -> list[str]:
    """Checks that could not be made in the last 24 hours."""
    return [_of_guard(alarm, now) for alarm in alarms]


def _of_guard(alarm: GuardAlarm, now: datetime | None) -> str:
    parts = [
        f"{alarm.failed} failed" if alarm.failed else "",
        f"{alarm.timed_out} timed out" if alarm.timed_out else "",
    ]
    how = ", ".join(part for part in parts if part)
    checks = "a check" if alarm.count == 1 else f"{alarm.count} checks"
    return (
        f"{words.guard(alarm.guard)}: {checks} could not be made in the last 24 hours ({how}; "
        f"last {words.age(alarm.last, now)}, {words.minute(alarm.last)})"
    )


def of_policy(policy: Policy, problem: str = "", now: datetime | None = None) -> list[str]:
    """A policy file that cannot be used, and guards whose failure lets texts through.

    Args:
        problem: why the file is not in force, as ``PolicyFile.problem`` tells.
    """
    told = [f"The {problem}; policy “{policy.name}” ({policy.hash}) stays in force"] if problem else []
    opened = policy.fail_open
    if opened is not None and (now or datetime.now(UTC)) < opened.until:
        guards = " and ".join(words.guard(name) for name in sorted(opened.guards))
        told.append(
            f"Fail-open: until {words.minute(opened.until)} the policy lets answers through although a check cannot be "
            f"made. Guards: {guards}. Reason given: {opened.reason}"
        )
    return told
