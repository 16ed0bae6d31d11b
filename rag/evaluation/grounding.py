"""How well unsupported answers are told from supported ones: ``candor evaluate grounding``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from guardrails.grounding.score import of_answer
from guardrails.stream import sentences
from guardrails.types import Context, Evidence
from rag.errors import DataError
from rag.evaluation.rows import read_rows
from rag.evaluation.trial import OnProgress, sample, unseen
from rag.evaluation.trivial import trivial

REQUIRED: Mapping[str, type] = {"contexts": list, "answer": str, "label": str}
LABELS = {"grounded": 0, "ungrounded": 1}


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled answer."""

    answer: str
    context: Context
    ungrounded: int
    spans: tuple[tuple[int, int], ...]  # unsupported characters of the answer; empty where the set has none


@dataclass(frozen=True, slots=True)
class Judged:
    """What the guard says of one answer."""

    score: float  # 0 to 1: how sure that it is not supported
    marked: frozenset[int]  # characters that it reports
    milliseconds: float


def measure(
    path: Path,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    guard: GroundingGuard | None = None,
) -> dict[str, Any]:
    """Judge every answer of a file of rows sentence by sentence, as it would be before it is shown.

    ``baselines`` are what needs no guard (``trivial.py``): AUROC, and the best F1 that any threshold gives.

    An answer scores as its worst sentence, and is flagged from the guard's own threshold. Figures that need both kinds
    of answers are null where the file has one. ``span_f1`` is over characters, of all rows with spans together. The
    time of an answer includes reading its passages the first time they occur.

    Args:
        limit: most rows, drawn by ``seed``.
        guard: another guard than the product's, to compare with.

    Raises:
        DataError: the file cannot be used.
    """
    rows = sample(read(path), limit, seed)
    encoder = Encoder()
    guard = guard or GroundingGuard(encoder)
    judged = judged_by(guard, rows, on_progress)
    labels = [row.ungrounded for row in rows]
    times = [one.milliseconds for one in judged]
    return {
        "rows": len(rows),
        **figures(labels, [one.score for one in judged], guard.threshold),
        "span_f1": _span_f1(rows, judged),
        "threshold": guard.threshold,
        "ms_per_answer_p50": round(statistics.median(times), 1),
        "ms_per_answer_p95": round(sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)], 1),
        "baselines": {
            name: _at_best(labels, scores)
            for name, scores in trivial([(row.answer, row.context) for row in rows], encoder).items()
        },
    }


def judged_by(guard: GroundingGuard, rows: Sequence[Row], on_progress: OnProgress) -> list[Judged]:
    guard.load()
    judged = []
    for number, row in enumerate(rows, start=1):
        judged.append(judge(guard, row))
        on_progress("Judging answers", number, len(rows))
    return judged


def _at_best(labels: Sequence[int], scores: Sequence[float]) -> dict[str, float | None]:
    """AUROC, and F1 at the threshold that is best for it on these very rows."""
    from sklearn.metrics import precision_recall_curve

    if len(set(labels)) < 2:
        return {"auroc": None, "f1_at_best": None}
    precision, recall, _ = precision_recall_curve(labels, scores)
    best = max(2 * p * r / (p + r) if p + r else 0.0 for p, r in zip(precision, recall, strict=True))
    return {"auroc": figures(labels, scores, 0.0)["auroc"], "f1_at_best": _rounded(best)}


def judge(guard: GroundingGuard, row: Row) -> Judged:
    """One answer, sentence by sentence."""
    begun = time.perf_counter()
    scores: list[float] = []
    marked: set[int] = set()
    offset = 0
    for sentence in sentences([row.answer]):
        for finding in guard.check(sentence, row.context):
            wrong = finding.kind == "unsupported"
            scores.append(finding.score if wrong else 1 - finding.score)
            marked |= set(range(offset + finding.start, offset + finding.end)) if wrong else set()
        offset += len(sentence)
    return Judged(of_answer(scores), frozenset(marked), (time.perf_counter() - begun) * 1000)


def figures(labels: Sequence[int], scores: Sequence[float], threshold: float) -> dict[str, float | None]:
    """Figures of scores against labels; 1 is ungrounded."""
    from sklearn.metrics import precision_recall_fscore_support, recall_score, roc_auc_score

    flagged = [int(score >= threshold) for score in scores]
    precision, recall, f1, _ = precision_recall_fscore_support(labels, flagged, average="binary", zero_division=0.0)
    both = len(set(labels)) == 2
    wrong = any(labels)
    return {
        "auroc": _rounded(roc_auc_score(labels, scores)) if both else None,
        "precision": _rounded(precision) if wrong else None,
        "recall": _rounded(recall) if wrong else None,
        "f1": _rounded(f1) if wrong else None,
        "balanced_accuracy": _rounded(recall_score(labels, flagged, average="macro")) if both else None,
        "flagged_rate": _rounded(statistics.mean(flagged)),
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _span_f1(rows: Sequence[Row], judged: Sequence[Judged]) -> float | None:
    """F1 of reported characters against labelled ones; None where no row has spans."""
    shared = said = true = 0
    for row, one in zip(rows, judged, strict=True):
        if row.spans:
            labelled = {place for start, end in row.spans for place in range(start, end)}
            shared += len(labelled & one.marked)
            said += len(one.marked)
            true += len(labelled)
    return _rounded(2 * shared / (said + true)) if true else None


def read(path: Path) -> list[Row]:
    """The rows of a file.

    Raises:
        DataError: a line has no such fields, or a label or span that means nothing.
    """
    return [_row(path, number, values) for number, values in enumerate(read_rows(path, REQUIRED), start=1)]


def _row(path: Path, number: int, values: Mapping[str, Any]) -> Row:
    if values["label"] not in LABELS:
        raise DataError(f'{path}, row {number}: "label" is neither grounded nor ungrounded')
    if not all(isinstance(text, str) for text in values["contexts"]):
        raise DataError(f'{path}, row {number}: "contexts" holds something other than text')
    evidence = tuple(Evidence(str(place), text) for place, text in enumerate(values["contexts"]))
    try:
        spans = tuple((int(span["start"]), int(span["end"])) for span in values.get("spans") or ())
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}, row {number}: a span lacks start or end") from None
    if not all(0 <= start < end <= len(values["answer"]) for start, end in spans):
        raise DataError(f"{path}, row {number}: a span lies outside the answer")
    context = Context(str(values.get("question") or ""), (), evidence)
    return Row(values["answer"], context, LABELS[values["label"]], spans)
