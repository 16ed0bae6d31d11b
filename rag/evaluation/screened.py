"""What the measurements of texts that should or should not be reported have in common."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import DataError
from rag.evaluation.rows import read_rows


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    dataset: str
    bad: bool  # should be reported
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a guard says of one text."""

    probability: float  # 0 to 1
    reported: bool
    milliseconds: float


def files(path: Path) -> list[Path]:
    """The file itself, or those of a folder in order of name.

    Raises:
        DataError: a folder without any.
    """
    if not path.is_dir():
        return [path]
    found = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])
    if not found:
        raise DataError(f"{path} holds no .jsonl or .jsonl.gz file")
    return found


def read(path: Path, bad: Collection[str], good: Collection[str], channels: Collection[str] = ("",)) -> list[Row]:
    """The rows of a file, or of every file of a folder.

    Args:
        bad: labels of texts that should be reported.
        good: those of texts that should not.
        channels: what a row's ``channel`` may be; an empty one among them: it needs none.

    Raises:
        DataError: a line has no such fields, or another label or channel.
    """
    rows: list[Row] = []
    for file in files(path):
        found = read_rows(file, {"text": str, "label": str})
        rows += [_row(file, number, values, bad, good, channels) for number, values in enumerate(found, start=1)]
    return rows


def _row(
    file: Path,
    number: int,
    values: Mapping[str, Any],
    bad: Collection[str],
    good: Collection[str],
    channels: Collection[str],
) -> Row:
    label, channel = values["label"], str(values.get("channel", ""))
    if label not in bad and label not in good:
        raise DataError(f'{file}, row {number}: "label" is none of {", ".join([*bad, *good])}')
    if channel not in channels and "" not in channels:
        raise DataError(f'{file}, row {number}: "channel" is none of {", ".join(channels)}')
    return Row(values["text"], str(values.get("dataset") or file.name.partition(".")[0]), label in bad, channel)


def auroc(rows: Sequence[Row], judged: Sequence[Judged]) -> float | None:
    """None where all rows are of one kind."""
    from sklearn.metrics import roc_auc_score

    if len({row.bad for row in rows}) < 2:
        return None
    return round(float(roc_auc_score([row.bad for row in rows], [one.probability for one in judged])), 4)


def share(reported: Sequence[bool]) -> float | None:
    return round(statistics.mean(reported), 4) if reported else None


def by_dataset(rows: Sequence[Row], judged: Sequence[Judged]) -> dict[str, dict[str, float | int | None]]:
    """Share reported and number of rows, by set; where a set has both kinds also apart."""
    kinds: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row, one in zip(rows, judged, strict=True):
        kinds[row.dataset].append((row.bad, one.reported))
    table: dict[str, dict[str, float | int | None]] = {}
    for name, found in sorted(kinds.items()):
        table[name] = {"flagged": share([hit for _, hit in found]), "n": len(found)}
        if len({bad for bad, _ in found}) == 2:
            table[name]["recall"] = share([hit for bad, hit in found if bad])
            table[name]["false_positive_rate"] = share([hit for bad, hit in found if not bad])
    return table
