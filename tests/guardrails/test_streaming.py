"""Streamed is unstreamed, for every text and every way of cutting it; and a fault in the cutting would be noticed."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import stream
from guardrails.gate import Gate
from tests.guardrails.streaming import VALUES, Cuts, differs, hostile, pieces, quick_gate, real_gate, well_surrounded


@pytest.fixture(scope="module")
def gate() -> Gate:
    return real_gate()


@pytest.fixture(scope="module")
def quick() -> Gate:
    return quick_gate()


@settings(max_examples=4000, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_streamed_is_what_the_whole_would_be(quick: Gate, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    text = hostile(chance)
    assert not differs(quick, stream.cuts, text, pieces(text, chance))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_that_holds_for_the_real_detector(gate: Gate, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    text = hostile(chance)
    assert not differs(gate, stream.cuts, text, pieces(text, chance))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("end", ["", ".", ". ", "\n", " and more. Then the end."])
def test_a_value_at_the_very_end_is_hidden_for_every_single_cut(quick: Gate, value: str, end: str) -> None:
    text = f"As asked: write or call {value}{end}"
    wrong = [at for at in range(len(text)) if differs(quick, stream.cuts, text, [text[:at], text[at:]])]
    assert wrong == []


def test_nothing_but_checked_sentences_leaves_when_the_generator_breaks(gate: Gate) -> None:
    def breaking() -> Iterator[str]:
        yield "It is so. "
        yield "Call +41 44 555"
        raise ConnectionError

    leaving = stream.cuts(breaking(), gate.parts_a_value)
    assert next(leaving).text == "It is so. "
    with pytest.raises(ConnectionError):
        next(leaving)


def test_nothing_is_read_from_the_model_once_the_reader_is_gone() -> None:
    read = []

    def writing() -> Iterator[str]:
        for number in range(100):
            read.append(number)
            yield f"Sentence number {number} is an ordinary one, as long as they come. "

    leaving = stream.cuts(writing())
    next(leaving)
    leaving.close()
    assert len(read) == 2


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32))
def test_each_sentence_comes_with_what_stands_around_it(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    text = hostile(chance)
    assert well_surrounded(stream.cuts, text, pieces(text, chance))


# Off by one, or a rule left out: each must be noticed.
FAULTS = {
    "a sentence leaves as soon as it seems to end": ("len(self._text) - end < LOOK_AHEAD:", "len(self._text) < end:"),
    "the look-ahead is one short of nothing": ("LOOK_AHEAD = 48", "LOOK_AHEAD = 1"),
    "values are not asked about": ("end == HARD_LIMIT or self._leaves_values_whole(end)", "True"),
    "values are asked about one place too early": ("len(self._before) + end)", "len(self._before) + end - 40)"),
    "the remainder begins one character late": ("self._text = self._text[end:]", "self._text = self._text[end + 1 :]"),
    "the remainder begins one character early": ("self._text = self._text[end:]", "self._text = self._text[end - 1 :]"),
    "what stands before is forgotten": ("(self._before + cut.text)[-BEFORE:]", '""'),
    "what stands before lacks its last character": (
        "(self._before + cut.text)[-BEFORE:]",
        "(self._before + cut.text)[:-1]",
    ),
    "what follows begins one character late": ("self._text[end : end + LOOK_AHEAD])", "self._text[end + 1 : end + 9])"),
    "the last sentence is lost": ("    yield from buffer.rest()\n", ""),
}


def broken(fault: tuple[str, str]) -> Cuts:
    source = inspect.getsource(stream)
    assert fault[0] in source
    namespace: dict[str, Any] = {"__name__": stream.__name__}
    exec(source.replace(*fault), namespace)  # noqa: S102 - our own source with one fault
    cuts: Cuts = namespace["cuts"]
    return cuts


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(quick: Gate, fault: str) -> None:
    cuts = broken(FAULTS[fault])
    chance = random.Random(1)  # noqa: S311 - no secret
    for _ in range(400):
        text = hostile(chance)
        arriving = pieces(text, chance)
        if differs(quick, cuts, text, arriving) or not well_surrounded(cuts, text, arriving):
            return
    pytest.fail("nobody noticed")
