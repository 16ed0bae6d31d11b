"""JSON, whole or a value a line, as text that a passage can be cut from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.errors import LoadError
from rag.ingest.clean import clean, one_line, tidy
from rag.ingest.decode import decode
from rag.ingest.titles import best_title
from rag.types import Document, Limits

DEEPEST_HEADING = 5  # below it a key is written before its value
LONGEST_ROW = 500  # characters; a longer object is written line by line
SHORT_LIST = 20  # values
TITLES = ("title", "name", "subject")


def load_json(path: Path, source: str, limits: Limits) -> Document:
    """Read a JSON file: a value as ``key: value``, what holds others as a heading, a flat object of a list as one line.

    Raises:
        LoadError: it is not valid.
    """
    text = clean(decode(path, path.read_bytes()))
    return _document(source, _parsed(path, text, 0) if text.strip() else None)


def load_jsonl(path: Path, source: str, limits: Limits) -> Document:
    """Read a file that has a JSON value on each line, as a list of them.

    Raises:
        LoadError: a line is not valid.
    """
    lines = clean(decode(path, path.read_bytes())).split("\n")
    return _document(source, [_parsed(path, line, number) for number, line in enumerate(lines) if line.strip()])


def _parsed(path: Path, text: str, line: int) -> Any:
    """The value, its numbers as they are written."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        reason = f"it is not valid JSON in line {line + error.lineno}, column {error.colno}; mend it or get it again"
        raise LoadError(path, reason) from None


def _document(source: str, value: Any) -> Document:
    names = [value.get(key) for key in TITLES] if isinstance(value, dict) else []
    title = best_title(source, *(name for name in names if isinstance(name, str)))
    return Document(source, title, tidy("\n".join(_lines(value, 1))))


def _lines(value: Any, level: int, name: str = "") -> Iterator[str]:
    """
    Args:
        level: of the heading above ``value``.
        name: of ``value``; "" at the top and in lists.
    """
    if _is_plain(value):
        said = _said(value)
        parts = [f"{name}:", said, ""] if "\n" in said and name else [f"{name}: {said}" if name else said]
        yield from parts if said else []
    elif name and level < DEEPEST_HEADING:
        yield from ("", f"{'#' * (level + 1)} {name}", "")
        yield from _inside(value, level + 1, "")
        yield ""
    else:
        yield from _inside(value, level, name)


def _inside(value: Any, level: int, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in sorted(value.items(), key=lambda pair: not _is_plain(pair[1])):  # plain ones need no heading
            yield from _lines(inner, level, f"{name} {one_line(key)}".strip())
        yield ""
        return
    for inner in value:
        row = _row(inner) if isinstance(inner, dict) else ""
        yield from [row] if row else _lines(inner, level, name if _is_plain(inner) else "")


def _row(record: Mapping[str, Any]) -> str:
    """A flat object as a row of a table, as of any other kind of file; "" when it is none."""
    if not all(map(_is_plain, record.values())):
        return ""
    row = "; ".join(f"{one_line(key)}: {said}" for key, inner in record.items() if (said := _said(inner)))
    return row if len(row) <= LONGEST_ROW and "\n" not in row else ""


def _is_plain(value: Any) -> bool:
    """Whether it is words, a number, or a short list of them."""
    if not isinstance(value, list):
        return not isinstance(value, dict)
    return len(value) <= SHORT_LIST and not any(isinstance(inner, list | dict) for inner in value)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(one_line(_said(inner)) for inner in value)
    return value.strip() if isinstance(value, str) else {None: "", True: "yes", False: "no"}[value]
