"""Documents are summed up section by section, each sentence in the document's own words and cited."""

from __future__ import annotations

import pytest

from guardrails import gate
from guardrails.types import Action, Evidence
from rag.ingest.split import split
from rag.screen import Named, Source
from rag.summary import MOST_SECTIONS, asked_for, sections
from rag.types import EVERYONE, Document, Passage, Reader, Sentence
from tests.rag.house import House, notices, outcome, text_of


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Summarise the annual leave policy", "the annual leave policy"),
        ("please summarize “Annual leave”", "Annual leave"),
        ("Can you give me a short summary of leave.md?", "leave.md"),
        ("sum up annual leave for me", "annual leave"),
        ("Fasse die Urlaubsregelung bitte zusammen.", "die Urlaubsregelung"),
        ("What is in the summary?", ""),
        ("How many days of leave do I have?", ""),
    ],
)
def test_a_wish_for_a_summary_is_told_from_a_question(message: str, name: str) -> None:
    assert asked_for(message) == name


def test_every_section_is_covered_by_a_sentence_that_is_cited(house: House) -> None:
    shown = house.ask("Summarise annual leave", None)
    assert outcome(shown) == "quoted"
    assert "28 days" in text_of(shown)
    assert "31 March" in text_of(shown) or "Up to five days" in text_of(shown)
    assert all(piece.citations and piece.quoted for piece in shown if isinstance(piece, Sentence))
    assert notices(shown) == ["The documents' own words, from each of the 2 sections of “Annual leave”."]


def test_personal_data_of_a_document_that_is_not_public_is_not_summed_up(house: House) -> None:
    assert "0871" not in str(house.ask("Summarise the directory", None))


def test_a_document_that_the_reader_may_not_read_is_none(house: House) -> None:
    of_hr = Reader("someone", frozenset({EVERYONE, "hr"}))
    assert "52 000" in text_of(house.ask("Summarise salary bands", None, reader=of_hr))
    assert "52 000" not in str(house.ask("Summarise salary bands", None, conversation="d"))


def test_what_names_no_document_is_a_question(house: House) -> None:
    assert "28 days" in text_of(house.ask("Give me a summary of how much paid leave full-time staff have", None))


def test_sections_hold_all_words_and_long_documents_have_no_more_than_can_be_read() -> None:
    text = "\n\n".join(f"## Part {n}\n\n" + f"Rule {n} holds for everyone here. " * 12 for n in range(60))
    found = sections(_sources(text))
    assert 1 < len(found) <= MOST_SECTIONS
    told = "".join(piece.passage.chunk.text for section in found for piece in section.pieces)
    assert all(f"Rule {n} holds" in told for n in range(60))


def _sources(text: str) -> list[Source]:
    found = []
    for chunk in split(Document("long.md", "Long", text), 1000, 100):
        unchanged = gate.Redaction(chunk.text, (), ())
        kept = gate.Passage(unchanged, unchanged, (), Action.SHOW)
        named = Named("Long", "long.md", "")
        found.append(Source(Passage(chunk, 1.0), Evidence(chunk.id, chunk.text), kept, named, named))
    return found
