"""PowerPoint files: slide by slide, with tables and speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.errors import LoadError
from rag.ingest.clean import one_line, tidy
from rag.ingest.rows import row_line, spread
from rag.ingest.titles import best_title, first_heading
from rag.types import Document, Limits


def load_pptx(path: Path, source: str, limits: Limits) -> Document:
    """Read a presentation; each slide is a page, hidden ones too: they show in the list of slides.

    Comments, and what stands on every slide (date, footer, number), are left out.

    Raises:
        LoadError: its package is damaged.
    """
    deck = _opened(path)
    slides = [tidy("\n".join(_slide(slide))) for slide in deck.slides]
    starts: list[int] = []
    text = ""
    for slide in slides:
        text += "\n\n" if text and slide else ""
        starts.append(len(text))
        text += slide
    title = best_title(source, deck.core_properties.title, first_heading(text))
    return Document(source, title, text, page_starts=tuple(starts))


def _opened(path: Path) -> Any:
    import pptx
    from lxml.etree import XMLSyntaxError
    from pptx.exc import PackageNotFoundError

    try:
        return pptx.Presentation(str(path))
    except (PackageNotFoundError, XMLSyntaxError, KeyError, ValueError, AttributeError) as error:
        kind = type(error).__name__
        reason = f"its PowerPoint package is damaged ({kind}); open it in an office program and save it anew"
        raise LoadError(path, reason) from None


def _slide(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    if title is not None and title.has_text_frame and title.text_frame.text.strip():
        yield from (f"## {one_line(title.text_frame.text)}", "")
    for shape in slide.shapes:
        if (title is None or shape.shape_id != title.shape_id) and not _stands_on_every_slide(shape):
            yield from _shape(shape)
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None and notes.text.strip():
        yield from ("", f"Notes: {notes.text}")


def _stands_on_every_slide(shape: Any) -> bool:
    from pptx.enum.shapes import PP_PLACEHOLDER

    if not shape.is_placeholder:
        return False
    kinds = {PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER, PP_PLACEHOLDER.SLIDE_NUMBER}
    return shape.placeholder_format.type in kinds


def _cells(row: Any) -> Iterator[tuple[str, int, int]]:
    for cell in row.cells:
        if not cell.is_spanned:
            merged = cell.is_merge_origin
            yield cell.text, cell.span_height if merged else 1, cell.span_width if merged else 1


def _shape(shape: Any) -> Iterator[str]:
    """The lines of one shape; a group's, of all that it holds."""
    if hasattr(shape, "shapes"):
        for part in shape.shapes:
            yield from _shape(part)
    elif getattr(shape, "has_table", False):
        yield from ("", *filter(None, map(row_line, spread(map(_cells, shape.table.rows)))), "")
    elif shape.has_text_frame:
        paragraphs = [paragraph for paragraph in shape.text_frame.paragraphs if paragraph.text.strip()]
        mark = "- " if len(paragraphs) > 1 else ""
        yield from ("  " * paragraph.level + mark + one_line(paragraph.text) for paragraph in paragraphs)
        yield ""
