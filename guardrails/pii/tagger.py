"""Finds names of people, places and organisations, and what else has no certain shape: a head on the embedding model.

``guardrails/models/pii.onnx`` holds the layers of all-MiniLM-L6-v2 as ``guardrails/training/pii.py`` trained them, in
eight bits a weight; ``pii.json`` beside it is their card. The embeddings of words are the original's, and are read
from where they lie. The model reads no capitals and no line ends, so both are told to it beside the words.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.weights import MINILM, WeightsError

if TYPE_CHECKING:
    import numpy as np

MODEL = Path(__file__).parents[1] / "models" / "pii.onnx"
CARD = MODEL.with_suffix(".json")

TYPES = ("PERSON", "LOCATION", "ADDRESS", "ORGANIZATION", "NRP", "DATE_TIME", "AGE", "TITLE")
TAGS = ("O", *(f"{place}-{kind}" for kind in TYPES for place in "BI"))  # of each type: its first word, a further one

PIECES = 254  # word pieces of one window, beside the marks of beginning and end
OVERLAP = 48  # word pieces that neighbouring windows share
SHAPES = 8  # kinds of ``shape``
BEFORE = 4  # kinds of ``before``

# Of onnxruntime's optimizers: its fused operator takes longer than the two it replaces.
SLOWER = ["SkipLayerNormFusion"]

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
    """Loads at first use; may be shared by threads; keeps nothing of the texts.

    The same text always gets the same tags: a window is read alone, so nothing else can change how it is rounded.
    """

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None

    def load(self) -> None:
        """Read the files now.

        Raises:
            WeightsError: a file is missing or altered.
        """
        self._model()

    def tag(self, text: str) -> list[Tagged]:
        """What the text names, in order; none overlap.

        Raises:
            WeightsError: at first use, a file is missing or altered.
        """
        model = self._model()
        words = read_words(model.tokenizer, text)
        return list(_spans(text, words, self._probabilities(model, words), model.thresholds)) if len(words.ids) else []

    def _model(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = _load()
            return self._loaded

    def _probabilities(self, model: _Loaded, words: Words) -> np.ndarray:
        """(words, tags): each word as the window sees it in which it stands furthest from an edge."""
        import numpy as np

        scores = np.zeros((len(words.ids), len(TAGS)), dtype=np.float32)
        centred = np.full(len(words.ids), -1)
        for first in range(0, max(1, len(words.ids) - OVERLAP), PIECES - OVERLAP):
            place = slice(first, first + PIECES)
            found = model.scores(words, place)
            margin = np.minimum(np.arange(len(found)), np.arange(len(found))[::-1])
            better = margin > centred[place]
            scores[place][better] = found[better]
            centred[place][better] = margin[better]
        firsts = np.flatnonzero(np.r_[True, words.word[1:] != words.word[:-1]])
        means = np.add.reduceat(scores, firsts, axis=0) / np.diff(np.r_[firsts, len(words.ids)])[:, None]
        odds = np.exp(means - means.max(axis=1, keepdims=True))
        probabilities: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
        return probabilities


class _Loaded:
    """The model as it lies in memory."""

    def __init__(
        self, tokenizer: Any, session: Any, embeddings: Mapping[str, np.ndarray], thresholds: Mapping[str, float]
    ) -> None:
        self.tokenizer = tokenizer
        self.thresholds = thresholds  # of each type; "@": of a person, for a word behind that sign
        self._session = session
        self._words = embeddings["embeddings.word_embeddings.weight"]
        self._places = embeddings["embeddings.position_embeddings.weight"]
        self._places = self._places + embeddings["embeddings.token_type_embeddings.weight"][0]
        self._marks = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")

    def scores(self, words: Words, place: slice) -> np.ndarray:
        """(pieces of the window, tags), before they are made probabilities."""
        import numpy as np

        first, last = self._marks
        ids = np.concatenate(([first], words.ids[place], [last]))
        word = words.word[place]
        features = np.zeros((2, len(ids)), dtype=np.int64)
        features[0, 1:-1], features[1, 1:-1] = words.shapes[word], words.before[word]
        embedded = self._words[ids] + self._places[: len(ids)]
        told = {"embedded": embedded[None], "shape": features[:1], "before": features[1:]}
        found: np.ndarray = self._session.run(None, told)[0][0, 1:-1]
        return found


def _load() -> _Loaded:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else importing it writes a device's number into the home, and reports
    import onnxruntime
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    card = json.loads(CARD.read_text(encoding="utf-8"))
    try:
        model = MODEL.read_bytes()
    except OSError as error:
        raise WeightsError(f"{MODEL.name} is missing beside the guards; run deploy/run again") from error
    if (found := hashlib.sha256(model).hexdigest()) != card["sha256"]:
        raise WeightsError(f"{MODEL.name} has SHA-256 {found[:12]}…, not {card['sha256'][:12]}…; run deploy/run again")
    original = MINILM.verified()
    tokenizer = Tokenizer.from_file(str(original.with_name("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
    )
    return _Loaded(tokenizer, session, load_file(original), card["thresholds"])


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
