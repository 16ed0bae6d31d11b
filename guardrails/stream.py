"""Cuts a growing text into sentences, each released once no later text could change where it ends.

The cut depends on the text alone, never on how it arrived: for every way of feeding the same text, the same sentences
come out, and together they are that text. A sentence is the unit that is checked, recorded and shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LOOK_AHEAD = 12  # characters after a possible end that decide whether it is one
LONGEST = 1200  # characters; a longer sentence is cut at its last white space before that, or there if it has none

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
_WORD_BEFORE = re.compile(r"([^\W\d_][\w.]*|\d+)$")


def sentences(pieces: Iterable[str]) -> Iterator[str]:
    """Cut a stream of pieces of text into sentences, with the white space that follows each.

    Args:
        pieces: parts of one text in order, of any length.

    Yields:
        Sentences in order; joined they equal the joined pieces. White space before the first is part of it.
    """
    waiting = ""
    for piece in pieces:
        waiting += piece
        while (end := _settled_end(waiting, complete=False)) is not None:
            yield waiting[:end]
            waiting = waiting[end:]
    while (end := _settled_end(waiting, complete=True)) is not None:
        yield waiting[:end]
        waiting = waiting[end:]
    if waiting:
        yield waiting


def _settled_end(text: str, *, complete: bool) -> int | None:
    """Where the first sentence of ``text`` ends, white space included; None while later text might still decide.

    With ``complete``, no more text will come; None then means that all of it is one sentence.
    """
    horizon = min(len(text), LONGEST + LOOK_AHEAD)
    for match in _END.finditer(text, 0, horizon):
        end = match.end()
        if end > LONGEST:
            break
        seen_enough = len(text) - end >= LOOK_AHEAD
        if not complete and not seen_enough:
            return None
        if end < len(text) and text[:end].strip() and _is_end(text, match):
            return end
    if len(text) >= LONGEST + LOOK_AHEAD:
        return _forced_end(text)
    return None


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


def _forced_end(text: str) -> int:
    """The last white space before the limit, so that no value is cut in two; the limit when there is none."""
    cut = max(text.rfind(" ", 0, LONGEST), text.rfind("\n", 0, LONGEST))
    return cut + 1 if cut > 0 else LONGEST
