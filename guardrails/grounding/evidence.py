"""Chooses what a sentence is held against: the few sentences of all passages that together cover its words best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrails.grounding.align import Reading
from guardrails.grounding.numbers import supported

if TYPE_CHECKING:
    import numpy as np

CHARACTERS = 630  # chosen at most, beside the last: what the head reads at once
OTHER_WORD = 0.6  # a word in other words counts at most so much, before it is squared, as the word itself
LEAST = 0.05  # words newly covered for which a further sentence is taken
LENGTH = 0.0005  # words that a character costs
AGAIN = 0.02  # what a word counts that another sentence covers already


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage: characters, end exclusive."""

    passage: int
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def evidence(sentence: Reading, passages: Sequence[Reading]) -> list[Extract]:
    """Sentences of the passages, in their order; those next to a chosen one come along while there is room."""
    extracts = [extract for place, passage in enumerate(passages) for extract in _extracts(place, passage)]
    if not extracts:
        return []
    chosen = _cover(extracts, _covered(sentence, passages, extracts))
    size = sum(extracts[index].size for index in chosen)
    for index in tuple(chosen):
        for beside in (index - 1, index + 1):
            if not 0 <= beside < len(extracts) or beside in chosen:
                continue
            other = extracts[beside]
            if other.passage == extracts[index].passage and size + other.size < CHARACTERS:
                chosen.append(beside)
                size += other.size
    return [extracts[index] for index in sorted(chosen)]


def _extracts(place: int, passage: Reading) -> list[Extract]:
    edges: dict[int, tuple[int, int]] = {}
    for word in passage.words:
        edges[word.sentence] = (edges.get(word.sentence, (word.start,))[0], word.end)
    return [Extract(place, start, end) for start, end in edges.values()]


def _covered(sentence: Reading, passages: Sequence[Reading], extracts: Sequence[Extract]) -> np.ndarray:
    """(extracts, content words and numbers of the sentence): 0 to 1, how well each is covered."""
    import numpy as np

    near = [_near(sentence, passage) for passage in passages]
    starts = [np.array([word.start for word in passage.content]) for passage in passages]
    rows = np.zeros((len(extracts), len(sentence.content) + len(sentence.numbers)))
    for row, extract in zip(rows, extracts, strict=True):
        inside = (starts[extract.passage] >= extract.start) & (starts[extract.passage] < extract.end)
        if inside.any() and len(sentence.content):
            row[: len(sentence.content)] = near[extract.passage][:, inside].max(axis=1) ** 2
        here = [n for n in passages[extract.passage].numbers if extract.start <= n.start < extract.end + 2]
        row[len(sentence.content) :] = [supported(number, here) for number in sentence.numbers]
    return rows


def _near(sentence: Reading, passage: Reading) -> np.ndarray:
    """(words of the sentence, words of the passage): 1 for the same word, less for others."""
    import numpy as np

    if not len(sentence.vectors) or not len(passage.vectors):
        return np.zeros((len(sentence.content), len(passage.content)))
    near: np.ndarray = OTHER_WORD * np.clip(sentence.vectors @ passage.vectors.T, 0, 1)
    for row, word in zip(near, sentence.content, strict=True):
        row[passage.places.get(word.key, [])] = 1.0
    return near


def _cover(extracts: Sequence[Extract], covered: np.ndarray) -> list[int]:
    """Greedily, what adds most; at least one."""
    import numpy as np

    chosen: list[int] = []
    have = np.zeros(covered.shape[1])
    costs = LENGTH * np.array([extract.size for extract in extracts]) - AGAIN * covered.sum(axis=1)
    while len(chosen) < len(extracts) and sum(extracts[index].size for index in chosen) < CHARACTERS:
        gains = np.maximum(covered - have, 0).sum(axis=1) - costs
        gains[chosen] = -np.inf
        best = int(gains.argmax())
        if chosen and gains[best] < LEAST:
            break
        chosen.append(best)
        have = np.maximum(have, covered[best])
    return chosen
