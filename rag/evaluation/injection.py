"""How well attempts to change what the assistant does are recognised: ``candor evaluate injection``."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from guardrails.encoder import Encoder
from guardrails.injection import InjectionGuard
from guardrails.injection.guard import PASSAGE, QUESTION
from rag.evaluation.screened import Judged, Row, auroc, by_dataset, read, share
from rag.evaluation.trial import OnProgress, sample, unseen

BAD = ("injection", "jailbreak")
GOOD = ("benign", "benign-hard")
CHANNELS = {"user": QUESTION, "document": PASSAGE}


def measure(
    path: Path,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    guard: InjectionGuard | None = None,
) -> dict[str, Any]:
    """Judge every text of a file or folder as the gate would: as a question, or as a passage of a document.

    A figure that needs rows of a kind that there are none of is null. A text's own probability, which ``auroc``
    orders by, is that of its most suspicious part.

    Args:
        limit: most rows, drawn by ``seed``.
        guard: another guard than the product's, to compare with.

    Raises:
        DataError: the data cannot be used.
    """
    rows = sample(read(path, BAD, GOOD, tuple(CHANNELS)), limit, seed)
    guard = guard or InjectionGuard(Encoder())
    guard.load()
    judged = []
    for number, row in enumerate(rows, start=1):
        judged.append(judge(guard, row))
        on_progress("Looking for injections", number, len(rows))
    both = list(zip(rows, judged, strict=True))
    return {
        "rows": len(rows),
        "threshold": guard.threshold,
        "recall_user": share([one.reported for row, one in both if row.bad and row.channel == "user"]),
        "recall_document": share([one.reported for row, one in both if row.bad and row.channel == "document"]),
        "false_positive_rate": share([one.reported for row, one in both if not row.bad]),
        "by_dataset": by_dataset(rows, judged),
        "auroc": auroc(rows, judged),
        "ms_p50": round(statistics.median(one.milliseconds for one in judged), 2),
    }


def judge(guard: InjectionGuard, row: Row) -> Judged:
    begun = time.perf_counter()
    probability = guard.probability(row.text, CHANNELS[row.channel])
    return Judged(probability, probability >= guard.threshold, (time.perf_counter() - begun) * 1000)
