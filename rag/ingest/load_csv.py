"""Tables as text: CSV and its relatives, whatever separates their cells."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from rag.errors import LoadError
from rag.ingest.clean import clean
from rag.ingest.decode import decode
from rag.ingest.limits import check_columns
from rag.ingest.rows import record_lines
from rag.ingest.titles import from_name
from rag.types import Document, Limits

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 50  # rows that the separator is judged by
LONGEST_CELL = 1_000_000  # characters; beyond it a quote was never closed


def load_csv(path: Path, source: str, limits: Limits) -> Document:
    """Read a table. Each row becomes a line ``Header: value; Header: value``, so that it answers alone.

    Raises:
        LoadError: a quotation mark is never closed, or a row too wide.
    """
    text = clean(decode(path, path.read_bytes()))
    csv.field_size_limit(LONGEST_CELL)
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=separator_of(path, text)))
    except csv.Error:
        raise LoadError(path, "a quotation mark in it is never closed; mend that row") from None
    check_columns(path, max(map(len, rows), default=0))
    return Document(source, from_name(source), "\n".join(record_lines(rows)))


def separator_of(path: Path, text: str) -> str:
    """The separator with which most rows have the same number of cells, and more than one."""
    best, best_score = ",", 0.0
    for separator in SEPARATORS:
        widths = _widths(text, separator)
        check_columns(path, max(widths, default=0))
        width, rows = max(Counter(widths).items(), key=lambda pair: (pair[0] > 1, pair[1]), default=(0, 0))
        score = rows / len(widths) * (1 + width / 1000) if width > 1 else 0.0  # ties: the finer division
        if score > best_score:
            best, best_score = separator, score
    return best


def _widths(text: str, separator: str) -> list[int]:
    """How many cells each of the first rows has."""
    lines = iter(text.splitlines(keepends=True))
    widths: list[int] = []
    try:
        for row in csv.reader(lines, delimiter=separator):
            if any(cell.strip() for cell in row):
                widths.append(len(row))
            if len(widths) == SAMPLE:
                break
    except csv.Error:
        return []
    return widths
