"""The sentences that answer, from passages as they are."""

from __future__ import annotations

import pytest

from guardrails.encoder import Encoder
from rag.generation.extract import extracts, quotable, within
from rag.types import Chunk, Passage

TEXT = """# Training

The catalogue is made twice a year. Ask your manager first.

| Code | Course | Days |
|---|---|---|
| T24 | Plain writing | 1 |
| T27 | First aid | 2 |

Lunch is included. Bring your own laptop, and a pen."""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="module")
def passages() -> list[Passage]:
    return [Passage(Chunk("d", "d.md", "Training", TEXT, 0, len(TEXT)), 1.0)]


def test_extracts_are_where_they_say(encoder: Encoder, passages: list[Passage]) -> None:
    found = extracts(["How long is the first aid course?"], passages, encoder)
    assert all(TEXT[extract.start : extract.end] == extract.text for extract in found)
    assert "".join("".join(e.text.split()) for e in found) == "".join(TEXT.split())


def test_the_row_of_a_table_is_quoted_under_its_header(encoder: Encoder, passages: list[Passage]) -> None:
    quoted = quotable(extracts(["How many days is the first aid course?"], passages, encoder), 1)
    assert [extract.text.strip() for extract in quoted] == ["| Code | Course | Days |", "| T27 | First aid | 2 |"]


def test_statements_of_any_passage_are_quoted_and_headings_and_questions_are_not(encoder: Encoder) -> None:
    texts = (
        "How do I get a parking permit?\n\nParking permits for staff\n\nParking permits are issued at the gate.",
        "The canteen opens at noon. A parking permit for staff costs nine euros a month.",
        "A parking permit for staff costs nine euros a month. The bicycle shed is free.",
    )
    found = [Passage(Chunk(str(i), f"{i}.md", "", text, 0, len(text)), 1.0) for i, text in enumerate(texts)]
    quoted = quotable(extracts(["How do I get a parking permit, and what does it cost?"], found, encoder), 3)
    assert [extract.text.strip() for extract in quoted] == [
        "Parking permits are issued at the gate.",
        "A parking permit for staff costs nine euros a month.",
    ]


def test_what_is_told_fits_the_budget_and_keeps_its_order(encoder: Encoder, passages: list[Passage]) -> None:
    chosen = within(extracts(["Is lunch included?"], passages, encoder), 80)
    assert sum(len(extract.text) for extract in chosen) <= 80
    assert any("Lunch" in extract.text for extract in chosen)
    assert chosen == sorted(chosen, key=lambda extract: extract.start)


def test_a_row_brings_the_names_of_its_columns_along(encoder: Encoder, passages: list[Passage]) -> None:
    chosen = within(extracts(["How many days is the first aid course?"], passages, encoder), 60)
    assert [extract.text.strip() for extract in chosen if "|" in extract.text][:1] == ["| Code | Course | Days |"]
    assert any("First aid" in extract.text for extract in chosen)


def test_without_passages_there_is_nothing(encoder: Encoder) -> None:
    assert extracts(["Anything?"], [], encoder) == []
    assert quotable([], 3) == []
