"""What each line of a text is: a heading, a row, an item, code, or plain words.

Loaders write headings of HTML, Word and PDF as ``## Heading`` and rows of tables as ``a | b``, so that one reading of
lines serves every kind of file. Knows nothing about chunks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["blank", "heading", "row", "item", "code", "text"]

MARKED = re.compile(r" {0,3}#{1,6}\s+\S")
WIKI = re.compile(r"\s*(={1,6}|=(?: =){0,5}) ?(?P<words>[^=\s](?:[^=]*[^=\s])?) ?\1\s*$")  # "== Plot ==", of MediaWiki
FENCE = re.compile(r"\s*(`{3,}|~{3,})")
RULE = re.compile(r"\s*([=\-~^\"'`#*+.:_])\1{2,}\s*$")  # an underline of Markdown or reStructuredText
NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2})+\.?\s+[^\W\d_].*[^.,;:!?\s]\s*$")  # "3.1 Travel by train"
ITEM = re.compile(r"\s*(?:[-*+•–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")  # noqa: RUF001 - a dash may begin an item
ROW = re.compile(r"\s*\||.*\S \| ?\S|.*\S ?\| \S")
TABLE_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
LOWEST = 7  # level of a heading that has no mark; Markdown has six
LONGEST_HEADING = 100  # characters, where nothing but its look makes a line a heading


@dataclass(frozen=True, slots=True)
class Line:
    """Characters ``start`` to ``end`` of the text; the line feed is not part of it."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and where its section begins."""

    start: int
    level: int  # from 1, outermost
    words: str


def read_lines(text: str, rows: bool = False) -> list[Line]:
    """Every line of ``text`` in order.

    Args:
        rows: the text is a table, one row a line; only headings are not rows.
    """
    raw = text.split("\n")
    lines: list[Line] = []
    start = 0
    fence = ""
    for number, words in enumerate(raw):
        mark = FENCE.match(words)
        inside = bool(fence)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        kind: Kind = "code" if inside or mark else _kind(raw, number, rows)
        lines.append(Line(start, start + len(words), kind))
        start += len(words) + 1
    return lines


def heading_text(line: str) -> str:
    """A heading's words, without the marks that make it one; "" for an underline."""
    if wiki := WIKI.match(line):
        return wiki["words"]
    words = "" if RULE.match(line) else re.sub(r"^\s*#{1,6}\s+", "", line).strip()
    opened = words.rstrip("#")
    return opened.rstrip() if opened[-1:].isspace() or not opened else words


def headings(text: str, lines: Sequence[Line]) -> list[Heading]:
    """The headings of a text in order, with their levels.

    A level is told by the mark: ``##``, the depth of a number such as 3.1, the kind of underline in order of first
    use. A heading that only stands alone is below those.
    """
    found: list[Heading] = []
    underlines: dict[str, int] = {}
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        raw = text[line.start : line.end]
        words = heading_text(raw) if line.kind == "heading" else ""
        if not words:
            continue
        below = text[following.start : following.end].strip() if following else ""
        found.append(Heading(line.start, _level(raw, below, underlines), words))
    return found


def _level(raw: str, below: str, underlines: dict[str, int]) -> int:
    """
    Args:
        below: the line under it.
        underlines: the level of each kind of underline that was seen; added to.
    """
    if MARKED.match(raw):
        return len(raw.lstrip().partition(" ")[0])
    if wiki := WIKI.match(raw):
        return wiki[1].count("=")
    if below and RULE.match(below):
        return underlines.setdefault(below[0], len(underlines) + 1)
    number = re.match(r"[\d.]+", raw)
    return number[0].strip(".").count(".") + 1 if number else LOWEST


def is_table_rule(line: str) -> bool:
    """Whether ``line`` is the ``|---|---|`` below the header of a Markdown table."""
    return "|" in line and bool(TABLE_RULE.match(line))


def _kind(raw: list[str], number: int, rows: bool) -> Kind:
    words = raw[number]
    if not words.strip():
        return "blank"
    if MARKED.match(words) or WIKI.match(words):
        return "heading"
    if rows:
        return "row"
    if _is_titled(raw, number) or _stands_alone_like_a_heading(raw, number):
        return "heading"
    if ROW.match(words):
        return "row"
    return "item" if ITEM.match(words) else "text"


def _line(raw: list[str], number: int) -> str:
    return raw[number] if 0 <= number < len(raw) else ""


def _is_titled(raw: list[str], number: int) -> bool:
    """The words of an underlined heading, its underline, or the line above it."""
    return _underlined(raw, number) or _underlined(raw, number - 1) or _overlined(raw, number)


def _underlined(raw: list[str], number: int) -> bool:
    words, above, below = _line(raw, number), _line(raw, number - 1), _line(raw, number + 1)
    if not words.strip() or RULE.match(words) or ROW.match(words) or ITEM.match(words) or not RULE.match(below):
        return False
    return (not above.strip() or bool(RULE.match(above))) and len(below.strip()) >= 0.6 * len(words.strip())


def _overlined(raw: list[str], number: int) -> bool:
    return bool(RULE.match(raw[number])) and _underlined(raw, number + 1)


def _stands_alone_like_a_heading(raw: list[str], number: int) -> bool:
    words = raw[number]
    if _line(raw, number - 1).strip() or len(words) > LONGEST_HEADING or ROW.match(words):
        return False
    if NUMBERED.match(words):
        return True
    shouted = words.isupper() and sum(character.isalpha() for character in words) >= 4
    return shouted and not _line(raw, number + 1).strip() and not ITEM.match(words)
