"""PDF: the order of reading, tables, and that every character of the text is found again on its page."""

from __future__ import annotations

import base64
import ctypes
import io
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2.raw as raw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rag.errors import LoadError
from rag.ingest.clean import one_line, tidy
from rag.ingest.load_pdf import join, load_pdf, opened, pages_of
from rag.ingest.mapped import MappedText
from rag.ingest.pdf_picture import MOST_PIXELS, draw, locate, rectangles
from rag.types import Document, Limits
from tests.ingest.pdfs import Page, line, lines, pdf

ROOT = Path(__file__).resolve().parents[2]
LEFT = [f"The left column says in line {n}" for n in "abcdef"]
RIGHT = [f"while the right one says in {n}" for n in "ghijkl"]
MAIL = "m.keller@example.org"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(*pages: Page) -> Path:
        path = tmp_path / "a.pdf"
        path.write_bytes(pdf(*pages))
        return path

    return written


def read(path: Path) -> Document:
    return load_pdf(path, path.name, Limits())


# --- what is read -------------------------------------------------------------------------------------------------


def test_columns_that_the_file_holds_line_by_line_are_read_one_after_the_other(write: Write) -> None:
    both = "".join(
        line(left, 40, 300 - 12 * n) + line(right, 220, 300 - 12 * n)
        for n, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True))
    )
    head = line("A head line over the whole page, from one side of it to the other one", 40, 330)
    text = read(write(Page(head + both))).text
    assert text.replace("\n\n", "\n").split("\n")[1:] == [*LEFT, *RIGHT]


def test_a_table_is_read_as_rows_with_the_lines_of_a_cell_together(write: Write) -> None:
    rows = [("Place", "Hearing", "Shoes"), ("Heat plant", "above 80", "S3"), ("Roof", "", "S3, soft")]
    cells = [(cell, x, 300 - 30 * n) for n, row in enumerate(rows) for cell, x in zip(row, (40, 140, 240), strict=True)]
    cells.insert(5, ("dB(A)", 140, 259))
    drawn = "".join(line(*cell) for cell in cells)
    text = read(write(Page(line("Gear", 40, 330, 16) + drawn + line("After.", 40, 180)))).text
    assert text == "## Gear\n\nPlace | Hearing | Shoes\nHeat plant | above 80 dB(A) | S3\nRoof |  | S3, soft\n\nAfter."


def test_a_list_is_no_table(write: Write) -> None:
    items = "".join(line(f"{n}.", 40, 300 - 12 * n) + line(f"Step number {n}", 70, 300 - 12 * n) for n in (1, 2, 3))
    assert "|" not in read(write(Page(items))).text


def test_words_divided_at_the_end_of_a_line_are_one(write: Write) -> None:
    text = read(write(Page(lines(["Ask for the reim-", "bursement of Kosten-", "Nutzen at once."])))).text
    assert "reimbursement" in text
    assert "Kosten-Nutzen" in text


@pytest.mark.parametrize(
    ("turned", "extra"),
    [
        ("0 1 -1 0 400 0 cm\n", "/Rotate 90"),
        ("-1 0 0 -1 400 400 cm\n", "/Rotate 180"),
        ("0 -1 1 0 0 400 cm\n", "/Rotate 270"),
        ("", "/CropBox [20 30 380 390]"),
    ],
)
def test_a_turned_or_cropped_page_reads_the_same(write: Write, turned: str, extra: str) -> None:
    table = "".join(line(f"Cell {n}", 40 + 90 * (n % 3), 200 - 14 * (n // 3)) for n in range(9))
    content = line("Heading", 40, 370, 16) + lines(LEFT) + table
    text = read(write(Page(content))).text
    assert text.startswith("## Heading\n\nThe left")
    assert "Cell 0 | Cell 1 | Cell 2\nCell 3" in text
    assert read(write(Page(turned + content, extra))).text == text


# --- where it stands ----------------------------------------------------------------------------------------------

signs = st.text(st.sampled_from("ab \t\n\r\u2028\x00\xad\ufffe\ud800|-"), max_size=30)


@given(signs)
def test_a_mapped_text_is_cleaned_as_text_is_and_keeps_its_places(text: str) -> None:
    mapped = MappedText(text, tuple(range(len(text))))
    assert mapped.tidy().text == tidy(text)
    assert mapped.one_line().text == one_line(text)
    tidied = mapped.tidy()
    kept = [(sign, at) for sign, at in zip(tidied.text, tidied.at, strict=True) if sign in "ab|-\ufffd"]
    assert all(at >= 0 and text[at].replace("\ud800", "\ufffd") == sign for sign, at in kept)


def bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def words_inside(words: Any, box: tuple[float, float, float, float]) -> str:
    """What PDFium finds in the middle of a box: its edges touch the neighbours of what it is around."""
    left, bottom, right, top = box
    height = top - bottom
    inside = left + 0.08 * height, top - 0.35 * height, right - 0.08 * height, bottom + 0.35 * height
    count = raw.FPDFText_GetBoundedText(words, *inside, None, 0)
    buffer = (ctypes.c_ushort * (count + 1))()
    raw.FPDFText_GetBoundedText(words, *inside, buffer, count + 1)
    return bytes(buffer)[: 2 * count].decode("utf-16-le", "replace").rstrip("\0")


def spans_found(path: Path, spans: int) -> list[bool]:
    """Whether the words in the boxes of random spans are those of the span."""
    chance = random.Random(4)  # noqa: S311 - nothing secret
    found = []
    with opened(path) as file:
        whole, starts = join(pages_of(file))
        assert (whole.text, starts) == ((same := read(path)).text, same.page_starts)
        ends = [*starts[1:], len(whole.text)]
        for number in chance.choices([n for n, (a, b) in enumerate(zip(starts, ends, strict=True)) if b > a], k=spans):
            start = chance.randrange(starts[number], ends[number])
            span = whole[start : min(ends[number], start + chance.randrange(1, 120))]
            words = file[number].get_textpage()
            boxes = rectangles(words, sorted(at for at in span.at if at >= 0))
            inside = "".join(words_inside(words, box) for box in boxes)
            found.append(sorted(bare(inside)) == sorted(bare(span.text)))
    return found


def test_the_words_in_the_boxes_of_a_span_are_its_words(shared_data: Path) -> None:
    folders = [shared_data / "documents" / "fixtures", shared_data / "documents" / "demo" / "forms", ROOT / "corpus"]
    found: dict[str, list[bool]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.pdf")):
        # All letters of its words share one box, and one file repeats itself for 400 pages.
        if path.name in {"habibi.pdf", "pdf2image-memory-error-test-400p.pdf"}:
            continue
        try:
            found[path.name] = spans_found(path, 30)
        except LoadError:
            continue
    every = [right for of_file in found.values() for right in of_file]
    assert len(found) > 20
    assert sum(every) / len(every) >= 0.99, {name: sum(rights) / len(rights) for name, rights in found.items()}


@pytest.mark.parametrize("extra", ["", "/Rotate 90", "/Rotate 270", "/CropBox [20 30 380 390]"])
def test_the_marked_words_are_marked_in_the_picture(write: Write, extra: str) -> None:
    path = write(Page(lines(LEFT) + line("Find me", 200, 100), extra))
    start = read(path).text.index("Find me")
    place = locate(path, start, start + len("Find me"))
    assert (place["text"], set(place["pages"])) == ("Find me", {0})
    plain, marked = (image(draw(path, 0, marks, [])) for marks in ([], place["at"]))
    changed = Image.composite(marked, Image.new("RGB", marked.size), difference(plain, marked)).getbbox()
    assert changed
    x, y = ((changed[0] + changed[2]) / 2 / marked.width, (changed[1] + changed[3]) / 2 / marked.height)
    upright = {"": (0.55, 0.74), "/Rotate 90": (0.26, 0.55), "/Rotate 270": (0.74, 0.45)}
    expected = upright.get(extra, ((218 - 20) / 360, (390 - 103) / 360))
    assert (x, y) == pytest.approx(expected, abs=0.03)


# --- what is drawn ------------------------------------------------------------------------------------------------


def image(drawn: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(drawn["png"]))).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.difference(one, other).convert("L").point(lambda value: 255 if value else 0)


def colours(picture: Image.Image, box: tuple[float, float, float, float], side: float = 400) -> set[Any]:
    """The colours in a box of the page, given in points from the upper left."""
    scale = picture.width / side
    part = picture.crop(tuple(round(edge * scale) for edge in box))
    return {colour for _, colour in part.getcolors(1 << 20) or []}


def test_nothing_is_left_of_a_hidden_value_and_all_of_what_stands_beside_it(write: Write) -> None:
    path = write(Page(line(f"Write to {MAIL} today", 40, 350, 12)))
    start = read(path).text.index(MAIL)
    place = locate(path, start, start + len(MAIL))
    plain, hidden = image(draw(path, 0, [], [])), image(draw(path, 0, place["at"], place["at"]))
    scale, at = 110 / 72, difference(plain, hidden).getbbox()
    assert at
    assert colours(hidden, tuple(edge / scale for edge in at), 400) == {(0, 0, 0)}  # one black box, and no more changed
    assert plain.crop((0, 0, at[0], 600)).tobytes() == hidden.crop((0, 0, at[0], 600)).tobytes()
    assert plain.crop((at[2], 0, 611, 600)).tobytes() == hidden.crop((at[2], 0, 611, 600)).tobytes()


@pytest.mark.parametrize(
    ("content", "extra", "told"),
    [
        ("q 100 0 0 100 200 100 cm /I Do Q", "", "pictures"),
        ("200 100 m 230 100 240 130 250 200 c 300 100 l f", "", "pictures"),  # a letter's outline, for all one knows
        ("200 100 4 9 re f 208 100 4 9 re f", "", "pictures"),
        ("BT /D 40 Tf 200 100 Td (BB) Tj ET", "", "characters"),  # no reader can tell what it says
        ("", "/Annots [6 0 R]", "notes"),
    ],
)
def test_what_cannot_be_checked_is_not_drawn_and_it_is_said(write: Write, content: str, extra: str, told: str) -> None:
    drawn = draw(write(Page(line("Words that can be read", 40, 350) + content, extra)), 0, [], [])
    assert drawn["left_out"] == [told]
    shades = colours(image(drawn), (190, 190, 400, 400))
    assert len(shades) <= 2
    assert all(min(shade) > 160 for shade in shades)  # paper and grey


@pytest.mark.parametrize(("letters", "covered"), [("AB", (170, 170, 170)), ("AC", (0, 0, 0))])
def test_of_a_covered_letter_nothing_is_drawn_also_outside_of_its_place(
    write: Write, letters: str, covered: tuple[int, int, int]
) -> None:
    path = write(Page(line("Words", 40, 350) + f"BT /D 40 Tf 200 100 Td ({letters}) Tj ET"))
    assert read(path).text.split()[-1] == letters.replace("B", "")
    picture = image(draw(path, 0, [], [8] if letters == "AC" else []))
    assert colours(picture, (206, 280, 218, 298)) == {(0, 0, 0)}  # A
    assert colours(picture, (228, 275, 244, 298)) == {covered}
    assert colours(picture, (260, 260, 400, 400)) == {(255, 255, 255)}


def test_rules_boxes_and_the_hidden_words_of_a_scan_are_drawn(write: Write) -> None:
    scan = "q 400 0 0 400 0 0 cm /I Do Q\n" + line("Words beneath a scan", 40, 350, 20, "3 Tr")
    drawn = draw(write(Page(scan + "1 0 0 rg 40 100 200 30 re f")), 0, [], [])
    picture = image(drawn)
    assert (0, 0, 0) in colours(picture, (40, 30, 300, 60))
    assert colours(picture, (50, 275, 230, 295)) == {(255, 0, 0)}


def test_a_page_of_ten_metres_is_drawn_small(write: Write) -> None:
    drawn = draw(write(Page(line("Words", 40, 350), box="[0 0 28346 28346]")), 0, [], [])
    assert image(drawn).width * image(drawn).height <= MOST_PIXELS * 1.01
    narrow = draw(write(Page(line("Words", 4, 50), box="[0 0 14000 60]")), 0, [], [])
    assert image(narrow).width <= MOST_PIXELS / 100
