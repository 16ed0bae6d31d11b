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
from rag.types import Document, Limits

if TYPE_CHECKING:
    from openpyxl import Workbook


def load_xlsx(path: Path, source: str, limits: Limits) -> Document:
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
    block: list[list[str]] = []
    for row in rows:
        cells = [_cell(value) for value in row]
        if any(cells):
            block.append(cells)
        elif block:
            yield from _tables(block)
            block = []
    if block:
        yield from _tables(block)


def _tables(block: list[list[str]]) -> Iterator[str]:
    """The lines of tables that stand side by side, one after the other, an empty line after each.

    An empty column parts two tables where both have two columns at least; elsewhere it is only space.
    """
    width = max(len(row) for row in block)
    block = [row + [""] * (width - len(row)) for row in block]
    used = [column for column in range(width) if any(row[column] for row in block)]
    groups: list[list[int]] = []
    for column in used:
        if groups and groups[-1][-1] == column - 1:
            groups[-1].append(column)
        else:
            groups.append([column])
    for columns in groups if all(len(group) > 1 for group in groups) else [used]:
        yield from (*record_lines([[row[column] for column in columns] for row in block]), "")


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
