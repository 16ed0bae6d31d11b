"""Finds passages for a question: by meaning and by words, joined by weight, only what the reader may read.

The weights were chosen on the development sets: ``tests/quality/DECISIONS.md``, "How are the two searches joined?".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from rag.index.catalogue import Catalogue
from rag.index.embed import Embedder
from rag.index.store import VectorStore
from rag.settings import Retrieval
from rag.types import Passage, Reader, Search

if TYPE_CHECKING:
    import numpy as np

MEANING, WORDS = 0.6, 0.4  # weights of cosine and BM25, each as a share of the best candidate's
BESIDE = 0.4  # weight of the cosine of the better neighbour: what an answer runs through is seldom one chunk
DEEPER = 4  # times the candidates: how far down the search by words is scored
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
        among = None if all_of_them else audiences
        vectors, embedder = self._dense
        questions = embedder.embed_questions(list(search.queries))
        near = [vectors.search(question, self._settings.candidates, among) for question in questions]
        words = [
            dict(self._catalogue.keyword_search(query, among, DEEPER * self._settings.candidates))
            for query in search.queries
        ]
        meant = {id for found in near for id, _ in found}
        said = {id for scores in words for id in list(scores)[: self._settings.candidates]}
        visible = self._catalogue.chunks(list(meant | said), audiences)
        candidates = {id: chunk for id, chunk in visible.items() if chunk.quarantine != "held"}
        beside = self._catalogue.beside(list(candidates))
        similar = _cosines(questions, vectors, {*candidates, *(id for ids in beside.values() for id in ids)})
        scores = joined(list(candidates), similar, words, beside)
        weighted = {id: scores[id] * (SUPERSEDED if chunk.superseded_by else 1) for id, chunk in candidates.items()}
        best = sorted(weighted, key=lambda id: (-weighted[id], id))[: limit or self._settings.passages]
        return [
            Passage(
                candidates[id],
                weighted[id],
                float(similar[id].max()) if id in similar else 0.0,
                frozenset(name for name, found in (("meaning", meant), ("words", said)) if id in found),
            )
            for id in best
        ]


def joined(
    candidates: Sequence[str],
    similar: Mapping[str, np.ndarray],
    words: Sequence[Mapping[str, float]],
    beside: Mapping[str, Sequence[str]],
) -> dict[str, float]:
    """How well each candidate answers, by all the queries of a search together.

    Cosine and BM25 have no common scale, so that each counts as a share of the best one that the query has. A chunk
    without neighbours counts as its own, so that short documents neither gain nor lose.

    Args:
        similar: id to the cosines with every query, of candidates and their neighbours.
        words: for every query id to BM25; what is not there shares too few words to count.
        beside: id to the chunks before and after it.
    """
    scores = dict.fromkeys(candidates, 0.0)
    for number, said in enumerate(words):
        cosine = {id: max(0.0, float(cosines[number])) for id, cosines in similar.items()}
        nearest = max((cosine.get(id, 0.0) for id in candidates), default=0.0) or 1.0
        most = max((said.get(id, 0.0) for id in candidates), default=0.0) or 1.0
        for id in candidates:
            own = cosine.get(id, 0.0)
            around = max((cosine[other] for other in beside.get(id, ()) if other in cosine), default=own)
            scores[id] += (MEANING * own + BESIDE * around) / nearest + WORDS * said.get(id, 0.0) / most
    return scores


def _cosines(questions: np.ndarray, vectors: VectorStore, ids: Set[str]) -> dict[str, np.ndarray]:
    """Id to the cosine with every question, where there is a vector.

    Args:
        questions: (n, d) float32, each of length 1.
    """
    found = vectors.vectors(sorted(ids)) if ids else {}
    return {id: questions @ vector for id, vector in found.items()}
