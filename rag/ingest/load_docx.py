"""Word documents, in order of reading. Comments and deleted words are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import LoadError
from rag.ingest.clean import tidy
from rag.ingest.package import xml_of
from rag.ingest.rows import LONGEST_NAME, WIDEST, row_line
from rag.ingest.titles import best_title, first_heading
from rag.types import Document, Limits

if TYPE_CHECKING:
    from docx.document import Document as WordDocument

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

# Deleted and moved-away words (tracked changes), field codes, properties; the fallback repeats what its choice says.
SKIPPED = {f"{W}del", f"{W}moveFrom", f"{W}instrText", f"{W}pPr", f"{W}rPr", f"{W}tblPr", f"{W}trPr", f"{MC}Fallback"}
SIGNS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
LAYOUT_CELL = 500  # characters in one cell above which a table arranges a page rather than holds data


def load_docx(path: Path, source: str, limits: Limits) -> Document:
    """Read a Word document: headings with their level, list items as ``- item``, tables as rows ``a | b``.

    Hidden words, and the heads and feet of pages, are left out too; foot and end notes come last.

    Raises:
        LoadError: its package is damaged.
    """
    word, levels = _opened(path)
    reader = _Reader(levels)
    lines = [*reader.blocks(word.element.body), *_notes(path, word, reader)]
    text = tidy("\n".join(lines))
    return Document(source, best_title(source, word.core_properties.title, first_heading(text)), text)


def _opened(path: Path) -> tuple[WordDocument, dict[str, int]]:
    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from lxml.etree import XMLSyntaxError

    try:
        word = docx.Document(str(path))
        return word, _heading_levels(word)
    except (PackageNotFoundError, XMLSyntaxError, KeyError, ValueError, AttributeError) as error:
        reason = f"its Word package is damaged ({type(error).__name__}); open it in an office program and save it anew"
        raise LoadError(path, reason) from None


def _heading_levels(word: WordDocument) -> dict[str, int]:
    """The level of each style that makes a heading, by the style's id."""
    levels: dict[str, int] = {}
    for style in word.styles.element.iter(f"{W}style"):
        name = style.find(f"{W}name")
        words = name.get(f"{W}val", "") if name is not None else ""
        if match := HEADING.fullmatch(words):
            levels[style.get(f"{W}styleId", "")] = int(match[1])
        elif words.lower() == "title":
            levels[style.get(f"{W}styleId", "")] = 1
        elif level := _outline_level(style):
            levels[style.get(f"{W}styleId", "")] = level
    return levels


def _outline_level(element: Any) -> int:
    """The level that a style or paragraph of any name has in the outline; 0: it is no heading."""
    level = element.find(f"{W}pPr/{W}outlineLvl")
    number = int(level.get(f"{W}val", "9")) if level is not None else 9
    return number + 1 if number < 9 else 0


def _notes(path: Path, word: WordDocument, reader: _Reader) -> Iterator[str]:
    """Footnotes and endnotes, after the text that they belong to."""
    for relation in word.part.rels.values():
        if relation.reltype.rpartition("/")[2] in {"footnotes", "endnotes"}:
            yield ""
            for note in xml_of(path, relation.target_part.blob):
                if note.get(f"{W}type") is None:  # the others are the rules above the notes
                    yield from reader.blocks(note)


class _Reader:
    """Walks the XML itself: the objects of python-docx pass over text boxes, content controls and nested tables."""

    def __init__(self, headings: dict[str, int]) -> None:
        self._headings = headings

    def blocks(self, element: Any) -> Iterator[str]:
        """The lines of all paragraphs and tables below ``element``."""
        for child in element:
            if child.tag == f"{W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{W}tbl":
                yield from self._table(child)
            elif child.tag not in SKIPPED:
                yield from self.blocks(child)

    def _paragraph(self, paragraph: Any) -> Iterator[str]:
        boxes: list[Any] = []
        words = "".join(_words(paragraph, boxes)).strip()
        if words:
            yield from self._marked(paragraph, words)
        for box in boxes:
            yield ""
            yield from self.blocks(box)

    def _marked(self, paragraph: Any, words: str) -> Iterator[str]:
        level, depth = self._level(paragraph), _list_depth(paragraph)
        if level:
            yield from ("", "#" * min(level, 6) + " " + " ".join(words.split()), "")
        elif depth is not None:
            yield "  " * depth + "- " + words
        else:
            yield from (words, "")

    def _level(self, paragraph: Any) -> int:
        style = paragraph.find(f"{W}pPr/{W}pStyle")
        known = self._headings.get(style.get(f"{W}val"), 0) if style is not None else 0
        return known or _outline_level(paragraph)

    def _table(self, table: Any) -> Iterator[str]:
        yield ""
        above: dict[int, str] = {}  # the short cells of the row above, by column
        for row in _descend(table, f"{W}tr"):
            cells = list(_descend(row, f"{W}tc"))
            texts = ["\n".join(self.blocks(cell)).strip() for cell in cells]
            nested = any(next(cell.iter(f"{W}tbl"), None) is not None for cell in cells)
            if len(cells) == 1 or nested or any(len(text) > LAYOUT_CELL for text in texts):
                yield from (line for text in texts if text for line in (*text.split("\n"), ""))
            else:
                line = _grid(cells, texts, above)
                above = {column: words for column, words in enumerate(line) if len(words) <= LONGEST_NAME}
                yield from filter(None, [row_line(line)])
        yield ""


def _grid(cells: list[Any], texts: list[str], above: Mapping[int, str]) -> list[str]:
    """One row by columns. A cell that is merged with the one above says the same, so that each row answers alone."""
    line: list[str] = []
    for cell, text in zip(cells, texts, strict=True):
        merge, span = cell.find(f"{W}tcPr/{W}vMerge"), cell.find(f"{W}tcPr/{W}gridSpan")
        hangs = merge is not None and merge.get(f"{W}val", "continue") == "continue"
        width = int(span.get(f"{W}val", "1")) if span is not None else 1
        line += [text or (above.get(len(line), "") if hangs else ""), *[""] * (min(width, WIDEST) - 1)]
    return line


def _descend(element: Any, wanted: str) -> Iterator[Any]:
    """The nearest elements of this kind, through content controls and tracked insertions, not into other tables."""
    for child in element:
        if child.tag == wanted:
            yield child
        elif child.tag not in SKIPPED and child.tag != f"{W}tbl":
            yield from _descend(child, wanted)


def _words(element: Any, boxes: list[Any]) -> Iterator[str]:
    """The words of one paragraph; its text boxes are put into ``boxes``, to be read after it."""
    for child in element:
        if child.tag in {f"{W}t", f"{M}t"}:
            yield child.text or ""
        elif child.tag in SIGNS:
            yield SIGNS[child.tag]
        elif child.tag == f"{W}txbxContent":
            boxes.append(child)
        elif child.tag not in SKIPPED and not _is_hidden(child):
            yield from _words(child, boxes)


def _is_hidden(run: Any) -> bool:
    hidden = run.find(f"{W}rPr/{W}vanish")
    return hidden is not None and hidden.get(f"{W}val", "1") not in {"0", "false"}


def _list_depth(paragraph: Any) -> int | None:
    """How deep in a list the paragraph stands; None when it is no list item."""
    properties = paragraph.find(f"{W}pPr")
    if properties is None:
        return None
    numbering = properties.find(f"{W}numPr")
    style = properties.find(f"{W}pStyle")
    if numbering is None:
        return 0 if style is not None and style.get(f"{W}val", "").lower().startswith("list") else None
    number, depth = numbering.find(f"{W}numId"), numbering.find(f"{W}ilvl")
    if number is not None and number.get(f"{W}val") == "0":  # numbering switched off
        return None
    return int(depth.get(f"{W}val", "0")) if depth is not None else 0
