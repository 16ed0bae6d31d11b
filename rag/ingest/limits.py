"""What a file may not exceed, looked at before it is read. The worker holds the limits of time and memory beside."""

from __future__ import annotations

from pathlib import Path

from rag.errors import LoadError
from rag.types import Limits

BYTES_OF_MARKUP = 20  # for each character of text: office files and pages measured have 2 to 15
BYTES_OF_TEXT = 4  # for each character at most, in any encoding
COLUMNS = 10_000  # of one row; a spreadsheet program takes 16 384 at most
SHORTEST_LINE = 10  # characters, on average; what reads a text line by line has a cost for each
MEGABYTE = 1 << 20


def check_size(path: Path, limits: Limits, markup: bool) -> None:
    """Refuse a file of text that is longer than ``limits`` whatever it holds.

    Raises:
        LoadError: it is.
    """
    size = path.stat().st_size
    if size > limits.characters * (BYTES_OF_MARKUP if markup else BYTES_OF_TEXT):
        raise LoadError(path, f"it is {megabytes(size)} of text; {way_out('characters', limits.characters)}")


def check_text(path: Path, text: str, limits: Limits) -> None:
    """
    Raises:
        LoadError: it is too long, or has more lines than a text of words can have.
    """
    check_characters(path, len(text), limits)
    lines = text.count("\n")
    if lines > limits.characters // SHORTEST_LINE:
        raise LoadError(path, f"it has {lines:,} lines; {way_out('characters', limits.characters)}")


def check_characters(path: Path, characters: int, limits: Limits) -> None:
    """
    Raises:
        LoadError: there are too many.
    """
    if characters > limits.characters:
        raise LoadError(path, f"it has {characters:,} characters of text; {way_out('characters', limits.characters)}")


def check_pages(path: Path, pages: int, limits: Limits) -> None:
    """
    Raises:
        LoadError: there are too many.
    """
    if pages > limits.pages:
        raise LoadError(path, f"it has {pages:,} pages; {way_out('pages', limits.pages)}")


def check_columns(path: Path, columns: int) -> None:
    """
    Raises:
        LoadError: no table has so many.
    """
    if columns > COLUMNS:
        raise LoadError(path, f"a row of it has {columns:,} columns; at most {COLUMNS:,} are read: export it as rows")


def megabytes(size: int) -> str:
    return f"{size / MEGABYTE:,.0f} MB"


def way_out(setting: str, limit: int) -> str:
    return f"that is too much for a limit of {limit:,} {setting}: split it, or raise ingest.{setting} in the settings"
