"""Finds names of people, places and organisations, and what else has no certain shape: a head on the embedding model.

``guardrails/models/pii.onnx`` holds the layers of all-MiniLM-L6-v2 as ``guardrails/training/pii.py`` trained them. The
model reads no capitals and no line ends, so both are told to it beside the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.trained import PIECES, Trained

if TYPE_CHECKING:
    import numpy as np

MODEL = Path(__file__).parents[1] / "models" / "pii.onnx"
CARD = MODEL.with_suffix(".json")

TYPES = ("PERSON", "LOCATION", "ADDRESS", "ORGANIZATION", "NRP", "DATE_TIME", "AGE", "TITLE")
TAGS = ("O", *(f"{place}-{kind}" for kind in TYPES for place in "BI"))  # of each type: its first word, a further one

OVERLAP = 48  # word pieces that neighbouring windows share
SHAPES = 8  # kinds of ``shape``
BEFORE = 4  # kinds of ``before``

# Halves of characters, from damaged input: the tokenizer refuses them. One for one, so that offsets stay.
_SURROGATES = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text, punctuation marks among them, as the model reads them."""

    offsets: np.ndarray  # (words, 2): characters of the text, end exclusive, in order
    ids: np.ndarray  # (pieces,)
    word: np.ndarray  # (pieces,): index of the word
    shapes: np.ndarray  # (words,): how it is written, 0 to SHAPES - 1
    before: np.ndarray  # (words,): what stands before it, 0 to BEFORE - 1


@dataclass(frozen=True, slots=True)
class Tagged:
    """A span of a text, and what it is."""

    type: str  # one of TYPES
    start: int  # characters, end exclusive
    end: int
    probability: float  # that it is any of TYPES


class Tagger:
    """Loads at first use; may be shared by threads; keeps nothing of the texts."""

    def __init__(self) -> None:
        self._model = Trained(MODEL)

    def load(self) -> None:
        """Read the files now.

        Raises:
            WeightsError: a file is missing or altered.
        """
        self._model.load()

    def tag(self, text: str) -> list[Tagged]:
        """What the text names, in order; none overlap.

        Raises:
            WeightsError: at first use, a file is missing or altered.
        """
        words = read_words(self._model.tokenizer, text)
        thresholds = self._model.card["thresholds"]  # of each type; "@": of a person, for a word behind that sign
        return list(_spans(text, words, self._probabilities(words), thresholds)) if len(words.ids) else []

    def _probabilities(self, words: Words) -> np.ndarray:
        """(words, tags): each word as the window sees it in which it stands furthest from an edge."""
        import numpy as np

        scores = np.zeros((len(words.ids), len(TAGS)), dtype=np.float32)
        centred = np.full(len(words.ids), -1)
        for first in range(0, max(1, len(words.ids) - OVERLAP), PIECES - OVERLAP):
            place = slice(first, first + PIECES)
            word = words.word[place]
            told = {"shape": words.shapes[word], "before": words.before[word]}
            found = self._model.scores(words.ids[place], told)[1:-1]
            margin = np.minimum(np.arange(len(found)), np.arange(len(found))[::-1])
            better = margin > centred[place]
            scores[place][better] = found[better]
            centred[place][better] = margin[better]
        firsts = np.flatnonzero(np.r_[True, words.word[1:] != words.word[:-1]])
        means = np.add.reduceat(scores, firsts, axis=0) / np.diff(np.r_[firsts, len(words.ids)])[:, None]
        odds = np.exp(means - means.max(axis=1, keepdims=True))
        probabilities: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
        return probabilities


def read_words(tokenizer: Any, text: str) -> Words:
    """Split a text as the model was taught to.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` that neither pads nor truncates.
    """
    import numpy as np

    encoding = tokenizer.encode(_SURROGATES.sub("\ufffd", text), add_special_tokens=False)
    offsets: list[tuple[int, int]] = []
    word = []
    last = -1
    for number, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        if number == last:
            offsets[-1] = (offsets[-1][0], end)
        else:
            offsets.append((start, end))
            last = number
        word.append(len(offsets) - 1)
    gaps = (text[end:start] for (_, end), (start, _) in zip([(0, 0), *offsets], offsets, strict=False))
    return Words(
        offsets=np.array(offsets, dtype=np.int64).reshape(-1, 2),
        ids=np.array(encoding.ids, dtype=np.int64),
        word=np.array(word, dtype=np.int64),
        shapes=np.array([shape(text[start:end]) for start, end in offsets], dtype=np.int64),
        before=np.array([before(gap) for gap in gaps], dtype=np.int64),
    )


def shape(word: str) -> int:
    """How a word is written.

    0 signs, 1 digits, 2 digits and letters, 3 small letters, 4 a capital alone, 5 capitals, 6 a capital first, 7 mixed.
    """
    if not any(map(str.isalnum, word)):
        return 0
    if any(map(str.isdecimal, word)):
        return 2 if any(map(str.isalpha, word)) else 1
    if word.islower():
        return 3
    if word.isupper():
        return 4 if len(word) == 1 else 5
    return 6 if word[0].isupper() and word[1:].islower() else 7


def before(gap: str) -> int:
    """0 nothing, 1 a space, 2 a line's end, 3 several line ends or a tab."""
    if "\t" in gap or gap.count("\n") > 1:
        return 3
    return 2 if "\n" in gap else int(bool(gap))


def _spans(text: str, words: Words, probabilities: np.ndarray, thresholds: Mapping[str, float]) -> Iterator[Tagged]:
    """Neighbouring words of one type as one span."""
    import numpy as np

    begins, goes_on = probabilities[:, 1::2], probabilities[:, 2::2]
    kinds = (begins + goes_on).argmax(axis=1)
    named = 1 - probabilities[:, 0]
    is_one = named >= np.array([thresholds[kind] for kind in TYPES])[kinds]
    anew = np.take_along_axis(begins > goes_on, kinds[:, None], axis=1)[:, 0]
    person = TYPES.index("PERSON")
    users = np.array([_is_user(text, start) for start, _ in words.offsets])
    users &= (begins + goes_on)[:, person] >= thresholds["@"]
    kinds[users], is_one[users], anew[users] = person, True, True
    at = 0
    while at < len(kinds):
        if not is_one[at]:
            at += 1
            continue
        end = at + 1
        while end < len(kinds) and is_one[end] and kinds[end] == kinds[at] and not anew[end]:
            end += 1
        start = int(words.offsets[at, 0])
        start -= _is_user(text, start)
        stop = int(words.offsets[end - 1, 1])
        if _may_be(TYPES[kinds[at]], text[start:stop]):
            yield Tagged(TYPES[kinds[at]], start, stop, float(named[at:end].mean()))
        at = end


def _may_be(kind: str, value: str) -> bool:
    """Initials alone are nobody's name: they are numbers of parts, countries, units."""
    return bool(_WORD.search(value)) if kind == "PERSON" else any(map(str.isalnum, value))


def _is_user(text: str, start: int) -> bool:
    """Whether the word there is a user's name, "@ada"; no part of an e-mail address."""
    return text[start - 1 : start] == "@" and not text[max(0, start - 2) : start - 1].isalnum()
