"""How the ranking of documents is measured, on a set small enough to know the figures by hand."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DataError
from rag.evaluation import retrieval
from rag.evaluation.trial import Trial
from rag.settings import Settings
from rag.types import Chunk, Document

LEAVE = "Full-time employees have 28 days of annual leave. Leave is booked in the calendar."
PUMPS = "A heat pump is serviced once a year. The service contract covers parts."
PASSWORDS = "A password has at least 14 characters. It is changed when it was seen by others."
CORPUS = [
    {"_id": "leave", "title": "Annual leave", "text": LEAVE},
    {"_id": "pumps", "title": "Heat pumps", "text": PUMPS},
    {"_id": "passwords", "title": "Passwords", "text": PASSWORDS},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "How many days of annual leave do employees have?"},
    {
        "_id": "q2",
        "text": "And how long must it be?",
        "history": [{"role": "user", "content": "Who sees my password?"}],
    },
    {"_id": "q3", "text": "What about the password?", "scope": "pumps"},
]
QRELS = [("q1", "leave"), ("q2", "passwords"), ("q3", "pumps")]
SPANS = [{"query_id": "q1", "corpus_id": "leave", "start": 0, "end": 49, "text": LEAVE[:49]}]
KEYS = ["queries", "ndcg@10", "recall@5", "recall@10", "mrr@10", "p50_ms", "p95_ms", "index_docs_per_s"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set in BEIR layout."""
    packed(tmp_path / "corpus.jsonl.gz", CORPUS)
    packed(tmp_path / "queries.jsonl.gz", QUERIES)
    judged(tmp_path, *("\t".join((*pair, "1")) for pair in QRELS))
    return tmp_path


def packed(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def judged(folder: Path, *lines: str) -> None:
    (folder / "qrels.tsv").write_text("\n".join(("query-id\tcorpus-id\tscore", *lines)) + "\n", encoding="utf-8")


def returning(*sources: str) -> retrieval.Searcher:
    """A search that always returns the beginnings of these documents."""

    def search(_index: Trial, _query: retrieval.Query) -> list[Chunk]:
        texts = {row["_id"]: row["text"] for row in CORPUS}
        return [Chunk(source, source, "", texts[source][:49], 0, 49) for source in sources]

    return search


def test_the_product_finds_what_was_asked_in_the_light_of_history_and_scope(folder: Path, tmp_path: Path) -> None:
    settings = Settings(state=tmp_path / "own")
    figures = retrieval.measure(folder, settings)
    assert list(figures) == KEYS
    assert [figures[key] for key in KEYS[:5]] == [3, 1.0, 1.0, 1.0, 1.0]
    assert not settings.state.exists()


def test_a_scope_hides_every_other_document(folder: Path) -> None:
    beir = retrieval.read(folder)
    seen = []

    def search(index: Trial, query: retrieval.Query) -> list[Chunk]:
        found = retrieval.product(index, query)
        seen.append({chunk.source for chunk in found})
        return found

    retrieval.measure(folder, Settings(), searcher=search)
    assert [len(sources) for sources in seen] == [3, 3, 1]
    assert beir.queries[2].scope == "pumps"


@pytest.mark.parametrize(
    ("search", "recall"),
    [(retrieval.words_only, 0.6667), (retrieval.meaning_only, 1.0)],  # no word of the third query is in its document
)
def test_each_search_alone_can_be_measured(folder: Path, search: retrieval.Searcher, recall: float) -> None:
    assert retrieval.measure(folder, Settings(), searcher=search)["recall@5"] == recall


def test_figures_are_those_of_the_ranking(folder: Path) -> None:
    judged(folder, "q1\tleave\t1")
    figures = retrieval.measure(folder, Settings(), searcher=returning("pumps", "pumps", "leave"))
    # The chunks of one document count once, so that the right one is second.
    assert figures["ndcg@10"] == round(1 / math.log2(3), 4)
    assert figures["mrr@10"] == 0.5
    assert figures["queries"] == 1


def test_a_query_that_finds_nothing_counts(folder: Path) -> None:
    figures = retrieval.measure(folder, Settings(), searcher=returning())
    assert [figures[key] for key in KEYS[:5]] == [3, 0.0, 0.0, 0.0, 0.0]


def test_words_of_the_spans_are_counted_where_there_are_spans(folder: Path) -> None:
    packed(folder / "spans.jsonl.gz", SPANS)
    figures = retrieval.measure(folder, Settings(), searcher=returning("leave", "pumps"))
    assert figures["token_recall@5"] == 1.0
    # 8 words of the span over these and the 10 that the beginning of the other document holds.
    assert figures["token_iou@5"] == round(8 / 18, 4)


@given(st.integers(0, len(LEAVE)), st.integers(0, len(LEAVE)))
def test_two_halves_hold_the_words_of_the_whole(start: int, middle: int) -> None:
    documents = {"leave": Document("leave", "", LEAVE)}
    start, middle = sorted((start, middle))
    whole = retrieval.words_in(documents, [("leave", (start, len(LEAVE)))])
    halves = retrieval.words_in(documents, [("leave", (start, middle)), ("leave", (middle, len(LEAVE)))])
    assert whole == halves
    assert all(LEAVE[place:].split()[0] in LEAVE.split() for _, place in whole)


def test_the_same_seed_draws_the_same_queries(folder: Path) -> None:
    drawn = []

    def search(_index: Trial, query: retrieval.Query) -> list[Chunk]:
        drawn.append(query.id)
        return []

    for seed in (5, 5):
        assert retrieval.measure(folder, Settings(), limit=2, seed=seed, searcher=search)["queries"] == 2
    assert drawn[:2] == drawn[2:]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("q1\tleave", "line 3: expected query-id, corpus-id and a whole number, with tabs between"),
        ("q1\tleave\tyes", "line 3: expected query-id, corpus-id and a whole number, with tabs between"),
        ("q1\tnowhere\t1", "line 3: the corpus has no document nowhere"),
    ],
)
def test_a_judgement_that_cannot_be_used_is_named_by_its_line(folder: Path, line: str, says: str) -> None:
    judged(folder, "q1\tleave\t1", line)
    with pytest.raises(DataError) as caught:
        retrieval.read(folder)
    assert str(caught.value) == f"{folder / 'qrels.tsv'}, {says}"


def test_a_span_outside_its_document_is_refused(folder: Path) -> None:
    packed(folder / "spans.jsonl.gz", [SPANS[0] | {"end": 500}])
    with pytest.raises(DataError, match="the span of query q1 does not lie in document leave"):
        retrieval.read(folder)


def test_a_history_that_is_none_is_refused(folder: Path) -> None:
    packed(folder / "queries.jsonl.gz", [QUERIES[0] | {"history": ["Who sees my password?"]}])
    with pytest.raises(DataError, match='row q1: "history" is not a list of'):
        retrieval.read(folder)


def test_a_set_without_judgements_is_refused(folder: Path) -> None:
    judged(folder)
    with pytest.raises(DataError, match="it holds no judgement"):
        retrieval.read(folder)


@pytest.mark.parametrize("name", ["contoso_pages", "mtrag_pool", "qmsum_spans", "chroma_chunking"])
def test_the_development_sets_can_be_read(shared_data: Path, name: str) -> None:
    beir = retrieval.read(shared_data / "retrieval" / name)
    assert set(beir.qrels) <= {query.id for query in beir.queries}
    assert bool(beir.spans) == (name in ("qmsum_spans", "chroma_chunking"))
