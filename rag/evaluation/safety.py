"""How well harmful texts are recognised: ``candor evaluate safety``."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from guardrails.encoder import Encoder
from guardrails.harm import HarmGuard
from rag.evaluation.screened import Judged, Row, auroc, by_dataset, read
from rag.evaluation.trial import OnProgress, sample, unseen

# Davidson's "offensive" (abusive words, no group) counts as harmful: an office's assistant should neither say such
# things nor pass over them, though some of these tweets only joke.
BAD = ("harmful", "toxic", "hate", "offensive", "hateful", "unsafe", "harmful-request")
GOOD = ("safe", "nontoxic", "neither", "non-hateful")


def measure(
    path: Path,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    guard: HarmGuard | None = None,
) -> dict[str, Any]:
    """Judge every text of a file or folder; positive is a harmful one. A figure that needs both kinds may be null.

    Args:
        limit: most rows, drawn by ``seed``.
        guard: another guard than the product's, to compare with.

    Raises:
        DataError: the data cannot be used.
    """
    rows = sample(read(path, BAD, GOOD), limit, seed)
    guard = guard or HarmGuard(Encoder())
    guard.load()
    judged = []
    for number, row in enumerate(rows, start=1):
        judged.append(judge(guard, row))
        on_progress("Looking for harmful texts", number, len(rows))
    return {
        "rows": len(rows),
        "auroc": auroc(rows, judged),
        **_scores(rows, judged),
        "by_dataset": by_dataset(rows, judged),
        "ms_p50": round(statistics.median(one.milliseconds for one in judged), 2),
    }


def judge(guard: HarmGuard, row: Row) -> Judged:
    begun = time.perf_counter()
    probability = guard.probability(row.text)
    return Judged(probability, probability >= guard.threshold, (time.perf_counter() - begun) * 1000)


def _scores(rows: list[Row], judged: list[Judged]) -> dict[str, float | None]:
    from sklearn.metrics import precision_recall_fscore_support

    names = ("precision", "recall", "f1")
    if not any(row.bad for row in rows):
        return dict.fromkeys(names)
    scores = precision_recall_fscore_support(
        [row.bad for row in rows], [one.reported for one in judged], average="binary", zero_division=0.0
    )
    return dict(zip(names, (round(float(score), 4) for score in scores[:3]), strict=True))
