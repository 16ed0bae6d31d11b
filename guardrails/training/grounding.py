"""The recipe of the grounding guard: ``python -m guardrails.training.grounding --data FOLDER --out FOLDER``.

First the weights of the alignment's features, from the train parts of ``grounding/``, rows with ``question``,
``contexts``, ``answer`` and ``label``. Labels are those of whole answers. Every sentence of a grounded answer is
supported; of an ungrounded one at least one is not, and that is taken to be the one that looks worst, again after every
fit. Sets count by the root of their size and their two classes alike, so that no set's habits decide. Then, on top of
them, the head (``grounding_head.py``), from the same rows and from true sentences of open text made untrue
(``grounding_rows.py``). Last the threshold, from dev parts.

Needs ``pip install candor[training]``. About 75 minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.encoder import Encoder
from guardrails.grounding.align import NAMES, Match, Reading, features, match
from guardrails.grounding.claims import claims_nothing
from guardrails.grounding.guard import GroundingGuard, judge
from guardrails.grounding.head import MODEL, pieces
from guardrails.grounding.score import FILE, Scorer, of_answer
from guardrails.stream import sentences
from guardrails.training import grounding_head as head
from guardrails.training.export import export
from guardrails.training.grounding_rows import SETS, Row, good_answers, labelled, made
from guardrails.training.minilm import original_tokenizer as tokenizer
from guardrails.types import Context, Evidence

logger = logging.getLogger(__name__)

OF_WORDS = (
    "begin_wow",
    "begin_cmu",
    "faithdial_audit",
    "frank",
    "halueval_qa",
    "clapnq",
)  # sets the weights are fitted on
MADE = 7000  # rows made of open text
SEED = 1
LICENCES = {
    "begin_wow, begin_cmu": "CC-BY-4.0",
    "faithdial_audit, halueval_qa": "MIT",
    "frank": "MIT (labels); news text of CNN/DailyMail and BBC",
    "clapnq, mtrag_pool": "Apache-2.0 (Wikipedia text CC-BY-SA)",
    "wice, wice_spans": "ODC-BY (labels), CC-BY-SA (sentences), Common Crawl terms (web pages)",
    "xquad_en": "CC-BY-SA 4.0",
    "contoso_pages": "MIT",
}
LIMITS = [
    "English; an answer in another language than its passages is reported as unsupported",
    "reads the few sentences of all passages that cover the claim best: what is spread over more is reported",
    "claims of web pages (wice) are flagged far too often",
]
CHOSEN_ON = "frank", "begin_wow", "begin_cmu", "faithdial_audit", "wice", "clapnq"  # dev parts, for the threshold
ALARMS = 0.1  # share of the good answers of clapnq that may be flagged
LONG = "mtrag"  # of qa/: answers of several sentences, as large models write them; all count as good
STEP = 0.05  # thresholds are tried in steps of this
RIDGE = 1.0
ROUNDS = 6  # of choosing the worst sentence and fitting
STEPS = 5000  # of descent after each choice
TOGETHER = 64  # rows encoded at once


@dataclass(frozen=True, slots=True)
class Read:
    """One row: its sentences that claim something, read, and where each begins in the answer."""

    row: Row
    sentences: tuple[tuple[int, Reading], ...]
    question: Reading
    passages: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: the features of each of its sentences."""

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
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds grounding/ and retrieval/")
    parser.add_argument("--out", type=Path, required=True, help="where each round's weights are kept, to go on from")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoder = Encoder()
    rows = {
        name: labelled(arguments.data / "grounding" / f"{name}.train.jsonl.gz") for name in sorted({*SETS, *OF_WORDS})
    }
    known = {name: [_answer(one) for one in read(rows[name], encoder)] for name in OF_WORDS}
    fitted = fit(known)
    scorer = Scorer(fitted.bias, tuple(map(float, fitted.weights)), 0.0)
    examples = balanced([[_example(one, scorer) for one in read(rows[name], encoder)] for name in SETS])
    own = (_example(one, scorer) for one in read(made(arguments.data, MADE, SEED), encoder))
    examples += [answer for answer in own if answer.sentences]
    logger.info("%d answers", len(examples))
    weights = head.train(examples, head.fresh(fitted.weights.tolist(), fitted.bias, SEED), arguments.out, SEED)
    arrays = {name: value.detach().numpy() for name, value in weights.items()}
    export(arrays, ("kinds", "parts"), "judged", MODEL)
    values = card(fitted, {name: len(found) for name, found in rows.items()}) | {"head": head.of_card(weights)}
    FILE.write_text(json.dumps(values | {"threshold": 0.5}, indent=2) + "\n", encoding="utf-8")
    dev = {name: labelled(arguments.data / "grounding" / f"{name}.dev.jsonl.gz") for name in CHOSEN_ON}
    dev[LONG] = good_answers(arguments.data / "qa" / f"{LONG}.jsonl.gz")
    at = threshold(dev, GroundingGuard(encoder))
    FILE.write_text(json.dumps(values | {"threshold": at}, indent=2) + "\n", encoding="utf-8")


def read(rows: Sequence[Row], encoder: Encoder) -> Iterator[Read]:
    """Rows, encoded some at a time."""
    for first in range(0, len(rows), TOGETHER):
        yield from _read(rows[first : first + TOGETHER], encoder)
        logger.info("read %d of %d", min(first + TOGETHER, len(rows)), len(rows))


def _read(rows: Sequence[Row], encoder: Encoder) -> Iterator[Read]:
    cut = [_claims(row.answer) for row in rows]
    texts = list(
        dict.fromkeys(
            text
            for row, parts in zip(rows, cut, strict=True)
            for text in (row.question, *row.contexts, *(part for _, part in parts))
        )
    )
    known = {text: Reading(text, v) for text, v in zip(texts, encoder.word_vectors(texts), strict=True)}
    for row, parts in zip(rows, cut, strict=True):
        claims = tuple((at, known[part]) for at, part in parts if known[part].content or known[part].numbers)
        yield Read(row, claims, known[row.question], tuple(known[text] for text in row.contexts))


def _claims(answer: str) -> list[tuple[int, str]]:
    """Its sentences that claim something, and where they begin."""
    found, at = [], 0
    for part in sentences([answer]):
        if not claims_nothing(part):
            found.append((at, part))
        at += len(part)
    return found


def _answer(one: Read) -> Answer:
    return Answer(one.row.ungrounded, tuple(_best(reading, one.question, one.passages) for _, reading in one.sentences))


def _example(one: Read, scorer: Scorer) -> head.Answer:
    """What the head reads. Words are known to be right in a grounded answer, and where some are marked as wrong."""
    found = []
    for at, reading in one.sentences:
        cut = pieces(tokenizer(), reading, one.question, one.passages)
        best = judge(reading, one.question, one.passages, scorer)[0]
        spans = [(start - at, end - at) for start, end in one.row.spans]
        wrong = np.array([any(s < end and start < e for s, e in spans) for start, end in cut.offsets], dtype=bool)
        is_known = bool(spans) or not one.row.ungrounded
        found.append(head.Sentence(cut, np.array(astuple(features(reading, best.match))), wrong if is_known else None))
    return head.Answer(one.row.ungrounded, tuple(found))


def balanced(sets: Sequence[Sequence[head.Answer]]) -> list[head.Answer]:
    """Answers weighted so that sets count by the root of their size, and their classes alike; 1 on average."""
    weighted = []
    for answers in sets:
        kept = [answer for answer in answers if answer.sentences]
        wrong = max(1, sum(answer.ungrounded for answer in kept))
        right = max(1, len(kept) - wrong)
        share = len(kept) ** 0.5
        weighted += [replace(answer, weight=share / (wrong if answer.ungrounded else right)) for answer in kept]
    mean = sum(answer.weight for answer in weighted) / len(weighted)
    return [replace(answer, weight=answer.weight / mean) for answer in weighted]


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


def threshold(sets: Mapping[str, Sequence[Row]], guard: GroundingGuard) -> float:
    """The step with the best sum over all sets: of F1 and balanced accuracy halved, and of the long good answers' share
    that passes, halved. Few enough of clapnq's good answers may be flagged.
    """
    scored = {name: [(row.ungrounded, _worst(row, guard)) for row in rows] for name, rows in sets.items()}
    good, long = ([score for _, score in scored.pop(name)] for name in ("clapnq", LONG))

    def worth(at: float) -> float:
        alarms, passed = sum(score >= at for score in good) / len(good), sum(score < at for score in long) / len(long)
        return sum(_accuracy(found, at) for found in scored.values()) + passed / 2 if alarms <= ALARMS else 0.0

    return float(max(np.arange(STEP, 1.0, STEP), key=worth).round(2))


def _worst(row: Row, guard: GroundingGuard) -> float:
    return of_answer([guard.unsupported(part, _context(row)) or 0.0 for _, part in _claims(row.answer)])


def _accuracy(found: Sequence[tuple[bool, float]], at: float) -> float:
    """Mean of F1 and balanced accuracy."""
    bad = [score >= at for wrong, score in found if wrong]
    good = [score >= at for wrong, score in found if not wrong]
    f1 = 2 * sum(bad) / (sum(bad) + sum(good) + len(bad))
    return (f1 + (sum(bad) / len(bad) + 1 - sum(good) / len(good)) / 2) / 2


def _context(row: Row) -> Context:
    return Context(row.question, (), tuple(Evidence(str(place), text) for place, text in enumerate(row.contexts)))


def card(fitted: Fit, sizes: dict[str, int]) -> dict[str, Any]:
    """What the files are and what they were made of."""
    return {
        "what": "grounding guard: weights of its alignment, and layers of all-MiniLM-L6-v2 (Apache-2.0) trained "
        "further, both by guardrails/training/grounding.py",
        "made": date.today().isoformat(),
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256(MODEL.read_bytes()).hexdigest(),
        "data": {"train parts, rows": sizes, "made of open text": MADE, "rounds": head.ROUNDS, "seed": SEED},
        "licences": LICENCES,
        "limits": LIMITS,
        "figures": "tests/quality/grounding.md",
        "threshold_chosen": f"step of {STEP} with the best mean of F1 and balanced accuracy on dev parts "
        f"({', '.join(CHOSEN_ON)}) and share of long good answers ({LONG}) that pass, "
        f"of those that flag at most {ALARMS:.0%} of the good answers of clapnq",
        "bias": round(fitted.bias, 4),
        "weights": dict(zip(NAMES, (round(float(weight), 4) for weight in fitted.weights), strict=True)),
    }


if __name__ == "__main__":
    main()
