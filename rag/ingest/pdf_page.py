"""The words of one PDF page, with its paragraphs and headings.

A page has only characters with places and sizes. What is a heading or a new paragraph is told from those.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING

from rag.ingest.clean import one_line, tidy

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfTextPage

HYPHEN = "\ufffe"  # how PDFium marks a word that is divided at the end of a line
LARGER = 1.15  # times the page's usual size: a heading
GAP = 1.5  # times the usual distance of lines: a new paragraph
LONGEST_HEADING = 120  # characters
LETTERS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    top: float  # of its first letter, in points from the bottom of the page
    last: float  # the same of its last letter: lower, where PDFium has joined a divided word of two lines
    size: float  # of its first letter, in points


def page_text(pdf: PdfDocument, number: int) -> str:
    """The text layer of page ``number`` (from 0); "" where it has none, or where no character can be decoded."""
    page = pdf[number]
    words = page.get_textpage()
    try:
        return tidy(_paragraphs(_read(words)))
    finally:
        words.close()
        page.close()


def _read(page: PdfTextPage) -> list[_Line]:
    """The page's lines. Characters that its fonts give no meaning to are left out: their codes are rubbish."""
    import pypdfium2.raw as raw

    lines: list[_Line] = []
    line: list[int] = []  # indexes of its characters
    codes = [raw.FPDFText_GetUnicode(page, index) for index in range(page.count_chars())]
    for index, code in enumerate(codes):
        if code in (0x0A, 0x0D):
            lines += [_line(page, line, codes)] if line else []
            line = []
        elif not raw.FPDFText_HasUnicodeMapError(page, index):
            line.append(index)
    return lines + ([_line(page, line, codes)] if line else [])


def _line(page: PdfTextPage, line: list[int], codes: list[int]) -> _Line:
    import pypdfium2.raw as raw

    text = "".join(chr(codes[index]) for index in line)
    if any(0x0590 <= codes[index] < 0x0900 for index in line):
        text = _right_to_left(page, line, text)
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    inked = [index for index in line if not chr(codes[index]).isspace()] or line
    _, bottom, _, top = page.get_charbox(inked[0], loose=True)
    size = raw.FPDFText_GetFontSize(page, inked[0])
    # A size of 1 is no size: such files scale the whole page instead.
    return _Line(text, top, page.get_charbox(inked[-1], loose=True)[3], size if size > 2 else top - bottom)


def _right_to_left(page: PdfTextPage, line: list[int], text: str) -> str:
    """Undo a reversal: PDFium turns right-to-left words round, also those that the file gives in reading order.

    It does the latter with replacement text, all of whose characters it puts into one and the same box.
    """
    boxes = [page.get_charbox(index) for index in line]
    result = ""
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and boxes[end] == boxes[start] and _joins(text[end]) and _joins(text[start]):
            continue
        result += text[start:end][::-1] if end - start > 1 else text[start:end]
        start = end
    return result


def _joins(character: str) -> bool:
    return unicodedata.bidirectional(character) in {"R", "AL", "NSM"}


def _paragraphs(lines: list[_Line]) -> str:
    """The lines with a blank one between paragraphs, divided words joined, headings marked."""
    usual = _usual_size(lines)
    distance = _usual_distance(lines)
    text = ""
    before: _Line | None = None
    for line in lines:
        if not line.text.strip():
            continue
        if before and text.endswith(HYPHEN):
            text = text[:-1]
        elif before:
            text += "\n\n" if _begins_paragraph(before, line, usual, distance) else "\n"
        text += f"## {one_line(line.text)}" if _is_heading(line, usual) else line.text.rstrip()
        before = line
    return _join_divided(text)


def _join_divided(text: str) -> str:
    """Take out the hyphens of divided words; before a capital or a digit it is a hyphen of the word's own."""
    return re.sub(rf"{HYPHEN}\s*(?=(\w)?)", lambda mark: "" if (mark[1] or "a").islower() else "-", text)


def _usual_size(lines: list[_Line]) -> float:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _usual_distance(lines: list[_Line]) -> float:
    same = [(above, below) for above, below in pairwise(lines) if abs(above.size - below.size) < 0.1]
    down = [step for above, below in same if (step := above.last - below.top) > 1]
    return median_low(down) if down else 0.0


def _is_heading(line: _Line, usual: float) -> bool:
    words = one_line(line.text)
    return line.size > LARGER * usual and len(words) <= LONGEST_HEADING and bool(LETTERS.search(words))


def _begins_paragraph(before: _Line, line: _Line, usual: float, distance: float) -> bool:
    step = before.last - line.top
    if _is_heading(before, usual) and _is_heading(line, usual):
        return step > GAP * max(distance, before.size)
    return abs(before.size - line.size) > 0.1 * usual or step > GAP * distance > 0
