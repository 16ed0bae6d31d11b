"""What stands in place of a sentence that nothing supports: whatever it is, it was checked again."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from guardrails.audit.review import ReviewDesk
from guardrails.grounding.guard import GroundingGuard
from guardrails.pii.guard import PiiGuard
from guardrails.policy import Policy, load
from guardrails.policy_tables import Unsupported
from rag.access import LOCAL_READER
from rag.assistant import Assistant
from rag.types import Sentence, Shown
from tests.fakes import BrokenGuard, ScriptedModel
from tests.rag.house import GOOD, LEAVE, House, everything_recorded, notices, outcome, text_of

Guards = tuple[PiiGuard, GroundingGuard]
INVENTED = "Unicorns receive golden coins on sunny afternoons."
WRONG = "Full-time staff have 31 days of paid annual leave a year."


def repairing(kind: Literal["drop", "hedge", "quote", "ask"]) -> Policy:
    return load().model_copy(update={"unsupported": Unsupported(drop_from=0.0, repair=kind)})


@pytest.fixture
def asked(house: House, guards: Guards) -> object:
    def ask(kind: Literal["drop", "hedge", "quote", "ask"], *replies: str) -> list[Shown]:
        return house.with_guards(*guards, policy=repairing(kind)).ask(LEAVE, ScriptedModel(*replies))

    return ask


def sentences(shown: list[Shown]) -> list[Sentence]:
    return [piece for piece in shown if isinstance(piece, Sentence)]


def test_hedged_it_is_shown_and_says_that_no_document_does(house: House, asked) -> None:  # type: ignore[no-untyped-def]
    shown = asked("hedge", f"{GOOD} {INVENTED}")
    first, hedged = sentences(shown)
    assert first.text.strip() == GOOD
    assert hedged.text.strip() == f"The documents do not say this: {INVENTED}"
    assert {mark.kind for mark in hedged.marks} == {"flagged"}
    assert notices(shown) == ["One sentence was shown though the documents do not say it, and marked so."]
    assert [event.facts.get("repair") for event in house.log.read(kind="sentence")] == [None, None, "hedge"]


@pytest.mark.parametrize("wrong", [WRONG, "Full-time staff have leave in Atlantis, Helen Moxon wrote."])
def test_a_wrong_number_or_name_is_never_hedged(asked, wrong: str) -> None:  # type: ignore[no-untyped-def]
    shown = asked("hedge", f"{GOOD} {wrong}")
    assert text_of(shown) == GOOD
    assert "left out" in notices(shown)[0]


def test_personal_data_in_a_hedged_sentence_is_hidden(asked) -> None:  # type: ignore[no-untyped-def]
    shown = asked("hedge", f"{GOOD} Unicorns may write to sparkle@unicorns.org on sunny afternoons.")
    assert "sparkle@" not in repr(shown)


def test_quoted_it_is_replaced_by_the_sources_words(house: House, asked) -> None:  # type: ignore[no-untyped-def]
    shown = asked("quote", WRONG)
    (quoted,) = sentences(shown)
    assert quoted.quoted
    assert "28 days" in quoted.text
    assert [citation.source for citation in quoted.citations if citation.supports] == ["leave.md"]
    assert "replaced by the document's own words" in notices(shown)[0]
    record = ReviewDesk(house.log).record(ReviewDesk(house.log).queue(LOCAL_READER)[0].turn, LOCAL_READER)
    assert [(one.written.strip(), one.repair) for one in record.sentences] == [(WRONG, ""), (GOOD, "quote")]


def test_what_the_answer_says_already_is_not_quoted_again(asked) -> None:  # type: ignore[no-untyped-def]
    shown = asked("quote", f"{GOOD} {WRONG}")
    assert text_of(shown) == GOOD
    assert "left out" in notices(shown)[0]


def test_asked_once_more_the_model_is_told_what_is_wrong(house: House, guards: Guards) -> None:
    model = ScriptedModel(WRONG, GOOD)
    shown = house.with_guards(*guards, policy=repairing("ask")).ask(LEAVE, model)
    assert text_of(shown) == GOOD
    assert "do not say: 31" in model.told[1].replace("\n", " "), model.told[1][-400:]
    assert notices(shown) == [
        "One sentence was written once more, because no passage supported what the model wrote first."
    ]


@pytest.mark.parametrize("second", [INVENTED, WRONG, "NOT IN THE SOURCES.", "I hope this helps.", " "])
def test_what_is_no_better_the_second_time_is_left_out(house: House, asked, second: str) -> None:  # type: ignore[no-untyped-def]
    shown = asked("ask", f"{GOOD} {WRONG}", second)
    assert text_of(shown) == GOOD
    assert notices(shown) == ["One sentence was left out, because a check did not let what the model wrote there pass."]
    assert "31 days" in everything_recorded(house)


def test_a_model_that_breaks_when_asked_again_leaves_the_sentence_out(house: House, guards: Guards) -> None:
    model = ScriptedModel(f"{GOOD} {WRONG}", GOOD)
    told = model.stream

    def breaking(turns):  # type: ignore[no-untyped-def]
        model.breaks_after = 2 if model.told else None
        return told(turns)

    model.stream = breaking  # type: ignore[method-assign]
    shown = house.with_guards(*guards, policy=repairing("ask")).ask(LEAVE, model)
    assert (text_of(shown), outcome(shown)) == (GOOD, "answered")


def test_a_model_is_asked_again_twice_at_most(house: House, guards: Guards) -> None:
    wrong = [WRONG.replace("31", str(number)) for number in (31, 32, 33)]
    model = ScriptedModel(" ".join(wrong), *wrong)
    house.with_guards(*guards, policy=repairing("ask")).ask(LEAVE, model)
    assert len(model.told) == 3


def test_personal_data_made_up_the_second_time_is_hidden(asked) -> None:  # type: ignore[no-untyped-def]
    shown = asked("ask", WRONG, f"{GOOD[:-1]}, says the desk at desk@unicorns.org.")
    assert "desk@unicorns" not in repr(shown)


def test_a_check_that_fails_on_the_second_try_withholds(house: House, guards: Guards) -> None:
    broken = BrokenGuard("output", sound=2)
    inner = house.with_guards(*guards, broken, policy=repairing("ask"))
    shown = inner.ask(
        LEAVE, ScriptedModel(f"{GOOD} {WRONG}", "Part-time staff have leave in proportion to their hours.")
    )
    assert (outcome(shown), text_of(shown)) == ("withheld", GOOD)


def test_a_model_outside_is_told_stand_ins_when_asked_again(house: House, guards: Guards) -> None:
    model = ScriptedModel("Her home telephone is +44 20 7946 0872.", "NOT IN THE SOURCES", inside=False)
    parts = house.with_guards(*guards, policy=repairing("ask")).parts
    question = "What is the home telephone of Helen Moxon?"
    list(Assistant(replace(parts, model=lambda: model)).ask(question, "c", LOCAL_READER))
    assert len(model.told) == 2
    assert "0872" not in model.told[1]
    assert "0871" not in model.told[1]
