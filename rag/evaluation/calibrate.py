"""Finds the threshold of the grounding guard on reviewed answers: ``candor evaluate grounding --calibrate FILE``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from rag.errors import DataError
from rag.evaluation.grounding import judged_by, read
from rag.evaluation.trial import OnProgress, sample, unseen

CONFIDENCE = 0.95
BINS = 10


def calibrate(
    path: Path, flag_at_most: float, limit: int | None = None, seed: int = 0, on_progress: OnProgress = unseen
) -> dict[str, Any]:
    """The lowest threshold from which at most this share of the supported answers is flagged. Changes nothing.

    Intervals are Clopper-Pearson's, at 95 %. ``brier`` and ``calibration_error`` (in ten bins of equal width) say how
    far the guard's certainty can be taken for a probability; ``brier_of_rate`` is what the share of unsupported answers
    alone would give.

    Args:
        flag_at_most: the policy's target, 0 to 1.

    Raises:
        DataError: the file cannot be used, or holds too few supported answers to show such a share.
    """
    rows = sample(read(path), limit, seed)
    supported = sum(not row.ungrounded for row in rows)
    if supported * flag_at_most < 1:
        needed = f"at least {-(-1 // flag_at_most):.0f}" if flag_at_most else "a share above 0"
        raise DataError(
            f"{path} holds {supported} supported answers; to flag at most {flag_at_most:.0%} takes {needed}"
        )
    guard = GroundingGuard(Encoder())
    scores = [one.score for one in judged_by(guard, rows, on_progress)]
    labels = [row.ungrounded for row in rows]
    good = sorted(score for score, wrong in zip(scores, labels, strict=True) if not wrong)
    bad = [score for score, wrong in zip(scores, labels, strict=True) if wrong]
    at = threshold(good, flag_at_most)
    flagged, caught = sum(score >= at for score in good), sum(score >= at for score in bad)
    return {
        "rows": len(rows),
        "supported": supported,
        "flag_at_most": flag_at_most,
        "report_from": at,
        "shipped": guard.threshold,
        "flagged_of_supported": round(flagged / supported, 4),
        "flagged_of_supported_interval": interval(flagged, supported),
        "recall": round(caught / len(bad), 4) if bad else None,
        "recall_interval": interval(caught, len(bad)) if bad else None,
        **reliability(labels, scores),
    }


def threshold(good: Sequence[float], flag_at_most: float) -> float:
    """Just above the highest score that must pass; rounded up to a thousandth.

    Args:
        good: scores of supported answers, in order.
    """
    passing = good[len(good) - 1 - int(len(good) * flag_at_most)]
    return min(1.0, (int(passing * 1000) + 1) / 1000)


def interval(count: int, total: int) -> list[float]:
    """Clopper-Pearson's, for a share."""
    from scipy.stats import binomtest

    found = binomtest(count, total).proportion_ci(CONFIDENCE, "exact")
    return [round(float(found.low), 4), round(float(found.high), 4)]


def reliability(labels: Sequence[int], scores: Sequence[float]) -> dict[str, float]:
    rate = sum(labels) / len(labels)
    brier = sum((score - label) ** 2 for label, score in zip(labels, scores, strict=True)) / len(labels)
    error = 0.0
    for number in range(BINS):
        inside = [place for place, score in enumerate(scores) if min(BINS - 1, int(score * BINS)) == number]
        error += abs(sum(scores[place] - labels[place] for place in inside))
    return {
        "brier": round(brier, 4),
        "brier_of_rate": round(rate * (1 - rate), 4),
        "calibration_error": round(error / len(labels), 4),
    }
