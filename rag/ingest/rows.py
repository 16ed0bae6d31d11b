"""How rows of a table become lines. A row that stands alone in a passage must still say what its values are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rag.ingest.clean import one_line

NUMBER = re.compile(r"[\s\d.,:/%+\-$€£]+")
LONGEST_NAME = 80  # characters; a longer cell is no column name
WIDEST = 100  # columns that one cell may span


def row_line(cells: Sequence[str]) -> str:
    """One row as ``a | b``; empty cells keep their place, an empty row is ""."""
    cells = [_cell(cell) for cell in cells]
    return " | ".join(_trimmed(cells)).strip() if any(cells) else ""


def spread(rows: Iterable[Iterable[tuple[str, int, int]]]) -> Iterator[list[str]]:
    """Rows of cells, each with the rows and columns that it spans, as rows of a grid.

    A short cell that spans rows stands in each of them, since each must say on its own what its values belong to.
    """
    hanging: dict[int, tuple[str, int]] = {}  # column -> what hangs into the rows below, and how many they are
    for cells in rows:
        line = {column: words for column, (words, _) in hanging.items()}
        hanging = {column: (words, left - 1) for column, (words, left) in hanging.items() if left > 1}
        column = 0
        for words, down, across in cells:
            while column in line:
                column += 1
            for place in range(column, column + min(max(across, 1), WIDEST)):
                line[place] = words if place == column else ""
                if down > 1:
                    hanging[place] = (line[place] if len(words) <= LONGEST_NAME else "", down - 1)
        yield [line.get(place, "") for place in range(max(line, default=-1) + 1)]


def _cell(text: str) -> str:
    """A cell's words on one line; a list in it as ``a; b``."""
    lines = text.strip().split("\n")
    is_list = all(line.lstrip().startswith("- ") for line in lines)
    return "; ".join(one_line(line).removeprefix("- ") for line in lines) if is_list else one_line(text)


def record_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a data table as lines ``Header: value; Header: value``.

    Lines before the header that have one value only are titles, and stay as they are. Without a recognisable header
    the rows are written ``a | b``.
    """
    filled = [cells for row in rows if any(cells := [one_line(cell) for cell in row])]
    lines: list[str] = []
    while len(filled) > 1 and _width(filled[0]) == 1 and _width(filled[1]) > 1:
        lines.append(row_line([cell for cell in filled.pop(0) if cell]))
    if len(filled) > 1 and _is_header(filled[0]):
        names = filled[0]
        return lines + [_record(names, row) for row in filled[1:]]
    return lines + [row_line(_trimmed(row)) for row in filled]


def _record(names: Sequence[str], row: Sequence[str]) -> str:
    named = [*names, *[""] * (len(row) - len(names))]  # values beyond the header have no name
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(named, row, strict=False) if cell)


def _is_header(row: Sequence[str]) -> bool:
    names = [cell for cell in row if cell]
    named = len(names) >= 2 and len(names) >= len(row) / 2 and len(set(names)) == len(names)
    return named and all(len(name) <= LONGEST_NAME and not NUMBER.fullmatch(name) for name in names)


def _width(row: Sequence[str]) -> int:
    return sum(bool(cell) for cell in row)


def _trimmed(row: Sequence[str]) -> Sequence[str]:
    last = max(place for place, cell in enumerate(row) if cell)
    return row[: last + 1]
