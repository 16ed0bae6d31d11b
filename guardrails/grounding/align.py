"""Lays a sentence over a passage: which of its words the passage has, where, and how near the others come.

Knows nothing of thresholds. What it finds is a handful of numbers by name, for `score.py` to weigh.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from guardrails.grounding.numbers import Number, numbers, other_unit, supported
from guardrails.grounding.roles import Deed, deeds, exchanged
from guardrails.grounding.words import Word, is_negation, words

if TYPE_CHECKING:
    import numpy as np

    from guardrails.encoder import WordVectors

NEAR = 3  # content words between two neighbours of the sentence that still stand together in the passage
NOT_ONLY = frozenset(
    {"only", "just", "merely", "nur", "solo", "sólo", "seulement"}
)  # what follows is said all the same
CLAUSE = 4  # words from a negation to what it denies
SAME_WORDS = 0.7  # share of a sentence's words that a passage must have for a negation to turn its meaning round
_BETWEEN = re.compile(r"[,;:!?…()\[\]<>\"“”„«»–—]+|\.\s|\s(?:that|dass|que)\s", re.IGNORECASE)  # noqa: RUF001 - marks as written


class Reading:
    """One text, read once: its words with their vectors, and its numbers."""

    def __init__(self, text: str, vectors: WordVectors) -> None:
        self.text = text
        self.numbers = numbers(text)
        self._numeric = [(number.start, number.end) for number in self.numbers]
        self.words = words(text)
        self.content = [word for word in self.words if word.content and not self._is_number(word)]
        self.vectors = _of_words(self.content, vectors)  # (content words, 384), each of length 1

    def _is_number(self, word: Word) -> bool:
        return any(start < word.end and word.start < end for start, end in self._numeric)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """For each key, the indices of the content words that have it."""
        found: dict[str, list[int]] = {}
        for index, word in enumerate(self.content):
            found.setdefault(word.key, []).append(index)
        return found

    @cached_property
    def sentences(self) -> list[list[Word]]:
        """Its words, sentence by sentence."""
        return [list(part) for _, part in groupby(self.words, key=lambda word: word.sentence)]

    @cached_property
    def row(self) -> str:
        """Its words one after the other, without marks, for a search of whole words."""
        return " ".join(("", *(word.text for word in self.words), ""))

    @cached_property
    def deeds(self) -> list[Deed]:
        return deeds(self.text, self.words)

    @cached_property
    def clauses(self) -> list[tuple[int, int]]:
        """Characters of the whole, and of each part between marks with words enough to say something by itself."""
        marks = [0, *(found.end() for found in _BETWEEN.finditer(self.text)), len(self.text)]
        parts = [part for part in pairwise(marks) if sum(_inside(word, part) for word in self.content) > 1]
        return list(dict.fromkeys([(0, len(self.text)), *parts]))

    @cached_property
    def negations(self) -> list[tuple[Word, Word]]:
        """Each negation, and the content word that it denies: the next one, or the one before where none follows."""
        found = []
        for at, word in enumerate(self.words):
            if is_negation(word.text) and not any(w.text in NOT_ONLY for w in self.words[at + 1 : at + 2]):
                after = (w for w in self.words[at + 1 : at + 1 + CLAUSE] if w.content and w.sentence == word.sentence)
                before = (w for w in reversed(self.words[max(0, at - CLAUSE) : at]) if w.content)
                denied = next(after, None) or next(before, None)
                if denied:
                    found.append((word, denied))
        return found


@dataclass(frozen=True, slots=True)
class Match:
    """How a sentence lies on one passage, or on two taken together. Arrays run over the sentence's content words."""

    known: np.ndarray  # (n,) bool: the passage or the question has the word
    near: np.ndarray  # (n,) float: largest cosine to a word of the passage or question
    local: np.ndarray  # (n,) bool: the one or two sentences that fit best, or the question, have the word
    paired: np.ndarray  # (n - 1,) bool: the word and its successor stand together there too
    wrong_numbers: tuple[Number, ...]
    wrong_units: tuple[Number, ...]  # of those: what fits best has them, measured in something else
    denied: np.ndarray  # (n,) bool: the word is of a clause of which what fits best says the opposite
    exchanged: tuple[Deed, ...]  # what fits best has them the other way round
    topic: float  # cosine of what the sentence and the best fitting sentences are about
    both_deny: bool  # something: the sentence, and what fits best

    @property
    def negated(self) -> bool:
        return bool(self.denied.any())

    @property
    def opposed(self) -> bool:
        """What fits best says the opposite."""
        return self.negated or bool(self.exchanged)

    def outweighs(self, other: Match) -> bool:
        """Whether this one says the opposite of something that the other has fewer words of."""
        about = self.denied if self.negated else slice(None)
        return self.opposed and self.local[about].mean() > other.local[about].mean()

    @property
    def held(self) -> float:
        """Share of the sentence's content words that stand together in the passage, or in the question."""
        return float(self.local.mean()) if len(self.local) else 0.0

    def with_(self, other: Match) -> Match:
        """The two passages as one."""
        import numpy as np

        wrong = tuple(number for number in self.wrong_numbers if number in other.wrong_numbers)
        return Match(
            self.known | other.known,
            np.maximum(self.near, other.near),
            self.local | other.local,
            self.paired | other.paired,
            wrong,
            tuple(number for number in wrong if number in (*self.wrong_units, *other.wrong_units)),
            self.denied | other.denied,
            tuple(dict.fromkeys((*self.exchanged, *other.exchanged))),
            max(self.topic, other.topic),
            self.both_deny or other.both_deny,
        )


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks against a sentence. 0 is best throughout."""

    new_mass: float  # root of the sum of 1 - cosine over the words that do not occur
    worst: float  # the largest 1 - cosine among them
    unpaired: float  # share of neighbours that do not stand together
    off_topic: float  # 1 - cosine of the whole
    numbers: float  # numbers that do not occur, at most two
    names: float  # names that do not occur, at most two
    negated: float  # 1 when the passage says the opposite, or has doer and done to exchanged


NAMES = tuple(field.name for field in fields(Features))


def match(sentence: Reading, passage: Reading, question: Reading) -> Match:
    """Lay ``sentence`` over ``passage``; words and numbers of the question count as known."""
    import numpy as np

    content = sentence.content
    asked = np.array([word.key in question.places for word in content], dtype=bool)
    here = np.array([word.key in passage.places for word in content], dtype=bool)
    known = asked | here
    near = nearest(sentence, (passage, question))
    window = best_window(sentence, passage)
    local = asked | np.array([_stands_in(word.key, passage, window) for word in content], dtype=bool)
    wrong = tuple(
        n for n in sentence.numbers if not supported(n, passage.numbers) and not supported(n, question.numbers)
    )
    return Match(
        known,
        np.where(known, 1.0, near),
        local,
        _paired(content, passage, question),
        wrong,
        _wrong_units(wrong, passage, window),
        _denied(sentence, passage, asked),
        exchanged(sentence.deeds, [deed for deed in passage.deeds if window[0] <= deed.sentence <= window[1]]),
        _topic(sentence, passage, window),
        bool(sentence.negations) and any(window[0] <= word.sentence <= window[1] for word, _ in passage.negations),
    )


def features(sentence: Reading, found: Match) -> Features:
    import numpy as np

    new = ~found.known
    far = (1 - found.near)[new]
    return Features(
        new_mass=float(np.sqrt(far.sum())),
        worst=float(far.max(initial=0.0)),
        unpaired=float((~found.paired).mean()) if len(found.paired) else float(new.any()),
        off_topic=1 - found.topic,
        numbers=float(min(2, len(found.wrong_numbers))),
        names=float(min(2, sum(word.name for word, is_new in zip(sentence.content, new, strict=True) if is_new))),
        negated=float(found.opposed),
    )


def best_window(sentence: Reading, passage: Reading, part: tuple[int, int] | None = None) -> tuple[int, int]:
    """First and last sentence of the passage that share the most with the sentence: one, or two neighbours.

    Args:
        part: characters of the sentence that alone count.
    """
    has = _shared(sentence, passage, part or (0, len(sentence.text)))
    if not has:
        return 0, 0

    def worth(index: int, span: int) -> float:
        return sum(_WORTH[kind] for kind, _ in set().union(*(has.get(index + step, set()) for step in range(span))))

    alone = max(has, key=lambda index: (worth(index, 1), -index))
    pair = max(has, key=lambda index: (worth(index, 2), worth(index, 1), -index))
    return (pair, pair + 1) if worth(pair, 2) >= worth(alone, 1) + _WORTH["content"] else (alone, alone)


_WORTH = {"content": 1.0, "number": 1.0, "function": 0.2}  # function words decide between sentences alike otherwise


def _shared(sentence: Reading, passage: Reading, part: tuple[int, int]) -> dict[int, set[tuple[str, str]]]:
    """What each sentence of the passage has of that part of the sentence: kind of word and word."""
    keys = {
        word.key: "content" if word.content else "function"
        for word in sentence.words
        if not is_negation(word.text) and _inside(word, part)
    }
    has: dict[int, set[tuple[str, str]]] = {}
    for word in passage.words:
        if word.key in keys:
            has.setdefault(word.sentence, set()).add((keys[word.key], word.key))
    for number in sentence.numbers:
        for other in passage.numbers if _inside(number, part) else ():
            if supported(number, [other]):
                has.setdefault(_sentence_at(passage, other.start), set()).add(("number", str(number.values)))
    return has


def _sentence_at(passage: Reading, start: int) -> int:
    return next((word.sentence for word in passage.words if word.end > start), 0)


def _wrong_units(wrong: Iterable[Number], passage: Reading, window: tuple[int, int]) -> tuple[Number, ...]:
    here = [n for n in passage.numbers if window[0] <= _sentence_at(passage, n.start) <= window[1]]
    return tuple(number for number in wrong if other_unit(number, here))


def _stands_in(key: str, passage: Reading, window: tuple[int, int]) -> bool:
    return any(window[0] <= passage.content[index].sentence <= window[1] for index in passage.places.get(key, ()))


def nearest(sentence: Reading, others: Iterable[Reading]) -> np.ndarray:
    """For each content word, the largest cosine to a word of the others, at least 0."""
    import numpy as np

    near: np.ndarray = np.zeros(len(sentence.vectors))
    for other in others:
        if len(sentence.vectors) and len(other.vectors):
            np.maximum(near, (sentence.vectors @ other.vectors.T).max(axis=1), out=near)
    return near.clip(max=1.0)


def _paired(content: list[Word], passage: Reading, question: Reading) -> np.ndarray:
    import numpy as np

    return np.array(
        [_together(a.key, b.key, passage) or _together(a.key, b.key, question) for a, b in pairwise(content)],
        dtype=bool,
    )


def _together(one: str, other: str, text: Reading) -> bool:
    return any(abs(a - b) <= NEAR for a in text.places.get(one, ()) for b in text.places.get(other, ()))


def _inside(word: Word | Number, part: tuple[int, int]) -> bool:
    return part[0] <= word.start < part[1]


def _denied(sentence: Reading, passage: Reading, asked: np.ndarray) -> np.ndarray:
    """Clause by clause, so that words around a claim do not hide that the passage says its opposite."""
    import numpy as np

    denied = np.zeros(len(sentence.content), dtype=bool)
    in_question = {word.key for _, word in (*sentence.negations, *passage.negations)} & sentence.places.keys()
    for part in sentence.clauses if in_question else ():
        window = best_window(sentence, passage, part)
        mine = np.array([_inside(word, part) for word in sentence.content], dtype=bool)
        held = asked | np.array([_stands_in(word.key, passage, window) for word in sentence.content], dtype=bool)
        if part == sentence.clauses[0]:
            fits = bool(held.any()) and held.mean() >= SAME_WORDS
        else:
            fits = window[0] == window[1] and held[mine].all() and _by_itself(sentence, passage, mine)
        if fits and _negated(sentence, passage, part, window):
            denied |= mine
    return denied


def _by_itself(sentence: Reading, passage: Reading, mine: np.ndarray) -> bool:
    """Whether a clause is to be read alone: in one sentence, or where nothing else of several is in the passage.

    Of several sentences that retell a passage, one denies now and then what another says.
    """
    others = (word for word, is_mine in zip(sentence.content, mine, strict=True) if not is_mine)
    return not sentence.words[-1].sentence or not any(word.key in passage.places for word in others)


def _negated(sentence: Reading, passage: Reading, part: tuple[int, int], window: tuple[int, int]) -> bool:
    """Whether one of the two denies a word that both have, and the other says it."""
    here = {word.key for word in passage.content if window[0] <= word.sentence <= window[1]}
    both = here & {word.key for word in sentence.content if _inside(word, part)}
    denied_here = {denied.key for _, denied in passage.negations if window[0] <= denied.sentence <= window[1]}
    denied = {denied.key for _, denied in sentence.negations}
    return bool(both & (denied_here ^ denied))


def _topic(sentence: Reading, passage: Reading, window: tuple[int, int]) -> float:
    import numpy as np

    rows = [i for i, word in enumerate(passage.content) if window[0] <= word.sentence <= window[1]]
    if not rows or not len(sentence.vectors):
        return 0.0
    one, other = sentence.vectors.mean(axis=0), passage.vectors[rows].mean(axis=0)
    return float(np.clip(one @ other / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-9), 0.0, 1.0))


def _of_words(content: list[Word], vectors: WordVectors) -> np.ndarray:
    """(n, 384) float32 of length 1: the encoder cuts words finer, so its parts are averaged."""
    import numpy as np

    rows = np.zeros((len(content), vectors.vectors.shape[1]), dtype=np.float32)
    starts, ends = vectors.offsets[:, 0], vectors.offsets[:, 1]
    for row, word in enumerate(content):
        first, last = np.searchsorted(ends, word.start, "right"), np.searchsorted(starts, word.end, "left")
        if last > first:
            mean = vectors.vectors[first:last].mean(axis=0)
            rows[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return rows
