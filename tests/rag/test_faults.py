"""Whatever breaks, wherever: nothing unguarded is shown, the reader understands, the operator hears of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from guardrails.audit.alarms import guard_alarms
from guardrails.audit.signing import LogError
from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from guardrails.pii.guard import PiiGuard
from guardrails.policy import load
from guardrails.policy_tables import FailOpen
from guardrails.process import Child
from guardrails.types import Context, Finding, Guard, Stage
from guardrails.weights import Weights, WeightsError
from rag.access import LOCAL_READER
from rag.assistant import UNCHECKED, WITHHELD, Assistant
from rag.errors import NotRecorded
from rag.types import Done, Sentence
from tests.fakes import ScriptedModel
from tests.guardrails.test_process import Hanging
from tests.rag.house import GOOD, LEAVE, House, notices, outcome, text_of

WRITTEN = f"{GOOD} They lapse on 31 March."
Guards = tuple[PiiGuard, GroundingGuard]


class Faulty:
    """A guard that is sound until its given check of one stage, and then does what it is made with."""

    def __init__(self, guard: Guard, stage: str, nth: int, fault: Callable[[], Sequence[Finding]]) -> None:
        self.name, self.stages = guard.name, guard.stages
        self._guard, self._stage, self._left, self._fault = guard, stage, nth, fault
        self._counting = threading.Lock()

    def check(self, text: str, context: Context) -> Sequence[Finding]:
        with self._counting:
            self._left -= self._stage == stage_of(context)
            broken = self._left <= 0 and self._stage == stage_of(context)
        return self._fault() if broken else self._guard.check(text, context)


def stage_of(context: Context) -> Stage:
    if not context.evidence:
        return "question"
    return "passage" if len(context.evidence) == 1 else "sentence"


def raises() -> Sequence[Finding]:
    raise RuntimeError(f"cannot look at: {WRITTEN}")


def hangs() -> Sequence[Finding]:
    threading.Event().wait(30)
    return []


def babbles() -> Sequence[Finding]:
    return [Finding("x", "pii", "ID", 5, 99_999, 1.0, 0.5, "")]


FAULTS = {"raises": raises, "hangs": hangs, "babbles": babbles, "returns nothing": lambda: None}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("name", "stage"), [("pii", "question"), ("pii", "passage"), ("pii", "sentence"), ("grounding", "sentence")]
)
def test_a_fault_of_a_guard_at_any_stage_shows_nothing_unguarded(
    house: House, guards: Guards, name: str, stage: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [
        Faulty(guard, stage, 1, FAULTS[fault]) if guard.name == name else guard  # type: ignore[arg-type]
        for guard in guards
    ]
    with caplog.at_level(logging.DEBUG):
        shown = house.with_guards(*broken, seconds=0.5).ask(LEAVE, ScriptedModel(WRITTEN))
    assert [piece for piece in shown if isinstance(piece, Sentence)] == []
    assert (notices(shown)[-1], outcome(shown)) == (WITHHELD, "withheld")
    assert "ALARM" in caplog.text
    assert "28 days" not in caplog.text
    assert [alarm for alarm in guard_alarms(house.log) if alarm.guard in {name, "passages"}]


def test_a_process_that_holds_its_lock_is_killed_and_the_text_withheld(house: House, guards: Guards) -> None:
    detector = Hanging()
    try:
        shown = house.with_guards(PiiGuard(detector), guards[1]).ask("What does hang mean?", ScriptedModel(WRITTEN))
    finally:
        detector.close()
    assert (text_of(shown), outcome(shown)) == ("", "withheld")


def test_a_process_that_cannot_be_started_withholds(house: House, guards: Guards) -> None:
    detector = Hanging()
    detector._child = Child("no.such.module", start_seconds=5)
    shown = house.with_guards(PiiGuard(detector), guards[1]).ask(LEAVE, ScriptedModel(WRITTEN))
    assert (text_of(shown), outcome(shown)) == ("", "withheld")


def test_a_missing_model_withholds_what_it_should_have_judged(house: House, guards: Guards) -> None:
    gone = GroundingGuard(Encoder(Weights("gone", "no-such-package", "x.safetensors", "", "")))
    with pytest.raises(WeightsError):
        gone.load()
    shown = house.with_guards(guards[0], gone).ask(LEAVE, ScriptedModel(WRITTEN))
    assert (text_of(shown), outcome(shown)) == ("", "withheld")


@pytest.mark.parametrize("kind", ["asked", "searched", "sentence", "notice", "closed"])
@pytest.mark.parametrize(
    "fault",
    [
        OSError(28, "No space left on device"),
        OperationalError("", {}, Exception("locked")),
        LogError("checkpoints of the log cannot be kept"),
    ],
)
def test_a_full_disk_or_a_locked_log_stops_the_answer_before_it_is_shown(
    house: House, kind: str, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = house.log.append

    def failing(what: str, **more: object) -> int:
        if what == kind:
            raise fault
        return append(what, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(house.log, "append", failing)
    unicorns = "Unicorns receive 900 golden coins every Tuesday in Atlantis."
    assistant = Assistant(replace(house.parts, model=lambda: ScriptedModel(f"{GOOD} {unicorns}")))
    shown = []

    def ask() -> None:
        for piece in assistant.ask(LEAVE, "c", LOCAL_READER):
            shown.append(piece)

    with pytest.raises(NotRecorded) as error:
        ask()
    assert "28 days" not in str(error.value)
    assert sum(isinstance(piece, Sentence) for piece in shown) == {"notice": 1, "closed": 1}.get(kind, 0)
    assert not any(isinstance(piece, Done) for piece in shown)


def test_a_model_that_breaks_off_in_the_middle_of_a_value_shows_none_of_it(house: House) -> None:
    shown = house.ask(
        "Who leads the field team?", ScriptedModel(f"{GOOD} Call her at +44 20 7946 0871 now", breaks_after=17)
    )
    assert "7946" not in repr(shown)


def test_a_reader_who_leaves_gets_no_more_and_the_model_stops(house: House) -> None:
    model = ScriptedModel(" ".join([GOOD, "They lapse on 31 March.", "Up to five days may be carried over."] * 9))
    answer = Assistant(replace(house.parts, model=lambda: model)).ask(LEAVE, "c", LOCAL_READER)
    next(piece for piece in answer if isinstance(piece, Sentence))
    answer.close()  # type: ignore[attr-defined]
    assert model.stopped
    assert house.log.read(kind="closed")[-1].facts["outcome"] == "stopped"


def open_for(hours: float, *names: str) -> FailOpen:
    until = datetime.now(UTC) + timedelta(hours=hours)
    return FailOpen.model_construct(guards=frozenset(names), until=until, reason="the model is being renewed")


def test_fail_open_is_said_to_the_reader_and_in_each_record(house: House, guards: Guards) -> None:
    policy = load().model_copy(update={"fail_open": open_for(1, "grounding")})
    broken = Faulty(guards[1], "sentence", 1, raises)
    opened = house.with_guards(guards[0], broken, policy=policy)
    shown = opened.ask(LEAVE, ScriptedModel(f"{WRITTEN} Ask Ann at ann@example.org, or do not."))
    assert GOOD in text_of(shown)
    assert "ann@example.org" not in repr(shown)  # the others still look
    assert notices(shown).count(UNCHECKED.format("grounding")) == 1
    for event in house.log.read(kind="sentence"):
        assert {"grounding": "failed"}.items() <= {run["guard"]: run["status"] for run in event.facts["guards"]}.items()
    assert "guard failure" in house.log.read(kind="closed")[-1].facts["reasons"]


def test_fail_open_ends_by_itself(house: House, guards: Guards) -> None:
    policy = load().model_copy(update={"fail_open": open_for(-0.01, "grounding")})
    broken = Faulty(guards[1], "sentence", 1, raises)
    shown = house.with_guards(guards[0], broken, policy=policy).ask(LEAVE, ScriptedModel(WRITTEN))
    assert (text_of(shown), outcome(shown)) == ("", "withheld")


def test_personal_data_never_fails_open(house: House, guards: Guards) -> None:
    broken = Faulty(guards[0], "sentence", 1, raises)
    policy = load().model_copy(update={"fail_open": open_for(1, "pii")})
    shown = house.with_guards(broken, guards[1], policy=policy).ask(LEAVE, ScriptedModel(WRITTEN))
    assert (text_of(shown), outcome(shown)) == ("", "withheld")
