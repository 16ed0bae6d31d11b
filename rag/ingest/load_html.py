"""Web pages: their main text, without what surrounds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rag.ingest.clean import has_words, one_line, tidy
from rag.ingest.decode import decode
from rag.ingest.meta import KEYS, with_values
from rag.ingest.rows import row_line
from rag.ingest.titles import best_title
from rag.types import Document, Meta

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
INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
LAYOUT_CELL = 500  # characters in one cell above which a table arranges a page rather than holds data
ENOUGH = 0.2  # share of the body's words that <main> must hold to stand for the page


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from one HTML page."""

    titles: tuple[str, ...]  # what may be its title, best first
    text: str
    candor: dict[str, str]  # the contents of <meta name="candor:KEY">


def load_html(path: Path, source: str) -> Document:
    """Read a web page's main text: headings as ``## Heading``, tables as rows ``a | b``."""
    data = path.read_bytes()
    declared = DECLARED.search(data[:4096])
    page = read_html(decode(path, data, declared and declared[1].decode("ascii", "replace")))
    known = {key: value for key, value in page.candor.items() if key in KEYS}
    meta = with_values(path, Meta(), known, "its candor: tags")
    return Document(source, best_title(source, *page.titles), page.text, meta=meta)


def read_html(markup: str) -> Page:
    """Read a page from its markup. What a browser would not show is not read either."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(markup)
    titles = tuple(node.text() for name in ("title", "h1") if (node := tree.css_first(name)))
    return Page(titles, _main_text(tree), dict(_candor(tree)))


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
        for row in _rows(table):
            if row.tag == "caption":
                self.walk(row)
                self.end_line()
            else:
                self._row([cell for cell in row.iter() if cell.tag in {"td", "th"}])
        self.end_block()

    def _row(self, cells: list[LexborNode]) -> None:
        texts = [_text_of(cell, self.everything) for cell in cells if not _is_hidden(cell)]
        nested = [cell for cell in cells if cell.css_first("table")]
        if len(cells) == 1 or nested or any(len(text) > LAYOUT_CELL for text in texts):
            self.lines += [line for text in texts for line in (*text.split("\n"), "")]
        elif line := row_line(texts):
            self.lines.append(line)


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
