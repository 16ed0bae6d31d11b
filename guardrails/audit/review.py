"""The review of flagged answers: the queue, one record put together from its events, and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from guardrails.audit.alarms import CHECKING, GuardAlarm, guard_alarms
from guardrails.audit.keys import Erased
from guardrails.audit.log import AuditLog, Event
from guardrails.audit.signing import LogError
from guardrails.gate import CheckFailed, Gate, redact
from guardrails.types import Action, Finding, GuardRun, Origin, Span

State = Literal["open", "judged", "all"]
Verdict = Literal["right", "wrong", "unsure"]
VERDICTS: tuple[Verdict, ...] = ("right", "wrong", "unsure")
LONGEST_REASON = 2000  # characters
PASSAGE_ERASED = "The passage was erased with its document on {}."
NOT_SHOWN = (Action.DROP.name, Action.WITHHOLD.name)
REPORTED = "user report"  # why an answer is queued whose reader put a thumb down
SENTENCE_ERASED = "These words were erased on {}, with a document that they rested on."


class ReviewError(Exception):
    """A review cannot be made. The message says why."""


class NotAllowed(ReviewError):
    """Whoever asks is no reviewer."""


class Actor(Protocol):
    """Whoever reviews."""

    @property
    def id(self) -> str: ...

    @property
    def roles(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One flagged answer, as listed."""

    turn: str
    at: datetime  # when it was asked
    question: str  # redacted
    reasons: tuple[str, ...]
    outcome: str
    verdict: str  # "" while it is open


@dataclass(frozen=True, slots=True)
class SeenSentence:
    """One sentence of the answer. Texts are redacted."""

    written: str  # by the model, or by a document when it was quoted
    shown: str  # "" when it was dropped
    action: str
    findings: tuple[Finding, ...]  # start and end are characters of ``written``, support of ``SeenEvidence.text``
    cited: tuple[int, ...]
    quoted: bool
    repair: str = ""  # what was done about it, since nothing supports it: hedge, quote or ask
    outcome: str = ""  # of that
    replaces: str = ""  # the repair by which it stands in place of the sentence before


@dataclass(frozen=True, slots=True)
class SeenEvidence:
    """One passage as it was when the answer was written, redacted."""

    number: int  # place in the ranking, from 1
    id: str
    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class SeenChecks:
    """How the guards fared on one text, or on all passages of one search together."""

    step: str  # the kind of event: asked, searched, sentence
    number: int  # counted from 1 among the steps of this kind
    runs: tuple[GuardRun, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """A reviewer's verdict on one answer. Reviews are added, never changed."""

    reviewer: str
    verdict: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rating:
    """What a reader said of an answer. Ratings are added, never changed; the newest counts."""

    thumb: str  # up or down
    codes: tuple[str, ...]  # what is the matter with it
    reason: str  # in the reader's words, redacted; may be empty
    at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One turn, put together from its events."""

    turn: str
    at: datetime
    question: str
    evidence: tuple[SeenEvidence, ...]
    sentences: tuple[SeenSentence, ...]
    notices: tuple[str, ...]
    reasons: tuple[str, ...]
    outcome: str  # "not closed" when the process ended in the middle of the answer
    model: str
    policy: str
    seconds: float
    reviews: tuple[Review, ...]
    question_findings: tuple[Finding, ...] = ()  # start and end are characters of ``question``
    checks: tuple[SeenChecks, ...] = ()  # in the order in which they were made
    ratings: tuple[Rating, ...] = ()  # by the reader


class ReviewDesk:
    """Reads the log for reviewers, and writes their verdicts to it.

    Args:
        gate: what a reason passes before it is written; without it, the desk only reads.
    """

    def __init__(self, log: AuditLog, gate: Callable[[], Gate] | None = None) -> None:
        self._log = log
        self._gate = gate

    def queue(self, actor: Actor, state: State = "open", limit: int = 200) -> list[QueueItem]:
        """Flagged answers, newest first."""
        _require_reviewer(actor)
        return [item for item in self._items() if item.reasons and _in_state(item, state)][:limit]

    def turns(self, actor: Actor, limit: int = 200) -> list[QueueItem]:
        """All answers, flagged or not, newest first."""
        _require_reviewer(actor)
        return self._items()[:limit]

    def record(self, turn: str, actor: Actor) -> Record:
        """One turn as it was.

        Raises:
            ReviewError: there is no such turn.
        """
        _require_reviewer(actor)
        events = self._log.read(turn=turn)
        if not any(event.kind == "asked" for event in events):
            raise ReviewError(f"there is no turn {turn[:40]} in the log")
        return _record(turn, events)

    def alarms(self, actor: Actor) -> list[GuardAlarm]:
        """The guards whose checks could not all be made within the last 24 hours."""
        _require_reviewer(actor)
        return guard_alarms(self._log)

    def judge(self, turn: str, verdict: Verdict, reason: str, actor: Actor) -> None:
        """Record a verdict, with its reason.

        Raises:
            ReviewError: there is no such turn, no such verdict, or no reason; the reason cannot be checked, or the
                verdict not recorded.
        """
        self.record(turn, actor)
        if verdict not in VERDICTS:
            raise ReviewError(f"a verdict is one of {', '.join(VERDICTS)}")
        if not reason.strip():
            raise ReviewError("a verdict needs a reason")
        if len(reason) > LONGEST_REASON:
            raise ReviewError(f"a reason has at most {LONGEST_REASON} characters")
        payload = {"reason": self._redacted(reason.strip())}
        try:
            self._log.append("reviewed", turn=turn, actor=actor.id, facts={"verdict": verdict}, payload=payload)
        except LogError as error:
            raise ReviewError(str(error)) from None

    def _redacted(self, reason: str) -> str:
        if self._gate is None:
            raise ReviewError("this desk has no guards to check a reason with; it only reads")
        try:
            return redact(reason, self._gate().personal(reason)).text
        except CheckFailed:
            raise ReviewError("the reason could not be checked for personal data, so it was not written") from None

    def _items(self) -> list[QueueItem]:
        asked: dict[str, Event] = {}
        closed: dict[str, Event] = {}
        verdicts: dict[str, str] = {}
        thumbs: dict[str, str] = {}
        for event in self._log.read(kind=("asked", "closed", "rated", "reviewed")):
            match event.kind:
                case "asked":
                    asked[event.turn] = event
                case "closed":
                    closed[event.turn] = event
                case "rated":
                    thumbs[event.turn] = event.facts["thumb"]
                    if event.facts["thumb"] == "down":
                        verdicts.pop(event.turn, None)  # somebody looks at it again
                case _:
                    verdicts[event.turn] = event.facts["verdict"]
        return [
            _item(event, closed.get(turn), verdicts.get(turn, ""), thumbs.get(turn, ""))
            for turn, event in reversed(asked.items())
        ]


def _item(asked: Event, closed: Event | None, verdict: str, thumb: str) -> QueueItem:
    reasons = (*(closed.facts["reasons"] if closed else ("not closed",)), *_reported(thumb))
    outcome = closed.facts["outcome"] if closed else "not closed"
    return QueueItem(asked.turn, asked.at, _payload(asked).get("question", ""), reasons, outcome, verdict)


def _reported(thumb: str) -> tuple[str, ...]:
    return (REPORTED,) if thumb == "down" else ()


def _in_state(item: QueueItem, state: State) -> bool:
    return state == "all" or (state == "judged") == bool(item.verdict)


def _record(turn: str, events: Sequence[Event]) -> Record:
    of_kind: dict[str, list[Event]] = {}
    for event in events:
        of_kind.setdefault(event.kind, []).append(event)
    asked = of_kind["asked"][0]
    closed: Mapping[str, Any] = of_kind["closed"][-1].facts if "closed" in of_kind else {}
    ratings = tuple(_rating(event) for event in of_kind.get("rated", []))
    return Record(
        turn=turn,
        at=asked.at,
        question=_payload(asked).get("question", ""),
        evidence=_evidence(of_kind.get("searched", [])),
        sentences=tuple(_sentence(event) for event in of_kind.get("sentence", [])),
        notices=tuple(_payload(event).get("text", "") for event in of_kind.get("notice", [])),
        reasons=(*closed.get("reasons", ("not closed",)), *_reported(ratings[-1].thumb if ratings else "")),
        outcome=closed.get("outcome", "not closed"),
        model=closed.get("model", ""),
        policy=closed.get("policy", ""),
        seconds=closed.get("seconds", 0.0),
        reviews=tuple(_review(event) for event in of_kind.get("reviewed", [])),
        question_findings=tuple(_finding(row) for row in _payload(asked).get("findings", ())),
        checks=tuple(_checks(of_kind)),
        ratings=ratings,
    )


def _checks(of_kind: Mapping[str, Sequence[Event]]) -> Iterable[SeenChecks]:
    for kind in CHECKING:
        for number, event in enumerate(of_kind.get(kind, ()), start=1):
            yield SeenChecks(kind, number, tuple(GuardRun(**run) for run in event.facts.get("guards", ())))


def _evidence(searched: Iterable[Event]) -> tuple[SeenEvidence, ...]:
    passages = [passage for event in searched for passage in _payload(event).get("evidence", ())]
    return tuple(
        _passage(number, passage["id"], passage.get("quoted", passage))
        for number, passage in enumerate(passages, start=1)
    )


def _passage(number: int, id: str, quoted: Mapping[str, str] | Erased) -> SeenEvidence:
    if isinstance(quoted, Erased):
        return SeenEvidence(number, id, "", "Erased document", PASSAGE_ERASED.format(quoted.on))
    return SeenEvidence(number, id, quoted["source"], quoted["title"], quoted["text"])


def _sentence(event: Event) -> SeenSentence:
    payload = _payload(event)
    findings = tuple(_finding(row) for row in payload.get("findings", ()))
    quoted = payload.get("quoted", payload)
    if isinstance(quoted, Erased):  # what the findings point at is gone; what they say is not
        findings = tuple(replace(finding, start=0, end=0, support=()) for finding in findings)
        words = SENTENCE_ERASED.format(quoted.on)
        quoted = {"written": words, "shown": words if event.facts["action"] not in NOT_SHOWN else ""}
    facts = event.facts
    repair = facts.get("repair", {})
    return SeenSentence(
        quoted.get("written", ""),
        quoted.get("shown", ""),
        facts["action"],
        findings,
        tuple(facts["cited"]),
        facts["quoted"],
        repair.get("kind", ""),
        repair.get("outcome", ""),
        facts.get("replaces", ""),
    )


def _finding(row: Mapping[str, Any]) -> Finding:
    values = dict(row)
    values["origin"] = Origin(row["origin"]) if row["origin"] else None
    values["support"] = tuple(Span(**span) for span in row["support"])
    return Finding(**values)


def _review(event: Event) -> Review:
    return Review(event.actor, event.facts["verdict"], _payload(event).get("reason", ""), event.at)


def _rating(event: Event) -> Rating:
    return Rating(event.facts["thumb"], tuple(event.facts["codes"]), _payload(event).get("reason", ""), event.at)


def _payload(event: Event) -> Mapping[str, Any]:
    """What was said; empty once it was erased."""
    return event.payload or {}


def _require_reviewer(actor: Actor) -> None:
    if "reviewer" not in actor.roles:
        raise NotAllowed("this needs the role reviewer")
