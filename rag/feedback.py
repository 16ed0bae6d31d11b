"""What readers say of answers: a thumb, reasons by code, and a few words of their own, as events of the record.

Nothing is changed or taken back: who changes their mind adds an event, and the newest counts. A thumb down puts the
answer into the review queue (``guardrails/audit/review.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

from sqlalchemy.exc import SQLAlchemyError

from guardrails.audit.log import AuditLog, Event
from guardrails.audit.signing import LogError
from guardrails.gate import CheckFailed, Gate, redact
from rag.access import actor, require
from rag.errors import CandorError, NotRecorded
from rag.types import Reader

Thumb = Literal["up", "down"]
CODES = ("wrong", "incomplete", "source", "outdated", "harmful", "other")  # what may be the matter with an answer
LONGEST_REASON = 1000  # characters


class FeedbackRefused(CandorError):
    """What a reader says of an answer is not taken; the message says why."""


class Feedback:
    """Takes what readers say of their own answers.

    Args:
        gate: what a reason passes before it is written.
    """

    def __init__(self, log: AuditLog, gate: Callable[[], Gate]) -> None:
        self._log = log
        self._gate = gate

    def rate(self, turn: str, thumb: str, codes: Iterable[str], reason: str, reader: Reader) -> None:
        """Record a thumb.

        Args:
            codes: of ``CODES``; for a thumb down only.
            reason: the reader's own words, which may be missing; personal data in it is redacted before it is written.

        Raises:
            FeedbackRefused: it is no answer of this reader, or the reason cannot be checked; nothing was written.
            NotRecorded: it is not on disk.
        """
        require(reader, "user")
        asked = self._asked(turn, reader)
        chosen = sorted(set(codes))
        if thumb not in get_args(Thumb) or not set(chosen) <= set(CODES) or (chosen and thumb == "up"):
            raise FeedbackRefused("a thumb is up or down, and only a thumb down has reasons")
        if len(reason) > LONGEST_REASON:
            raise FeedbackRefused(f"a reason has at most {LONGEST_REASON:,} characters")
        payload = {"reason": self._redacted(reason.strip())}
        facts = {"thumb": thumb, "codes": chosen}
        try:
            self._log.append(
                "rated", conversation=asked.conversation, turn=turn, actor=actor(reader), facts=facts, payload=payload
            )
        except (SQLAlchemyError, OSError, LogError) as error:
            raise NotRecorded(f"this was not kept: the record cannot be written ({type(error).__name__})") from None

    def thumbs(self, turns: Sequence[str], reader: Reader) -> dict[str, Thumb]:
        """What this reader thinks of these answers now; answers without a thumb are left out."""
        require(reader, "user")
        found: dict[str, Thumb] = {}
        for turn in turns:
            for event in self._log.read(turn=turn, kind="rated"):
                if event.actor == actor(reader):
                    found[turn] = event.facts["thumb"]
        return found

    def _asked(self, turn: str, reader: Reader) -> Event:
        """The question; somebody else's and one that does not exist are refused alike."""
        for event in self._log.read(turn=turn, kind="asked") if turn else ():
            if event.actor == actor(reader):
                return event
        raise FeedbackRefused("this answer is not known here; ask again")

    def _redacted(self, reason: str) -> str:
        if not reason:
            return ""
        try:
            return redact(reason, self._gate().personal(reason)).text
        except CheckFailed:
            raise FeedbackRefused("your words could not be checked for personal data, so nothing was kept") from None
