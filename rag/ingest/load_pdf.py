"""PDF: its text layer, page by page."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import LoadError, NoText
from rag.ingest.clean import has_words
from rag.ingest.limits import check_pages
from rag.ingest.pdf_page import page_text
from rag.ingest.titles import best_title, first_heading
from rag.types import Document, Limits

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

logger = logging.getLogger(__name__)

PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
REPLACEMENT = b"\xef\xbf\xbd"  # what a conversion of text leaves where it met a byte that it did not know
DAMAGED_ABOVE = 0.01  # share of the bytes; sound files have none or a handful
# A page that a protecting program puts in place of the document.
NOTICES = re.compile(
    r"does not support opening files protected by Microsoft"
    r"|if this message is not eventually replaced by the proper contents",
    re.IGNORECASE,
)
EDGE = 2  # lines at either end of a page that may be its head or foot
LETTER = re.compile(r"[^\W\d_]")
UNFINISHED = re.compile(r"[^.!?:;…。]\s*$")  # a page that ends so goes on, in mid-sentence, on the next


def load_pdf(path: Path, source: str, limits: Limits) -> Document:
    """Read a PDF's text in reading order; ``page_starts`` has an entry for every page, empty ones too.

    Raises:
        LoadError: it is locked, protected or damaged.
        NoText: it is sound, but its pages are pictures, or empty.
    """
    with _opened(path) as pdf:
        check_pages(path, len(pdf), limits)
        pages = [page_text(pdf, number) for number in range(len(pdf))]
        _check(path, pdf, pages)
        title = _title(source, pdf, pages)
    text, starts = _join(without_running_lines(pages))
    empty = sum(not has_words(page) for page in pages)
    if empty:
        logger.warning("%s: %d of %d pages have no text layer and were not read", source, empty, len(pages))
    return Document(source, title, text, page_starts=starts)


@contextmanager
def _opened(path: Path) -> Iterator[PdfDocument]:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD_ERROR:
            raise LoadError(path, "it is locked with a password; save it without one") from None
        raise LoadError(path, _damage(path) or "it is no sound PDF; open it elsewhere and save it anew") from None
    try:
        yield pdf
    finally:
        pdf.close()


def _check(path: Path, pdf: PdfDocument, pages: list[str]) -> None:
    if not pages:
        raise LoadError(path, _damage(path) or "it is no sound PDF: it has no pages")
    if len(pages) <= 2 and NOTICES.search(" ".join("".join(pages).split())):
        raise LoadError(path, "its content is protected, and only a notice can be read; save it unprotected")
    if any(has_words(page) for page in pages):
        return
    if damage := _damage(path):
        raise LoadError(path, damage)
    raise NoText(path, f"{_what_pages_hold(pdf)}; recognise its text with an OCR program first")


def _damage(path: Path) -> str | None:
    data = path.read_bytes()
    if data.count(REPLACEMENT) * len(REPLACEMENT) > DAMAGED_ABOVE * len(data):
        return "its bytes were damaged by a conversion of text; get the original again"
    if b"%%EOF" not in data[-2048:]:
        return "it is cut off or damaged: its end is missing; get the original again"
    return None


def _what_pages_hold(pdf: PdfDocument) -> str:
    import pypdfium2.raw as raw

    pictures = sum(any(pdf[number].get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE])) for number in range(len(pdf)))
    if pictures:
        return f"it has no text layer: {pictures} of its {len(pdf)} pages are pictures, as scans are"
    return f"none of its {len(pdf)} pages has a text layer"


def _title(source: str, pdf: PdfDocument, pages: list[str]) -> str:
    named = pdf.get_metadata_dict(skip_empty=True).get("Title")
    return best_title(source, named, first_heading(pages[0]))


def without_running_lines(pages: list[str]) -> list[str]:
    """The pages without the head and foot lines that most of them share but for a number.

    They would stand in the middle of sentences that span two pages. What has words stays where it comes first.
    """
    shared = Counter(key for page in pages for key in set(_edges(page).values()))
    running = {key for key, n in shared.items() if n > 1 and n > sum(map(bool, pages)) / 2}
    known = {key for key in running if not LETTER.search(key)}  # page numbers alone
    kept: list[str] = []
    for page in pages:
        found = _edges(page)
        lines = [line for place, line in enumerate(page.split("\n")) if found.get(place) not in known]
        kept.append("\n".join(lines).strip("\n"))
        known |= running & set(found.values())
    return kept


def _edges(page: str) -> dict[int, str]:
    """The lines at the top and bottom of a page that may be running ones, by their place; headings are not."""
    lines = [(place, line) for place, line in enumerate(page.split("\n")) if line]
    edges = [*lines[:EDGE], *lines[-EDGE:]]
    return {place: _but_for_numbers(line) for place, line in edges if not line.startswith("#")}


def _but_for_numbers(line: str) -> str:
    return re.sub(r"\d+", "0", line)


def _join(pages: list[str]) -> tuple[str, tuple[int, ...]]:
    """The pages as one text, and where each begins. A sentence that spans two pages stays one paragraph."""
    text = ""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in pages:
        if length and page:
            gap = "\n" if UNFINISHED.search(text) and not page.startswith("#") else "\n\n"
            parts.append(gap)
            length += len(gap)
        starts.append(length)
        parts.append(page)
        length += len(page)
        text = page or text
    return "".join(parts), tuple(starts)
