"""Sentences that nothing supports: what stands in their place, by policy. Real guards; only what writes is scripted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from guardrails.audit.review import ReviewDesk
from guardrails.gate import HEDGE
from guardrails.grounding.guard import GroundingGuard
from guardrails.output import OutputGuard
from guardrails.pii.guard import PiiGuard
from guardrails.policy import load
from guardrails.policy_tables import Output, Unsupported
from guardrails.types import Action, Context, Finding, Guard, Repair, Stage
from rag.access import LOCAL_READER
from rag.assistant import WITHHELD, Assistant
from rag.errors import ModelError
from rag.generation.prompt import NOT_ANSWERED
from rag.generation.turns import Turn
from rag.repair import TOLD, told
from rag.types import Sentence, Shown, Status
from tests.fakes import ScriptedModel
from tests.rag.house import GOOD, LEAVE, House, everything_recorded, notices, outcome, text_of

Guards = tuple[PiiGuard, GroundingGuard]
SOUP = "The canteen serves soup on Fridays."  # nothing in the documents speaks of it
NINE = "Up to nine days may be carried over to the next year."
FIVE = "Up to five days may be carried over to the next year."
UNICORNS = "Unicorns receive 900 golden coins every Tuesday in Atlantis."
REPAIRS: tuple[Repair, ...] = ("hedge", "quote", "ask")


class Counting:
    """Reports harm in, or fails on, every sentence after the first so many; keeps what it was given."""

    name = "harm"
    stages: frozenset[Stage] = frozenset({"sentence"})

    def __init__(self, sound: int, *, fails: bool = False) -> None:
        self.sound = sound
        self.fails = fails
        self.seen: list[tuple[str, str]] = []

    def check(self, text: str, context: Context) -> list[Finding]:
        self.seen.append((text, context.before))
        if len(self.seen) <= self.sound:
            return []
        if self.fails:
            raise RuntimeError("broken")
        return [Finding(self.name, "harm", "threat", 0, len(text), 1.0, 0.5, "it reads like a threat")]


class BreakingSecond(ScriptedModel):
    """Cannot be reached a second time."""

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        if self.told:
            raise ModelError("the model scripted:test gave no usable reply (ConnectError)")
        yield from super().stream(turns)


def repairing(house: House, guards: Guards, repair: Repair, *more: Guard, drop_from: float = 0.0) -> House:
    policy = load().model_copy(update={"unsupported": Unsupported(drop_from=drop_from, repair=repair)})
    return house.with_guards(*guards, *more, policy=policy)


def sentences(shown: list[Shown]) -> list[Sentence]:
    return [piece for piece in shown if isinstance(piece, Sentence)]


def recorded(house: House) -> list[tuple[str, str, Any, Any]]:
    """Action, words as written, repair and what it stands in place of, of each sentence in the log."""
    return [
        (
            event.facts["action"],
            event.payload["quoted"]["written"].strip(),  # type: ignore[index]
            event.facts.get("repair"),
            event.facts.get("replaces"),
        )
        for event in house.log.read(kind="sentence")
    ]


def written_for(repair: Repair) -> ScriptedModel:
    """A good sentence, and one that this repair can mend."""
    return ScriptedModel(f"{GOOD} {SOUP if repair == 'hedge' else NINE}", FIVE)


# Hedge


def test_a_hedged_sentence_says_what_it_is_and_stays_marked(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "hedge").ask(LEAVE, ScriptedModel(f"{GOOD} {SOUP}"))
    assert text_of(shown) == f"{GOOD} Not in the documents: {SOUP}"
    hedged = sentences(shown)[1]
    assert {mark.kind for mark in hedged.marks} == {"flagged"}
    assert min(mark.start for mark in hedged.marks) >= len(HEDGE)
    assert not hedged.quoted
    assert not hedged.citations
    assert (notices(shown), outcome(shown)) == ([TOLD["hedge"][0]], "answered")
    assert recorded(house)[1:] == [
        ("DROP", SOUP, {"kind": "hedge", "outcome": "passed"}, None),
        ("FLAG", HEDGE + SOUP, None, "hedge"),
    ]


def test_what_a_document_contradicts_is_never_hedged(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "hedge").ask(LEAVE, ScriptedModel(f"{GOOD} {NINE}"))
    assert text_of(shown) == f"{GOOD} {FIVE}"
    assert "nine" not in repr(shown)
    assert sentences(shown)[1].quoted


def test_an_answer_does_not_begin_with_a_hedge(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "hedge").ask(LEAVE, ScriptedModel(f"{SOUP} {GOOD}"))
    assert text_of(shown) == GOOD
    assert recorded(house)[0][2] == {"kind": "quote", "outcome": "none fits"}


def test_the_mark_of_a_list_does_not_stand_between_hedge_and_sentence(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "hedge").ask(LEAVE, ScriptedModel(f"{GOOD}\n- {SOUP}"))
    assert sentences(shown)[1].text == HEDGE + SOUP


def test_links_and_invented_values_in_a_hedged_sentence_are_hidden(house: House, guards: Guards) -> None:
    written = "Order soup at https://soup.example/order or from cook@example.org."
    hedging = repairing(house, guards, "hedge", OutputGuard(Output))
    shown = hedging.ask(LEAVE, ScriptedModel(f"{GOOD} {written}"))
    hedged = sentences(shown)[1].text
    assert hedged.startswith(HEDGE)
    assert "<LINK>" in hedged
    assert "<EMAIL_ADDRESS>" in hedged
    assert "cook@" not in repr(shown) + everything_recorded(house)


# Quote


def test_the_documents_own_words_take_the_place_of_a_wrong_sentence(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "quote").ask(LEAVE, ScriptedModel(f"{GOOD} {NINE}"))
    quoted = sentences(shown)[1]
    assert (quoted.text.strip(), quoted.quoted) == (FIVE, True)
    assert [citation.source for citation in quoted.citations] == ["leave.md"]
    assert (notices(shown), outcome(shown)) == ([TOLD["quote"][0]], "answered")
    assert recorded(house)[1:] == [
        ("DROP", NINE, {"kind": "quote", "outcome": "passed"}, None),
        ("SHOW", FIVE, None, "quote"),
    ]


def test_an_answer_of_quotations_alone_is_called_so(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "quote").ask(LEAVE, ScriptedModel(NINE))
    assert (text_of(shown), outcome(shown)) == (FIVE, "quoted")


def test_where_no_sentence_of_the_documents_fits_none_is_quoted(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "quote").ask(LEAVE, ScriptedModel(f"{GOOD} {SOUP}"))
    assert (text_of(shown), notices(shown)) == (GOOD, [TOLD["drop"][0]])
    assert recorded(house)[1][2] == {"kind": "quote", "outcome": "none fits"}


def test_what_was_shown_already_is_not_quoted(house: House, guards: Guards) -> None:
    thirty = GOOD.replace("28", "30")
    shown = repairing(house, guards, "quote").ask(LEAVE, ScriptedModel(f"{GOOD} {thirty}"))
    assert text_of(shown) == GOOD
    assert recorded(house)[1][2] == {"kind": "quote", "outcome": "said before"}


def test_what_was_quoted_is_not_said_again(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "quote").ask(LEAVE, ScriptedModel(f"{NINE} {FIVE} {GOOD}"))
    assert text_of(shown).split("\n") == [FIVE, GOOD]


def test_private_values_in_a_quoted_sentence_are_hidden(house: House, guards: Guards) -> None:
    wrong = "Her home telephone is +44 20 7946 0999."
    shown = repairing(house, guards, "quote").ask("What is the home telephone of Helen Moxon?", ScriptedModel(wrong))
    assert "<PHONE_NUMBER>" in text_of(shown)
    assert "7946 0" not in text_of(shown) + everything_recorded(house)


# Ask


def test_the_model_writes_a_sentence_once_more_told_what_is_wrong(house: House, guards: Guards) -> None:
    model = ScriptedModel(f"{GOOD} {NINE} They lapse on 31 March.", f"Certainly! {FIVE} Soup is served.")
    shown = repairing(house, guards, "ask").ask(LEAVE, model)
    assert text_of(shown) == f"{GOOD} {FIVE} They lapse on 31 March."
    assert [citation.source for citation in sentences(shown)[1].citations] == ["leave.md"]
    assert notices(shown) == [TOLD["ask"][0]]
    assert model.told[1].startswith(model.told[0])
    assert '"nine": this number stands neither in the passages nor in the question' in model.told[1]
    assert recorded(house)[1:3] == [
        ("DROP", NINE, {"kind": "ask", "outcome": "passed"}, None),
        ("SHOW", FIVE, None, "ask"),
    ]


def test_a_second_try_that_nothing_supports_is_left_out_too(house: House, guards: Guards) -> None:
    shown = repairing(house, guards, "ask").ask(LEAVE, ScriptedModel(f"{GOOD} {NINE}", SOUP))
    assert (text_of(shown), notices(shown)) == (GOOD, [TOLD["drop"][0]])
    assert recorded(house)[1:] == [
        ("DROP", NINE, {"kind": "ask", "outcome": "dropped"}, None),
        ("DROP", SOUP, None, "ask"),
    ]


@pytest.mark.parametrize(
    ("model", "came_of_it"),
    [
        (ScriptedModel(f"{GOOD} {NINE}", f"{NOT_ANSWERED}."), "declined"),
        (ScriptedModel(f"{GOOD} {NINE}", "Certainly!"), "declined"),
        (ScriptedModel(f"{GOOD} {NINE}", GOOD), "said before"),
        (BreakingSecond(f"{GOOD} {NINE}"), "model failed"),
    ],
    ids=["declines", "claims nothing", "repeats", "breaks"],
)
def test_a_second_try_without_a_new_sentence_leaves_it_out(
    house: House, guards: Guards, model: ScriptedModel, came_of_it: str
) -> None:
    shown = repairing(house, guards, "ask").ask(LEAVE, model)
    assert (text_of(shown), notices(shown), outcome(shown)) == (GOOD, [TOLD["drop"][0]], "answered")
    assert recorded(house)[1:] == [("DROP", NINE, {"kind": "ask", "outcome": came_of_it}, None)]


def test_two_sentences_of_an_answer_are_asked_for_again_and_no_more(house: House, guards: Guards) -> None:
    wrong = [NINE, SOUP, GOOD.replace("28", "30")]
    model = ScriptedModel(" ".join([GOOD, *wrong]), FIVE, NOT_ANSWERED, "never asked for")
    shown = repairing(house, guards, "ask").ask(LEAVE, model)
    assert len(model.told) == 3
    assert notices(shown) == [TOLD["drop"][1].format(2), TOLD["ask"][0]]
    assert [repair["outcome"] for *_, repair, _ in recorded(house) if repair] == ["passed", "declined", "asked enough"]


def test_a_value_made_up_in_the_second_try_is_hidden(house: House, guards: Guards) -> None:
    again = "Up to five days may be carried over to the next year, says carl@example.org."
    shown = repairing(house, guards, "ask", drop_from=0.99).ask(LEAVE, ScriptedModel(f"{GOOD} {UNICORNS}", again))
    assert "five days may be carried over to the next year, says <EMAIL_ADDRESS>" in text_of(shown)
    assert "carl@" not in repr(shown) + everything_recorded(house)


def test_a_model_outside_is_told_stand_ins_the_second_time_too(house: House, guards: Guards) -> None:
    wrong = "Call Helen Moxon on +44 20 7946 0999 for soup."
    model = ScriptedModel(f"{GOOD} {wrong}", NOT_ANSWERED, inside=False)
    repairing(house, guards, "ask").ask("My name is Wanda Quill. " + LEAVE, model)
    asked = model.told[1].removeprefix(model.told[0])
    assert "<PHONE_NUMBER_" in asked
    for private in ("Moxon", "0999", "Quill"):
        assert private not in model.told[1]


def test_a_stop_while_the_model_is_asked_again_is_a_stop(house: House, guards: Guards) -> None:
    model = ScriptedModel(f"{GOOD} {NINE} {'And so on. ' * 50}", FIVE)
    parts = replace(repairing(house, guards, "ask").parts, model=lambda: model)
    answer = Assistant(parts).ask(LEAVE, "c", LOCAL_READER)
    for piece in answer:
        if isinstance(piece, Status) and "once more" in piece.text:
            break
    answer.close()  # type: ignore[attr-defined]
    assert (model.stopped, len(model.told)) == (True, 1)
    assert recorded(house)[1:] == [("DROP", NINE, {"kind": "ask", "outcome": "not finished"}, None)]
    assert house.log.read(newest=1)[0].facts["outcome"] == "stopped"


# Whatever the repair


@pytest.mark.parametrize("repair", REPAIRS)
def test_what_is_put_in_place_of_a_sentence_is_checked_again(house: House, guards: Guards, repair: Repair) -> None:
    harm = Counting(sound=2)  # nothing against the model's two sentences, everything against what comes after
    shown = repairing(house, guards, repair, harm).ask(LEAVE, written_for(repair))
    assert (text_of(shown), notices(shown)) == (GOOD, [TOLD["drop"][0]])
    assert [(row[0], row[2], row[3]) for row in recorded(house)[1:]] == [
        ("DROP", {"kind": repair, "outcome": "dropped"}, None),
        ("DROP", None, repair),
    ]


@pytest.mark.parametrize("repair", REPAIRS)
def test_a_check_that_fails_on_it_withholds_the_rest(house: House, guards: Guards, repair: Repair) -> None:
    shown = repairing(house, guards, repair, Counting(sound=2, fails=True)).ask(LEAVE, written_for(repair))
    assert (text_of(shown), notices(shown), outcome(shown)) == (GOOD, [WITHHELD], "withheld")
    assert recorded(house)[1][2] == {"kind": repair, "outcome": "withheld"}


@pytest.mark.parametrize("repair", REPAIRS)
def test_what_something_else_drops_too_is_not_repaired(house: House, guards: Guards, repair: Repair) -> None:
    model = written_for(repair)
    shown = repairing(house, guards, repair, Counting(sound=1)).ask(LEAVE, model)
    assert text_of(shown) == GOOD
    assert len(model.told) == 1
    assert [(row[0], row[2]) for row in recorded(house)] == [("SHOW", None), ("DROP", None)]


@pytest.mark.parametrize("repair", REPAIRS)
def test_the_next_sentence_is_checked_beside_what_stands_before_it(
    house: House, guards: Guards, repair: Repair
) -> None:
    watching = Counting(sound=9)
    model = written_for(repair)
    model.replies[0] += " They lapse on 31 March."
    repairing(house, guards, repair, watching).ask(LEAVE, model)
    text, before = watching.seen[-1]
    assert text == "They lapse on 31 March."
    assert before.rstrip().endswith(SOUP if repair == "hedge" else FIVE)


@pytest.mark.parametrize("repair", REPAIRS)
def test_words_that_claim_nothing_stand_before_what_was_repaired(house: House, guards: Guards, repair: Repair) -> None:
    model = written_for(repair)
    wrong = model.replies[0].removeprefix(GOOD)
    model.replies[0] = f"{GOOD} Here is what I found:\n\n{wrong.strip()}"
    assert "Here is what I found:" in text_of(repairing(house, guards, repair).ask(LEAVE, model))


@pytest.mark.parametrize("repair", REPAIRS)
def test_a_reviewer_sees_both(house: House, guards: Guards, repair: Repair) -> None:
    repairing(house, guards, repair).ask(LEAVE, written_for(repair))
    desk = ReviewDesk(house.log)
    item = desk.queue(LOCAL_READER)[0]
    assert "not supported" in item.reasons
    _, wrong, put = desk.record(item.turn, LOCAL_READER).sentences
    assert (wrong.shown, wrong.action, wrong.repair, wrong.outcome) == ("", Action.DROP.name, repair, "passed")
    assert (put.replaces, put.repair, bool(put.shown)) == (repair, "", True)


def test_a_sentence_that_is_left_out_by_policy_has_no_repair_in_its_record(house: House, guards: Guards) -> None:
    house.ask(LEAVE, ScriptedModel(f"{GOOD} {SOUP}"))
    assert recorded(house)[1] == ("DROP", SOUP, None, None)


def test_the_reader_is_told_of_each_kind_how_often() -> None:
    said = list(told(Counter({"drop": 1, "ask": 2, "hedge": 3})))
    assert said == [TOLD["drop"][0], TOLD["hedge"][1].format(3), TOLD["ask"][1].format(2)]
    assert said[1] == "3 sentences are shown although the documents do not say it."
