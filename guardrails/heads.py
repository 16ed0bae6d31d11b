"""Light heads: a logistic weighing of what a text means (its embedding), its words, and a few cues.

A card, ``guardrails/models/*.json``, holds the weights of one or more heads with where they come from;
``guardrails/training`` makes it. Every head is moved so that its operating point, chosen there, is a probability of
one half: one threshold serves all.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.encoder import Encoder
from guardrails.stream import sentences

if TYPE_CHECKING:
    import numpy as np

MODELS = Path(__file__).parent / "models"
BUCKETS = (
    4096  # words, pairs of words and parts of words are counted in so many; those that fall together share a weight
)
READ = 2000  # characters of a text whose words are looked at
EMBEDDING_SCALE = 4.0  # an embedding has length 1; so much makes its numbers as large as the others
GRAMS_SCALE = 3.0
WINDOW = 400  # characters of neighbouring sentences that are looked at together
LINE_GOES_ON = ".!?:|;"  # a line that ends with none of these goes on in one that begins with a small letter

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+|[^\w\s]")
# Addresses of people, pages and such say nothing of what a text is.
_PASSED_OVER = re.compile(r"@\w+|https?://\S+|&#?\w+;|[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Head:
    """One question about a text, and the weights that answer it."""

    bias: float
    embedding: np.ndarray  # (384,)
    grams: np.ndarray  # (BUCKETS,)
    cues: np.ndarray  # (cues,), in the order that the guard gives them

    def probabilities(self, vectors: np.ndarray, buckets: Sequence[Sequence[int]], cues: np.ndarray) -> np.ndarray:
        """How sure, for each text, 0 to 1.

        Args:
            vectors: (n, 384), see ``in_english``.
            buckets: for each text, see ``buckets``.
            cues: (n, cues).
        """
        import numpy as np

        words = [float(self.grams[list(found)].sum()) / max(len(found), 1) ** 0.5 for found in buckets]
        logits = self.bias + EMBEDDING_SCALE * (vectors @ self.embedding) + GRAMS_SCALE * np.array(words)
        found: np.ndarray = 1 / (1 + np.exp(-np.clip(logits + cues @ self.cues, -30, 30)))
        return found


@dataclass(frozen=True, slots=True)
class Card:
    """The heads of one guard by name, and the probability from which it reports."""

    heads: dict[str, Head]
    threshold: float


@cache
def card(name: str) -> Card:
    """The card of this release, read once."""
    import numpy as np

    values = json.loads((MODELS / f"{name}.json").read_text(encoding="utf-8"))
    heads = {
        label: Head(head["bias"], *(np.array(head[part], dtype=np.float32) for part in ("embedding", "grams", "cues")))
        for label, head in values["heads"].items()
    }
    return Card(heads, values["threshold"])


class HeadsGuard:
    """What guards that judge by the heads of a card share: the encoder, and from where on they report."""

    name: str  # of the guard, and of its card

    def __init__(self, encoder: Encoder, threshold: float | None = None) -> None:
        """
        Args:
            threshold: how sure before something is reported, 0 to 1. None: as measured.
        """
        self._encoder = encoder
        self._threshold = threshold

    def load(self) -> None:
        """Get ready now rather than at the first question."""
        self._encoder.load()
        card(self.name)

    @property
    def threshold(self) -> float:
        return card(self.name).threshold if self._threshold is None else self._threshold


def buckets(text: str) -> list[int]:
    """Where the words of a text are counted: words, pairs of words, four characters of a word, the first words."""
    lower = _PASSED_OVER.sub(" ", text[:READ]).lower()
    tokens = _TOKEN.findall(lower)
    grams = [f"w {token}" for token in tokens]
    grams += [f"b {one} {next_}" for one, next_ in pairwise(tokens)]
    grams += [f"f {' '.join(tokens[:count])}" for count in (1, 2)] if tokens else []
    for word in _WORD.findall(lower):
        framed = f"<{word}>"
        grams += [f"c {framed[place : place + 4]}" for place in range(max(1, len(framed) - 3))]
    return sorted({zlib.crc32(gram.encode()) % BUCKETS for gram in grams})


def in_english(text: str) -> float:
    """Share of its letters that English has: the encoder knows English, and reads noise in another script."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isascii() for letter in letters) / len(letters) if letters else 1.0


def pieces(text: str) -> list[tuple[int, int]]:
    """The sentences of a text, lines apart unless a line goes on in the next: characters, without outer white space."""
    found: list[tuple[int, int]] = []
    for start, end in _lines(text):
        offset = start
        for sentence in sentences([text[start:end]]):
            bare = sentence.strip()
            if bare:
                begin = offset + sentence.index(bare)
                found.append((begin, begin + len(bare)))
            offset += len(sentence)
    return found


def _lines(text: str) -> list[tuple[int, int]]:
    lines: list[tuple[int, int]] = []
    offset, open_line = 0, False
    for line in text.split("\n"):
        bare = line.strip()
        if bare:
            start = offset + line.index(bare)
            if open_line and bare[0].islower():
                lines[-1] = (lines[-1][0], start + len(bare))
            else:
                lines.append((start, start + len(bare)))
        open_line = bool(bare) and bare[-1] not in LINE_GOES_ON
        offset += len(line) + 1
    return lines


def windows(text: str, *, each: bool) -> list[tuple[int, int]]:
    """The whole of a text, and neighbouring sentences up to ``WINDOW`` characters: no part twice.

    The encoder reads the beginning of a text alone, and a sentence may drown among others.

    Args:
        each: whether each sentence follows.
    """
    parts = pieces(text)
    if not parts:
        return []
    runs: list[tuple[int, int]] = []
    for start, end in parts:
        if runs and end - runs[-1][0] <= WINDOW:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return list(dict.fromkeys([(parts[0][0], parts[-1][1]), *runs, *(parts if each else ())]))


def as_json(head: Head) -> dict[str, Any]:
    """A head as a card holds it."""
    return {
        "bias": round(head.bias, 3),
        **{part: [round(float(w), 3) for w in getattr(head, part)] for part in ("embedding", "grams", "cues")},
    }
