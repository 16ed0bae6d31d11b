"""Sums up a document: its sections one after the other, each read by itself, so that none is passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from guardrails.encoder import Encoder
from rag.generation.extract import COLUMN, Extract, extracts, quotable
from rag.index.keywords import TERM
from rag.ingest.outline import headings, read_lines
from rag.screen import Source
from rag.types import SECTION_MARK, Chunk, Passage

MOST_SECTIONS = 24  # of a longer document neighbouring sections are read together
LONGEST_READ = 6000  # characters of a section that are compared with its sentences
_ASKED = re.compile(
    r"^\W*(?:(?:please|can|could|would|you|bitte|kannst|können sie|me|puedes|peux-tu|pouvez-vous)[\s,]+)*"
    r"(?:summari[sz]e|sum\s+up|(?:give|write|make|show)?\s*(?:me\s+)?(?:an?\s+|the\s+)?(?:short\s+|brief\s+)?"
    r"(?:summary|overview)\s+of|tl;?dr(?:\s+of)?|fasse?|zusammenfassung\s+(?:von|der|des)|resum[ae]n?\s+(?:de\s+)?|"
    r"resumir|résume[zr]?)\s+(?P<name>.+?)(?:\s+(?:zusammen|(?:for|to)\s+me|please|bitte))*\W*$",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters of a passage that belong to one section: ``source.passage.chunk.text[start:end]``."""

    source: Source
    start: int
    end: int

    @property
    def passage(self) -> Passage:
        chunk = self.source.passage.chunk
        return replace(self.source.passage, chunk=replace(chunk, text=chunk.text[self.start : self.end]))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document under one heading."""

    heading: str  # empty: it has none
    pieces: tuple[Piece, ...]

    def best(self, encoder: Encoder, most: int) -> Iterator[tuple[Source, Extract]]:
        """The sentences that come nearest to what the section as a whole is about, in order."""
        passages = [piece.passage for piece in self.pieces]
        whole = "\n".join([self.heading, *(passage.chunk.text for passage in passages)])
        for extract in quotable(extracts([whole[:LONGEST_READ]], passages, encoder), most):
            piece = self.pieces[extract.passage]
            yield piece.source, replace(extract, start=extract.start + piece.start, end=extract.end + piece.start)


def asked_for(message: str) -> str:
    """What a message wants a summary of; empty when it wants none."""
    found = _ASKED.match(message)
    return found["name"].strip("\"'“”„«» ") if found else ""


def sections(sources: Sequence[Source]) -> list[Section]:
    """The sections of one document, in order; of a text without headings each passage is one.

    Args:
        sources: its passages in order.
    """
    pieces = [found for source in sources for found in _pieces(source)]
    groups = groupby(pieces, key=lambda found: found[0] or found[1].source.evidence.id)
    found = [_section(list(group)) for _, group in groups]
    together = -(-len(found) // MOST_SECTIONS) or 1
    return [_joined(found[first : first + together]) for first in range(0, len(found), together)]


def _pieces(source: Source) -> Iterator[tuple[str, Piece]]:
    """Heading and piece of each section of which a passage holds something other than the heading."""
    text = source.passage.chunk.text
    marks = [(0, _heading(source.passage.chunk)), *((h.start, h.words) for h in headings(text, read_lines(text)))]
    for (start, heading), end in zip(marks, [*(start for start, _ in marks[1:]), len(text)], strict=True):
        if _says_more(text[start:end], heading):
            yield heading, Piece(source, start, end)


def _heading(chunk: Chunk) -> str:
    """The one above it; its path may go on with the first row of a table."""
    path = [part for part in chunk.section.split(SECTION_MARK) if COLUMN not in part]
    return path[-1] if path else ""


def _says_more(text: str, heading: str) -> bool:
    """Whether words stand there beside the heading's."""
    return len(TERM.findall(text)) > len(TERM.findall(heading)) if heading in text else bool(TERM.search(text))


def _section(pieces: Sequence[tuple[str, Piece]]) -> Section:
    return Section(pieces[0][0], tuple(piece for _, piece in pieces))


def _joined(parts: Sequence[Section]) -> Section:
    named = dict.fromkeys(part.heading for part in parts if part.heading)
    return Section("; ".join(named), tuple(piece for part in parts for piece in part.pieces))
