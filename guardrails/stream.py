"""Cuts a growing text into sentences, each released once no later text could change where it ends.

The cut depends on the text alone, never on how it arrived: for every way of feeding the same text, the same sentences
come out, and together they are that text. A sentence is the unit that is checked, recorded and shown; a personal value
lies within one sentence, however many full stops and line breaks it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

LOOK_AHEAD = 48  # characters after a possible end, in which a value that goes on there shows (an IBAN in groups has 42)
BEFORE = 300  # characters before a sentence that count when it is checked
LONGEST = 1200  # characters; a longer sentence is cut at a white space before that, or there if it has none
TRIED = 8  # white spaces before that are tried, from the last
HARD_LIMIT = 4800  # characters; the end of a sentence that is all one value

ABBREVIATIONS = frozenset(
    re.findall(
        r"\S+",
        """
        mr mrs ms dr prof st no nr vs etc eg ie approx incl tel fig sec art para dept est ext max min inc ltd co corp
        jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e a.m p.m u.s u.k
        z.b d.h bzw usw ca evtl ggf inkl zzgl str hr fr abs
        sr sra srta dra ud uds pág núm p.ej av m mme mlle cf env
        """,
    )
)
_END = re.compile(
    r"(?P<stop>[.!?…]+[\"'\u201d\u2019\u00bb)\]*_]*)(?P<gap>\s+)"  # a full stop, closing marks, white space
    r"|(?P<line>[ \t]*\n[ \t]*)(?=\n|[-*•+#|>]|\d{1,3}[.)]\s)"  # before a blank line, list item, heading or table
    r"|(?P<blank>\n\s*\n\s*)"
)
_SPACE = re.compile(r"\s")
_WORD_BEFORE = re.compile(r"([^\W\d_][\w.]*|\d+)$")


PartsAValue = Callable[[str, int], bool]  # (text, place): whether a cut there would part a value in two


@dataclass(frozen=True, slots=True)
class Cut:
    """One sentence, with the white space that follows it, and what stands around it."""

    text: str
    before: str  # the last BEFORE characters before it
    after: str  # the LOOK_AHEAD characters after it; fewer only at the end of the whole text


def cuts(pieces: Iterable[str], parts_a_value: PartsAValue = lambda text, at: False) -> Iterator[Cut]:
    """Cut a stream of pieces of text into sentences, none of which ends inside a value.

    Args:
        pieces: parts of one text in order, of any length.
        parts_a_value: asked once for each place at which a sentence might end, with what would stand around it. A
            sentence that has no other end within HARD_LIMIT characters ends there nevertheless.

    Yields:
        Sentences in order; their texts joined equal the joined pieces. White space before the first is part of it.
    """
    buffer = _Buffer(parts_a_value)
    try:
        for piece in pieces:
            buffer.add(piece)
            yield from buffer.settled(complete=False)
    except GeneratorExit:
        raise
    except Exception:
        yield from buffer.settled(complete=True)  # what was begun and not ended is lost, whole sentences are not
        raise
    yield from buffer.settled(complete=True)
    yield from buffer.rest()


def sentences(pieces: Iterable[str]) -> Iterator[str]:
    """The texts of ``cuts``, for where values do not matter."""
    return (cut.text for cut in cuts(pieces))


class _Buffer:
    """Text that has not been released, and what stood before it."""

    def __init__(self, parts_a_value: PartsAValue) -> None:
        self._parts_a_value = parts_a_value
        self._before = ""
        self._text = ""
        self._whole: dict[int, bool] = {}  # by place in the text: whether a cut there leaves values whole
        self._needed = 0  # characters of the text before which looking again is of no use

    def add(self, piece: str) -> None:
        self._text += piece

    def settled(self, *, complete: bool) -> Iterator[Cut]:
        """Sentences whose end no later text could move. With ``complete``, no more text will come."""
        while (end := self._end(complete=complete)) is not None:
            yield self._release(end)

    def rest(self) -> Iterator[Cut]:
        if self._text:
            yield self._release(len(self._text))

    def _end(self, *, complete: bool) -> int | None:
        """Where the first sentence ends; None while later text might still decide, or when all of it is one."""
        if not complete and len(self._text) < self._needed:
            return None
        for end in _places(self._text):
            if not complete and len(self._text) - end < LOOK_AHEAD:
                self._needed = end + LOOK_AHEAD
                return None
            if end < len(self._text) and (end == HARD_LIMIT or self._leaves_values_whole(end)):
                return end
        return None

    def _leaves_values_whole(self, end: int) -> bool:
        if end not in self._whole:
            around = self._before + self._text[: end + LOOK_AHEAD]
            self._whole[end] = not self._parts_a_value(around, len(self._before) + end)
        return self._whole[end]

    def _release(self, end: int) -> Cut:
        cut = Cut(self._text[:end], self._before, self._text[end : end + LOOK_AHEAD])
        self._before = (self._before + cut.text)[-BEFORE:]
        self._text = self._text[end:]
        self._whole.clear()
        self._needed = 0
        return cut


def _places(text: str) -> Iterator[int]:
    """Where the first sentence of a text might end, the likeliest first; whatever follows, none comes in between."""
    for match in _END.finditer(text, 0, LONGEST + LOOK_AHEAD):
        if match.end() > LONGEST:
            break
        if match.end() == len(text) or (text[: match.end()].strip() and _is_end(text, match)):
            yield match.end()
    if len(text) >= LONGEST + LOOK_AHEAD:
        yield from [space.end() for space in _SPACE.finditer(text, 0, LONGEST)][: -TRIED - 1 : -1]
        yield LONGEST
        yield from (space.end() for space in _SPACE.finditer(text, LONGEST, HARD_LIMIT))
        yield HARD_LIMIT


def _is_end(text: str, match: re.Match[str]) -> bool:
    if match["stop"] is None:
        return True
    before = _WORD_BEFORE.search(text, max(0, match.start() - 24), match.start())
    following = text[match.end()]
    if match["stop"][0] != ".":
        return not following.islower()
    if "\n" in match["gap"]:
        return True
    if before is None:
        return not following.islower()
    word = before[1].casefold()
    # "Dr. Weiss", "J. Smith", "3. Mai" and "e.g. a list" go on; "in 2024. The" ends.
    return not (
        word in ABBREVIATIONS
        or _is_initial(word, before, text)
        or (word.isdigit() and len(word) < 3)
        or following.islower()
    )


def _is_initial(word: str, before: re.Match[str], text: str) -> bool:
    return len(word) == 1 and word.isalpha() and (before.start() == 0 or not text[before.start() - 1].isalnum())
