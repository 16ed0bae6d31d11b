"""Fits the weights of the grounding guard: ``python -m guardrails.training.grounding --data FOLDER``.

FOLDER holds ``*.train.jsonl.gz`` and ``*.dev.jsonl.gz`` as `shared/data/grounding` has them: rows with ``question``,
``contexts``, ``answer`` and ``label``. Labels are those of whole answers. Every sentence of a grounded answer is
supported; of an ungrounded one at least one is not, and that is taken to be the one that looks worst, again after every
fit. Sets count by the root of their size and their two classes alike, so that no set's habits decide.

Takes about ten minutes on two idle cores, most of it the encoder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.encoder import Encoder
from guardrails.grounding.align import NAMES, Features, Match, Reading, features, match
from guardrails.grounding.claims import claims_nothing
from guardrails.grounding.score import FILE, Scorer
from guardrails.stream import sentences

logger = logging.getLogger(__name__)

# q2_wow: its labels contradict its texts (AUROC of every feature below 0.5). wice, wice_spans: whole web pages, ten a
# row, which would take longer than all others together; wice_spans has only ungrounded rows.
LEFT_OUT = frozenset({"q2_wow", "wice", "wice_spans"})
ALARMS = 0.1  # share of the good answers of clapnq (dev) that may be flagged; the threshold follows from it
STEP = 0.05  # thresholds are tried in steps of this
RIDGE = 1.0
ROUNDS = 6  # of choosing the worst sentence and fitting
STEPS = 5000  # of descent after each choice
TOGETHER = 64  # rows encoded at once


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: the features of each of its sentences that claims something."""

    ungrounded: bool
    sentences: tuple[np.ndarray, ...]  # (features,)


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights in the order of the features, and the bias."""

    weights: np.ndarray
    bias: float

    def unsupported(self, sentence: np.ndarray) -> float:
        return float(1 / (1 + np.exp(-(self.bias + self.weights @ sentence))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    encoder = Encoder()
    sets = {name: load(path, encoder) for name, path in files(arguments.data, "train") if name not in LEFT_OUT}
    fitted = fit(sets)
    good = load(arguments.data / "clapnq.dev.jsonl.gz", encoder)
    arguments.out.write_text(card(fitted, threshold(fitted, good), sets), encoding="utf-8")


def files(folder: Path, part: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob(f"*.{part}.jsonl.gz")):
        yield path.name.partition(".")[0], path


def load(path: Path, encoder: Encoder) -> list[Answer]:
    """The answers of one file, encoded."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        rows = [json.loads(line) for line in lines]
    answers: list[Answer] = []
    for first in range(0, len(rows), TOGETHER):
        answers += _encoded(rows[first : first + TOGETHER], encoder)
        logger.info("%s: %d of %d", path.name, len(answers), len(rows))
    return answers


def _encoded(rows: Sequence[dict[str, Any]], encoder: Encoder) -> list[Answer]:
    cut = [[part for part in sentences([row["answer"]]) if not claims_nothing(part)] for row in rows]
    texts = list(
        dict.fromkeys(
            text for row, parts in zip(rows, cut, strict=True) for text in (row["question"], *row["contexts"], *parts)
        )
    )
    readings = {text: Reading(text, v) for text, v in zip(texts, encoder.word_vectors(texts), strict=True)}
    return [
        Answer(
            row["label"] == "ungrounded",
            tuple(
                _best(readings[part], readings[row["question"]], [readings[text] for text in row["contexts"]])
                for part in parts
            ),
        )
        for row, parts in zip(rows, cut, strict=True)
    ]


def _best(sentence: Reading, question: Reading, passages: Sequence[Reading]) -> np.ndarray:
    """Features against the passage that knows most of the sentence, and its best partner where there are several."""
    found = sorted((match(sentence, passage, question) for passage in passages), key=_strangeness)
    best = min((found[0], *(found[0].with_(other) for other in found[1:])), key=_strangeness)
    return np.array(astuple(features(sentence, best)))


def _strangeness(found: Match) -> float:
    return float((1 - found.near).sum()) + len(found.wrong_numbers)


def fit(sets: dict[str, list[Answer]]) -> Fit:
    """Logistic regression with weights of at least 0: a feature speaks against a sentence or not at all."""
    fitted = Fit(np.ones(len(NAMES)), -2.0)
    for _ in range(ROUNDS):
        fitted = _descend(fitted, *_examples(sets, fitted))
    return fitted


def _examples(sets: dict[str, list[Answer]], fitted: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, weight = [], [], []
    for answers in sets.values():
        share = len(answers) ** 0.5
        wrong = max(1, sum(answer.ungrounded for answer in answers))
        right = max(1, len(answers) - wrong)
        for answer in answers:
            parts = answer.sentences
            if answer.ungrounded and parts:
                x.append(max(parts, key=fitted.unsupported))
                y.append(1.0)
                weight.append(share / wrong)
            elif parts:
                x += parts
                y += [0.0] * len(parts)
                weight += [share / right / len(parts)] * len(parts)
    scale = len(y) / sum(weight)
    return np.array(x), np.array(y), np.array(weight) * scale


def _descend(start: Fit, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Fit:
    """Projected gradient descent; the loss is convex, and the step below its steepest curvature."""
    x = np.c_[x, np.ones(len(x))]
    values = np.r_[start.weights, start.bias]
    ridge = np.r_[np.full(len(NAMES), RIDGE), 0.0]
    step = 1 / (0.25 * np.linalg.eigvalsh((x * weight[:, None]).T @ x).max() + 2 * RIDGE)
    for _ in range(STEPS):
        slope = x.T @ ((1 / (1 + np.exp(-x @ values)) - y) * weight) + 2 * ridge * values
        values = values - step * slope
        values[:-1] = np.maximum(values[:-1], 0.0)
    return Fit(values[:-1], float(values[-1]))


def threshold(fitted: Fit, good: Sequence[Answer]) -> float:
    """The lowest step at which few enough good answers are flagged, judged as the guard judges."""
    scorer = Scorer(fitted.bias, tuple(map(float, fitted.weights)), 0.0)
    worst = [max((scorer.unsupported(Features(*s)) for s in answer.sentences), default=0.0) for answer in good]
    steps = np.arange(STEP, 1.0, STEP)
    return float(next(step for step in steps if np.mean([score >= step for score in worst]) <= ALARMS).round(2))


def card(fitted: Fit, at: float, sets: dict[str, list[Answer]]) -> str:
    rows = ", ".join(f"{name} {len(answers)}" for name, answers in sets.items())
    values = {
        "what": "weights of the grounding guard, by guardrails/training/grounding.py",
        "made": date.today().isoformat(),
        "data": f"train parts, rows: {rows}",
        "figures": "tests/quality/grounding.md",
        "threshold": at,
        "threshold_chosen": f"lowest step of {STEP} that flags at most {ALARMS:.0%} of the good answers of clapnq dev",
        "bias": round(fitted.bias, 4),
        "weights": dict(zip(NAMES, (round(float(weight), 4) for weight in fitted.weights), strict=True)),
    }
    return json.dumps(values, indent=2) + "\n"


if __name__ == "__main__":
    main()
