"""What the lines of a page are, told from their places and sizes: headings, paragraphs, columns, rows of a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median, median_low

from rag.ingest.mapped import MappedText, joined, put_in

HYPHEN = "\ufffe"  # where a word is divided at the end of a line
LARGER = 1.15  # times the page's usual size: a heading
GAP = 1.5  # times the usual distance of lines: a new paragraph
LONGEST_HEADING = 120  # characters
LETTERS = re.compile(r"[^\W\d_]{2,}")
DIVIDED = re.compile(rf"{HYPHEN}\s*(?=(\w)?)")
NEXT_LINE = 1.4  # times the size: no farther down does a cell, or a column of prose, go on
FAR = 5.0  # times the size: farther down stands no row of the same table
PROSE_ROWS, PROSE_CHARACTERS = 4, 20  # columns of text have at least so many lines, of at least so many characters


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of one line without a wide gap between them; places and size in points, from the bottom left."""

    text: MappedText
    line: int  # the file's line that it is of
    left: float
    right: float
    base: float  # height of the line under its first letter
    last: float  # the same of its last letter: lower, where PDFium has joined a divided word of two lines
    size: float  # of its first letter


@dataclass(slots=True)
class _Row:
    base: float
    cells: dict[int, list[Piece]] = field(default_factory=dict)  # by column


def paragraphs(pieces: Sequence[Piece]) -> MappedText:
    """The pieces as text, a blank line between paragraphs, divided words joined, headings and cells marked."""
    usual, distance = _usual_size(pieces), _usual_distance(pieces)
    parts: list[MappedText] = []
    before: Piece | None = None
    for block in _blocks(pieces):
        if isinstance(block, list):
            parts += [put_in("\n\n")] * bool(parts) + [_table(block)]
            before = None
            continue
        if parts:
            divided = before and before.text.text.endswith(HYPHEN)
            near = before and not _begins_paragraph(before, block, usual, distance)
            parts.append(put_in("" if divided else "\n" if near else "\n\n"))
        parts += [put_in("## "), block.text.one_line()] if _is_heading(block, usual) else [block.text]
        before = block
    return _undivided(joined(parts))


def _undivided(text: MappedText) -> MappedText:
    """Without the hyphens of divided words; before a capital or a digit it is a hyphen of the word's own."""
    return text.sub(DIVIDED, lambda mark: "" if (mark[1] or "a").islower() else "-")


def _usual_size(pieces: Iterable[Piece]) -> float:
    sizes: Counter[float] = Counter()
    for piece in pieces:
        sizes[round(piece.size, 1)] += len(piece.text.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _usual_distance(pieces: Sequence[Piece]) -> float:
    same = [(above, below) for above, below in pairwise(pieces) if abs(above.size - below.size) < 0.1]
    down = [step for above, below in same if (step := above.last - below.base) > 1]
    return median_low(down) if down else 0.0


def _is_heading(piece: Piece, usual: float) -> bool:
    words = piece.text.one_line().text if piece.size > LARGER * usual else ""
    return len(words) <= LONGEST_HEADING and bool(LETTERS.search(words))


def _begins_paragraph(before: Piece, piece: Piece, usual: float, distance: float) -> bool:
    step = before.last - piece.base
    if _is_heading(before, usual) and _is_heading(piece, usual):
        return step > GAP * max(distance, before.size)
    return abs(before.size - piece.size) > 0.1 * usual or step > GAP * distance > 0


def _blocks(pieces: Sequence[Piece]) -> Iterator[Piece | list[_Row]]:
    """The lines in reading order, and each table as its rows."""
    at = 0
    while at < len(pieces):
        rows = _grid(pieces, at)
        taken = _count(rows)
        if _is_prose(rows):
            yield from _whole_lines(_by_columns(rows))
        elif rows:
            yield rows
        else:
            taken = 1
            while _ends_within_a_line(pieces, at + taken):
                taken += 1
            yield from _whole_lines(pieces[at : at + taken])
        at += taken


def _whole_lines(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for line, group in groupby(pieces, key=lambda piece: piece.line):
        first, *more = group
        last = more[-1] if more else first
        text = joined([first.text, *(piece.text for piece in more)], " ")
        yield Piece(text, line, first.left, last.right, first.base, last.last, first.size)


def _grid(pieces: Sequence[Piece], at: int) -> list[_Row]:
    """The rows of columns that begin with this piece; none where it begins no such thing."""
    if not _beside(pieces, at):
        return []
    rows = [_Row(pieces[at].base)]
    columns: list[tuple[float, float]] = []
    lowest = pieces[at].base
    for place in range(at, len(pieces)):
        piece = pieces[place]
        met = [number for number, (left, right) in enumerate(columns) if piece.left < right and left < piece.right]
        if len(met) > 1 or piece.base > rows[-1].base + 0.5 * piece.size or piece.base < lowest - FAR * piece.size:
            break
        column = met[0] if met else len(columns)
        columns[column : column + 1] = [_around(piece, *columns[column : column + 1])]
        if not _same_row(rows[-1], column, piece, alone=not _beside(pieces, place)):
            rows.append(_Row(piece.base))
        rows[-1].cells.setdefault(column, []).append(piece)
        lowest = min(lowest, piece.last)
    while rows and (len(rows[-1].cells) < 2 or _ends_within_a_line(pieces, at + _count(rows))):
        rows.pop()
    return _from_left(rows, columns) if sum(len(row.cells) > 1 for row in rows) > 1 else []


def _around(piece: Piece, column: tuple[float, float] | None = None) -> tuple[float, float]:
    left, right = column or (piece.left, piece.right)
    return min(left, piece.left), max(right, piece.right)


def _beside(pieces: Sequence[Piece], at: int) -> bool:
    """Whether the next piece stands at the right of this one, on the same line."""
    if at + 1 >= len(pieces):
        return False
    here, following = pieces[at], pieces[at + 1]
    return abs(here.last - following.base) < 0.5 * here.size and following.left > here.right + 0.5 * here.size


def _same_row(row: _Row, column: int, piece: Piece, alone: bool) -> bool:
    if not row.cells or (column not in row.cells and abs(row.base - piece.base) < 0.5 * piece.size):
        return True
    above = row.cells.get(column)
    return bool(above and alone and 0 < above[-1].last - piece.base < NEXT_LINE * piece.size)


def _count(rows: Iterable[_Row]) -> int:
    return sum(len(cell) for row in rows for cell in row.cells.values())


def _ends_within_a_line(pieces: Sequence[Piece], end: int) -> bool:
    return 0 < end < len(pieces) and pieces[end - 1].line == pieces[end].line


def _from_left(rows: Iterable[_Row], columns: Sequence[tuple[float, float]]) -> list[_Row]:
    order = sorted(range(len(columns)), key=lambda number: columns[number])
    place = {number: new for new, number in enumerate(order)}
    return [_Row(row.base, {place[number]: cell for number, cell in row.cells.items()}) for row in rows]


def _is_prose(rows: Sequence[_Row]) -> bool:
    """Whether these are columns of text that the file holds line by line, rather than a table."""
    if len(rows) < PROSE_ROWS:
        return False
    steps = [above.base - below.base for above, below in pairwise(rows)]
    size = next(iter(rows[0].cells.values()))[0].size
    lengths: dict[int, list[int]] = {}
    for row in rows:
        for number, cell in row.cells.items():
            lengths.setdefault(number, []).append(len(cell[0].text.text))
    return median(steps) < NEXT_LINE * size and all(median(of) >= PROSE_CHARACTERS for of in lengths.values())


def _by_columns(rows: Sequence[_Row]) -> list[Piece]:
    """The pieces column by column; each a line of its own."""
    numbers = sorted({number for row in rows for number in row.cells})
    return [piece for number in numbers for row in rows for piece in row.cells.get(number, ())]


def _table(rows: Sequence[_Row]) -> MappedText:
    return joined([_cells(row) for row in rows], "\n")


def _cells(row: _Row) -> MappedText:
    cells = [row.cells.get(number, []) for number in range(max(row.cells) + 1)]
    texts = [_undivided(joined([piece.text for piece in cell], " ")).one_line() for cell in cells]
    return joined(texts if len(row.cells) > 1 else texts[-1:], " | ")
