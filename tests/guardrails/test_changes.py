"""Sentences made untrue: the change is where it says, and one seed gives one change."""

from __future__ import annotations

import random

import pytest

from guardrails.training.changes import KINDS

SOURCE = (
    "In May 1998 Anna Weiss sold 340 barrels to Ben Miller in Leeds. The journey took 12 days and was not safe. "
    "In July 2003 Clara Brandt bought 25 of them."
)
SENTENCE = "In May 1998 Anna Weiss sold 340 barrels to Ben Miller, the journey took 12 days and was safe."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_a_change_is_where_it_says(kind: str, seed: int) -> None:
    changed, again = (KINDS[kind](SENTENCE, SOURCE, random.Random(seed)) for _ in range(2))  # noqa: S311 - a test
    assert changed
    assert changed == again
    assert changed.text != SENTENCE
    assert 0 <= changed.start < changed.end <= len(changed.text)
    assert changed.text[: changed.start] == SENTENCE[: changed.start]
    rest = len(changed.text) - changed.end
    assert not rest or changed.text[changed.end :] == SENTENCE[-rest:]


@pytest.mark.parametrize("kind", ["number", "date", "name", "unit", "roles"])
def test_what_has_nothing_to_change_stays(kind: str) -> None:
    assert KINDS[kind]("nothing here can be counted.", SOURCE, random.Random(1)) is None  # noqa: S311 - a test
