"""How well passages are found: ``candor evaluate retrieval``, over a folder in BEIR layout."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rag.dialogue.understand import understand
from rag.errors import DataError
from rag.evaluation.rows import read_rows
from rag.evaluation.trial import OnProgress, Trial, messages, sample, trial, unseen
from rag.settings import Settings
from rag.types import EVERYONE, Chunk, Document, Message, Meta, Reader

DEPTH = 10  # documents that a ranking is judged by
SPAN_DEPTH = 5  # chunks that the spans are judged by
WORD = re.compile(r"\S+")

Span = tuple[int, int]  # characters of the document, end exclusive
Searcher = Callable[[Trial, "Query"], list[Chunk]]


@dataclass(frozen=True, slots=True)
class Query:
    """One question of the set."""

    id: str
    text: str
    history: tuple[Message, ...]
    scope: str  # the only document to be searched; empty: all of them

    @property
    def reader(self) -> Reader:
        """A scope is a group: each document is in one of its own, and the index shows a reader nothing else."""
        return Reader("evaluation", frozenset({_group(self.scope) if self.scope else EVERYONE}))


@dataclass(frozen=True, slots=True)
class BeirSet:
    """A folder in BEIR layout, read and checked."""

    documents: Mapping[str, Document]
    queries: Sequence[Query]
    qrels: Mapping[str, Mapping[str, int]]  # query to document to grade
    spans: Mapping[str, Mapping[str, Sequence[Span]]]  # query to document to the characters that answer; often empty


@dataclass(frozen=True, slots=True)
class Found:
    """What one query brought."""

    query: Query
    chunks: list[Chunk]  # best first
    milliseconds: float


def measure(
    folder: Path,
    settings: Settings,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    searcher: Searcher | None = None,
) -> dict[str, Any]:
    """Index the corpus of ``folder`` as the product would, ask its queries, and judge the rankings.

    A document ranks where its best chunk does. The time of a query runs from the words to the passages, embedding
    included. ``token_recall@5`` is the share of the words in a query's spans that the five best chunks hold;
    ``token_iou@5`` the words in both over the words in either, each counted once however many chunks repeat it.

    Args:
        limit: most queries, drawn by ``seed``; the corpus is indexed whole.
        searcher: another search than the product's, to compare with.

    Raises:
        DataError: a file is missing or a line of it cannot be used.
    """
    beir = read(folder)
    queries = sample([query for query in beir.queries if query.id in beir.qrels], limit, seed)
    with trial(settings) as index:
        index.encoder.load()
        begun = time.perf_counter()
        index.add(list(beir.documents.values()), on_progress)
        indexing = time.perf_counter() - begun
        found = _ask(index, queries, searcher or product, on_progress)
    figures = {"queries": len(queries)} | _ranking(beir, found) | _times(found)
    figures["index_docs_per_s"] = round(len(beir.documents) / indexing, 2)
    return figures | (_coverage(beir, found) if beir.spans else {})


def product(index: Trial, query: Query) -> list[Chunk]:
    """As a reader's question is searched."""
    search = understand(query.text, query.history)
    return [passage.chunk for passage in index.retrieve(search, query.reader, index.settings.retrieval.candidates)]


def words_only(index: Trial, query: Query) -> list[Chunk]:
    """By BM25 alone."""
    search = understand(query.text, query.history)
    audiences, _ = index.catalogue.audiences(query.reader.groups)
    found = index.catalogue.keyword_search(search.question, audiences, index.settings.retrieval.candidates)
    return _chunks(index, [id for id, _ in found], audiences)


def meaning_only(index: Trial, query: Query) -> list[Chunk]:
    """By vectors alone."""
    search = understand(query.text, query.history)
    audiences, _ = index.catalogue.audiences(query.reader.groups)
    vector = index.encoder.embed([search.question])[0]
    near = index.vectors.search(vector, index.settings.retrieval.candidates, audiences if query.scope else None)
    return _chunks(index, [id for id, _ in near], audiences)


def read(folder: Path) -> BeirSet:
    """Read a folder in BEIR layout.

    Raises:
        DataError: see ``measure``.
    """
    asked = _file(folder, "queries.jsonl")
    queries = [_query(row, asked) for row in read_rows(asked, _QUERY)]
    scopes = {query.scope for query in queries if query.scope}
    rows = read_rows(_file(folder, "corpus.jsonl"), _DOCUMENT)
    documents = {row["_id"]: _document(row, scopes) for row in rows}
    qrels = _qrels(folder / "qrels.tsv", documents)
    return BeirSet(documents, queries, qrels, _spans(folder, documents))


_QUERY = {"_id": str, "text": str}
_DOCUMENT = {"_id": str, "text": str}
_SPAN = {"query_id": str, "corpus_id": str, "start": int, "end": int}


def _file(folder: Path, name: str) -> Path:
    """The file, packed or not."""
    packed = folder / f"{name}.gz"
    return packed if packed.exists() or not (folder / name).exists() else folder / name


def _query(row: Mapping[str, Any], path: Path) -> Query:
    return Query(row["_id"], row["text"], messages(row, path), row.get("scope") or "")


def _document(row: Mapping[str, Any], scopes: set[str]) -> Document:
    own = {_group(row["_id"])} if row["_id"] in scopes else set()
    return Document(row["_id"], row.get("title") or "", row["text"], meta=Meta(groups=frozenset({EVERYONE, *own})))


def _group(document: str) -> str:
    """The group of one document. A comma would divide it in two."""
    return f"document {document}".replace(",", " ")


def _qrels(path: Path, documents: Mapping[str, Document]) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file, delimiter="\t"), start=1):
                if number > 1 or row[-1].isdigit():
                    query, document, grade = _judged(path, number, row, documents)
                    qrels.setdefault(query, {})[document] = grade
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or 'it is not a table in UTF-8'}") from None
    if not qrels:
        raise DataError(f"{path}: it holds no judgement")
    return qrels


def _judged(path: Path, number: int, row: Sequence[str], documents: Mapping[str, Document]) -> tuple[str, str, int]:
    if len(row) != 3 or not row[2].lstrip("-").isdigit():
        raise DataError(f"{path}, line {number}: expected query-id, corpus-id and a whole number, with tabs between")
    if row[1] not in documents:
        raise DataError(f"{path}, line {number}: the corpus has no document {row[1]}")
    return row[0], row[1], int(row[2])


def _spans(folder: Path, documents: Mapping[str, Document]) -> dict[str, dict[str, list[Span]]]:
    path = _file(folder, "spans.jsonl")
    spans: dict[str, dict[str, list[Span]]] = {}
    if not path.exists():
        return spans
    for row in read_rows(path, _SPAN):
        document = documents.get(row["corpus_id"])
        if document is None or not 0 <= row["start"] < row["end"] <= len(document.text):
            raise DataError(f"{path}: the span of query {row['query_id']} does not lie in document {row['corpus_id']}")
        spans.setdefault(row["query_id"], {}).setdefault(row["corpus_id"], []).append((row["start"], row["end"]))
    return spans


def _ask(index: Trial, queries: Sequence[Query], searcher: Searcher, on_progress: OnProgress) -> list[Found]:
    found = []
    for number, query in enumerate(queries, start=1):
        begun = time.perf_counter()
        chunks = searcher(index, query)
        found.append(Found(query, chunks, (time.perf_counter() - begun) * 1000))
        on_progress("Asking", number, len(queries))
    return found


def _chunks(index: Trial, ids: Sequence[str], audiences: Sequence[str]) -> list[Chunk]:
    known = index.catalogue.chunks(ids, audiences)
    return [known[id] for id in ids if id in known]


def _ranking(beir: BeirSet, found: Iterable[Found]) -> dict[str, float]:
    import ir_measures
    from ir_measures import RR, R, nDCG

    names = {"ndcg@10": nDCG @ 10, "recall@5": R @ 5, "recall@10": R @ 10, "mrr@10": RR @ 10}
    run = {one.query.id: _scores(one.chunks) for one in found}
    judged = {query: dict(beir.qrels[query]) for query in run}
    figures = ir_measures.calc_aggregate(list(names.values()), judged, run)
    return {name: round(float(figures[measure]), 4) for name, measure in names.items()}


def _scores(chunks: Iterable[Chunk]) -> dict[str, float]:
    """Documents by the rank of their best chunk, as scores that fall with the rank."""
    ranked = dict.fromkeys(chunk.source for chunk in chunks)
    return {source: 1.0 / rank for rank, source in enumerate(ranked, start=1) if rank <= DEPTH}


def _times(found: Sequence[Found]) -> dict[str, float]:
    import numpy as np

    times = [one.milliseconds for one in found] or [0.0]
    return {f"p{share}_ms": round(float(np.percentile(times, share)), 1) for share in (50, 95)}


def _coverage(beir: BeirSet, found: Iterable[Found]) -> dict[str, float]:
    recalls, overlaps = [], []
    for one in found:
        if wanted := beir.spans.get(one.query.id):
            words = partial(words_in, beir.documents)
            relevant = words([(source, span) for source, spans in wanted.items() for span in spans])
            held = words([(chunk.source, (chunk.start, chunk.end)) for chunk in one.chunks[:SPAN_DEPTH]])
            recalls.append(len(relevant & held) / max(1, len(relevant)))
            overlaps.append(len(relevant & held) / max(1, len(relevant | held)))
    count = max(1, len(recalls))
    return {
        f"token_recall@{SPAN_DEPTH}": round(sum(recalls) / count, 4),
        f"token_iou@{SPAN_DEPTH}": round(sum(overlaps) / count, 4),
    }


def words_in(documents: Mapping[str, Document], spans: Iterable[tuple[str, Span]]) -> set[tuple[str, int]]:
    """The words that the spans touch, each as document and place at which it begins."""
    by_source: dict[str, list[Span]] = {}
    for source, span in spans:
        by_source.setdefault(source, []).append(span)
    return {
        (source, word.start())
        for source, own in by_source.items()
        for word in WORD.finditer(documents[source].text)
        if any(word.start() < end and start < word.end() for start, end in own)
    }
