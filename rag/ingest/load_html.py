"""Web pages: their main text, without what surrounds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rag.ingest.clean import has_words, one_line, tidy
from rag.ingest.decode import decode
from rag.ingest.meta import KEYS, of_folder, with_values
from rag.ingest.rows import row_line, spread
from rag.ingest.titles import best_title
from rag.types import Document, Limits

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
NEVER_TEXT = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "canvas",
        "iframe",
        "object",
        "audio",
        "video",
        "head",
        "select",
        "button",
        "input",
        "textarea",
    ]
)
AROUND = frozenset(["nav", "footer", "aside", "menu", "dialog"])
AROUND_ROLES = frozenset(["navigation", "banner", "contentinfo", "search", "menu", "menubar", "dialog", "alertdialog"])
AROUND_NAMES = frozenset(
    [
        "nav",
        "navbar",
        "navbox",
        "navigation",
        "menu",
        "sidebar",
        "breadcrumb",
        "breadcrumbs",
        "toc",
        "footer",
        "cookie",
        "cookies",
        "cookie-banner",
        "noprint",
        "mw-editsection",
        "mw-jump-link",
        "catlinks",
        "printfooter",
        "skip-link",
        "pagination",
        "dropdown-menu",
        "vector-dropdown",
        "mw-portlet",
    ]
)
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
BLOCKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "form",
        "header",
        "hr",
        "html",
        "legend",
        "main",
        "ol",
        "p",
        "section",
        "summary",
        "ul",
        "caption",
    ]
)
# Tags that must be closed: not "<p>" and its like, where that may be left out, nor "<path/>", nor "i<n;" of a script.
NESTING = re.compile(
    r"<(/?)(?!(?:p|li|d[td]|t[dhr]|thead|tbody|tfoot|option|br|hr|img|input|link|meta|col|area|base|wbr)\b)"
    r"[a-z][a-z0-9-]*(?=[\s>])[^<>]*(?<!/)>",
    re.IGNORECASE,
)
DEEPEST = 1000  # elements open at once; those that stay open by mistake count too
INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
LAYOUT_CELL = 500  # characters in one cell above which a table arranges a page rather than holds data
ENOUGH = 0.2  # share of the body's words that <main> must hold to stand for the page


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from one HTML page."""

    titles: tuple[str, ...]  # what may be its title, best first
    text: str
    candor: dict[str, str]  # the contents of <meta name="candor:KEY">


def load_html(path: Path, source: str, limits: Limits) -> Document:
    """Read a web page's main text: headings as ``## Heading``, tables as rows ``a | b``."""
    data = path.read_bytes()
    declared = DECLARED.search(data[:4096])
    page = read_html(decode(path, data, declared and declared[1].decode("ascii", "replace")))
    known = {key: value for key, value in page.candor.items() if key in KEYS}
    meta = with_values(path, of_folder(path), known, "its candor: tags")
    return Document(source, best_title(source, *page.titles), page.text, meta=meta)


def read_html(markup: str, everything: bool = False) -> Page:
    """Read a page from its markup. What a browser would not show is not read either.

    Args:
        everything: also what stands around the main text, as the notes of a book do.

    Raises:
        RecursionError: its elements are nested too deeply, which would also hold the parser for minutes.
    """
    from selectolax.lexbor import LexborHTMLParser

    depth = 0
    for tag in NESTING.finditer(markup):
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        if depth > DEEPEST:
            raise RecursionError
    tree = LexborHTMLParser(markup)
    titles = tuple(node.text() for name in ("title", "h1") if (node := tree.css_first(name)))
    text = _text_of(tree.body, everything=True) if everything and tree.body else _main_text(tree)
    return Page(titles, text, dict(_candor(tree)))


def _candor(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    for tag in tree.css("meta[name]"):
        name = (tag.attributes.get("name") or "").strip().lower()
        if name.startswith("candor:"):
            yield name.removeprefix("candor:"), tag.attributes.get("content") or ""


def _main_text(tree: LexborHTMLParser) -> str:
    body = tree.body
    if body is None:
        return ""
    whole = _text_of(body)
    mains = tree.css("main, [role=main]") or tree.css("article")
    main = _text_of(mains[0]) if len(mains) == 1 else ""
    if len(main) >= ENOUGH * len(whole) and has_words(main):
        return main
    # A page whose whole content lies in what looks like a menu is read as it is.
    return whole if has_words(whole) else _text_of(body, everything=True)


def _text_of(node: LexborNode, everything: bool = False) -> str:
    writer = _Writer(everything)
    writer.walk(node)
    return writer.text()


@dataclass(slots=True)
class _Writer:
    """Turns nodes into lines, in the order of the page."""

    everything: bool = False  # menus too
    lines: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # of the line that is being written
    prefix: str = ""

    def text(self) -> str:
        self.end_line()
        return tidy("\n".join(self.lines))

    def end_line(self) -> None:
        line = one_line("".join(self.words))
        if line:
            self.lines.append(self.prefix + line)
            self.prefix = ""
        self.words = []

    def end_block(self) -> None:
        self.end_line()
        self.lines.append("")

    def walk(self, node: LexborNode) -> None:
        for child in node.iter(include_text=True, skip_empty=False):
            tag = child.tag or ""
            if tag == "-text":
                self.words.append(child.text_content or "")
            elif not self._is_left_out(child, tag):
                self._element(child, tag)

    def _is_left_out(self, node: LexborNode, tag: str) -> bool:
        if tag in NEVER_TEXT or _is_hidden(node):
            return True
        return not self.everything and _is_around(node, tag)

    def _element(self, node: LexborNode, tag: str) -> None:
        if tag == "br":
            self.end_line()
        elif tag == "table":
            self._table(node)
        elif tag == "pre":
            self._verbatim(node)
        elif tag == "li":
            self._prefixed(node, "- ")
        elif tag in HEADINGS:
            self.end_block()
            self._prefixed(node, HEADINGS[tag])
            self.end_block()
        elif tag in BLOCKS:
            self.end_block()
            self.walk(node)
            self.end_block()
        else:
            self.walk(node)

    def _prefixed(self, node: LexborNode, prefix: str) -> None:
        self.end_line()
        self.prefix = prefix
        self.walk(node)
        self.end_line()
        self.prefix = ""

    def _verbatim(self, node: LexborNode) -> None:
        self.end_block()
        code = node.text().strip("\n")
        if has_words(code):
            self.lines += ["```", *code.split("\n"), "```", ""]

    def _table(self, table: LexborNode) -> None:
        self.end_block()
        rows = [_Row(row, self.everything) for row in _rows(table)]
        for row, line in zip(rows, spread(row.cells for row in rows), strict=True):
            if row.node.tag == "caption":
                self.walk(row.node)
                self.end_line()
            elif row.arranges or len(list(filter(None, line))) == 1:
                self.lines += [part for text, *_ in row.cells for part in (*text.split("\n"), "")]
            elif words := row_line(line):
                self.lines.append(words)
        self.end_block()


class _Row:
    """One row of a table: its cells with the rows and columns that each spans; whether it only arranges the page."""

    def __init__(self, node: LexborNode, everything: bool) -> None:
        nodes = [cell for cell in node.iter() if cell.tag in {"td", "th"} and not _is_hidden(cell)]
        self.node = node
        self.cells = [(_text_of(cell, everything), _span(cell, "rowspan"), _span(cell, "colspan")) for cell in nodes]
        nested = any(cell.css_first("table") for cell in nodes)
        self.arranges = nested or any(len(text) > LAYOUT_CELL for text, *_ in self.cells)


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _rows(table: LexborNode) -> Iterator[LexborNode]:
    """The rows and captions of this table, not of those inside it."""
    for child in table.iter():
        if child.tag in {"tr", "caption"}:
            yield child
        elif child.tag in {"thead", "tbody", "tfoot"}:
            yield from _rows(child)


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    return bool(INVISIBLE.search(attributes.get("style") or ""))


def _is_around(node: LexborNode, tag: str) -> bool:
    attributes = node.attributes
    if tag in AROUND or attributes.get("role") in AROUND_ROLES:
        return True
    names = (attributes.get("class") or "").lower().split()
    return tag not in {"body", "main", "article"} and not AROUND_NAMES.isdisjoint([*names, attributes.get("id") or ""])
