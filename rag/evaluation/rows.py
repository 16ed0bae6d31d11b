"""Labelled data: one JSON object a line, packed with gzip or not."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.errors import DataError

LONGEST = 64 * 1024 * 1024  # characters of one line: beyond it, this is not such a file


def read_rows(path: Path, required: Mapping[str, type]) -> list[dict[str, Any]]:
    """Every row of a file, in order. Lines end at ``\\n`` alone: texts hold other separators.

    Args:
        required: the fields that a row must have, and their kind.

    Raises:
        DataError: the file cannot be read, holds no row, or a line cannot be used; names the file and the line.
    """
    rows = [_row(path, number, line, required) for number, line in _lines(path) if line.strip()]
    if not rows:
        raise DataError(f"{path} holds no row; one JSON object a line is expected")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="\n") as file:
            while line := file.readline(LONGEST):
                number += 1
                yield number, line
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; a file of rows is expected") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}, line {number + 1}: not UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}, line {number + 1}: the packed file is damaged or cut short") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _row(path: Path, number: int, line: str, required: Mapping[str, type]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise DataError(f"{path}, line {number}: not JSON ({what})") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: not a JSON object")
    for name, kind in required.items():
        if name not in row:
            raise DataError(f'{path}, line {number}: "{name}" is missing')
        if not isinstance(row[name], kind) or (kind is int and isinstance(row[name], bool)):
            raise DataError(f'{path}, line {number}: "{name}" is not a {_KINDS.get(kind, kind.__name__)}')
    return row


_KINDS = {str: "string", list: "list", bool: "true or false", int: "whole number", dict: "object"}
