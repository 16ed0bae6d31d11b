"""The gate acts by policy, redacts once, and lets nothing through when a guard fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.checks import Checks
from guardrails.gate import HEDGE, CheckFailed, Gate, redact
from guardrails.policy import Policy, Unsupported, load
from guardrails.policy_tables import FailOpen
from guardrails.types import Action, Context, Evidence, Finding, Kind, Origin, Stage

POLICY = load()
STAGES: frozenset[Stage] = frozenset({"question", "passage", "sentence"})
TEXT = "Call 555-0199 or 555-0144 today"


class ScriptedGuard:
    """Reports what it was made with."""

    stages = STAGES

    def __init__(self, name: str, *findings: Finding, error: Exception | None = None) -> None:
        self.name = name
        self.findings = findings
        self.error = error

    def check(self, text: str, context: Context) -> Sequence[Finding]:
        if self.error:
            raise self.error
        return self.findings


def finding(
    start: int,
    end: int,
    *,
    kind: Kind = "pii",
    origin: Origin | None = Origin.DOCUMENT,
    score: float = 0.9,
    label: str = "PHONE_NUMBER",
) -> Finding:
    return Finding("pii", kind, label, start, end, score, 0.5, "", origin)


def gate(*findings: Finding, error: Exception | None = None) -> Gate:
    return Gate(Checks([ScriptedGuard("pii", *findings, error=error)]), POLICY)


@pytest.mark.parametrize(
    ("origin", "shown", "action"),
    [
        (Origin.USER, "555-0199", Action.SHOW),
        (Origin.PUBLIC_DOCUMENT, "555-0199", Action.SHOW),
        (Origin.DOCUMENT, "<PHONE_NUMBER>", Action.REDACT),
        (Origin.INVENTION, "<PHONE_NUMBER>", Action.FLAG),
        (None, "<PHONE_NUMBER>", Action.FLAG),
    ],
)
def test_personal_data_is_treated_by_origin(origin: Origin | None, shown: str, action: Action) -> None:
    checked = gate(finding(5, 13, origin=origin)).sentence(TEXT, Context())
    assert (checked.shown.text, checked.action) == (f"Call {shown} or 555-0144 today", action)
    assert checked.kept.text == "Call <PHONE_NUMBER> or 555-0144 today"


def test_what_the_policy_does_not_hold_personal_stays_in_the_record_too() -> None:
    checked = gate(finding(26, 31, label="DATE_TIME")).sentence(TEXT, Context())
    assert (checked.shown.text, checked.kept.text) == (TEXT, TEXT)


@pytest.mark.parametrize(("score", "action", "shown"), [(0.6, Action.FLAG, TEXT), (0.95, Action.DROP, "")])
def test_an_unsupported_sentence_is_marked_or_dropped(score: float, action: Action, shown: str) -> None:
    marking = POLICY.model_copy(update={"unsupported": Unsupported(drop_from=0.7)})
    guard = ScriptedGuard("pii", finding(0, 4, kind="unsupported", origin=None, score=score))
    checked = Gate(Checks([guard]), marking).sentence(TEXT, Context())
    assert (checked.action, checked.shown.text, checked.kept.text) == (action, shown, TEXT)


UNSUPPORTED = finding(5, 13, kind="unsupported", origin=None, label="sentence")
HARM = finding(0, 4, kind="harm", origin=None, label="threat")
PHONE = finding(17, 25)


@pytest.mark.parametrize(
    ("found", "alone"),
    [
        ((UNSUPPORTED,), (UNSUPPORTED,)),
        ((PHONE, UNSUPPORTED), (UNSUPPORTED,)),  # hidden, which leaves nothing out
        ((HARM, UNSUPPORTED), ()),
        ((HARM,), ()),
        ((replace(UNSUPPORTED, kind="injection"), UNSUPPORTED), ()),
        ((replace(UNSUPPORTED, kind="guard_failed"), UNSUPPORTED), ()),
        ((PHONE,), ()),
        ((), ()),
    ],
)
def test_the_gate_says_when_lack_of_support_alone_drops(found: tuple[Finding, ...], alone: tuple[Finding, ...]) -> None:
    assert gate(*found).sentence(TEXT, Context()).unsupported == alone


def hedging(*findings: Finding) -> Gate:
    policy = POLICY.model_copy(update={"unsupported": Unsupported(drop_from=0.0, repair="hedge")})
    return Gate(Checks([ScriptedGuard("pii", *findings)]), policy)


def test_a_hedged_sentence_is_shown_behind_our_words_with_its_findings() -> None:
    checked = hedging(UNSUPPORTED, PHONE).hedged(TEXT, Context())
    assert (checked.shown.text, checked.action) == (f"{HEDGE}Call 555-0199 or <PHONE_NUMBER> today", Action.FLAG)
    assert [checked.shown.text[f.start : f.end] for f in checked.shown.findings] == ["555-0199", "<PHONE_NUMBER>"]
    assert checked.kept == checked.shown


@pytest.mark.parametrize("other", [HARM, replace(UNSUPPORTED, label="number"), replace(HARM, kind="injection")])
def test_a_hedge_excuses_nothing_but_words_that_no_document_has(other: Finding) -> None:
    checked = hedging(UNSUPPORTED, other).hedged(TEXT, Context())
    assert (checked.action, checked.shown.text) == (Action.DROP, "")


def test_nothing_is_hedged_that_the_policy_does_not_hedge() -> None:
    assert gate(UNSUPPORTED).hedged(TEXT, Context()).action is Action.DROP


def test_a_hedged_sentence_that_cannot_be_checked_is_withheld() -> None:
    checked = gate(error=RuntimeError()).hedged(TEXT, Context())
    assert (checked.action, checked.shown.text, checked.kept.text) == (Action.WITHHOLD, "", "")


def test_a_guard_that_fails_withholds_and_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        checked = gate(error=ValueError("the number 555-0199 is odd")).sentence(TEXT, Context())
    assert (checked.action, checked.shown.text, checked.kept.text) == (Action.WITHHOLD, "", "")
    assert checked.runs[0].status == "failed"
    assert "555-0199" not in caplog.text
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("odd", [finding(-1, 3), finding(5, 400), finding(9, 4)])
def test_a_guard_that_reports_nonsense_counts_as_failed(odd: Finding) -> None:
    assert gate(odd).sentence(TEXT, Context()).action is Action.WITHHOLD


def test_a_gate_without_a_guard_for_personal_data_lets_nothing_through() -> None:
    bare = Gate(Checks([ScriptedGuard("grounding")]), POLICY)
    assert bare.sentence(TEXT, Context()).action is Action.WITHHOLD
    assert bare.question(TEXT).action is Action.WITHHOLD
    assert bare.passage(Evidence("1", TEXT), Context()) is None


def test_one_failure_outweighs_what_other_guards_allow() -> None:
    both = Gate(Checks([ScriptedGuard("pii"), ScriptedGuard("grounding", error=RuntimeError())]), POLICY)
    assert both.sentence(TEXT, Context()).shown.text == ""


def test_a_passage_is_redacted_for_reader_and_record() -> None:
    passage = gate(finding(5, 13, origin=Origin.PUBLIC_DOCUMENT), finding(17, 25)).passage(
        Evidence("1", TEXT), Context()
    )
    assert passage is not None
    assert passage.shown.text == "Call 555-0199 or <PHONE_NUMBER> today"
    assert passage.kept.text == "Call <PHONE_NUMBER> or <PHONE_NUMBER> today"
    assert [
        passage.kept.text[slice(*passage.kept.move(26, 31))],
        passage.kept.text[slice(*passage.kept.move(18, 19))],
    ] == ["today", "<PHONE_NUMBER>"]


def test_overlapping_spans_are_hidden_once_under_the_longest_label() -> None:
    assert (
        redact(TEXT, [finding(5, 13, label="ID"), finding(7, 25, label="PHONE_NUMBER")]).text
        == "Call <PHONE_NUMBER> today"
    )


texts = st.text("abc \u00e9\U0001f600", max_size=40)
spans = st.tuples(st.integers(0, 40), st.integers(1, 12))


@given(texts, st.lists(spans, max_size=5), spans)
def test_a_span_points_to_the_same_words_after_redaction(
    text: str, found: list[tuple[int, int]], claim: tuple[int, int]
) -> None:
    inside = [finding(s, min(s + n, len(text)), label="X") for s, n in found if s < len(text)]
    start, end = min(claim[0], len(text)), min(sum(claim), len(text))
    redaction = redact(text, inside)
    hidden = {i for f in inside for i in range(f.start, f.end)}
    expected = "".join(text[i] for i in range(start, end) if i not in hidden)
    moved = redaction.text[slice(*redaction.move(start, end))]
    assert moved.replace("<X>", "") == expected


@given(texts, st.lists(spans, max_size=5))
def test_no_hidden_character_survives(text: str, found: list[tuple[int, int]]) -> None:
    inside = [finding(s, min(s + n, len(text)), label="X") for s, n in found if s < len(text)]
    hidden = {i for f in inside for i in range(f.start, f.end)}
    assert redact(text, inside).text.replace("<X>", "") == "".join(c for i, c in enumerate(text) if i not in hidden)


def policy_with(**lists: list[str]) -> Policy:
    values = POLICY.model_dump(exclude_unset=True)
    return Policy.model_validate(values | {"personal_data": values["personal_data"] | lists})


def test_the_lists_of_the_policy_outweigh_the_guards() -> None:
    phones = Checks([ScriptedGuard("pii", finding(5, 13), finding(17, 25))])
    allowed = Gate(phones, policy_with(allow=["555 0199"])).sentence(TEXT, Context())
    assert allowed.shown.text == allowed.kept.text == "Call 555-0199 or <PHONE_NUMBER> today"
    public = Gate(phones, policy_with(public_values=["5550199"])).sentence(TEXT, Context())
    assert public.shown.text == "Call 555-0199 or <PHONE_NUMBER> today"
    assert public.kept.text == "Call <PHONE_NUMBER> or <PHONE_NUMBER> today"
    denied = Gate(phones, policy_with(deny=["today", "to"])).sentence(TEXT, Context())
    assert denied.shown.text == "Call <PHONE_NUMBER> or <PHONE_NUMBER> <DENIED>"


def test_the_readers_own_value_stays_theirs_when_it_is_public_too() -> None:
    own = Checks([ScriptedGuard("pii", finding(5, 13, origin=Origin.USER))])
    checked = Gate(own, policy_with(public_values=["5550199"])).sentence(TEXT, Context())
    assert [found.origin for found in checked.kept.findings] == [Origin.USER]


def test_what_is_no_personal_data_passes_the_lists() -> None:
    guards = Checks([ScriptedGuard("pii"), ScriptedGuard("grounding", finding(0, 4, kind="supported", origin=None))])
    assert Gate(guards, policy_with(allow=["Call"])).sentence(TEXT, Context()).kept.findings[0].kind == "supported"


def test_nobody_can_say_whether_a_value_is_parted_when_the_guard_fails() -> None:
    with pytest.raises(CheckFailed):
        gate(error=RuntimeError()).parts_a_value(TEXT, 7)
    assert gate(finding(5, 13)).parts_a_value(TEXT, 7)
    assert not gate(finding(5, 13)).parts_a_value(TEXT, 13)
    assert not gate(finding(5, 13, label="DATE_TIME")).parts_a_value(TEXT, 7)


def test_a_text_that_instructs_is_quarantined_and_so_is_one_that_nobody_could_judge() -> None:
    pii, instructs = ScriptedGuard("pii"), finding(0, 4, kind="injection", origin=None)
    assert not Gate(Checks([pii, ScriptedGuard("injection")]), POLICY).quarantines(TEXT)
    assert Gate(Checks([pii, ScriptedGuard("injection", instructs)]), POLICY).quarantines(TEXT)
    assert Gate(Checks([pii, ScriptedGuard("injection", error=RuntimeError())]), POLICY).quarantines(TEXT)
    assert Gate(Checks([pii]), POLICY).quarantines(TEXT)
    off = POLICY.model_copy(update={"injection": POLICY.injection.model_copy(update={"on": False})})
    assert not Gate(Checks([pii]), off).quarantines(TEXT)


def test_a_failure_that_the_policy_leaves_open_is_flagged_and_not_withheld() -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    opened = FailOpen.model_construct(guards=frozenset({"harm"}), until=until, reason="it is being renewed")
    guards = Checks([ScriptedGuard("pii", finding(5, 13)), ScriptedGuard("harm", error=RuntimeError())])
    checked = Gate(guards, POLICY.model_copy(update={"fail_open": opened})).sentence(TEXT, Context())
    assert (checked.action, checked.shown.text) == (Action.FLAG, "Call <PHONE_NUMBER> or 555-0144 today")
    assert [run.status for run in checked.runs] == ["ran", "failed"]
    assert Gate(guards, POLICY).sentence(TEXT, Context()).action is Action.WITHHOLD


def test_a_card_keeps_its_last_four_where_the_policy_masks() -> None:
    values = POLICY.model_dump(exclude_unset=True)
    rules = [{"entities": ["CREDIT_CARD"], "action": "mask"}]
    masking = Policy.model_validate(values | {"personal_data": values["personal_data"] | {"rules": rules}})
    text = "Card 4111 1111 1111 1111 please"
    card = finding(5, 24, label="CREDIT_CARD")
    checked = Gate(Checks([ScriptedGuard("pii", card)]), masking).sentence(text, Context())
    assert checked.shown.text == "Card <CREDIT_CARD ****1111> please"
    assert checked.kept.text == "Card <CREDIT_CARD> please"
    joined = Gate(Checks([ScriptedGuard("pii", card, finding(20, 31))]), masking).sentence(text, Context())
    assert "1111" not in joined.shown.text  # two values that overlap are hidden as one, by its name alone
