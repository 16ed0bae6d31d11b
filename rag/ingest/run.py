"""An ingestion at work in a thread of its own: anybody may look at it, follow it or cancel it."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.types import Ingested, IngestState, Progress

logger = logging.getLogger(__name__)

TICK = 0.5  # seconds after which those who follow hear again how far it is
PATIENCE = 2.0  # seconds that a cancelled run gets to end before nobody waits for it any more
NICE = 10  # whoever asks a question gets the processor first
MOST_SLOW = 5  # files named in a report
SLOW = 1.0  # seconds from which on a file is named there


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an ingestion."""

    states: dict[IngestState, int]  # how many files, in a fixed order
    chunks: int
    held: int  # chunks set aside
    megabytes: float  # of the files that were looked at
    seconds: float
    slowest: tuple[Ingested, ...]  # slowest first; those that took no time to speak of are left out
    failures: tuple[Ingested, ...]

    @property
    def chunks_per_second(self) -> float:
        return self.chunks / self.seconds if self.seconds else 0.0

    @property
    def megabytes_per_second(self) -> float:
        return self.megabytes / self.seconds if self.seconds else 0.0


STATES: tuple[IngestState, ...] = ("added", "replaced", "moved", "unchanged", "removed", "failed")


def report(files: Sequence[Ingested], seconds: float) -> Report:
    counts = Counter(file.state for file in files)
    slow = sorted((file for file in files if file.seconds >= SLOW), key=lambda file: -file.seconds)
    return Report(
        {state: counts[state] for state in STATES},
        sum(file.chunks for file in files),
        sum(file.held for file in files),
        sum(file.size for file in files) / 1e6,
        seconds,
        tuple(slow[:MOST_SLOW]),
        tuple(file for file in files if file.state == "failed"),
    )


class Run:
    """Begins at once, and goes on whether or not anybody follows it.

    Args:
        steps: does the work, and ends soon after the event is set.
    """

    def __init__(self, steps: Callable[[threading.Event], Iterator[Progress]]) -> None:
        self.cancelled = threading.Event()
        self._steps = steps
        self._finished: list[Progress] = []  # one for each file
        self._now = Progress(0, 0)
        self._seen = self._begun = time.monotonic()
        self._over = False
        self._problem: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="ingestion", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return self._over

    @property
    def problem(self) -> Exception | None:
        """What broke it off."""
        return self._problem

    @property
    def files(self) -> tuple[Ingested, ...]:
        """Those that are done."""
        return tuple(step.latest for step in self._finished if step.latest)

    @property
    def now(self) -> Progress:
        """How far it is, without the latest file."""
        with self._changed:
            since = 0.0 if self._over else time.monotonic() - self._seen
            left = None if self._now.left is None else max(0.0, self._now.left - since)
            return replace(self._now, latest=None, seconds=self._now.seconds + since, left=left)

    def follow(self) -> Iterator[Progress]:
        """Each file from the first one on, as it is done, and every half second how far it is.

        Raises:
            Exception: whatever broke it off.
        """
        told = 0
        yield self.now
        while True:
            with self._changed:
                if told == len(self._finished) and not self._over:
                    self._changed.wait(TICK)
                fresh, over = self._finished[told:], self._over
            told += len(fresh)
            yield from fresh
            if not fresh:
                yield self.now
            if over and told == len(self._finished):
                break
        if self._problem is not None:
            raise self._problem

    def cancel(self) -> None:
        """Have it end within two seconds or so; what is done stays."""
        self.cancelled.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is over, at the latest after so many seconds."""
        self._thread.join(seconds)
        return self._over

    def _work(self) -> None:
        _give_way()
        try:
            for step in self._steps(self.cancelled):
                with self._changed:
                    self._now, self._seen = step, time.monotonic()
                    if step.latest:
                        self._finished.append(step)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - raised where it is followed
            logger.error("an ingestion broke off with %s", type(error).__name__)  # what it says may quote
            self._problem = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()


def _give_way() -> None:
    """Have this thread, and all that it starts, run when nothing else wants to: under Linux, where a thread can."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICE))
