"""How answers are judged: the figures by hand, and the whole journey on two questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DataError
from rag.evaluation import answers
from rag.evaluation.answers import Row, Said, best_f1
from rag.settings import Settings
from rag.types import Citation, Sentence

KEYS = [
    "rows",
    "answered_answerable",
    "refused_unanswerable",
    "balanced_accuracy",
    "answer_f1",
    "grounded_rate",
    "flagged_rate",
    "generated_share",
    "copied_share",
    "source_found",
    "source_cited",
    "right",
    "distinct_2",
    "p50_ms",
    "p95_ms",
    "first_sentence_p50_ms",
]


def rows_of(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(*answers: str, answerable: bool = True, source: str = "leave") -> Row:
    return Row("How many days?", (), answers, answerable, frozenset([source] if answerable else []))


def said(row: Row, *texts: str, cites: str = "leave", outcome: str = "answered", **other: Any) -> Said:
    citation = Citation(1, cites, "", None, "", ())
    sentences = tuple(Sentence(text, (citation,), quoted=outcome == "quoted") for text in texts)
    values: dict[str, Any] = {
        "seconds": 2.0,
        "first_seconds": 1.0 if texts else None,
        "grounded": (True,) * len(texts),
        "copied": (False,) * len(texts),
        "flagged": False,
        "found": frozenset([cites]),
    }
    return Said(row, sentences, outcome, **(values | other))


def figures(*all_said: Said) -> dict[str, Any]:
    return answers.figures(all_said)


@pytest.mark.parametrize(
    ("text", "references", "score"),
    [
        ("There are 28 days.", ["28 days"], 2 * 2 / (4 + 2)),
        ("28 DAYS!", ["the 28 days"], 1.0),
        ("28 days", ["thirty days", "28 days"], 1.0),
        ("never", ["28 days"], 0.0),
        ("", ["28 days"], 0.0),
        ("28 days", [], 0.0),
    ],
)
def test_shared_words_are_counted_as_squad_does(text: str, references: Sequence[str], score: float) -> None:
    assert best_f1(text, references) == pytest.approx(score)


@given(st.text(), st.text())
def test_f1_is_a_share_and_symmetric(one: str, other: str) -> None:
    assert 0 <= best_f1(one, [other]) <= 1
    assert best_f1(one, [other]) == pytest.approx(best_f1(other, [one]))


def test_a_refusal_is_right_only_where_there_is_no_answer() -> None:
    found = figures(
        said(row("28 days"), "28 days"),
        said(row("28 days"), outcome="refused"),
        said(row(answerable=False), outcome="refused"),
        said(row(answerable=False), "28 days", outcome="quoted"),
    )
    assert list(found) == KEYS
    assert (found["answered_answerable"], found["refused_unanswerable"], found["balanced_accuracy"]) == (0.5, 0.5, 0.5)
    assert found["answer_f1"] == 0.5
    assert found["source_cited"] == 0.5


def test_sentences_are_counted_over_all_answers() -> None:
    found = figures(
        said(
            row("a b"), "One two three. ", "One two three. ", grounded=(True, False), copied=(True, False), flagged=True
        ),
        said(row("a b"), "Four five.", outcome="quoted"),
    )
    assert found["grounded_rate"] == round(2 / 3, 4)
    assert found["generated_share"] == round(2 / 3, 4)
    assert found["copied_share"] == 0.5
    assert found["flagged_rate"] == 0.5
    assert found["distinct_2"] == round(4 / 6, 4)  # one two, two three, three one, four five; two of them twice
    assert found["first_sentence_p50_ms"] == 1000.0


def test_another_source_is_not_the_right_one() -> None:
    assert figures(said(row("28 days"), "28 days", cites="pumps"))["source_cited"] == 0.0


@pytest.mark.parametrize(
    ("text", "cites", "right"),
    [
        ("There are 1,000 desks, in Leeds.", "leave", 1.0),
        ("There are 1,000 desks.", "leave", 0.0),
        ("There are 11,000 desks in Leeds.", "leave", 0.0),
        ("There are 1,000 desks in Leeds.", "pumps", 0.0),
    ],
)
def test_an_answer_is_right_with_all_its_facts_and_its_source(text: str, cites: str, right: float) -> None:
    wanted = replace(row("1,000 desks in Leeds"), facts=("1,000", "Leeds"))
    assert figures(said(wanted, text, cites=cites))["right"] == right


def test_a_passage_that_contradicts_is_not_cited() -> None:
    one = said(row("28 days"), "30 days")
    against = tuple(replace(s, citations=(replace(s.citations[0], verdict="contradicts"),)) for s in one.sentences)
    assert figures(replace(one, sentences=against))["source_cited"] == 0.0


def test_no_rows_of_a_kind_make_no_share() -> None:
    assert figures(said(row("28 days"), "28 days"))["refused_unanswerable"] == 0.0


def test_contexts_become_documents_once(tmp_path: Path) -> None:
    one = {
        "question": "?",
        "answers": ["x"],
        "answerable": True,
        "contexts": ["same", "own"],
        "context_ids": ["a", "b"],
    }
    two = one | {"contexts": ["same", "third"], "context_ids": ["c", "b"]}
    rows, documents = answers.read(rows_of(tmp_path / "rows.jsonl", one, two))
    assert [document.text for document in documents] == ["same", "own", "third"]
    assert len({document.source for document in documents}) == 3
    assert rows[0].sources == {"a", "b"}
    assert "a" in rows[1].sources


def test_a_source_that_is_given_counts_before_contexts(tmp_path: Path) -> None:
    given_source = {"question": "?", "answers": ["x"], "answerable": True, "source": "hr/leave.md"}
    rows, documents = answers.read(rows_of(tmp_path / "rows.jsonl", given_source))
    assert (rows[0].sources, documents) == ({"hr/leave.md"}, [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": 5}, 'line 1: "question" is not a string'),
        ({"contexts": [5]}, 'row 1: "contexts" is not a list of strings'),
        ({"history": [{"role": "nobody", "content": ""}]}, '"history" is not a list of'),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    values = {"question": "?", "answers": ["x"], "answerable": True, "contexts": ["text"]} | change
    with pytest.raises(DataError) as caught:
        answers.read(rows_of(tmp_path / "rows.jsonl", values))
    assert says in str(caught.value)
    assert str(tmp_path / "rows.jsonl") in str(caught.value)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_journey_is_measured_and_leaves_the_own_state_alone(tmp_path: Path) -> None:
    leave = "Full-time employees have 28 days of annual leave. Leave is booked in the calendar two weeks before."
    path = rows_of(
        tmp_path / "rows.jsonl",
        {
            "question": "How many days of annual leave do full-time employees have?",
            "answers": ["28 days"],
            "answerable": True,
            "contexts": [leave],
        },
        {"question": "Who won the football world cup in 1990?", "answers": [], "answerable": False, "contexts": []},
    )
    settings = Settings(state=tmp_path / "own")
    found = answers.measure(path, settings)
    assert list(found) == KEYS
    assert (found["rows"], found["answered_answerable"], found["refused_unanswerable"]) == (2, 1.0, 1.0)
    assert (found["source_found"], found["source_cited"]) == (1.0, 1.0)
    assert not settings.state.exists()


def test_the_questions_of_the_corpus_can_be_read() -> None:
    rows, documents = answers.read(Path(__file__).resolve().parents[2] / "corpus" / "questions.jsonl")
    assert len(rows) >= 60
    assert documents == []
    assert all(bool(one.sources) == one.answerable for one in rows)
