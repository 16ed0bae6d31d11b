"""Excel workbooks: each sheet's tables, row by row."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import LoadError, NoText
from rag.ingest.clean import one_line, tidy
from rag.ingest.rows import record_lines
from rag.ingest.titles import best_title
from rag.types import Document

if TYPE_CHECKING:
    from openpyxl import Workbook


def load_xlsx(path: Path, source: str) -> Document:
    """Read a workbook: a heading for each sheet, rows as in a CSV file; an empty row ends a table.

    Formulas are read as the values that the program which saved the file had computed.

    Raises:
        LoadError: its package is damaged.
        NoText: no cell has a value.
    """
    book = _opened(path)
    try:
        sheets = [(sheet.title, list(_lines(sheet.iter_rows(values_only=True)))) for sheet in book.worksheets]
        title = best_title(source, book.properties.title)
    finally:
        book.close()
    filled = [(name, lines) for name, lines in sheets if any(lines)]
    if not filled:
        raise NoText(path, f"none of its {len(sheets)} sheets has a cell with a value")
    parts = ["\n".join([f"## {one_line(name)}", "", *lines]) for name, lines in filled]
    return Document(source, title, tidy("\n\n".join(parts)))


def _opened(path: Path) -> Workbook:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and rules, which are not text
            return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:
        reason = f"its Excel package is damaged ({type(error).__name__}); open it in an office program and save it anew"
        raise LoadError(path, reason) from None


def _lines(rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    table: list[list[str]] = []
    for row in rows:
        cells = [_cell(value) for value in row]
        if any(cells):
            table.append(cells)
        elif table:
            yield from (*record_lines(_used(table)), "")
            table = []
    if table:
        yield from record_lines(_used(table))


def _used(table: list[list[str]]) -> list[list[str]]:
    """The table without its empty columns, which would hide that its first row names the others."""
    width = max(len(row) for row in table)
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in table)]
    return [[row[column] if column < len(row) else "" for column in used] for row in table]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)
