"""Stand-ins: whatever is hidden comes back as it was, and nothing else does."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.pseudonyms import Conversations, Pseudonyms
from guardrails.types import Finding

SEED = 20261124
CONVERSATIONS = 10_000
LABELS = ("PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_SSN", "NUMBER", "IBAN_CODE")
VALUES = (
    "Dr. Anna Weiss",
    "anna.weiss@example.org",
    "Anna.Weiss@Example.org",
    "+44 20 7946 0555",
    "+44 20\n7946 0555",
    "417",
    "<PERSON_417>",
    "\\",
    "ß",
    "GB29 NWBK 6016 1331 9268 19",
)
# What stands around values: among it all that a stand-in is made of, in pieces and whole.
AROUND = (
    *(" ", "\n", "< PERSON_417 >", "Phone Number 552"),
    *re.findall(
        r"\S+",
        r"""
        < > << >> &lt; &gt; \ \< \> _ \_ PERSON person PERSON_ _417 417 PERSON_417 <PERSON_417> <person_417 PERSON-417>
        <<PERSON_417>> \<PERSON\_417\> &lt;TEXT_417&gt; <TEXT_417> PHONE NUMBER NUMBER_552 PHONE_NUMBER_552
        <PERSON_0417> write to 2026 . , ( ) [ ] { } * ` é 😀 \g<1> $1 %s 999999999999
        """,
    ),
)
STAND_IN = re.compile(r"<([A-Z_]+_\d{3,})>")

Pieces = list[tuple[str, str]]  # text and label; no label: not a value


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same conversations in every run


def assembled(pieces: Pieces) -> tuple[str, list[Finding]]:
    text, findings = "", []
    for part, label in pieces:
        if label:
            findings.append(found(label, len(text), len(text) + len(part)))
        text += part
    return text, findings


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads take turns every few instructions, so that what is not safe shows."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def found(label: str, start: int, end: int) -> Finding:
    return Finding("pii", "pii", label, start, end, 1.0, 0.4, "looks like one")


def hidden(names: Pseudonyms, value: str, label: str = "PERSON") -> str:
    return names.hide(value, [found(label, 0, len(value))])


def spellings(told: Sequence[tuple[str, str]]) -> list[str]:
    """What a hostile writer who sees the stand-ins of a conversation may put into a later text of it."""
    shown = [name for _, seen in told[-2:] for name in STAND_IN.findall(seen)]
    return [spelled for name in shown for spelled in (name, f"<{name}>", name.lower(), f"<<{name}>>", f"< {name}")]


def a_text(chance: random.Random, more: list[str]) -> tuple[str, list[Finding]]:
    pieces: Pieces = []
    for _ in range(chance.randrange(1, 12)):
        if chance.random() < 0.35:
            pieces.append((chance.choice(VALUES), chance.choice(LABELS)))
        else:
            pieces.append((chance.choice(more if more and chance.random() < 0.3 else AROUND), ""))
    return assembled(pieces)


def a_conversation(names: Pseudonyms, chance: random.Random) -> int:
    """Question, history and evidence of a few turns; how many values were hidden."""
    told: list[tuple[str, str]] = []
    values = 0
    for _ in range(chance.randrange(3, 7)):
        text, findings = a_text(chance, spellings(told))
        told.append((text, names.hide(text, findings)))
        values += len(findings)
    assert [names.restore(seen) for _, seen in told] == [text for text, _ in told]
    return values


def test_what_is_hidden_in_ten_thousand_conversations_comes_back() -> None:
    chance = dice(SEED)
    assert sum(a_conversation(Pseudonyms(), chance) for _ in range(CONVERSATIONS)) > CONVERSATIONS


def test_eight_threads_on_one_map_restore_their_own() -> None:
    names = Pseudonyms()

    def many(seed: int) -> int:
        chance = dice(seed)
        return sum(a_conversation(names, chance) for _ in range(CONVERSATIONS // 8))

    with switching_often(), ThreadPoolExecutor(8) as pool:
        assert min(pool.map(many, range(8))) > 0
    assert len({value for _, value in names._values.values()}) == len(names._values)


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(AROUND + VALUES) | st.text(), st.sampled_from(("", *LABELS))))),
    st.data(),
)
def test_any_texts_come_back(conversation: list[Pieces], data: st.DataObject) -> None:
    names = Pseudonyms()
    told: list[tuple[str, str]] = []
    for pieces in conversation:
        if more := spellings(told):
            pieces = [*pieces, (data.draw(st.sampled_from(more)), ""), *pieces[:2]]
        text, findings = assembled(pieces)
        told.append((text, names.hide(text, findings)))
    assert [names.restore(seen) for _, seen in told] == [text for text, _ in told]


def test_nothing_of_a_value_is_in_what_is_told() -> None:
    names = Pseudonyms()
    told = names.hide("Ask Dr. Anna Weiss, +44 20 7946 0555.", [found("PERSON", 4, 18), found("PHONE_NUMBER", 20, 36)])
    assert re.fullmatch(r"Ask <PERSON_\d{3}>, <PHONE_NUMBER_\d{3}>\.", told)


def test_a_value_keeps_its_stand_in_whatever_it_is_taken_for() -> None:
    names = Pseudonyms()
    assert hidden(names, "0555", "PHONE_NUMBER") == hidden(names, "0555", "US_SSN")
    assert hidden(names, "a@example.org") != hidden(names, "A@example.org"), "both could not be restored exactly"


def test_stand_ins_of_two_conversations_cannot_be_linked() -> None:
    seen = [hidden(Pseudonyms(), "Dr. Anna Weiss") for _ in range(60)]
    assert len(set(seen)) > 40
    names = Pseudonyms()
    numbers = [int(hidden(names, f"value {n}").strip("<PERSON_>")) for n in range(60)]
    assert numbers != sorted(numbers), "the numbers tell the order"


def test_more_values_than_three_digits_have_room() -> None:
    names = Pseudonyms()
    assert len({hidden(names, f"value {n}") for n in range(3000)}) == 3000


CHANGED: list[Callable[[str], str]] = [
    str.lower,
    str.title,
    lambda s: s.strip("<>"),
    lambda s: s.rstrip(">"),
    lambda s: s.lstrip("<"),
    lambda s: f"< {s[1:-1]} >",
    lambda s: s.replace("_", r"\_"),
    lambda s: s.replace("_", r"\_").replace("<", r"\<").replace(">", r"\>"),
    lambda s: s.replace("<", "&lt;").replace(">", "&gt;"),
    lambda s: s.strip("<>").replace("_", " ").lower(),
    lambda s: s.replace("_", "-"),
]


@pytest.mark.parametrize("changed", CHANGED, ids=lambda c: c("<PHONE_NUMBER_417>"))
def test_what_models_do_to_a_stand_in_does_not_matter(changed: Callable[[str], str]) -> None:
    names = Pseudonyms()
    stand_in = changed(hidden(names, "0555", "PHONE_NUMBER"))
    for around in ("Call %s now.", "Call **%s**, please", "(%s)", "`%s`", "%s's phone", "%s"):
        assert names.restore(around % stand_in) == around % "0555"


def unknown(stand_in: str) -> Iterator[str]:
    number = int(stand_in.strip("<PERSON_>"))
    yield f"<PERSON_{number + 1}>"
    yield f"<PERSON_{number}0>"
    yield f"<PERSON_0{number}>"
    yield f"<EMAIL_ADDRESS_{number}>"
    yield f"<{number}>"
    yield f"<PERSON_{str(number)[:2]}>"
    yield f"<PERSON_{number}_1>"
    yield f"<XPERSON_{number}>"
    yield f"<PERSON_{number}a>"
    yield f"<PERSON_{str(number).translate({48 + n: 0x660 + n for n in range(10)})}>"  # Arabic-Indic digits
    yield "<PERSON>"


def test_an_unknown_stand_in_stays() -> None:
    names = Pseudonyms()
    stand_in = hidden(names, "Dr. Anna Weiss")
    hidden(names, "a@example.org", "EMAIL_ADDRESS")
    for other in unknown(stand_in):
        assert names.restore(f"Ask {other}.") == f"Ask {other}."
    assert Pseudonyms().restore(stand_in) == stand_in


def test_a_value_that_looks_like_a_stand_in_is_not_restored_twice() -> None:
    names = Pseudonyms()
    first = hidden(names, "Dr. Anna Weiss")
    assert names.restore(hidden(names, first)) == first


def test_no_value_stands_in_a_description() -> None:
    kept = Conversations()
    hidden(kept.of("c"), "Dr. Anna Weiss")
    assert (repr(kept), str(kept.of("c"))) == ("Conversations(1)", "Pseudonyms(1 values)")


def test_the_least_recently_used_conversations_are_forgotten() -> None:
    kept = Conversations(most=3)
    stand_in = hidden(kept.of("0"), "Dr. Anna Weiss")
    for other in range(1, 3):
        kept.of(str(other))
    assert kept.of("0").restore(stand_in) == "Dr. Anna Weiss"
    kept.of("3")
    assert kept.of("0").restore(stand_in) == "Dr. Anna Weiss", "it was used more lately than 1"
    for other in range(4, 7):
        kept.of(str(other))
    assert kept.of("0").restore(stand_in) == stand_in


def test_conversations_are_safe_under_threads() -> None:
    kept = Conversations(most=20)

    def use(seed: int) -> None:
        chance = dice(seed)
        for _ in range(500):
            names = kept.of(str(chance.randrange(40)))
            assert names.restore(hidden(names, f"value {seed}")) == f"value {seed}"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert len(kept._known) == 20
