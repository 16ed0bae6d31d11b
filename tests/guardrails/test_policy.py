"""A policy says what is done, for whom; a mistake in its file is named by line, and leaves no moment without one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guardrails import policy as policy_module
from guardrails.pii.detect import Detector
from guardrails.pii.labels import KNOWN, LABELS
from guardrails.pii.recognizers import COMPANIES, USED
from guardrails.policy import (
    ACCOUNTS,
    PRESETS,
    FailOpen,
    Harm,
    Injection,
    Output,
    Policy,
    PolicyError,
    PolicyFile,
    bare,
    load,
    presets,
)
from guardrails.policy_mistakes import line_of
from guardrails.types import Action, Context, Finding, Kind, Origin, Stage

GENERAL, HEALTH, FINANCE = (load(Path(name)) for name in ("general", "health", "finance"))
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
CARD = "4242 4242 4242 4242"

SMALL = """\
name = "small"

[personal_data]
shown = ["DATE_TIME"]
models_outside_see_it = false

[personal_data.by_origin]
user = "show"
public_document = "show"
document = "redact"
invention = "flag"

[unsupported]
drop_from = 0.5
"""


def policy(added: str = "", *, now: datetime = NOW, **changes: str) -> Policy:
    return policy_module._parsed(Path("x.toml"), changed(added, **changes), now)


def changed(added: str = "", **changes: str) -> str:
    """The small policy with other values, and tables after its own."""
    text = SMALL
    for name, value in changes.items():
        before = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(before, f"{name} = {value}")
    return text + added


def mistakes(source: str) -> list[str]:
    with pytest.raises(PolicyError) as error:
        policy_module._parsed(Path("x.toml"), source, NOW)
    return str(error.value).splitlines()


def finding(label: str = "PHONE_NUMBER", origin: Origin | None = Origin.DOCUMENT, kind: Kind = "pii") -> Finding:
    return Finding("pii", kind, label, 0, 8, 0.9, 0.5, "", origin)


# What is done


@pytest.mark.parametrize(
    ("origin", "action"),
    [
        (Origin.USER, Action.SHOW),
        (Origin.PUBLIC_DOCUMENT, Action.SHOW),
        (Origin.DOCUMENT, Action.REDACT),
        (Origin.INVENTION, Action.FLAG),
        (None, Action.FLAG),
    ],
)
def test_personal_data_is_treated_by_origin(origin: Origin | None, action: Action) -> None:
    found = finding(origin=origin)
    assert GENERAL.action(found) is action
    assert GENERAL.hides(found) == (action >= Action.REDACT)
    assert GENERAL.is_personal(found)


def test_what_is_not_treated_as_personal_is_shown_and_kept_whatever_its_origin() -> None:
    for origin in Origin:
        date = finding("DATE_TIME", origin)
        assert (GENERAL.action(date), GENERAL.is_personal(date)) == (Action.SHOW, False)


RULES = """
[[personal_data.rules]]
entities = ["PHONE_NUMBER"]
origins = ["document"]
audience = ["hr", "reviewer"]
action = "show"

[[personal_data.rules]]
entities = ["PHONE_NUMBER", "EMAIL_ADDRESS"]
action = "flag"

[[personal_data.rules]]
origins = ["user"]
action = "redact"

[[personal_data.rules]]
audience = ["auditor"]
action = "show"
"""


@pytest.mark.parametrize(
    ("label", "origin", "audience", "key", "action"),
    [
        ("PHONE_NUMBER", Origin.DOCUMENT, {"user", "hr"}, "personal_data.rules[1]", Action.SHOW),
        ("PHONE_NUMBER", Origin.DOCUMENT, {"user"}, "personal_data.rules[2]", Action.FLAG),
        ("PHONE_NUMBER", Origin.DOCUMENT, {"HR"}, "personal_data.rules[2]", Action.FLAG),
        ("PHONE_NUMBER", Origin.INVENTION, {"hr"}, "personal_data.rules[2]", Action.FLAG),
        ("EMAIL_ADDRESS", Origin.DOCUMENT, {"hr"}, "personal_data.rules[2]", Action.FLAG),
        ("US_SSN", Origin.USER, set(), "personal_data.rules[3]", Action.REDACT),
        ("US_SSN", Origin.DOCUMENT, {"auditor"}, "personal_data.rules[4]", Action.SHOW),
        ("US_SSN", Origin.DOCUMENT, {"hr"}, "personal_data.by_origin.document", Action.REDACT),
        ("DATE_TIME", Origin.USER, {"auditor"}, "personal_data.shown", Action.SHOW),
    ],
)
def test_the_first_rule_that_fits_wins(
    label: str, origin: Origin, audience: set[str], key: str, action: Action
) -> None:
    ruling = policy(RULES).ruling(finding(label, origin), Context(audience=frozenset(audience)), "sentence")
    assert (ruling.key, ruling.action) == (key, action)


def test_a_passage_that_holds_personal_data_is_masked_but_no_event_for_review() -> None:
    flagging = policy(document='"flag"')
    assert flagging.action(finding(), stage="sentence") is Action.FLAG
    assert flagging.action(finding(), stage="passage") is Action.REDACT
    assert policy().action(finding(origin=Origin.USER), stage="passage") is Action.SHOW


@pytest.mark.parametrize(("score", "action"), [(0.6, Action.FLAG), (0.7, Action.DROP), (0.95, Action.DROP)])
def test_an_unsupported_sentence_is_marked_or_left_out(score: float, action: Action) -> None:
    found = replace(finding(kind="unsupported", origin=None), score=score)
    assert policy(drop_from="0.7").action(found) is action
    assert not policy().hides(found)


def lacking(*labels: str) -> list[Finding]:
    return [finding(label, None, "unsupported") for label in labels]


@pytest.mark.parametrize("word", ["drop", "quote", "ask"])
def test_what_becomes_of_an_unsupported_sentence_is_what_the_policy_says(word: str) -> None:
    mending = policy(f'repair = "{word}"\n')
    assert mending.repair(lacking("sentence", "number")) == word
    assert not any(map(mending.hedges, lacking("sentence", "name")))


def test_only_what_no_document_contradicts_is_hedged() -> None:
    hedging = policy('repair = "hedge"\n')
    assert hedging.repair(lacking("sentence", "name")) == "hedge"
    for label in ("number", "date", "negation", "unit", "relation", "of a kind not known yet"):
        assert hedging.repair(lacking("sentence", label)) == "quote"
    assert not hedging.hedges(finding("sentence"))


def test_a_policy_that_does_not_speak_of_repair_leaves_out() -> None:
    assert policy().repair(lacking("sentence")) == "drop"
    assert [preset.unsupported.repair for preset in (GENERAL, HEALTH, FINANCE)] == ["drop"] * 3


@pytest.mark.parametrize(
    ("kind", "stage", "table", "action"),
    [
        ("injection", "question", 'question = "flag"', Action.FLAG),
        ("injection", "question", 'question = "quote"', Action.DROP),
        ("injection", "question", 'question = "refuse"', Action.WITHHOLD),
        ("injection", "passage", 'passage = "flag"', Action.FLAG),
        ("injection", "passage", 'passage = "quarantine"', Action.DROP),
        ("injection", "sentence", "", Action.DROP),
        ("harm", "question", 'question = "flag"', Action.FLAG),
        ("harm", "question", 'question = "refuse"', Action.WITHHOLD),
        ("harm", "sentence", 'answer = "flag"', Action.FLAG),
        ("harm", "sentence", 'answer = "drop"', Action.DROP),
        ("harm", "sentence", 'answer = "withhold"', Action.WITHHOLD),
    ],
)
def test_injection_and_harm_are_treated_by_stage(kind: Kind, stage: Stage, table: str, action: Action) -> None:
    found = finding("any", None, kind)
    assert policy(f"[{kind}]\n{table}\n").action(found, stage=stage) is action
    assert not GENERAL.hides(found, stage=stage)
    assert not GENERAL.is_personal(found)


@pytest.mark.parametrize(
    ("label", "action", "hidden"),
    [
        ("LINK", Action.REDACT, True),
        ("MARKUP", Action.REDACT, True),
        ("IMAGE", Action.FLAG, True),
        ("INSTRUCTIONS", Action.WITHHOLD, True),
        ("something new", Action.WITHHOLD, True),
    ],
)
def test_what_no_answer_may_hold_is_left_out_or_ends_it(label: str, action: Action, hidden: bool) -> None:
    found = finding(label, None, "output")
    assert (GENERAL.action(found), GENERAL.hides(found)) == (action, hidden)


def test_support_is_shown_and_a_guard_that_failed_withholds() -> None:
    assert GENERAL.action(finding("sentence", None, "supported")) is Action.SHOW
    assert GENERAL.action(finding("failed", None, "guard_failed")) is Action.WITHHOLD


def test_every_kind_of_finding_has_a_ruling_at_every_stage() -> None:
    for kind in get_args(Kind):
        for stage in get_args(Stage):
            assert GENERAL.ruling(finding("any", None, kind), Context(), stage).action in Action


# Masks


@pytest.mark.parametrize(
    ("label", "value", "seen"),
    [
        ("CREDIT_CARD", CARD, "<CREDIT_CARD ****4242>"),
        ("CREDIT_CARD", "4242-4242-4242-4242", "<CREDIT_CARD ****4242>"),
        ("CREDIT_CARD", "\uff14\uff12\uff14\uff12" * 4, "<CREDIT_CARD ****4242>"),
        ("CREDIT_CARD", "4242\u200b4242 4242\n4242", "<CREDIT_CARD ****4242>"),
        ("IBAN_CODE", "DE89 3704 0044 0532 0130 0a", "<IBAN_CODE ****300A>"),
        ("US_BANK_NUMBER", "12345678", "<US_BANK_NUMBER ****5678>"),
        ("US_BANK_NUMBER", "1234567", "<US_BANK_NUMBER>"),
        ("PHONE_NUMBER", "+44 20 7946 0018", "<PHONE_NUMBER>"),
        ("US_SSN", "856-45-6789", "<US_SSN>"),
    ],
)
def test_a_mask_keeps_the_last_four_of_an_account(label: str, value: str, seen: str) -> None:
    assert policy(document='"mask"').stand_in(finding(label), value) == seen
    assert policy().stand_in(finding(label), value) == f"<{label}>"


@given(st.sampled_from(sorted(ACCOUNTS)), st.text("0123456789 -ABab\uff11\u200b\u0130\ufb03", max_size=40))
def test_a_mask_never_keeps_more_than_pci_dss_allows(label: str, value: str) -> None:
    seen = policy(document='"mask"').stand_in(finding(label), value).removeprefix(f"<{label}").removesuffix(">")
    kept = seen.removeprefix(" ****")
    assert len(kept) in (0, 4)
    assert len(kept) * 2 <= len(bare(value))
    assert bare(value).endswith(bare(kept))


def test_whose_mask_it_is_depends_on_the_reader() -> None:
    rule = '[[personal_data.rules]]\nentities = ["CREDIT_CARD"]\naudience = ["billing"]\naction = "mask"\n'
    card = finding("CREDIT_CARD")
    assert policy(rule).stand_in(card, CARD, Context(audience=frozenset({"billing"}))) == "<CREDIT_CARD ****4242>"
    assert policy(rule).stand_in(card, CARD) == "<CREDIT_CARD>"


# Lists, folders, switches


def test_listed_values_are_compared_by_letters_and_digits() -> None:
    lists = policy(shown='[]\nallow = ["555-0199"]\ndeny = ["Project X"]\npublic_values = ["Help@Example.org"]')
    assert lists.listed("(555) 0199")
    assert lists.listed("\uff15\uff15\uff15 0199")
    assert not lists.listed("555-01999")
    assert lists.is_public_value("help @ example.ORG")
    assert not lists.is_public_value("help@example.com")
    assert (lists.allowed, lists.denied) == ({"555-0199"}, {"Project X"})
    assert lists.public_values == {"Help@Example.org"}


@pytest.mark.parametrize(
    ("listed", "source", "public"),
    [
        ("help/", "help/desk.md", True),
        ("help/", "help/it/desk.md", True),
        ("help/", "helpless/desk.md", False),
        ("help/", "staff/help/desk.md", False),
        ("help/", "help/../hr/salaries.md", False),
        ("hr/contacts.md", "hr/contacts.md", True),
        ("hr/contacts.md", "hr/contacts.md.bak", False),
        ("*/contacts.md", "hr/contacts.md", True),
        ("*/contacts.md", "hr/private/contacts.md", False),
        ("**/contacts.md", "hr/private/contacts.md", True),
        ("**/contacts.md", "contacts.md", True),
        ("**/contacts.md", "mycontacts.md", False),
        ("hr/team-?.md", "hr/team-a.md", True),
        ("hr/team-?.md", "hr/team-ab.md", False),
        ("a+b(c)/", "a+b(c)/x", True),
        ("**", "hr/x\ny.md", True),
    ],
)
def test_a_folder_may_be_public(listed: str, source: str, public: bool) -> None:
    assert policy(shown=f"[]\npublic_sources = ['{listed}']").is_public(source) == public


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("Intranet.Example.org", True),
        ("intranet.example.org.", True),
        ("x.wiki.org", True),
        ("a.b.wiki.org", True),
        ("wiki.org", False),
        ("evilwiki.org", False),
        ("intranet.example.org.evil.org", False),
        ("", False),
    ],
)
def test_a_host_is_allowed_by_its_whole_name(host: str, allowed: bool) -> None:
    output = policy('[output]\nallowed_hosts = ["intranet.example.ORG", "*.wiki.org"]\n').output
    assert output.allows(host) == allowed


def test_guards_can_be_switched_off_but_not_the_one() -> None:
    off = policy("[injection]\non = false\n[harm]\non = false\n")
    assert [name for name in ("pii", "grounding", "injection", "harm", "output") if not off.uses(name)] == [
        "injection",
        "harm",
    ]
    assert mistakes(changed("[pii]\non = false\n")) == [
        'policy x.toml, line 15: unknown name "pii"; known here: fail_open, harm, injection, name, output, '
        "personal_data, unsupported"
    ]


# Failing open


def fail_open(until: str, guards: str = '["grounding"]', reason: str = '"ticket 4711"') -> str:
    return f"[fail_open]\nguards = {guards}\nuntil = {until}\nreason = {reason}\n"


def test_a_guard_fails_open_until_its_time_is_over() -> None:
    opened = policy(fail_open("2026-12-02T13:00:00+01:00"))
    end = datetime(2026, 12, 2, 12, tzinfo=UTC)
    assert opened.opens("grounding", end - timedelta(seconds=1))
    assert not opened.opens("grounding", end)
    assert not opened.opens("harm", NOW)
    assert not opened.opens("pii", NOW)
    assert not policy().opens("grounding", NOW)


def test_an_expired_fail_open_is_no_mistake_and_has_no_effect() -> None:
    assert not policy(fail_open("2020-01-01T00:00:00Z")).opens("grounding", NOW)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (fail_open("2026-12-08T12:00:01Z"), "line 17: fail_open.until is more than 7 days ahead; the latest today is "
         "2026-12-08T12:00Z"),
        (fail_open("2026-12-02"), "line 17: fail_open.until must be a date and time with its offset, not in quotes: "
         "2026-12-24T18:00:00Z"),
        (fail_open("2026-12-02T12:00:00"), "line 17: fail_open.until must say its offset: 2026-12-24T18:00:00Z"),
        (fail_open("2026-12-02T12:00:00Z", '["harm", "pii"]'), 'line 16: fail_open.guards[2] is "pii", which never '
         "fails open; leave it out"),
        (fail_open("2026-12-02T12:00:00Z", '["grunding"]'), 'line 16: fail_open.guards[1] is "grunding"; use '
         "grounding, injection, harm or output"),
        (fail_open("2026-12-02T12:00:00Z", "[]"), "line 16: fail_open.guards is an empty list; name at least one, or "
         "leave it out"),
        (fail_open("2026-12-02T12:00:00Z", reason='""'), "line 18: fail_open.reason must not be empty"),
        ("[fail_open]\nguards = ['harm']\nuntil = 2026-12-02T12:00:00Z\n", "line 15: fail_open.reason is missing"),
    ],
)  # fmt: skip
def test_failing_open_is_short_and_explained(table: str, said: str) -> None:
    assert mistakes(changed(table)) == [f"policy x.toml, {said}"]


def test_seven_days_ahead_is_the_longest() -> None:
    assert policy(fail_open("2026-12-08T12:00:00Z")).opens("grounding", NOW)
    ahead = (datetime.now(UTC) + timedelta(days=8)).isoformat(timespec="seconds")
    with pytest.raises(PolicyError, match="7 days ahead"):  # counted from now, unless told
        policy_module._parsed(Path("x.toml"), changed(fail_open(ahead)))


def test_a_policy_made_in_code_needs_no_clock() -> None:
    made = FailOpen(guards=frozenset({"harm"}), until=datetime(2099, 1, 1, tzinfo=UTC), reason="a test")
    assert GENERAL.model_copy(update={"fail_open": made}).opens("harm", NOW)


# Mistakes


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (changed(user='"hide"'), 'line 8: personal_data.by_origin.user is "hide"; use show, mask, redact or flag'),
        (changed(models_outside_see_it='"yes"'), 'line 5: personal_data.models_outside_see_it is "yes"; use true or '
         "false"),
        (changed(drop_from="1.5"), "line 14: unsupported.drop_from is 1.5; use 1 or less"),
        (changed(drop_from="-1"), "line 14: unsupported.drop_from is -1; use 0 or more"),
        (changed(drop_from="nan"), "line 14: unsupported.drop_from is NaN; use a number"),
        (changed(drop_from="'0.5'"), 'line 14: unsupported.drop_from is "0.5"; use a number'),
        (changed("repair = 'mend'\n"), 'line 15: unsupported.repair is "mend"; use drop, hedge, quote or ask'),
        (changed("repair = true\n"), "line 15: unsupported.repair is true; use drop, hedge, quote or ask"),
        (changed(name="5"), "line 1: name must be text in quotes"),
        (changed(shown='"DATE_TIME"'), 'line 4: personal_data.shown must be a list such as ["a", "b"]'),
        (changed(shown="[5]"), "line 4: personal_data.shown[1] must be text in quotes"),
        (changed(shown='["PHONE_NUMBR"]'), 'line 4: personal_data.shown[1] is "PHONE_NUMBR", which no guard reports; '
         'did you mean "PHONE_NUMBER"?'),
        (changed(shown='["zzz"]'), 'line 4: personal_data.shown[1] is "zzz", which no guard reports'),
        (changed(shown='["DENIED"]'), 'line 4: personal_data.shown has "DENIED": what is on the list deny is always '
         "personal"),
        (changed(shown='[]\nallow = ["x", "--"]'), "line 5: personal_data.allow[2] needs a letter or a digit"),
        (changed(shown='[]\nallow = ["a b"]\ndeny = ["A-B"]'), "line 6: personal_data.deny has an entry that is in "
         "allow too"),
        (changed(shown='[]\nrules = 3'), "line 5: personal_data.rules must be tables, each under "
         "[[personal_data.rules]]"),
        (changed("[injection]\nquestion = ['flag']\n"), "line 16: injection.question is something else; use flag, "
         "quote or refuse"),
        (changed("[harm]\nanswr = 'drop'\n"), 'line 16: unknown name "harm.answr"; did you mean "answer"? known here: '
         "answer, on, question"),
        (changed(RULES.replace("origins = [", "orgins = [", 1)), 'line 18: unknown name '
         '"personal_data.rules[1].orgins"; did you mean "origins"? known here: action, audience, entities, origins'),
        (changed('[harm]\n"an\\nswer" = "drop"\n'), 'line 16: unknown name "harm."an\\nswer""; did you mean "answer"? '
         "known here: answer, on, question"),
        (changed("[output]\nallowed_hosts = ['https://x.org/y']\n"), 'line 16: output.allowed_hosts[1] is '
         '"https://x.org/y"; write the host alone, such as "intranet.example.org"'),
        (SMALL.replace("[unsupported]\ndrop_from = 0.5\n", "unsupported = 5\n"), 'line 13: unknown name '
         '"personal_data.by_origin.unsupported"; known here: document, invention, public_document, user'),
        ("unsupported = 5\n" + SMALL[: SMALL.index("[unsupported]")], "line 1: unsupported must be a table"),
        (SMALL.replace('invention = "flag"\n', ""), "line 7: personal_data.by_origin.invention is missing"),
        (SMALL.replace("[unsupported]\ndrop_from = 0.5\n", ""), "line 1: unsupported is missing"),
        ("", "line 1: name is missing"),
        (changed(RULES.replace('"EMAIL_ADDRESS"]', '"DATE_TIME"]')), 'line 23: personal_data.rules[2].entities has '
         '"DATE_TIME", which is in shown: this rule would never apply'),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_key_fact_and_way_out(source: str, said: str) -> None:
    assert f"policy x.toml, {said}" in mistakes(source)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    said = mistakes(changed("[harm]\nonn = true\n", user='"hide"', drop_from="2", models_outside_see_it="0"))
    assert [line.split(":")[0] for line in said] == [f"policy x.toml, line {line}" for line in (5, 8, 14, 16)]


NESTED = '''\
name = "x" # line 1
unsupported = { drop_from = 2 }
personal_data.models_outside_see_it = false
personal_data.by_origin.user = "hide"

[personal_data.by_origin.x]
[[personal_data.rules]]
action = "a]=["
# [[personal_data.rules]]
[[personal_data.rules]]
entities = [
    "PHONE_NUMBER", # ] "
    """EMAIL
_ADDRESS""",
    "IBAN_CODE", 'US_SSN'
]
'action' = "b"
[
'''.removesuffix("[\n")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("name",), 1),
        (("unsupported",), 2),
        (("unsupported", "drop_from"), 2),
        (("personal_data",), 3),
        (("personal_data", "by_origin", "user"), 4),
        (("personal_data", "by_origin", "x"), 6),
        (("personal_data", "rules"), 7),
        (("personal_data", "rules", 0), 7),
        (("personal_data", "rules", 0, "action"), 8),
        (("personal_data", "rules", 0, "missing"), 7),
        (("personal_data", "rules", 1), 10),
        (("personal_data", "rules", 1, "entities"), 11),
        (("personal_data", "rules", 1, "entities", 0), 12),
        (("personal_data", "rules", 1, "entities", 1), 13),
        (("personal_data", "rules", 1, "entities", 2), 15),
        (("personal_data", "rules", 1, "entities", 3), 15),
        (("personal_data", "rules", 1, "action"), 17),
        (("personal_data", "rules", 2), 7),
        (("nowhere", "at", "all"), 1),
        (("name", "deeper"), 1),
        ((), 1),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_line_of_a_key_is_right_however_it_is_written(key: tuple[str | int, ...], line: int, ends: str) -> None:
    assert line_of(NESTED.replace("\n", ends), key) == line


names = st.text("abc", min_size=1, max_size=2)
scalars = st.integers() | st.booleans() | st.text('ab]["#\n', max_size=5)
values: st.SearchStrategy[Any] = scalars | st.lists(scalars | st.lists(scalars, max_size=4), max_size=4)


def _toml(value: object, rng: Callable[[], bool]) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            escaped = value.replace('"', '\\"')
            return f'"""{escaped}"""' if "\n" in value else f'"{escaped}"'
        case list():
            gap = "\n  " if rng() else " "
            return "[" + "".join(f"{gap}{_toml(entry, rng)}," for entry in value) + gap + "]"
    return str(value)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(names, st.dictionaries(names, values, max_size=4)), max_size=4, unique_by=lambda table: table[0]
    ),
    st.randoms(use_true_random=False),
)
def test_the_line_of_every_key_is_where_it_was_written(tables: list[tuple[str, dict[str, Any]]], rng: Any) -> None:
    text, written = "", {}
    for table, entries in tables:
        written[table,] = text.count("\n") + 1
        text += f"[{table}] # ]\n"
        for name, value in entries.items():
            written[table, name] = text.count("\n") + 1
            text += f"{name} = {_toml(value, lambda: rng.random() < 0.5)}\n" + "\n" * rng.randrange(2)
    assert {key: line_of(text, key) for key in written} == written


def test_brackets_nested_deeper_than_any_policy_cost_only_the_exact_line() -> None:
    source = "a = [[[[[\n1]]]]]\nb = 1\n"
    assert (line_of(source, ("a",)), line_of(source, ("b",))) == (2, 3)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SMALL.replace("[unsupported]", "[unsupported"), "line 13: not TOML: Expected ']' at the end of a table "
         "declaration"),
        (changed(user="show"), "line 8: not TOML: Invalid value"),
        (SMALL + 'x = """\n\n', "line 15: not TOML: Unterminated string"),
        (SMALL + "[personal_data]\n", "line 15: not TOML: Cannot declare ('personal_data',) twice"),
    ],
)  # fmt: skip
def test_what_is_not_toml_is_named_with_its_line(source: str, said: str) -> None:
    assert mistakes(source) == [f"policy x.toml, {said}"]


def test_words_of_the_lists_are_never_quoted() -> None:
    said = mistakes(changed(shown='[]\nallow = ["Anna Weiss"]\ndeny = ["anna-weiss", 5]\npublic_values = ["?!"]'))
    assert len(said) == 2
    assert "nna" not in "".join(said)
    assert "?!" not in "".join(said)


# Files and presets


def test_a_policy_is_immutable() -> None:
    assert Policy.model_config["frozen"]
    with pytest.raises(ValidationError):
        GENERAL.name = "other"  # type: ignore[misc]


def test_the_hash_tells_content_not_spelling(tmp_path: Path) -> None:
    general = (PRESETS / "general.toml").read_text(encoding="utf-8")
    (tmp_path / "same.toml").write_text("\ufeff# another comment\r\n" + general, encoding="utf-8")
    (tmp_path / "other.toml").write_text(general.replace('user = "show"', 'user = "redact"'), encoding="utf-8")
    assert load(tmp_path / "same.toml").hash == GENERAL.hash != load(tmp_path / "other.toml").hash


def test_the_hash_does_not_hang_on_the_order_of_names_or_the_clock_of_a_place() -> None:
    one = policy(RULES + fail_open("2026-12-02T13:00:00+01:00", '["harm", "grounding"]'))
    other = policy(
        RULES.replace('"hr", "reviewer"', '"reviewer", "hr"')
        + fail_open("2026-12-02T12:00:00Z", '["grounding", "harm"]')
    )
    assert one.hash == other.hash
    assert policy(RULES).hash != one.hash


def test_the_hash_is_the_same_in_every_process() -> None:
    code = "from guardrails.policy import *; print(*(load(Path(name)).hash for name in presets()))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, text=True, stdout=-1, check=True
        )
        .stdout.split()
        .__repr__()
        for seed in ("1", "2", "3")
    }
    assert seen == {repr([load(Path(name)).hash for name in presets()])}


def test_the_hash_changes_with_every_value() -> None:
    base = policy()
    for part in ({"injection": Injection(on=False)}, {"harm": Harm(on=False)}, {"output": Output(links="any")}):
        assert base.model_copy(update=part).hash != base.hash


@pytest.mark.parametrize("name", ["general", "health", "finance"])
def test_a_preset_is_found_by_its_name(name: str) -> None:
    assert load(Path(name)).name == name
    assert load(presets()[name]).hash == load(Path(name)).hash
    assert load().hash == GENERAL.hash


def test_a_name_that_is_no_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(PolicyError) as error:
        load(Path("helth"))
    assert str(error.value) == (
        'policy helth: no such file; did you mean "health"? presets are finance, general, health'
    )
    with pytest.raises(PolicyError, match="no such file; presets are"):
        load(Path("zzz"))


def test_a_file_needs_no_ending(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(SMALL, encoding="utf-8")
    assert load(tmp_path / "policy").name == "small"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist"), (b"name = '\xff'", "is not UTF-8 text"), (..., "cannot be read (Is a directory)")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: object, said: str) -> None:
    file = tmp_path / "mine.toml"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is ...:
        file.mkdir()
    with pytest.raises(PolicyError) as error:
        load(file)
    assert str(error.value) == f"policy {file}: {said}"


def test_a_table_left_out_is_as_in_the_general_preset() -> None:
    bare_one = policy()
    assert (bare_one.injection, bare_one.harm, bare_one.output) == (GENERAL.injection, GENERAL.harm, GENERAL.output)


def test_every_preset_names_every_table_and_says_why() -> None:
    for file in presets().values():
        source = file.read_text(encoding="utf-8")
        assert Policy.model_fields.keys() - {"fail_open"} <= tomllib.loads(source).keys()
        assert source.count("#") > 10
        assert load(file).fail_open is None


def test_the_presets_differ_in_substance() -> None:
    for one, other in pairwise((GENERAL, HEALTH, FINANCE, GENERAL)):
        assert one.personal_data != other.personal_data
        assert (one.injection, one.harm, one.output) != (other.injection, other.harm, other.output)


@pytest.mark.parametrize("preset", [GENERAL, HEALTH, FINANCE], ids=lambda preset: preset.name)
def test_what_every_preset_promises(preset: Policy) -> None:
    assert not preset.personal_data.models_outside_see_it
    assert preset.unsupported.drop_from == 0.0
    assert preset.uses("injection")
    assert preset.uses("harm")
    assert preset.injection.passage == "quarantine"
    assert preset.personal_data.shown >= COMPANIES - {"US_PROVIDER_TAX_ID"}
    for label in ("EMAIL_ADDRESS", "PHONE_NUMBER", "US_SSN", "PERSON", "DATE_OF_BIRTH", "IBAN_CODE", "CREDIT_CARD"):
        assert preset.is_personal(finding(label))
        assert preset.hides(finding(label, Origin.DOCUMENT)) != (preset is GENERAL and label == "PERSON")
        assert preset.action(finding(label, Origin.INVENTION)) is Action.FLAG
    assert not preset.hides(finding("PHONE_NUMBER", Origin.PUBLIC_DOCUMENT))
    assert not preset.hides(finding("PHONE_NUMBER", Origin.USER))
    assert not preset.listed("555-0199")
    assert not preset.is_public("help/desk.md")


def test_general_shows_what_names_nobody() -> None:
    assert GENERAL.personal_data.shown >= COMPANIES | {
        "AGE",
        "DATE_TIME",
        "LOCATION",
        "NRP",
        "ORGANIZATION",
        "TITLE",
        "URL",
    }
    assert "ADDRESS" not in GENERAL.personal_data.shown
    assert GENERAL.action(finding("x", None, "injection"), stage="question") is Action.FLAG
    assert GENERAL.action(finding("x", None, "harm"), stage="sentence") is Action.DROP
    assert GENERAL.output.links == "documents"


# 45 CFR 164.514(b)(2)(i), as far as the guards have a name for them.
HIPAA = {
    "A names": ["PERSON"],
    "B places": ["LOCATION", "ADDRESS", "UK_POSTCODE", "CA_POSTAL_CODE"],
    "C dates, ages": ["DATE_TIME", "DATE_OF_BIRTH", "AGE"],
    "D E telephone, fax": ["PHONE_NUMBER"],
    "F e-mail": ["EMAIL_ADDRESS"],
    "G social security": ["US_SSN", "UK_NINO", "FR_SOCIAL_SECURITY", "DE_SOCIAL_SECURITY"],
    "H records": ["MEDICAL_RECORD_NUMBER", "US_PRESCRIPTION_NUMBER", "UK_NHS"],
    "I beneficiaries": ["US_HEALTH_INSURANCE_MEMBER_ID", "US_MBI", "US_CLAIM_NUMBER", "DE_HEALTH_INSURANCE"],
    "J accounts": ["US_BANK_NUMBER", "IBAN_CODE", "CREDIT_CARD", "CUSTOMER_ID"],
    "K licences": ["US_DRIVER_LICENSE", "MEDICAL_LICENSE", "US_NPI", "US_PASSPORT"],
    "L vehicles": ["UK_VEHICLE_REGISTRATION", "DE_KFZ"],
    "M devices": ["MAC_ADDRESS"],
    "N web addresses": ["URL"],
    "O IP addresses": ["IP_ADDRESS"],
    "P Q R whatever else is unique": ["EMPLOYEE_ID", "NRP", "ORGANIZATION", "DENIED"],
}


@pytest.mark.parametrize("identifiers", HIPAA.values(), ids=HIPAA.keys())
def test_health_hides_the_identifiers_of_hipaa_unless_public(identifiers: list[str]) -> None:
    for label in identifiers:
        assert HEALTH.is_personal(finding(label))
        assert HEALTH.stand_in(finding(label), CARD) == f"<{label}>"
        assert HEALTH.action(finding(label, Origin.DOCUMENT)) is Action.REDACT
        assert HEALTH.action(finding(label, Origin.PUBLIC_DOCUMENT)) is Action.SHOW


def test_health_hides_whatever_it_does_not_name() -> None:
    shown = {label for label in KNOWN if not HEALTH.hides(finding(label))}
    assert shown == {"TITLE"} | COMPANIES - {"US_PROVIDER_TAX_ID"}


def test_health_turns_nobody_away_who_speaks_of_self_harm() -> None:
    harm = finding("self_harm", None, "harm")
    assert [HEALTH.action(harm, stage=stage) for stage in ("question", "sentence")] == [Action.FLAG, Action.FLAG]


def test_health_lets_no_injected_question_to_the_model_and_no_link_out() -> None:
    assert HEALTH.action(finding("x", None, "injection"), stage="question") is Action.DROP
    assert (HEALTH.output.links, HEALTH.output.allowed_hosts) == ("allowed", frozenset())


@pytest.mark.parametrize("origin", [Origin.USER, Origin.PUBLIC_DOCUMENT, Origin.DOCUMENT])
def test_finance_masks_a_card_for_everybody(origin: Origin) -> None:
    card = finding("CREDIT_CARD", origin)
    for audience in (frozenset[str](), frozenset({"reviewer", "user", "editor"})):
        context = Context(audience=audience)
        assert FINANCE.hides(card, context)
        assert FINANCE.stand_in(card, CARD, context) == "<CREDIT_CARD ****4242>"
    assert FINANCE.action(finding("CREDIT_CARD", Origin.INVENTION)) is Action.FLAG


def test_finance_keeps_the_end_of_accounts_and_shows_those_that_are_there_to_be_paid_to() -> None:
    for label in sorted(ACCOUNTS - {"CREDIT_CARD"}):
        assert FINANCE.stand_in(finding(label), "DE89370400440532013000") == f"<{label} ****3000>"
        assert FINANCE.action(finding(label, Origin.PUBLIC_DOCUMENT)) is Action.SHOW
        assert FINANCE.stand_in(finding(label, Origin.INVENTION), "DE89370400440532013000") == f"<{label}>"


def test_finance_refuses_injected_questions_reads_out_no_password_and_keeps_dates() -> None:
    assert FINANCE.action(finding("x", None, "injection"), stage="question") is Action.WITHHOLD
    assert {FINANCE.action(finding("SECRET", origin)) for origin in Origin} == {Action.FLAG}
    assert FINANCE.output.links == "allowed"
    assert {FINANCE.action(finding(label)) for label in ("DATE_TIME", "LOCATION", "AGE")} == {Action.SHOW}
    assert all(FINANCE.hides(finding(label, Origin.DOCUMENT)) for label in ("ADDRESS", "NRP"))


def test_the_known_names_are_those_that_the_guard_reports() -> None:
    import presidio_analyzer.predefined_recognizers as predefined

    from guardrails.pii.patterns import RULES as OWN
    from guardrails.pii.tagger import TYPES

    Detector().load()  # keeps Presidio offline
    reported = {"PHONE_NUMBER", *TYPES, *(rule.label for rule in OWN)}
    for name in USED:
        reported.update(getattr(predefined, name)().supported_entities)
    assert reported == LABELS


# Reloading


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def replaced(path: Path, text: str) -> None:
    """As editors do that care: no moment with half a file."""
    other = path.with_suffix(".new")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


def test_a_change_is_in_force_at_the_next_look(file: Path) -> None:
    policies = PolicyFile(file)
    before = policies.current()
    assert policies.current() is before
    file.write_text(changed(name='"other"'), encoding="utf-8")
    assert policies.current().name == "other"
    replaced(file, changed(name='"third"'))
    assert (policies.current().name, policies.problem) == ("third", "")
    assert before.name == "small"


def test_a_change_of_the_same_length_at_the_same_moment_is_seen(file: Path) -> None:
    policies = PolicyFile(file)
    for number in range(20):
        file.write_text(changed(name=f'"n{number:03}"'), encoding="utf-8")
        assert policies.current().name == f"n{number:03}"


def test_a_preset_is_a_file_like_any_other() -> None:
    assert PolicyFile(Path("health")).current().name == "health"
    assert PolicyFile().current().name == "general"


def test_without_a_usable_policy_nothing_begins(file: Path) -> None:
    file.write_text("name = ", encoding="utf-8")
    with pytest.raises(PolicyError, match="line 1"):
        PolicyFile(file)


def test_a_mistake_leaves_the_old_policy_in_force_and_is_told_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policies = PolicyFile(file)
    old = policies.current()
    file.write_text(changed(user='"hide"', drop_from="7"), encoding="utf-8")
    for _ in range(3):
        assert policies.current() is old
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert policies.problem == (
        f'policy {file}, line 8: personal_data.by_origin.user is "hide"; use show, mask, redact or flag (and 1 more)'
    )
    assert told == [f"ALARM: {policies.problem}; policy {old.hash} stays in force"]
    file.write_text(SMALL, encoding="utf-8")
    assert (policies.current().hash, policies.problem) == (old.hash, "")


def test_a_file_that_is_gone_leaves_the_old_policy_in_force(file: Path) -> None:
    policies = PolicyFile(file)
    moved = file.rename(file.with_suffix(".away"))
    assert (policies.current().name, policies.problem) == ("small", f"policy {file}: does not exist")
    assert policies.current().name == "small"
    moved.rename(file)
    assert (policies.current().name, policies.problem) == ("small", "")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever runs this may read any file")
def test_a_file_that_may_not_be_read_leaves_the_old_policy_in_force(file: Path) -> None:
    policies = PolicyFile(file)
    file.chmod(0)
    assert policies.current().name == "small"
    assert policies.problem == f"policy {file}: cannot be read (Permission denied)"
    file.chmod(0o600)
    assert (policies.current().name, policies.problem) == ("small", "")


def test_a_disk_that_fails_for_a_while_is_tried_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = PolicyFile(file)
    file.write_text(changed(name='"other"'), encoding="utf-8")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", _broken_disk)
        for _ in range(2):
            assert policies.current().name == "small"
            assert policies.problem == f"policy {file}: cannot be read (Input/output error)"
    assert (policies.current().name, policies.problem) == ("other", "")  # though the file is the same


def _broken_disk(*_: object, **__: object) -> str:
    raise OSError(5, "Input/output error")


def test_half_a_file_is_never_in_force_though_it_is_a_policy_too(file: Path) -> None:
    whole = changed(RULES, name='"whole"', document='"show"')
    half = whole[: whole.index("\n[[")]
    policies = PolicyFile(file)
    seen = []
    for cut in (half, whole):
        file.write_text(cut, encoding="utf-8")
        looking = threading.Thread(target=lambda: seen.append(policies.current()))
        looking.start()
        threading.Event().wait(0.02)
        with file.open("a", encoding="utf-8") as writing:
            writing.write(" " * 3)
        looking.join()
        assert {found.name for found in seen} == {"small"}
    file.write_text(whole, encoding="utf-8")
    assert len(policies.current().personal_data.rules) == 4


def test_threads_never_meet_a_moment_without_a_policy(file: Path) -> None:
    """The file is rewritten 200 times, in place and by replacement, half of the times with something unusable."""
    sound = [changed(name=f'"{number}"', drop_from=f"{number / 1000}") for number in range(200)]
    broken = ["", SMALL[:60], changed(user='"hide"'), "\x00", "name = '"]
    policies, over, wrong = PolicyFile(file), threading.Event(), []

    def look() -> None:
        while not over.is_set():
            found = policies.current()
            if found.name != "small" and found.unsupported.drop_from != int(found.name) / 1000:
                wrong.append(found.name)

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(200):
        text = broken[number % len(broken)] if number % 2 else sound[number]
        (replaced if number % 3 else Path.write_text)(file, text)
        threading.Event().wait(0.005 if number % 10 else 0.1)
        if number % 25 == 24:
            file.unlink()
    file.write_text(sound[-1], encoding="utf-8")
    over.set()
    for reader in readers:
        reader.join(timeout=10)
    assert not any(reader.is_alive() for reader in readers)
    assert wrong == []
    assert (policies.current().name, policies.problem) == ("199", "")
