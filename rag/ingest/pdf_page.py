"""The words of one PDF page as they stand on it: PDFium's characters, in its order, line by line."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.ingest.mapped import PAIRS, MappedText
from rag.ingest.pdf_layout import HYPHEN, Piece, paragraphs

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfTextPage

LINE_END = (0x0A, 0x0D)
DIVIDES = 0x02  # PDFium's own code for the hyphen of a divided word
WIDE = 1.0  # times the size: a gap between columns, not between words
MARKER = re.compile(r"[^\w\s]|o|\(?\w{1,4}[.)]|\d+(?:\.\d+){2,}")  # what stands before the words of a list

Box = tuple[float, float, float, float]  # left, bottom, right, top; in points


def page_text(pdf: PdfDocument, number: int) -> MappedText:
    """The text layer of page ``number`` (from 0); empty where it has none, or where no character can be decoded."""
    page = pdf[number]
    words = page.get_textpage()
    try:
        return read_words(words)
    finally:
        words.close()
        page.close()


def read_words(page: PdfTextPage) -> MappedText:
    """Characters that a page's fonts give no meaning to are left out: their codes are rubbish."""
    codes = codes_of(page)
    return paragraphs([piece for n, line in enumerate(_lines(page, codes)) for piece in _pieces(page, n, line)]).tidy()


def codes_of(page: PdfTextPage) -> list[int]:
    """What each character of a page says, in UTF-16; a pair takes two places."""
    import pypdfium2.raw as raw

    unicode, raw_page = raw.FPDFText_GetUnicode, page.raw
    codes = [unicode(raw_page, index) for index in range(page.count_chars())]
    for index in (index for index, code in enumerate(codes) if code == DIVIDES):
        codes[index] = ord(HYPHEN) if raw.FPDFText_IsHyphen(page, index) else DIVIDES
    return codes


def _lines(page: PdfTextPage, codes: Sequence[int]) -> Iterator[MappedText]:
    """The lines that hold anything but white space."""
    import pypdfium2.raw as raw

    unknown, raw_page = raw.FPDFText_HasUnicodeMapError, page.raw
    line: list[int] = []
    for index, code in enumerate([*codes, LINE_END[0]]):
        if code not in LINE_END:
            if not unknown(raw_page, index):
                line.append(index)
            continue
        if any(0x0590 <= codes[index] < 0x0900 for index in line):
            line = _right_to_left(page, line, codes)
        text = "".join(chr(codes[index]) for index in line)
        if text.strip():
            yield MappedText(text, tuple(line))
        line = []


def _right_to_left(page: PdfTextPage, line: Sequence[int], codes: Sequence[int]) -> list[int]:
    """Undo a reversal: PDFium turns right-to-left words round, also those that the file gives in reading order.

    It does the latter with replacement text, all of whose characters it puts into one and the same box.
    """
    result: list[int] = []
    group = [line[0]]
    for before, index in pairwise(line):
        same = page.get_charbox(before) == page.get_charbox(index)
        if not (same and _joins(codes[before]) and _joins(codes[index])):
            result += reversed(group)
            group = []
        group.append(index)
    return [*result, *reversed(group)]


def _joins(code: int) -> bool:
    return unicodedata.bidirectional(chr(code)) in {"R", "AL", "NSM"}


def _pieces(page: PdfTextPage, number: int, line: MappedText) -> Iterator[Piece]:
    """The line, cut at wide gaps; right-to-left text is left whole."""
    import pypdfium2.raw as raw

    line, turned = line.strip(), page.page.get_rotation()
    words = [(found.start(), found.end()) for found in re.finditer(r"\S+", line.text)]
    ends = [(line.at[start], line.at[end - 1]) for start, end in words]
    boxes = [(_upright(char_box(page, one), turned), _upright(char_box(page, other), turned)) for one, other in ends]
    first = boxes[0][0]
    size = raw.FPDFText_GetFontSize(page, line.at[0])
    # A size of 1 is no size: such files scale the whole page instead.
    size = size if size > 2 else first[3] - first[1]
    backwards = any(0x0590 <= ord(sign) < 0x0900 for sign in line.text)
    begun = 0
    for at in range(1, len(words) + 1):
        if at < len(words):
            wide = boxes[at][0][0] - boxes[at - 1][1][2] > WIDE * size and not backwards
            if not wide or (not begun and MARKER.fullmatch(line.text, 0, words[at - 1][1])):
                continue
        inside = [box for pair in boxes[begun:at] for box in pair]
        text = line[words[begun][0] : words[at - 1][1]].sub(PAIRS, _merged)
        left, right = min(box[0] for box in inside), max(box[2] for box in inside)
        bases = _base(page, ends[begun][0], turned), _base(page, ends[at - 1][1], turned)
        yield Piece(text, number, left, right, *bases, size)
        begun = at


def _base(page: PdfTextPage, index: int, turned: int) -> float:
    """Height of the line that a character stands on: the box around it differs from font to font."""
    import pypdfium2.raw as raw

    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(page.raw, index, ctypes.byref(x), ctypes.byref(y))
    return _upright((x.value, y.value, x.value, y.value), turned)[1]


def _upright(box: Box, turned: int) -> Box:
    """A box as it lies on a page that is shown turned clockwise by so many degrees."""
    left, bottom, right, top = box
    if turned == 90:
        return bottom, -right, top, -left
    if turned == 180:
        return -right, -top, -left, -bottom
    return (-top, left, -bottom, right) if turned == 270 else box


def _merged(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def char_box(page: PdfTextPage, index: int) -> Box:
    """Where a character stands, with the room that its font leaves around it."""
    import pypdfium2.raw as raw

    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(page.raw, index, ctypes.byref(box))
    return box.left, box.bottom, box.right, box.top
