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
LINE = re.compile(r"[^\n\r]+")
WORD = re.compile(r"\S+")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")
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
    places = _Places(page)
    lines = _lines(page, codes_of(page))
    return paragraphs([piece for number, line in enumerate(lines) for piece in _pieces(places, number, line)]).tidy()


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
    rubbish = {index for index in range(len(codes)) if unknown(raw_page, index)}
    text = "".join(map(chr, codes))
    for found in LINE.finditer(text):
        line: Sequence[int] = range(*found.span())
        if not rubbish.isdisjoint(line):
            line = [index for index in line if index not in rubbish]
        if line and RIGHT_TO_LEFT.search(found[0]):
            line = _right_to_left(page, line, codes)
        words = "".join([text[index] for index in line]) if rubbish or isinstance(line, list) else found[0]
        if words.strip():
            yield MappedText(words, tuple(line))


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


def _pieces(places: _Places, number: int, line: MappedText) -> Iterator[Piece]:
    """The line, cut at wide gaps; right-to-left text is left whole."""
    line = line.strip()
    words = [found.span() for found in WORD.finditer(line.text)]
    ends = [(line.at[start], line.at[end - 1]) for start, end in words]
    boxes = [(places.box(one), places.box(other)) for one, other in ends]
    size = places.size(line.at[0])
    backwards = RIGHT_TO_LEFT.search(line.text)
    begun = 0
    for at in range(1, len(words) + 1):
        if at < len(words):
            wide = boxes[at][0][0] - boxes[at - 1][1][2] > WIDE * size and not backwards
            if not wide or (not begun and MARKER.fullmatch(line.text, 0, words[at - 1][1])):
                continue
        text = line[words[begun][0] : words[at - 1][1]].sub(PAIRS, _merged)
        left = min([min(one[0], other[0]) for one, other in boxes[begun:at]])
        right = max([max(one[2], other[2]) for one, other in boxes[begun:at]])
        yield Piece(text, number, left, right, places.base(ends[begun][0]), places.base(ends[at - 1][1]), size)
        begun = at


class _Places:
    """Where the characters of a page stand, as the page is shown."""

    def __init__(self, page: PdfTextPage) -> None:
        import pypdfium2.raw as raw

        self._page = page.raw
        self._turned = page.page.get_rotation()
        self._box = raw.FS_RECTF()
        self._find = raw.FPDFText_GetLooseCharBox

    def box(self, index: int) -> Box:
        """With the room that its font leaves around it."""
        found = self._box
        self._find(self._page, index, found)
        box = found.left, found.bottom, found.right, found.top
        return _upright(box, self._turned) if self._turned else box

    def base(self, index: int) -> float:
        """Height of the line that a character stands on: the box around it differs from font to font."""
        import pypdfium2.raw as raw

        x, y = ctypes.c_double(), ctypes.c_double()
        raw.FPDFText_GetCharOrigin(self._page, index, x, y)
        return _upright((x.value, y.value, x.value, y.value), self._turned)[1]

    def size(self, index: int) -> float:
        import pypdfium2.raw as raw

        size: float = raw.FPDFText_GetFontSize(self._page, index)
        if size > 2:
            return size
        _, bottom, _, top = self.box(index)  # a size of 1 is no size: such files scale the whole page instead
        return top - bottom


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
    raw.FPDFText_GetLooseCharBox(page.raw, index, box)
    return box.left, box.bottom, box.right, box.top
