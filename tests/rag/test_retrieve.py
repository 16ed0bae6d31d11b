"""Two searches joined: what stands beside a passage counts, and frequent words change nothing but the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index import keywords
from rag.index.catalogue import Catalogue
from rag.index.retrieve import BESIDE, MEANING, WORDS, joined
from rag.types import EVERYONE, Chunk, Document

ids = st.sampled_from("abcdef")


def cosines(**of: float) -> dict[str, np.ndarray]:
    return {id: np.array([value], dtype=np.float32) for id, value in of.items()}


def test_of_two_alike_the_one_with_the_better_neighbour_comes_first() -> None:
    similar = cosines(a=0.6, b=0.6, near_a=0.5, near_b=0.2)
    scores = joined(["a", "b"], similar, [{}], {"a": ["near_a"], "b": ["near_b"]})
    assert scores["a"] > scores["b"]


def test_a_chunk_without_neighbours_counts_as_its_own() -> None:
    scores = joined(["a", "b"], cosines(a=0.6, b=0.6, near=0.6), [{"a": 3.0, "b": 3.0}], {"a": ["near"]})
    assert scores["a"] == scores["b"]


def test_a_chunk_found_by_words_alone_is_ranked_although_its_vector_is_missing() -> None:
    assert joined(["a", "b"], cosines(b=0.1), [{"a": 4.0}], {})["a"] == pytest.approx(WORDS)


@given(
    st.dictionaries(ids, st.floats(-1, 1, width=32), min_size=1),
    st.dictionaries(ids, st.floats(0, 50)),
    st.dictionaries(ids, st.lists(ids, max_size=2)),
)
def test_scores_have_one_scale_whatever_the_searches_say(
    similar: dict[str, float], said: dict[str, float], beside: dict[str, list[str]]
) -> None:
    scores = joined(
        sorted(similar), cosines(**similar), [said], {id: near for id, near in beside.items() if id in similar}
    )
    nearest = max(0.0, *similar.values())
    assert all(0 <= score <= MEANING + WORDS + BESIDE + 1e-6 for score in scores.values()) or nearest < 1e-6


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """Thirty chunks in three documents: "report" stands in all, "pump" in six, "valve" in one."""
    catalogue = Catalogue(tmp_path / "index.sqlite")
    for name in ("a", "b", "c"):
        words = [
            f"report {number} {'pump' * (number < 2)} {'valve' * (name + str(number) == 'b1')}" for number in range(10)
        ]
        text = "\n".join(words)
        document = Document(f"{name}.md", name.upper(), text)
        starts = [text.index(f"report {number} ") for number in range(10)]
        parts = [
            Chunk(document.id, document.source, document.title, line, start, start + len(line))
            for line, start in zip(words, starts, strict=True)
        ]
        catalogue.put(document, parts, path=tmp_path / name, root=tmp_path, file_hash=name, sample=False)
    yield catalogue
    catalogue.close()


def test_frequent_words_are_left_to_order_what_the_rare_ones_find(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = catalogue.keyword_search("report pump valve", [EVERYONE], 50)
    monkeypatch.setattr(keywords, "FEW", 10)
    few = catalogue.keyword_search("report pump valve", [EVERYONE], 50)
    assert len(everything) == 30
    assert few == everything[:6]
    assert [score for _, score in few] == sorted((score for _, score in few), reverse=True)


def test_a_question_of_frequent_words_alone_is_still_answered(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keywords, "FEW", 10)
    assert len(catalogue.keyword_search("report", [EVERYONE], 50)) == 30


@pytest.mark.parametrize("audiences", [[], ["board"]])
def test_words_are_found_for_those_who_may_read_them_alone(catalogue: Catalogue, audiences: list[str]) -> None:
    assert catalogue.keyword_search("valve", audiences, 5) == []
    assert catalogue.keyword_search("valve", None, 5) == catalogue.keyword_search("valve", [EVERYONE], 5) != []


def test_neighbours_are_of_the_same_document(catalogue: Catalogue) -> None:
    own = [id for id, _ in catalogue.keyword_search("report", [EVERYONE], 50)]
    beside = catalogue.beside(own)
    assert all(id.partition(":")[0] == other.partition(":")[0] for id, others in beside.items() for other in others)
    assert sorted(len(others) for others in beside.values()) == [1] * 6 + [2] * 24
