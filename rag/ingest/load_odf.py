"""OpenDocument: texts, sheets and presentations. Comments and deleted words are left out."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.errors import LoadError
from rag.ingest.clean import one_line, tidy
from rag.ingest.limits import check_columns, check_pages
from rag.ingest.package import part_of, xml_of
from rag.ingest.rows import record_lines, row_line, spread
from rag.ingest.titles import best_title, first_heading
from rag.types import Document, Limits

OASIS = "{urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW = (OASIS + name + ":1.0}" for name in ("office", "text", "table", "drawing"))
PRESENTATION, STYLE = OASIS + "presentation:1.0}", OASIS + "style:1.0}"
SKIPPED = {
    f"{OFFICE}annotation",
    f"{TEXT}tracked-changes",
    f"{TEXT}sequence-decls",
    f"{TEXT}note-citation",
    f"{TEXT}alphabetical-index",
    f"{TEXT}table-of-content",
    f"{TABLE}covered-table-cell",
    f"{DRAW}object",
    f"{OASIS}svg-compatible:1.0}}title",
    f"{OASIS}svg-compatible:1.0}}desc",
}
ROWS = f"{TABLE}table-row"
GROUPS = {f"{TABLE}{name}" for name in ("table-header-rows", "table-rows", "table-row-group")}
MOST_REPEATED = 100  # times that a cell or row is repeated; programs repeat empty ones to the edge of the sheet


def load_odt(path: Path, source: str, limits: Limits) -> Document:
    """Read a text: headings with their level, list items as ``- item``, tables as rows; notes follow their paragraph.

    Raises:
        LoadError: its package is damaged.
    """
    body, title = _opened(path, "text")
    text = tidy("\n".join(_blocks(body)))
    return Document(source, best_title(source, title, first_heading(text)), text)


def load_ods(path: Path, source: str, limits: Limits) -> Document:
    """Read the sheets, as those of a workbook; hidden ones are left out.

    Raises:
        LoadError: its package is damaged, or a row too wide.
    """
    body, title = _opened(path, "spreadsheet")
    parts: list[str] = []
    for table in body.iterfind(f"{TABLE}table"):
        if not _is_hidden(body, table):
            lines = _sheet(path, table)
            parts += [f"## {one_line(table.get(f'{TABLE}name', ''))}", "", *lines, ""] if any(lines) else []
    return Document(source, best_title(source, title), tidy("\n".join(parts)))


def load_odp(path: Path, source: str, limits: Limits) -> Document:
    """Read a presentation; each slide is a page.

    Raises:
        LoadError: its package is damaged.
    """
    body, title = _opened(path, "presentation")
    pages = list(body.iterfind(f"{DRAW}page"))
    check_pages(path, len(pages), limits)
    text, starts = "", []
    for page in pages:
        slide = tidy("\n".join(_slide(page)))
        text += "\n\n" if text and slide else ""
        starts.append(len(text))
        text += slide
    return Document(source, best_title(source, title, first_heading(text)), text, page_starts=tuple(starts))


def _opened(path: Path, kind: str) -> tuple[Any, str | None]:
    """The element that holds the content, and the title that the file gives itself."""
    with zipfile.ZipFile(path) as package:
        body = xml_of(path, part_of(path, package, "content.xml")).find(f"{OFFICE}body/{OFFICE}{kind}")
        meta = xml_of(path, package.read("meta.xml")) if "meta.xml" in package.namelist() else None
    if body is None:
        raise LoadError(path, f"it holds no OpenDocument {kind}; give it the ending of what it is")
    return body, None if meta is None else meta.findtext(".//{http://purl.org/dc/elements/1.1/}title")


def _blocks(element: Any, depth: int = -1) -> Iterator[str]:
    """The lines of all that stands below ``element``.

    Args:
        depth: of the list that it is in; -1: none.
    """
    for child in element:
        if child.tag in {f"{TEXT}h", f"{TEXT}p"}:
            yield from _paragraph(child, depth)
        elif child.tag == f"{TEXT}list":
            yield from _blocks(child, depth + 1)
            yield from [""] * (depth < 0)
        elif child.tag == f"{TABLE}table":
            yield from ("", *_table(child), "")
        elif child.tag not in SKIPPED:
            yield from _blocks(child, depth)


def _paragraph(paragraph: Any, depth: int) -> Iterator[str]:
    later: list[Any] = []
    words = "".join(_words(paragraph, later)).strip()
    if words and paragraph.tag == f"{TEXT}h":
        level = _number(paragraph, f"{TEXT}outline-level")
        yield from ("", "#" * min(level, 6) + " " + one_line(words), "")
    elif words and depth >= 0:
        yield "  " * depth + "- " + words
    elif words:
        yield from (words, "")
    for block in later:
        yield from ("", *_blocks(block), "")


def _words(element: Any, later: list[Any]) -> Iterator[str]:
    """The words of one paragraph; notes, text boxes and tables in it are put into ``later``."""
    yield element.text or ""
    for child in element:
        if child.tag == f"{TEXT}s":
            yield " " * min(_number(child, f"{TEXT}c"), 20)
        elif child.tag in {f"{TEXT}tab", f"{TEXT}line-break"}:
            yield "\t" if child.tag == f"{TEXT}tab" else "\n"
        elif child.tag in {f"{TEXT}note", f"{DRAW}text-box", f"{TABLE}table"}:
            later.append([child] if child.tag == f"{TABLE}table" else child)
        elif child.tag not in SKIPPED and isinstance(child.tag, str):
            yield from _words(child, later)
        yield child.tail or ""


def _table(table: Any) -> Iterator[str]:
    rows = ([_cell(cell) for cell in row if cell.tag == f"{TABLE}table-cell"] for row in _rows(table))
    yield from filter(None, map(row_line, spread(rows)))


def _cell(cell: Any) -> tuple[str, int, int]:
    down, across = (_number(cell, f"{TABLE}number-{name}-spanned") for name in ("rows", "columns"))
    return "\n".join(_blocks(cell)).strip(), down, across


def _rows(table: Any) -> Iterator[Any]:
    for child in table:
        if child.tag == ROWS:
            yield child
        elif child.tag in GROUPS:
            yield from _rows(child)


def _sheet(path: Path, table: Any) -> list[str]:
    """The lines of one sheet; an empty row ends a table."""
    lines: list[str] = []
    block: list[list[str]] = []
    for row in _rows(table):
        cells = _sheet_row(path, row)
        if cells:
            block += [cells] * _repeated(row, "rows")
        elif block:
            lines += [*record_lines(block), ""]
            block = []
    return lines + record_lines(block)


def _sheet_row(path: Path, row: Any) -> list[str]:
    """The cells of a row up to its last one that is filled; covered ones are empty."""
    cells: list[str] = []
    gap = 0
    for cell in row:
        words = "" if cell.tag in SKIPPED else one_line(" ".join(_blocks(cell)))
        if not words:
            gap += _number(cell, f"{TABLE}number-columns-repeated")
            continue
        check_columns(path, len(cells) + gap)
        cells += [*[""] * gap, *[words] * _repeated(cell, "columns")]
        gap = 0
    return cells


def _repeated(element: Any, name: str) -> int:
    return min(_number(element, f"{TABLE}number-{name}-repeated"), MOST_REPEATED)


def _number(element: Any, name: str) -> int:
    """A count that an attribute gives; 1 where there is none."""
    words = element.get(name, "")
    return max(int(words), 1) if re.fullmatch(r"[0-9]{1,9}", words) else 1


def _is_hidden(body: Any, table: Any) -> bool:
    root, style = body.getroottree(), table.get(f"{TABLE}style-name")
    said = root.find(f".//{STYLE}style[@{STYLE}name='{style}']/{STYLE}table-properties") if style else None
    return said is not None and said.get(f"{TABLE}display") == "false"


def _slide(page: Any) -> Iterator[str]:
    for frame in page:
        if frame.tag == f"{PRESENTATION}notes":
            notes = tidy("\n".join(_blocks(frame)))
            yield from ("", f"Notes: {notes}") if notes else ()
        elif frame.get(f"{PRESENTATION}class") == "title":
            yield from (f"## {title}", "") if (title := one_line(" ".join(_blocks(frame)))) else ()
        else:
            yield from ("", *_blocks([frame]), "")
