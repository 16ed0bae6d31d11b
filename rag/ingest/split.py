"""Cuts a document into chunks: each about one thing, each an exact slice of the document's text.

Not built on LangChain's splitters: the offsets that they offer are searched for afterwards and go wrong where words
repeat, which ``tests/ingest/test_split.py`` shows; and they know neither that a row belongs together nor that a
heading belongs to what follows it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from pathlib import PurePosixPath

from rag.ingest.outline import Heading, Line, headings, is_table_rule, read_lines
from rag.types import SECTION_MARK, Chunk, Document

TABLES = frozenset([".csv", ".tsv", ".xlsx"])  # every line of these is a row
FULL_ENOUGH = 0.5  # of what fits: from here on a better place to cut is taken although more would fit
LONGEST_HEADER = 200  # characters of a table's first row that its later parts are found by
TINY = 0.25  # of the size: a section below this joins its neighbour

CLOSERS = "'\"\u2019\u201d\u00bb)\\]*_\u300d\u300f"  # quotation marks, brackets, Markdown's stars, after the full stop
OPENERS = "\"'\u201c\u2018\u00ab(\\[\u00bf\u00a1"
WIDE_STOPS = "\u3002\uff01\uff1f"  # of Chinese and Japanese, which put no space after them
SENTENCE_END = re.compile(rf"[.!?\u2026][{CLOSERS}]*\s+(?=[^\s\W_a-z]|[{OPENERS}])|[{WIDE_STOPS}][{CLOSERS}]*\s*(?=\S)")
SPACE = re.compile(r"\s*")
UNDER_HEADING = re.compile(r"\n(?=.*\w)")  # a line of words below the heading's own
ENDS_SENTENCE = re.compile(rf"[.!?;\u2026{WIDE_STOPS}][{CLOSERS}]*\s*$")
ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|nos|fig|sec|art|vs|etc|e\.g|i\.e|cf|al|inc|ltd|co|corp|dept|approx|bzw|ca|nr|abs"
    r"|str|z\. ?b|u\. ?a|d\. ?h)|\b[^\W\d_])$",
    re.IGNORECASE,
)


class Cut(IntEnum):
    """How good a place is to cut before: the higher, the better."""

    SENTENCE = 1
    LINE = 2  # a row, a list item, a line that ends a sentence
    PARAGRAPH = 3
    HEADING = 4


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Where a text may be cut, in order: characters, and how good each place is."""

    at: list[int]
    kind: list[Cut]


def split(document: Document, size: int, overlap: int) -> list[Chunk]:
    """Cut ``document`` into chunks that together hold all its words.

    Sections stay apart unless they are tiny. Within a section the cut falls between paragraphs where it can, else
    between lines or sentences; rows, list items and sentences are divided only when one alone is longer than ``size``.

    Args:
        size: most characters of a chunk.
        overlap: most characters that a chunk repeats of the one before it in the same section, whole sentences or
            rows; at most half of ``size``.
    """
    if not 0 <= overlap <= size // 2:
        raise ValueError(f"overlap is {overlap}, but must lie between 0 and half the size, {size // 2}")
    text = document.text
    lines = read_lines(text, rows=PurePosixPath(document.source).suffix.lower() in TABLES)
    cuts = _cuts(text, lines)
    spans = [
        span for start, end in _sections(text, cuts, size) for span in _divide(text, cuts, start, end, size, overlap)
    ]
    found = headings(text, lines)
    places, paths = [heading.start for heading in found], ["", *_paths(document.title, found)]
    id = document.id  # a hash of the whole text
    headers = _headers(text, lines)
    chunks = []
    for start, end in spans:
        names = (paths[_headings_before(text, places, start, end)], headers.get(start, ""))
        chunks.append(_chunk(document, id, SECTION_MARK.join(filter(None, names)), start, end))
    return chunks


def _headers(text: str, lines: Sequence[Line]) -> dict[int, str]:
    """For each row of a table but the first, by the place of its first sign: the words of that first one."""
    found: dict[int, str] = {}
    header = ""
    for line in lines:
        words = text[line.start : line.end]
        if line.kind != "row" or "|" not in words:
            header = ""
        elif header:
            found[_stripped(text, line.start, line.end)[0]] = header
        else:
            header = words.strip("| \t")[:LONGEST_HEADER]
    return found


def _chunk(document: Document, id: str, section: str, start: int, end: int) -> Chunk:
    pages = document.page_starts
    return Chunk(
        document_id=id,
        source=document.source,
        title=document.title,
        text=document.text[start:end],
        start=start,
        end=end,
        page=bisect_right(pages, start) if pages else None,
        section=section,
        public_contacts=document.meta.public_contacts,
        superseded_by=document.meta.superseded_by,
    )


def _paths(title: str, found: Sequence[Heading]) -> Iterator[str]:
    """For each heading the path from the title down to it, without the title itself."""
    path: list[Heading] = []
    for heading in found:
        path = [above for above in path if above.level < heading.level] + [heading]
        yield SECTION_MARK.join(part.words for part in path if part.words != title)


def _headings_before(text: str, places: Sequence[int], start: int, end: int) -> int:
    """How many headings stand before the first words of a chunk that are none."""
    count = bisect_right(places, start)
    if count and places[count - 1] == start:
        for above, below in pairwise(places[count - 1 : bisect_left(places, end)]):
            if UNDER_HEADING.search(text, above, below):
                break
            count += 1
    return count


def _cuts(text: str, lines: Sequence[Line]) -> _Cuts:
    found = dict(_sentence_cuts(text, lines))
    found |= dict(_line_cuts(text, lines))
    at = sorted(found)
    return _Cuts(at, [found[place] for place in at])


def _line_cuts(text: str, lines: Sequence[Line]) -> Iterator[tuple[int, Cut]]:
    before: Line | None = None
    gap = False  # a blank line since ``before``
    for line in lines:
        if line.kind == "blank":
            gap = True
            continue
        cut = _cut_between(text, before, line, gap) if before else None
        if cut:
            yield _stripped(text, line.start, line.end)[0], cut
        before, gap = line, False


def _cut_between(text: str, before: Line, line: Line, gap: bool) -> Cut | None:
    words = text[before.start : before.end]
    if before.kind == "heading" or is_table_rule(words) or is_table_rule(text[line.start : line.end]):
        return None  # a heading, of a section or a table, stays with what it is above
    if line.kind == "heading":
        return Cut.HEADING
    if before.kind == line.kind == "code":
        return Cut.SENTENCE
    if words.rstrip().endswith(":"):
        return Cut.SENTENCE  # it announces what follows
    if gap:
        return Cut.PARAGRAPH
    if {before.kind, line.kind} & {"row", "code"} or line.kind == "item" or ENDS_SENTENCE.search(words):
        return Cut.LINE
    return None


def _sentence_cuts(text: str, lines: Sequence[Line]) -> Iterator[tuple[int, Cut]]:
    starts = [line.start for line in lines]
    for match in SENTENCE_END.finditer(text):
        kind = lines[bisect_right(starts, match.start()) - 1].kind
        if kind in {"text", "item"} and not ABBREVIATION.search(text, max(0, match.start() - 12), match.start()):
            yield match.end(), Cut.SENTENCE


def _sections(text: str, cuts: _Cuts, size: int) -> Iterator[tuple[int, int]]:
    """Divide at headings. What is tiny joins the section before it where both fit into one chunk, else the next."""
    headings = [place for place, kind in zip(cuts.at, cuts.kind, strict=True) if kind is Cut.HEADING]
    start = 0
    bounds = [*headings, len(text)]
    for end, following in pairwise([*bounds, len(text)]):
        here, there = len(text[start:end].strip()), len(text[end:following].strip())
        tiny_here, tiny_there = here < TINY * size, there < TINY * size
        joined = tiny_here or (tiny_there and len(text[start:following].strip()) <= size)
        if end < len(text) and joined:
            continue
        yield start, end
        start = end
        if end == len(text):
            return


def _divide(text: str, cuts: _Cuts, start: int, end: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Spans of at most ``size`` characters, white space around them left out, that cover ``start`` to ``end``."""
    start, end = _stripped(text, start, end)
    begin, done = start, start  # the chunk begins before what is done, by the overlap
    while done < end:
        stop = _stop(text, cuts, begin, done, end, size)
        if stop is None:  # what was repeated leaves no room for the next whole piece
            begin = done
            stop = _stop(text, cuts, begin, done, end, size) or _forced(text, begin, size)
        yield _stripped(text, begin, stop)
        done = _stripped(text, stop, end)[0]
        begin = _overlapped(text, cuts, begin, done, overlap)


def _stop(text: str, cuts: _Cuts, begin: int, done: int, end: int, size: int) -> int | None:
    """Where the chunk from ``begin`` ends: beyond ``done``, at the best place that fits; None when there is none."""
    if end - begin <= size:
        return end
    limit = begin + size
    tail = end - int(TINY * size)  # leave enough for a last chunk that is not tiny
    for most in (min(limit, tail), limit):
        places = slice(bisect_right(cuts.at, done), bisect_right(cuts.at, most))
        best = _best(cuts, places, begin + FULL_ENOUGH * (most - begin))
        if best is not None:
            return best
    return None


def _best(cuts: _Cuts, places: slice, full_enough: float) -> int | None:
    """The last of the best places that leave the chunk full enough; else the last one of all."""
    at, kinds = cuts.at[places], cuts.kind[places]
    enough = [(kind, place) for place, kind in zip(at, kinds, strict=True) if place >= full_enough]
    if enough:
        return max(enough)[1]
    return at[-1] if at else None


def _forced(text: str, begin: int, size: int) -> int:
    """Where to cut a piece that is longer than a chunk: at a line's end, between words, or anywhere."""
    limit = begin + size
    for sign in ("\n", " "):
        place = text.rfind(sign, begin + int(FULL_ENOUGH * size), limit)
        if place > begin:
            return place
    return limit


def _overlapped(text: str, cuts: _Cuts, begin: int, done: int, overlap: int) -> int:
    """Where the next chunk begins: whole sentences or rows before ``done``, as many as ``overlap`` takes."""
    first = bisect_left(cuts.at, max(done - overlap, begin + 1))
    return min(cuts.at[first], done) if first < len(cuts.at) else done


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends; empty at ``end`` when there is nothing else.

    Looks at the ends only: a copy of all that is left, for each chunk, would take minutes for a section of megabytes.
    """
    space = SPACE.match(text, start, end)
    start = space.end() if space else start
    if start == end:
        return end, end
    while text[end - 1].isspace():
        end -= 1
    return start, end
