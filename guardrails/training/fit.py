"""What the recipes of the light heads share: sentences of our own, folds over families, and the fit itself."""

from __future__ import annotations

import gzip
import json
import random
import re
import tomllib
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.heads import BUCKETS, EMBEDDING_SCALE, GRAMS_SCALE, Head

FOLDS = 5
STRENGTH = 0.3  # inverse of the ridge penalty; 0.1 and 1.0 found fewer attacks of kinds left out, or alarmed more often
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Text:
    """One labelled text: what a head sees of each of its parts, and what it should say."""

    vectors: np.ndarray  # (parts, 384)
    cues: np.ndarray  # (parts, cues)
    buckets: tuple[Sequence[int], ...]
    labels: np.ndarray  # (parts,): 1, 0, or -1 where nobody knows
    weights: np.ndarray  # (parts,)
    family: str  # what is kept out of training together; empty for a benign text
    source: str

    @property
    def bad(self) -> bool:
        return bool(self.family)


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def our_half(identity: str) -> bool:
    """Sets without a training part are divided by a hash of what they are made of; the other half is for figures."""
    return zlib.crc32(identity.encode()) % 2 == 0


class Sentences:
    """Sentences written for the project, their slots filled."""

    def __init__(self, file: Path, seed: int = 1) -> None:
        self.tables: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        self.random = random.Random(seed)  # noqa: S311 - no secret

    def filled(self, template: str, **fixed: str) -> str:
        return _SLOT.sub(lambda m: fixed.get(m[1]) or self.random.choice(self.tables["slots"][m[1]]), template)

    def all(self, templates: Sequence[str], times: int) -> Iterator[str]:
        """Each template, filled so many times; equal ones once."""
        for template in templates:
            count = times if _SLOT.search(template) else 1
            yield from sorted({self.filled(template) for _ in range(count)})


def design(texts: Sequence[Text]) -> Any:
    """(parts, features) as the fit sees it, sparse."""
    from scipy import sparse

    found = [grams for text in texts for grams in text.buckets]
    places = np.repeat(np.arange(len(found)), [len(grams) for grams in found])
    values = np.repeat([GRAMS_SCALE / max(len(grams), 1) ** 0.5 for grams in found], [len(grams) for grams in found])
    columns = np.concatenate([np.asarray(grams, dtype=int) for grams in found])
    grams = sparse.csr_matrix((values, (places, columns)), shape=(len(found), BUCKETS))
    dense = np.concatenate([np.c_[EMBEDDING_SCALE * text.vectors, text.cues] for text in texts])
    return sparse.hstack([sparse.csr_matrix(dense), grams]).tocsr()


def fitted(x: Any, labels: np.ndarray, weights: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    known = labels >= 0
    return LogisticRegression(C=STRENGTH, max_iter=400).fit(x[known], labels[known], sample_weight=weights[known])


def head(model: Any, cues: int, operating_point: float) -> Head:
    """The head of a fitted model, moved so that the operating point, a logit, becomes a probability of one half."""
    weights = model.coef_[0]
    first = 384 + cues
    return Head(float(model.intercept_[0]) - operating_point, weights[:384], weights[first:], weights[384:first])


def folds(texts: Sequence[Text], seed: int = 3) -> np.ndarray:
    """The fold of each text: families stay together, benign texts are dealt out."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    families = sorted({text.family for text in texts if text.bad})
    order = {family: place % FOLDS for place, family in enumerate(families)}
    return np.array([order[text.family] if text.bad else chance.randrange(FOLDS) for text in texts])


def unseen(texts: Sequence[Text], x: Any) -> np.ndarray:
    """The highest logit of each text, from a model that has not seen its family."""
    labels, weights = flat(texts)
    fold = folds(texts)
    of_part = np.repeat(fold, [len(text.labels) for text in texts])
    logits = np.zeros(len(labels))
    for held_out in range(FOLDS):
        rest = of_part != held_out
        model = fitted(x[rest], labels[rest], weights[rest])
        logits[~rest] = model.decision_function(x[~rest])
    return highest(texts, logits)


def flat(texts: Sequence[Text]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([text.labels for text in texts]), np.concatenate([text.weights for text in texts])


def highest(texts: Sequence[Text], logits: np.ndarray) -> np.ndarray:
    ends = np.cumsum([len(text.labels) for text in texts])
    return np.array([part.max() for part in np.split(logits, ends[:-1])])


def reached(scores: np.ndarray, sources: Sequence[str], share: float) -> float:
    """The score that this share of texts reach when each set of them counts alike."""
    sizes = Counter(sources)
    weights = np.array([1 / sizes[source] for source in sources])
    order = np.argsort(-scores)
    return float(scores[order][np.searchsorted(np.cumsum(weights[order]) / weights.sum(), share)])
