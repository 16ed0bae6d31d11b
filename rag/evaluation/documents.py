"""How well real files are read: ``candor evaluate documents``."""

from __future__ import annotations

import csv
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.errors import DataError, LoaderFailed, LoadError, NoText
from rag.ingest.clean import has_words
from rag.ingest.worker import Worker
from rag.types import Limits

logger = logging.getLogger(__name__)

TABLE = "documents.csv"
COLUMNS = ("file", "format", "expected", "phrase")
Got = Literal["text", "wrong text", "silent empty", "no text", "refused", "crashed"]
# What a row may expect, and what meets it. Text is met only with the row's phrase in it.
MEETS: dict[str, frozenset[Got]] = {
    "text": frozenset(["text"]),
    "clear error": frozenset(["refused"]),
    "no text, said clearly": frozenset(["no text"]),
    "text or clear error": frozenset(["text", "refused", "no text"]),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one file."""

    file: str
    format: str
    expected: str
    got: Got
    reason: str  # of a refusal
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.got in MEETS[self.expected]


def measure(
    folder: Path,
    limit: int | None = None,
    *,
    seed: int = 0,
    seconds: float = Limits().seconds,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Read the files that ``documents.csv`` in ``folder`` names, each in a process that may be killed.

    Args:
        limit: most files, drawn by ``seed``; None: all, in order.
        seconds: for one file; longer counts as a crash.
        on_progress: called with the files done and all of them.

    Returns:
        The keys of the ``documents`` row of the measurements: ``as_expected`` is a share, 0 to 1.

    Raises:
        DataError: the table is missing or a line of it cannot be used.
    """
    tried = try_files(folder, limit, seed=seed, seconds=seconds, on_progress=on_progress)
    for one in tried:
        if not one.as_expected:
            logger.info("%s: expected %s, got %s %s", one.file, one.expected, one.got, one.reason)
    return {
        "rows": len(tried),
        "as_expected": _share(tried),
        "crashed": sum(one.got == "crashed" for one in tried),
        "silent_empty": sum(one.got == "silent empty" for one in tried),
        "by_format": {name: _figures([one for one in tried if one.format == name]) for name in _formats(tried)},
        "slowest_s": round(max((one.seconds for one in tried), default=0.0), 2),
    }


def try_files(
    folder: Path, limit: int | None, *, seed: int, seconds: float, on_progress: Callable[[int, int], None]
) -> list[Tried]:
    """What became of each file, in the order of the table."""
    rows = _rows(folder / TABLE)
    if limit is not None and limit < len(rows):
        rows = [rows[place] for place in sorted(random.Random(seed).sample(range(len(rows)), limit))]  # noqa: S311 - no secret
    tried: list[Tried] = []
    with Worker(Limits(seconds=seconds)) as worker:
        for row in rows:
            tried.append(_try(worker, folder, row))
            on_progress(len(tried), len(rows))
    return tried


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
            if missing:
                raise DataError(f"{table}, line 1: no column {', '.join(missing)}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is not a CSV table in UTF-8"
        raise DataError(f"{table}: {reason}") from None
    for line, row in rows:
        _check(table, line, row)
    return [row for _, row in rows]


def _check(table: Path, line: int, row: dict[str, str]) -> None:
    if row["expected"] not in MEETS:
        raise DataError(f"{table}, line {line}: expected must be one of: {'; '.join(MEETS)}")
    if not (table.parent / row["file"]).is_file():
        raise DataError(f"{table}, line {line}: the file {row['file']} is not there")


def _try(worker: Worker, folder: Path, row: dict[str, str]) -> Tried:
    begun = time.perf_counter()
    got, reason = _read(worker, folder, row)
    return Tried(row["file"], row["format"], row["expected"], got, reason, time.perf_counter() - begun)


def _read(worker: Worker, folder: Path, row: dict[str, str]) -> tuple[Got, str]:
    try:
        text = worker.load(folder / row["file"], folder).text
    except LoaderFailed as error:
        return "crashed", error.reason
    except NoText as error:
        return "no text", error.reason
    except LoadError as error:
        return "refused", error.reason
    if not has_words(text):
        return "silent empty", ""
    return ("text" if folded(row["phrase"]) in folded(text) else "wrong text"), ""


def folded(text: str) -> str:
    """Letters and digits only, in lower case: what the phrases are compared by."""
    return "".join(character for character in text.lower() if character.isalnum())


def _share(tried: Sequence[Tried]) -> float:
    return round(sum(one.as_expected for one in tried) / len(tried), 4) if tried else 0.0


def _formats(tried: Sequence[Tried]) -> list[str]:
    return sorted({one.format for one in tried})


def _figures(tried: Sequence[Tried]) -> dict[str, Any]:
    return {
        "n": len(tried),
        "as_expected": _share(tried),
        "read": sum(one.got == "text" for one in tried),
        "refused": sum(one.got in {"refused", "no text"} for one in tried),
    }
