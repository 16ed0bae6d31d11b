"""Runs guards side by side, each within its time, and notes how each fared."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from guardrails.types import Context, Finding, Guard, GuardRun, Stage, Status

logger = logging.getLogger(__name__)

SECONDS = 10.0  # for all guards over one text; 0.1 is usual
IDLE_SECONDS = 60.0  # after which a thread without work ends
MOST_THREADS = 8  # of one guard; when all of them hang, its checks fail at once


class Checks:
    """The guards, and the threads they run in. Safe to share.

    A deadline here covers waiting: for a service, a disk, a lock. Code that may keep Python itself from running must
    live in a process that can be killed, see ``guardrails/process.py``.

    Args:
        seconds: after which a check that is not complete counts as failed.
    """

    def __init__(self, guards: Sequence[Guard], seconds: float = SECONDS) -> None:
        self.guards = tuple(guards)
        self._seconds = seconds
        self._threads = {guard.name: _Threads(guard.name) for guard in guards}

    def run(
        self, stage: Stage, text: str, context: Context, uses: Callable[[str], bool]
    ) -> tuple[list[Finding], list[GuardRun]]:
        """What the guards of this stage find, in their order; one finding of kind "guard_failed" for each that failed.

        Args:
            uses: whether a guard, by its name, is switched on.
        """
        begun = time.perf_counter()
        concerned = [guard for guard in self.guards if stage in guard.stages]
        pending = [self._begin(guard, text, context) if uses(guard.name) else None for guard in concerned]
        findings: list[Finding] = []
        runs: list[GuardRun] = []
        for guard, check in zip(concerned, pending, strict=True):
            if check is None:
                runs.append(GuardRun(guard.name, "skipped", 0.0))
                continue
            found, run = check.result(begun + self._seconds)
            findings += found
            runs.append(run)
        return findings, runs

    def _begin(self, guard: Guard, text: str, context: Context) -> _Check:
        check = _Check(guard, text, context)
        self._threads[guard.name].do(check)
        return check


class _Check:
    """One guard on one text."""

    def __init__(self, guard: Guard, text: str, context: Context) -> None:
        self._guard, self._text, self._context = guard, text, context
        self._over = threading.Event()
        self._found: list[Finding] = []
        self._error = ""  # type of what was raised
        self._milliseconds = 0.0
        self._asked = time.perf_counter()

    def __call__(self) -> None:
        begun = time.perf_counter()
        try:
            self._found = _sound(self._guard.check(self._text, self._context), self._text)
        except BaseException as error:  # noqa: BLE001 - whatever a guard raises, the text is not shown
            self._error = type(error).__name__
        self._milliseconds = round((time.perf_counter() - begun) * 1000, 3)
        self._over.set()

    def result(self, until: float) -> tuple[list[Finding], GuardRun]:
        """What was found, once it is there; a failure when that is after ``until`` (``time.perf_counter``)."""
        if not self._over.wait(max(0.0, until - time.perf_counter())):
            waited = round((time.perf_counter() - self._asked) * 1000, 3)
            return self._failed("timed out", "ran out of time", waited)
        if self._error:
            # The error's own message may quote the text: its type alone is logged.
            return self._failed("failed", f"failed with {self._error}", self._milliseconds)
        return self._found, GuardRun(self._guard.name, "ran", self._milliseconds)

    def _failed(self, status: Status, how: str, milliseconds: float) -> tuple[list[Finding], GuardRun]:
        logger.error("ALARM: guard %s %s; the text counts as unchecked", self._guard.name, how)
        return [failure(self._guard.name)], GuardRun(self._guard.name, status, milliseconds)


class _Threads:
    """Threads of one guard, which live on: a new one for each text would cost torch a new team of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._idle = self._count = 0

    def do(self, task: Callable[[], None]) -> None:
        with self._changed:
            self._tasks.append(task)
            if len(self._tasks) > self._idle and self._count < MOST_THREADS:
                self._count += 1
                threading.Thread(target=self._work, name=f"guard {self._name}", daemon=True).start()
            self._changed.notify()

    def _work(self) -> None:
        while task := self._next():
            task()

    def _next(self) -> Callable[[], None] | None:
        """A task; None when there was none for so long that the thread may end."""
        with self._changed:
            self._idle += 1
            there = self._changed.wait_for(lambda: self._tasks, IDLE_SECONDS)
            self._idle -= 1
            self._count -= not there
            return self._tasks.popleft() if there else None


def _sound(findings: Sequence[Finding], text: str) -> list[Finding]:
    """The findings, if every one can be acted on.

    Raises:
        ValueError: a finding lies outside the text. A guard that reports nonsense counts as failed.
    """
    for finding in findings:
        if not 0 <= finding.start <= finding.end <= len(text):
            raise ValueError("a span outside the text")
    return list(findings)


def failure(guard: str) -> Finding:
    """The finding that stands for a check that could not be made."""
    return Finding(guard, "guard_failed", "failed", 0, 0, 1.0, 0.0, f"the {guard} check could not be made")
