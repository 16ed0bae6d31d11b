"""The trained half of the grounding guard: reads a sentence beside its evidence, piece by piece.

Of each word it is told what the alignment knows: whether the evidence has it, or the question, or how near another
comes. What it adds to the alignment's own features is what words alone do not show: who does what, what belongs
together. ``guardrails/training/grounding_head.py`` trains it; ``guardrails/models/grounding.json`` is its card.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.grounding.align import Features, Reading, nearest
from guardrails.grounding.evidence import Extract, evidence
from guardrails.grounding.numbers import supported
from guardrails.grounding.words import is_negation
from guardrails.trained import PIECES, Trained

if TYPE_CHECKING:
    import numpy as np

MODEL = Path(__file__).parents[1] / "models" / "grounding.onnx"
SENTENCE, QUESTION, EVIDENCE = 80, 24, 150  # word pieces of each that are read
NEAR = (0.75, 0.6, 0.45)  # cosines that tell how near another word comes


class Kind(IntEnum):
    """What is known of a word piece. The numbers are places in the trained weights."""

    MARK = 0
    IN_EVIDENCE = 1  # or in the question, whose words count as known; 2 is not used
    ELSEWHERE = 3  # in a passage, but not in what was chosen of it
    NEAREST = 4  # another word comes as near as ``NEAR`` says
    NEARER = 5
    NEAR = 6
    NEW = 7
    NEGATION = 8
    NUMBER = 9
    NEW_NUMBER = 10
    OF_SENTENCE = 11  # any other piece of the sentence
    OF_QUESTION = 12
    SHARED = 13  # of the evidence: a word that the sentence has
    EVIDENCE_NUMBER = 14
    OF_EVIDENCE = 15


class Part(IntEnum):
    """Where a word piece stands."""

    SENTENCE = 0
    QUESTION = 1
    EVIDENCE = 2
    PASSAGE = 3  # the mark before the first extract of a passage


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the model reads. The sentence comes first."""

    ids: np.ndarray  # (pieces,)
    kinds: np.ndarray  # (pieces,) of Kind
    parts: np.ndarray  # (pieces,) of Part
    offsets: np.ndarray  # (pieces of the sentence, 2): its characters, end exclusive


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the model says of a sentence."""

    unsupported: float  # logit of the probability that nothing supports it
    words: tuple[
        tuple[int, int, float], ...
    ]  # pieces: characters of the sentence, and how sure it is that they lack support


class Head:
    """Loads at first use; may be shared by threads. Reads texts as data: it has no words for what they say of it."""

    def __init__(self) -> None:
        self._model = Trained(MODEL)

    def load(self) -> None:
        """Read the files now.

        Raises:
            WeightsError: a file is missing or altered.
        """
        self._model.load()

    def __call__(
        self, sentence: Reading, question: Reading, passages: Sequence[Reading], features: Features
    ) -> Opinion:
        """
        Args:
            features: of the sentence against what fits it best.
        """
        import numpy as np

        read = pieces(self._model.tokenizer, sentence, question, passages)
        card = self._model.card["head"]
        found = self._model.scores(read.ids, {"kinds": read.kinds, "parts": read.parts})
        words = 1 / (1 + np.exp(-found[1 : 1 + len(read.offsets), 1]))
        logit = float(found[0, 0]) + card["bias"] + card["words"] * math.sqrt(words.sum() + 1e-6)
        logit += sum(weight * value for weight, value in zip(card["features"].values(), astuple(features), strict=True))
        return Opinion(
            logit,
            tuple((int(s), int(e), float(p)) for (s, e), p in zip(read.offsets, words, strict=True)),
        )


def pieces(tokenizer: Any, sentence: Reading, question: Reading, passages: Sequence[Reading]) -> Pieces:
    """The sentence, the question, and the evidence: each after a mark, and cut where it is too long."""
    import numpy as np

    mark = tokenizer.token_to_id("[SEP]")
    extracts = evidence(sentence, passages)
    first = _cut(tokenizer, sentence.text, _of_sentence(sentence, question, passages, extracts), Kind.OF_SENTENCE)
    first = first[:SENTENCE]
    rows = [(id, kind, Part.SENTENCE) for id, kind, _ in first]
    if question.text:
        rows.append((mark, Kind.MARK, Part.QUESTION))
        asked = _cut(tokenizer, question.text, [], Kind.OF_QUESTION)[:QUESTION]
        rows += [(id, kind, Part.QUESTION) for id, kind, _ in asked]
    left, last = EVIDENCE, -1
    keys = {word.key for word in sentence.content}
    for extract in extracts:
        passage = passages[extract.passage]
        text = passage.text[extract.start : extract.end]
        read = _cut(tokenizer, text, _of_evidence(passage, extract, keys), Kind.OF_EVIDENCE)[: max(0, left)]
        if not read:
            break
        rows.append((mark, Kind.MARK, Part.EVIDENCE if extract.passage == last else Part.PASSAGE))
        rows += [(id, kind, Part.EVIDENCE) for id, kind, _ in read]
        last, left = extract.passage, left - len(read) - 1
    ids, kinds, parts = np.array(rows[:PIECES], dtype=np.int64).reshape(-1, 3).T
    return Pieces(ids, kinds, parts, np.array([span for _, _, span in first], dtype=np.int64).reshape(-1, 2))


Marks = Iterable[tuple[int, int, Kind]]  # characters, end exclusive


def _cut(tokenizer: Any, text: str, marks: Marks, otherwise: Kind) -> list[tuple[int, Kind, tuple[int, int]]]:
    """Word pieces: id, the kind of the first mark that they share a character with, and characters."""
    marks = list(marks)
    encoding = tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)
    return [
        (id, next((kind for s, e, kind in marks if s < end and start < e), otherwise), (start, end))
        for id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
    ]


def _of_sentence(
    sentence: Reading, question: Reading, passages: Sequence[Reading], extracts: Sequence[Extract]
) -> Iterator[tuple[int, int, Kind]]:
    inside = {
        word.key
        for extract in extracts
        for word in passages[extract.passage].content
        if extract.start <= word.start < extract.end
    }
    anywhere = {key for passage in passages for key in passage.places}
    for word, cosine in zip(sentence.content, nearest(sentence, (question, *passages)), strict=True):
        if word.key in inside or word.key in question.places:
            kind = Kind.IN_EVIDENCE
        elif word.key in anywhere:
            kind = Kind.ELSEWHERE
        else:
            kind = Kind(Kind.NEAREST + sum(cosine < bound for bound in NEAR))
        yield word.start, word.end, kind
    for word in sentence.words:
        if is_negation(word.text):
            yield word.start, word.end, Kind.NEGATION
    for number in sentence.numbers:
        known = any(supported(number, text.numbers) for text in (*passages, question))
        yield number.start, number.end, Kind.NUMBER if known else Kind.NEW_NUMBER


def _of_evidence(passage: Reading, extract: Extract, keys: set[str]) -> Iterator[tuple[int, int, Kind]]:
    for word in passage.content:
        if extract.start <= word.start < extract.end and word.key in keys:
            yield word.start - extract.start, word.end - extract.start, Kind.SHARED
    for number in passage.numbers:
        if extract.start <= number.start < extract.end:
            yield number.start - extract.start, number.end - extract.start, Kind.EVIDENCE_NUMBER
