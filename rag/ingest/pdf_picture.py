"""The picture of a PDF page, of which nothing is drawn that could not be checked. Runs in the worker's process.

A page is drawn from its characters and its straight lines alone. Images, drawings, annotations, the values of forms
and characters without a meaning may all show words that no guard has read: they are left out, and it is said.
"""

from __future__ import annotations

import base64
import ctypes
import math
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.ingest.clean import unreadable_share
from rag.ingest.load_pdf import join, opened, pages_of
from rag.ingest.pdf_layout import HYPHEN
from rag.ingest.pdf_page import LINE_END, Box, char_box, codes_of, read_words

if TYPE_CHECKING:
    from pypdfium2 import PdfBitmap, PdfPage, PdfTextPage

DOTS_PER_POINT = 110 / 72
MOST_PIXELS = 4_000_000  # of a picture; a page of A4 has 1.2 million
DEEPEST = 12  # forms within forms that are looked into
SHORTEST_RULE = 12.0  # points: a straight line of this length is no part of a letter
BLACK, GREY, LIGHT = (0, 0, 0, 255), (170, 170, 170, 255), (236, 236, 236, 255)
PAPER = (255, 255, 255, 255)
YELLOW = tuple(bytes(round(value * share) for value in range(256)) for share in (1.0, 0.9, 0.45))

Matrix = tuple[float, float, float, float, float, float]
SAME: Matrix = (1, 0, 0, 1, 0, 0)


def locate(path: Path, start: int, end: int) -> dict[str, Any]:
    """Where a span of the document's text stands, and the whole text of each page that it touches.

    Returns:
        "text": the span; "pages" and "at": for each of its characters its page (from 0) and its index there;
        "texts": for each page, its text and the index of each character, with what the document leaves out of it.
    """
    with opened(path) as pdf:
        pages = pages_of(pdf)
    whole, starts = join(pages)
    span = whole[start:end]
    numbers = [bisect_right(starts, place) - 1 for place in range(start, start + len(span.text))]
    texts = {number: {"text": pages[number].text, "at": pages[number].at} for number in set(numbers)}
    return {"text": span.text, "at": span.at, "pages": numbers, "texts": texts}


def draw(path: Path, number: int, marked: Sequence[int], hidden: Sequence[int]) -> dict[str, Any]:
    """The picture of a page as PNG, in base 64.

    Args:
        marked: indexes of the characters that are shown in yellow.
        hidden: of those that are black: nothing of them is drawn.

    Returns:
        "png"; "begins": where the first marked word does, as shares of width and height;
        "left_out": what the page holds that is not drawn, of "pictures", "characters", "notes".
    """
    with opened(path) as pdf:
        page = pdf[number]
        words = page.get_textpage()
        try:
            return _drawn(page, words, sorted(set(marked)), set(hidden))
        finally:
            words.close()
            page.close()


def _drawn(page: PdfPage, words: PdfTextPage, marked: Sequence[int], hidden: set[int]) -> dict[str, Any]:
    import pypdfium2.raw as raw

    unread = _unread(words)
    covered = hidden | unread
    of_object: dict[int, list[int]] = {}
    for index in range(words.count_chars()):
        of_object.setdefault(_address(raw.FPDFText_GetTextObject(words, index)), []).append(index)
    read = {key for key, indexes in of_object.items() if not unread.issuperset(indexes)}
    partly = {key for key in read if not covered.isdisjoint(of_object[key])}
    images, left_out = _switch_off(page, read)
    canvas = _Canvas(page, images)
    if covered:
        clear = [index for key in partly for index in of_object[key] if index not in covered]
        _leave_out(page, partly)
        whole, canvas = canvas, _Canvas(page, images)
        canvas.copy(whole, rectangles(words, sorted(clear)))
    marks = rectangles(words, marked)
    canvas.mark(marks)
    canvas.fill(rectangles(words, sorted(unread)), GREY)
    canvas.fill(rectangles(words, sorted(hidden)), BLACK)
    notes = raw.FPDFPage_GetAnnotCount(page) > 0
    told = [*left_out, *(["characters"] if unread else []), *(["notes"] if notes else [])]
    return {"png": base64.b64encode(canvas.png()).decode(), "begins": canvas.share(marks), "left_out": told}


def _unread(words: PdfTextPage) -> set[int]:
    """The characters that leave ink but no word: they are not in the text, or stand there for nothing."""
    codes = codes_of(words)
    text = read_words(words)
    lines = {text.at[0]} if text.at else set()
    lines |= {after for sign, after in zip(text.text, text.at[1:], strict=False) if sign == "\n"}
    read = {at for sign, at in zip(text.text, text.at, strict=True) if at in lines or not unreadable_share(sign)}
    return {
        index
        for index, code in enumerate(codes)
        if index not in read and code not in LINE_END and code != ord(HYPHEN) and not chr(code).isspace()
        and not 0xDC00 <= code < 0xE000  # second half of a pair: the first stands for it
    }  # fmt: skip


def _address(thing: Any) -> int:
    return ctypes.cast(thing, ctypes.c_void_p).value or 0


def _objects(parent: Any, matrix: Matrix = SAME, depth: int = 0) -> Iterator[tuple[Any, int, Matrix]]:
    """Everything that is drawn on a page: the thing, its kind, and how its container is placed."""
    import pypdfium2.raw as raw

    count = raw.FPDFFormObj_CountObjects(parent) if depth else raw.FPDFPage_CountObjects(parent)
    for place in range(count):
        thing = raw.FPDFFormObj_GetObject(parent, place) if depth else raw.FPDFPage_GetObject(parent, place)
        kind = raw.FPDFPageObj_GetType(thing)
        yield thing, kind, matrix
        if kind == raw.FPDF_PAGEOBJ_FORM and depth < DEEPEST:
            yield from _objects(thing, _times(_matrix(thing), matrix), depth + 1)
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            raw.FPDFPageObj_SetIsActive(thing, False)


def _matrix(thing: Any) -> Matrix:
    import pypdfium2.raw as raw

    found = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(thing, found)
    return found.a, found.b, found.c, found.d, found.e, found.f


def _times(inner: Matrix, outer: Matrix) -> Matrix:
    a, b, c, d, e, f = inner
    x, y = _placed(outer, e, f)
    oa, ob, oc, od, _, _ = outer
    return a * oa + b * oc, a * ob + b * od, c * oa + d * oc, c * ob + d * od, x, y


def _placed(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _switch_off(page: PdfPage, read: set[int]) -> tuple[list[Box], list[str]]:
    """Leave drawn only straight lines and these text objects; where images were, and what else to say."""
    import pypdfium2.raw as raw

    images: list[Box] = []
    drawings = False
    for thing, kind, matrix in _objects(page):
        if kind == raw.FPDF_PAGEOBJ_TEXT and _address(thing) in read:
            if raw.FPDFTextObj_GetTextRenderMode(thing) >= raw.FPDF_TEXTRENDERMODE_INVISIBLE:
                raw.FPDFTextObj_SetTextRenderMode(thing, raw.FPDF_TEXTRENDERMODE_FILL)  # of a scan: it was read as well
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            images.append(_bounds(thing, matrix))
            raw.FPDFPageObj_SetIsActive(thing, False)
        elif kind != raw.FPDF_PAGEOBJ_FORM and not (kind == raw.FPDF_PAGEOBJ_PATH and _is_plain(thing, matrix)):
            drawings |= kind != raw.FPDF_PAGEOBJ_TEXT
            raw.FPDFPageObj_SetIsActive(thing, False)
    return images, ["pictures"] if images or drawings else []


def _leave_out(page: PdfPage, addresses: set[int]) -> None:
    import pypdfium2.raw as raw

    for thing, _, _ in _objects(page):
        if _address(thing) in addresses:
            raw.FPDFPageObj_SetIsActive(thing, False)


def _bounds(thing: Any, matrix: Matrix) -> Box:
    import pypdfium2.raw as raw

    sides = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(thing, *map(ctypes.byref, sides))
    left, bottom, right, top = (side.value for side in sides)
    xs, ys = zip(*(_placed(matrix, x, y) for x in (left, right) for y in (bottom, top)), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _is_plain(path: Any, matrix: Matrix) -> bool:
    """Whether a path is made of rules and boxes, which are too large for parts of letters."""
    import pypdfium2.raw as raw

    clip = raw.FPDFPageObj_GetClipPath(path)
    for number in range(max(0, raw.FPDFClipPath_CountPaths(clip)) if clip else 0):
        if raw.FPDFClipPath_CountPathSegments(clip, number) > 5:
            return False
    placed = _times(_matrix(path), matrix)
    shape: list[tuple[float, float]] = []
    for number in range(raw.FPDFPath_CountSegments(path)):
        segment = raw.FPDFPath_GetPathSegment(path, number)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            if shape and not _is_rule(shape):
                return False
            shape = []
        elif kind != raw.FPDF_SEGMENT_LINETO:
            return False
        x, y = ctypes.c_float(), ctypes.c_float()
        raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        shape.append(_placed(placed, x.value, y.value))
        if len(shape) > 5:
            return False
    return bool(shape) and _is_rule(shape)


def _is_rule(shape: Sequence[tuple[float, float]]) -> bool:
    if len(shape) == 1:
        return True
    width, height = (max(values) - min(values) for values in zip(*shape, strict=True))
    straight = all(abs(x - u) < 0.5 or abs(y - v) < 0.5 for (x, y), (u, v) in pairwise(shape))
    return straight and max(width, height) >= SHORTEST_RULE


def rectangles(words: PdfTextPage, indexes: Iterable[int]) -> list[Box]:
    """Boxes around characters, in points of the page; those that follow one another on a line in one."""
    found: list[Box] = []
    before = -2
    for index in indexes:
        box = char_box(words, index)
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        if found and index - before <= 2 and _goes_on(found[-1], box):
            left, bottom, right, top = found.pop()
            box = min(left, box[0]), min(bottom, box[1]), max(right, box[2]), max(top, box[3])
        found.append(box)
        before = index
    return found


def _goes_on(before: Box, box: Box) -> bool:
    shared = min(before[3], box[3]) - max(before[1], box[1])
    near = max(before[0], box[0]) - min(before[2], box[2]) < before[3] - before[1]
    return near and shared > 0.5 * min(before[3] - before[1], box[3] - box[1])


class _Canvas:
    """A page, drawn into memory."""

    def __init__(self, page: PdfPage, images: Iterable[Box]) -> None:
        import pypdfium2.raw as raw
        from pypdfium2 import PdfBitmap

        self._page = page
        width, height = (max(1.0, side) for side in page.get_size())
        scale = min(DOTS_PER_POINT, math.sqrt(MOST_PIXELS / (width * height)), MOST_PIXELS / max(width, height) / 100)
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        self._bitmap: PdfBitmap = PdfBitmap.new_native(*self._size, raw.FPDFBitmap_BGR, rev_byteorder=True)
        self._bitmap.fill_rect(PAPER, 0, 0, *self._size)
        self.fill(images, LIGHT)
        raw.FPDF_RenderPageBitmap(self._bitmap, page, 0, 0, *self._size, 0, raw.FPDF_REVERSE_BYTE_ORDER)

    def fill(self, boxes: Iterable[Box], colour: tuple[int, int, int, int]) -> None:
        for left, top, right, bottom in self._pixels(boxes):
            self._bitmap.fill_rect(colour, left, top, right - left, bottom - top)

    def mark(self, boxes: Iterable[Box]) -> None:
        """As a felt pen does."""
        for row, begin, end in self._rows(boxes):
            for channel, table in enumerate(YELLOW):
                row[begin + channel : end : 3] = bytes(row[begin + channel : end : 3]).translate(table)

    def copy(self, other: _Canvas, boxes: Iterable[Box]) -> None:
        boxes = list(boxes)
        for (row, begin, end), (source, _, _) in zip(self._rows(boxes), other._rows(boxes), strict=True):
            row[begin:end] = source[begin:end]

    def share(self, boxes: Iterable[Box]) -> tuple[float, float]:
        """Where the first of the boxes begins, as shares of width and height; the upper left where there is none."""
        left, top, _, _ = next(self._pixels(boxes), (0, 0, 0, 0))
        return round(left / self._size[0], 4), round(top / self._size[1], 4)

    def png(self) -> bytes:
        width, height = self._size
        lines = b"".join(b"\0" + bytes(row[: width * 3]) for row in self._lines())
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        parts = (b"IHDR", head), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + b"".join(map(_png_part, *zip(*parts, strict=True)))

    def _lines(self) -> Iterator[memoryview]:
        data, stride = memoryview(self._bitmap.buffer).cast("B"), self._bitmap.stride
        return (data[line * stride : (line + 1) * stride] for line in range(self._size[1]))

    def _rows(self, boxes: Iterable[Box]) -> Iterator[tuple[memoryview, int, int]]:
        """Each line of pixels of each box: the whole line, and which of its bytes."""
        lines = list(self._lines())
        for left, top, right, bottom in self._pixels(boxes):
            yield from ((line, left * 3, right * 3) for line in lines[top:bottom])

    def _pixels(self, boxes: Iterable[Box]) -> Iterator[tuple[int, int, int, int]]:
        """Boxes in pixels (left, top, right, bottom), whole ones, cut to the picture."""
        import pypdfium2.raw as raw

        width, height = self._size
        x, y = ctypes.c_int(), ctypes.c_int()
        for box in boxes:
            corners = []
            for place in (box[:2], box[2:], (box[0], box[3]), (box[2], box[1])):
                raw.FPDF_PageToDevice(self._page, 0, 0, width, height, 0, *place, ctypes.byref(x), ctypes.byref(y))
                corners.append((x.value, y.value))
            across, down = ([corner[axis] for corner in corners] for axis in (0, 1))
            left, top, right, bottom = min(across) - 1, min(down) - 1, max(across) + 1, max(down) + 1
            yield max(0, left), max(0, top), max(0, min(width, right)), max(0, min(height, bottom))


def _png_part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
