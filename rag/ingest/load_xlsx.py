"""Excel workbooks: each sheet's tables, row by row."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from rag.errors import LoadError, NoText
from rag.ingest.clean import one_line, tidy
from rag.ingest.limits import check_columns
from rag.ingest.rows import LONGEST_NAME, record_lines
from rag.ingest.titles import best_title
from rag.types import Document, Limits

Row = dict[int, str]  # the words of the cells that have some, by column
MERGED = re.compile(rb'<mergeCell [^>]*?ref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"')
TALLEST = 1000  # rows that the value of one merged cell is repeated in


def load_xlsx(path: Path, source: str, limits: Limits) -> Document:
    """Read a workbook: a heading for each sheet, rows as in a CSV file; an empty row ends a table.

    Formulas are read as the values that the program which saved the file had computed. Hidden sheets are left out, as
    whoever shared the file may not know of them; rows that a filter hides are data, and are read.

    Raises:
        LoadError: its package is damaged.
        NoText: no cell has a value.
    """
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        title, shown, hidden = _read(path)
    except (InvalidFileException, KeyError, ValueError, SyntaxError, TypeError, IndexError, AttributeError) as error:
        reason = f"its Excel package is damaged ({type(error).__name__}); open it in an office program and save it anew"
        raise LoadError(path, reason) from None
    filled = [(name, lines) for name, lines in shown if any(lines)]
    if not filled:
        but = f"; {hidden} hidden ones are not read" if hidden else ""
        raise NoText(path, f"none of its {len(shown)} sheets has a cell with a value{but}")
    parts = ["\n".join([f"## {one_line(name)}", "", *lines]) for name, lines in filled]
    return Document(source, best_title(source, title), tidy("\n\n".join(parts)))


def _read(path: Path) -> tuple[str | None, list[tuple[str, list[str]]], int]:
    """The title, the lines of each sheet by its name, and how many sheets are hidden."""
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and rules, which are not text
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            lines = [(sheet.title, list(_lines(_rows(path, sheet)))) for sheet in shown]
            return book.properties.title, lines, len(book.worksheets) - len(shown)
        finally:
            book.close()


def _rows(path: Path, sheet: Any) -> Iterator[Row]:
    """The filled cells of each row, by their column."""
    sheet.reset_dimensions()  # else one cell at the far corner fills every row up to there
    merged = _merged(sheet)
    above: dict[int, str] = {}
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        if not values and number not in merged:  # up to a far cell there may be a million
            yield {}
            continue
        row = {column: words for column, value in enumerate(values, 1) if (words := _cell(value))}
        check_columns(path, len(row))
        for column in merged.get(number, ()):  # each row must say on its own what it belongs to
            if len(above.get(column, "")) <= LONGEST_NAME:
                row.setdefault(column, above.get(column, ""))
        above = {column: words for column, words in row.items() if words} if number + 1 in merged else {}
        yield {column: words for column, words in sorted(row.items()) if words}


def _merged(sheet: Any) -> dict[int, list[int]]:
    """The columns whose cell belongs to the one above it, by row."""
    from openpyxl.utils import column_index_from_string

    found: dict[int, list[int]] = {}
    with sheet._get_source() as part:  # the reader that holds one row at a time passes over them
        for left, first, last in MERGED.findall(part.read()):
            for row in range(int(first) + 1, min(int(last), int(first) + TALLEST) + 1):
                found.setdefault(row, []).append(column_index_from_string(left.decode()))
    return found


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    block: list[Row] = []
    for row in rows:
        if row:
            block.append(row)
        elif block:
            yield from _tables(block)
            block = []
    if block:
        yield from _tables(block)


def _tables(block: list[Row]) -> Iterator[str]:
    """The lines of tables that stand side by side, one after the other, an empty line after each.

    An empty column parts two tables where both have two columns at least; elsewhere it is only space.
    """
    used = sorted({column for row in block for column in row})
    groups: list[list[int]] = []
    for column in used:
        if groups and groups[-1][-1] == column - 1:
            groups[-1].append(column)
        else:
            groups.append([column])
    for columns in groups if all(len(group) > 1 for group in groups) else [used]:
        yield from (*record_lines([[row.get(column, "") for column in columns] for row in block]), "")


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
