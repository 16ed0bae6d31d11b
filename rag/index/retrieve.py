"""Finds passages for a question: by meaning and by words, fused by rank, only what the reader may read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rag.index.catalogue import Catalogue
from rag.index.embed import Embedder
from rag.index.store import VectorStore
from rag.settings import Retrieval
from rag.types import Passage, Reader, Search

if TYPE_CHECKING:
    import numpy as np

RANK_OFFSET = 60  # k of Cormack, Clarke & Buettcher, SIGIR 2009; they found results flat around it
SUPERSEDED = 0.5  # weight of a passage whose document has been replaced by a newer one


class Retriever:
    """Answers searches from the index."""

    def __init__(self, catalogue: Catalogue, vectors: VectorStore, embedder: Embedder, settings: Retrieval) -> None:
        self._catalogue = catalogue
        self._dense = vectors, embedder
        self._settings = settings

    def use(self, vectors: VectorStore, embedder: Embedder) -> None:
        """Search these vectors from now on; a search that is under way ends with the others."""
        self._dense = vectors, embedder

    def __call__(self, search: Search, reader: Reader, limit: int | None = None) -> list[Passage]:
        """Passages for a search, best first; at most ``limit``, by default as many as the settings say.

        Nothing that the reader may not read is looked at: the audiences are part of both queries, and are
        compared once more where a chunk is fetched.
        """
        audiences, all_of_them = self._catalogue.audiences(reader.groups)
        rankings: dict[str, list[str]] = {}
        vectors, embedder = self._dense
        questions = embedder.embed_questions(list(search.queries))
        for number, (query, vector) in enumerate(zip(search.queries, questions, strict=True)):
            wanted = self._settings.candidates
            near = vectors.search(vector, wanted, None if all_of_them else audiences)
            rankings[f"meaning {number}"] = [id for id, _ in near]
            rankings[f"words {number}"] = self._catalogue.keyword_search(query, audiences, wanted)
        scores = fuse(rankings)
        visible = self._catalogue.chunks(list(scores), audiences)
        found = {id: chunk for id, chunk in visible.items() if chunk.quarantine != "held"}
        weighted = {id: scores[id] * (SUPERSEDED if chunk.superseded_by else 1) for id, chunk in found.items()}
        best = sorted(weighted, key=lambda id: (-weighted[id], id))[: limit or self._settings.passages]
        passages = [Passage(found[id], weighted[id], 0.0, _searches(id, rankings)) for id in best]
        return _with_similarity(passages, questions, vectors)


def fuse(rankings: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Merge rankings of the same corpus by reciprocal rank fusion.

    An id scores the sum over rankings of ``1 / (RANK_OFFSET + rank)``, rank counted from 1. Only ranks matter, so
    that cosine and BM25 scores, which have no common scale, need none.

    Args:
        rankings: ids best first, by the name of the search that returned them.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ids in rankings.values():
        for rank, id in enumerate(ids, start=1):
            scores[id] += 1 / (RANK_OFFSET + rank)
    return dict(scores)


def _searches(id: str, rankings: Mapping[str, Sequence[str]]) -> frozenset[str]:
    return frozenset(name.partition(" ")[0] for name, ids in rankings.items() if id in ids)


def _with_similarity(passages: Sequence[Passage], questions: np.ndarray, store: VectorStore) -> list[Passage]:
    """The passages with their cosine to the nearest of the queries ((n, d) float32)."""
    vectors = store.vectors([passage.chunk.id for passage in passages]) if passages else {}
    return [
        replace(p, similarity=float((questions @ vectors[p.chunk.id]).max())) if p.chunk.id in vectors else p
        for p in passages
    ]
