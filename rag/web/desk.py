"""What the review page does: alarms, queue, one record, a verdict. Each function checks the role and returns values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from guardrails.audit.review import ReviewError, State, Verdict
from rag import alarms
from rag.access import LOCAL_READER, require
from rag.errors import CandorError
from rag.types import Reader
from rag.web import words

if TYPE_CHECKING:
    from guardrails.audit.review import QueueItem, Record
    from rag.build import Candor

STATES: tuple[State, ...] = ("open", "judged", "all")


class ReviewRefused(CandorError):
    """A record cannot be shown or judged; the message says why."""


class Desk:
    """The functions behind the review page."""

    def __init__(self, candor: Candor) -> None:
        self.candor = candor

    def alarms(self, reader: Reader = LOCAL_READER) -> list[str]:
        """What is wrong with the guards or their policy, one plain sentence each."""
        require(reader, "reviewer")
        if not self.candor.startup.ready:
            return []
        policies = self.candor.policies
        policy = policies.current()  # looks at the file, so that its problem is that of now
        with _refusals():
            lately = self.candor.review.alarms(reader)
        return [*alarms.of_policy(policy, policies.problem), *alarms.of_guards(lately)]

    def queue(self, state: str = "open", reader: Reader = LOCAL_READER) -> list[QueueItem]:
        """Flagged answers in ``state``, in the desk's order; empty while the log is being opened."""
        require(reader, "reviewer")
        if not self.candor.startup.ready:
            return []
        with _refusals():
            return self.candor.review.queue(reader, state if state in STATES else "open")

    def record(self, turn: str, reader: Reader = LOCAL_READER) -> Record:
        require(reader, "reviewer")
        with _refusals():
            return self.candor.review.record(turn, reader)

    def judge(self, turn: str, verdict: str, reason: str, reader: Reader = LOCAL_READER) -> str:
        """Write a verdict down; returns the turn to look at next, "" when none is open.

        Raises:
            ReviewRefused: no verdict of the three was chosen, or no reason given.
        """
        require(reader, "reviewer")
        if verdict not in words.VERDICTS:
            raise ReviewRefused("Choose a verdict: right, wrong or unsure.")
        if not reason.strip():
            raise ReviewRefused("Give a reason: whoever reads this verdict later needs it.")
        before = [item.turn for item in self.queue("open", reader)]
        place = before.index(turn) if turn in before else 0
        with _refusals():
            self.candor.review.judge(turn, cast(Verdict, verdict), reason.strip(), reader)
        after = [item.turn for item in self.queue("open", reader)]
        return after[min(place, len(after) - 1)] if after else ""


@contextmanager
def _refusals() -> Iterator[None]:
    """What the desk refuses, as an error that may be shown."""
    try:
        yield
    except ReviewError as error:
        raise ReviewRefused(str(error)) from None
