"""Folds disguises: a text as it is meant, with an exact way back to the characters as they are written.

A fold is a function from a text to edits: spans in order, none overlapping, each with what stands there instead. All
that is known of the way back follows from them: a character that was replaced comes from the whole span of its edit, so
hiding what a value decoded from base64 came from hides the run.

Some folds are unmistakable (``folds.py``: full-width letters, percent encoding); others guess (``guesses.py``: spaced
letters, "at" for "@") and may spoil a value that stands there plainly. So a text has several views: as it is, and then
with more and more folds; what is found in any of them counts. A further view is a stretch around what its folds
changed, so that ordinary text has one view and pays for no second look.

All of it takes time in proportion to the text. There are four steps beyond the plain text, and each holds a character
of it at most once: a detector sees at most five times the text, and seventeen times where all of it is characters
that stand for four each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guardrails.folds import DECODED, READ, Fold
from guardrails.guesses import LAYOUT, SPACED, SPOKEN

DEPTH = 3  # encodings inside each other that are taken off: base64 of percent encoding of HTML entities
AROUND = 160  # characters on either side of a change that a further view holds: a value, and words that name it
TOKEN = 2000  # characters that these are extended by, so as not to cut a long address in two

SPACES = " \n\t"

Marks = list[tuple[int, int]]  # what changed: characters of the original


@dataclass(frozen=True, slots=True)
class Folded:
    """A stretch of a text, folded. Character ``i`` comes from ``begins[i]`` to ``ends[i]`` of the original.

    Both sequences never fall.
    """

    text: str
    begins: Sequence[int]
    ends: Sequence[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters from ``start`` to ``end`` (exclusive, not empty) come from, and all between them."""
        return self.begins[start], self.ends[end - 1]


def fold(text: str) -> Folded:
    """The whole text without disguises that are unmistakable. One without any comes back as it is."""
    folded, _ = _unmistakable(_as_it_is(text))
    return folded


def views(text: str) -> Iterator[Folded]:
    """The text as it is, and stretches of it around what one fold more changes: ways to read it, the surest first."""
    folded = _as_it_is(text)
    yield folded
    folded, marks = _unmistakable(folded)
    yield from _stretches(text, folded, marks)
    for guesses in (SPACED, LAYOUT, SPOKEN):
        folded, marks = _through(folded, guesses)
        if marks:
            folded, more = _unmistakable(folded)
            yield from _stretches(text, folded, marks + more)


def _as_it_is(text: str) -> Folded:
    return Folded(text, range(len(text)), range(1, len(text) + 1))


def _unmistakable(folded: Folded) -> tuple[Folded, Marks]:
    marks: Marks = []
    for _ in range(DEPTH):
        folded, more = _through(folded, (*DECODED, *READ))
        if not more:
            break
        marks += more
    return folded, marks


def _through(folded: Folded, folds: Sequence[Fold]) -> tuple[Folded, Marks]:
    marks: Marks = []
    for one in folds:
        edits = list(one(folded.text))
        if edits:
            marks += (folded.original(start, end) for start, end, _ in edits)
            folded = _edited(folded, edits)
    return folded, marks


def _edited(folded: Folded, edits: Iterable[tuple[int, int, str]]) -> Folded:
    text: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    at = 0
    for start, end, new in edits:
        first, last = folded.original(start, end)
        text += folded.text[at:start], new
        begins += folded.begins[at:start]
        ends += folded.ends[at:start]
        begins += [first] * len(new)
        ends += [last] * len(new)
        at = end
    begins += folded.begins[at:]
    ends += folded.ends[at:]
    return Folded("".join((*text, folded.text[at:])), begins, ends)


def _stretches(text: str, folded: Folded, marks: Marks) -> Iterator[Folded]:
    """What lies around the marks, cut at white space where some is near."""
    near = _merged(marks, 2 * AROUND)
    for first, last in _merged([(_begin(text, start), _end(text, end)) for start, end in near], 0):
        part = slice(bisect_left(folded.begins, first), bisect_right(folded.ends, last))
        yield Folded(folded.text[part], folded.begins[part], folded.ends[part])


def _merged(spans: Marks, gap: int) -> Marks:
    """In order, those as one that are no further apart."""
    merged: Marks = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _begin(text: str, mark: int) -> int:
    at = max(0, mark - AROUND)
    return max(max(text.rfind(space, max(0, at - TOKEN), at) for space in SPACES) + 1, at - TOKEN, 0)


def _end(text: str, mark: int) -> int:
    at = min(len(text), mark + AROUND)
    found = [place for space in SPACES if (place := text.find(space, at, at + TOKEN)) >= 0]
    return min(found, default=min(len(text), at + TOKEN))
