"""PDF: its text layer, page by page."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import LoadError, NoText
from rag.ingest.clean import has_words
from rag.ingest.limits import check_pages
from rag.ingest.mapped import MappedText, joined, put_in
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
    with opened(path) as pdf:
        check_pages(path, len(pdf), limits)
        pages = pages_of(pdf)
        texts = [page.text for page in pages]
        _check(path, pdf, texts)
        title = _title(source, pdf, texts)
    text, starts = join(pages)
    empty = sum(not has_words(page) for page in texts)
    if empty:
        logger.warning("%s: %d of %d pages have no text layer and were not read", source, empty, len(pages))
    return Document(source, title, text.text, page_starts=starts)


def pages_of(pdf: PdfDocument) -> list[MappedText]:
    return [page_text(pdf, number) for number in range(len(pdf))]


@contextmanager
def opened(path: Path) -> Iterator[PdfDocument]:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD_ERROR:
            raise LoadError(path, "it is locked with a password; save it without one") from None
        raise LoadError(path, _damage(path) or "it is no sound PDF; open it elsewhere and save it anew") from None
    try:
        yield pdf
    except pypdfium2.PdfiumError:
        raise LoadError(path, _damage(path) or "a page of it is damaged; open it elsewhere and save it anew") from None
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


def join(pages: Sequence[MappedText]) -> tuple[MappedText, tuple[int, ...]]:
    """The pages as the document's text, and where each begins. A sentence that spans two stays one paragraph."""
    before = ""
    parts: list[MappedText] = []
    starts: list[int] = []
    length = 0
    for page in _without_running_lines(pages):
        if length and page.text:
            goes_on = UNFINISHED.search(before) and not page.text.startswith("#")
            parts.append(put_in("\n" if goes_on else "\n\n"))
            length += len(parts[-1].text)
        starts.append(length)
        parts.append(page)
        length += len(page.text)
        before = page.text or before
    return joined(parts), tuple(starts)


def _without_running_lines(pages: Sequence[MappedText]) -> list[MappedText]:
    """The pages without the head and foot lines that most of them share but for a number.

    They would stand in the middle of sentences that span two pages. What has words stays where it comes first.
    """
    edges = [_edges(page.text) for page in pages]
    shared = Counter(key for found in edges for key in set(found.values()))
    running = {key for key, n in shared.items() if n > 1 and n > sum(bool(page.text) for page in pages) / 2}
    known = {key for key in running if not LETTER.search(key)}  # page numbers alone
    kept: list[MappedText] = []
    for page, found in zip(pages, edges, strict=True):
        lines = [line for place, line in enumerate(_lines(page)) if found.get(place) not in known]
        kept.append(joined(lines, "\n").strip("\n"))
        known |= running & set(found.values())
    return kept


def _lines(page: MappedText) -> list[MappedText]:
    return [page[found.start() : found.end()] for found in re.finditer(r"(?m)^.*$", page.text)]


def _edges(page: str) -> dict[int, str]:
    """The lines at the top and bottom of a page that may be running ones, by their place; headings are not."""
    lines = [(place, line) for place, line in enumerate(page.split("\n")) if line]
    edges = [*lines[:EDGE], *lines[-EDGE:]]
    return {place: re.sub(r"\d+", "0", line) for place, line in edges if not line.startswith("#")}
