"""PDF files written by hand, so that a test can say to the letter what a page holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FONT = "/Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding"
# Its letters are drawings. It says what A and C are; no reader can tell what B is.
DRAWN = (
    "/Type /Font /Subtype /Type3 /FontBBox [0 0 600 700] /FontMatrix [.001 0 0 .001 0 0] /FirstChar 65 /LastChar 67 "
    "/Widths [600 600 600] /Encoding << /Type /Encoding /Differences [65 /A /q1 /C] >> /Resources << >> "
    "/CharProcs << /A 7 0 R /q1 8 0 R /C 8 0 R >> /ToUnicode 9 0 R"
)
SAYS = (
    "/CIDInit /ProcSet findresource begin begincmap /CMapName /S def 1 begincodespacerange <00> <FF> "
    "endcodespacerange 2 beginbfchar <41> <0041> <43> <0043> endbfchar endcmap end"
)
GLYPH = "600 0 0 0 600 700 d1 100 0 400 700 re f"
STRAY = GLYPH + " 2100 0 400 700 re f"  # leaves ink far outside of its place
PIXEL = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8"


@dataclass(frozen=True)
class Page:
    content: str
    extra: str = ""  # of its dictionary, e.g. "/Rotate 90"
    box: str = "[0 0 400 400]"


def line(words: str, x: float, y: float, size: float = 10, more: str = "") -> str:
    """``words`` in Helvetica, or in "D", the font that is drawn, as ``more`` says."""
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F {size} Tf {more} 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET\n"


def lines(words: Sequence[str], x: float = 40, top: float = 350, step: float = 12) -> str:
    return "".join(line(text, x, top - step * number) for number, text in enumerate(words))


def pdf(*pages: Page) -> bytes:
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        3: f"<< {FONT} >>",
        4: f"<< {DRAWN} >>",
        5: _stream("\x00", PIXEL),
        6: "<< /Type /Annot /Subtype /FreeText /Rect [40 10 200 30] /Contents (a note) /DA (/F 9 Tf) >>",
        7: _stream(GLYPH),
        8: _stream(STRAY),
        9: _stream(SAYS),
    }
    for number, page in enumerate(pages):
        place = 10 + 2 * number
        resources = "<< /Font << /F 3 0 R /D 4 0 R >> /XObject << /I 5 0 R >> >>"
        objects[place] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox {page.box} /Resources {resources} "
            f"/Contents {place + 1} 0 R {page.extra} >>"
        )
        objects[place + 1] = _stream(page.content)
    return _file(objects)


def _stream(content: str, extra: str = "") -> str:
    return f"<< /Length {len(content.encode('cp1252'))} {extra} >>\nstream\n{content}\nendstream"


def _file(objects: dict[int, str]) -> bytes:
    data, places = b"%PDF-1.7\n", dict[int, int]()
    for number, body in objects.items():
        places[number] = len(data)
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    start, size = len(data), max(objects) + 1
    rows = [f"{places[n]:010d} 00000 n \n" if n in places else "0000000000 65535 f \n" for n in range(size)]
    table = f"xref\n0 {size}\n{''.join(rows)}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return data + table.encode()
