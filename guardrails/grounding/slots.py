"""Whether a sentence that nearly repeats another has a different number or name in the same place.

"The Leeds office has 40 desks" against "The Leeds office has 60 desks. The Hull office has 40 desks.": every word is
there, and only its place tells that it is wrong. Sentences in other words are not compared: there, place says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from guardrails.grounding.words import Word, split

NEARLY = 0.8  # share of the sentence's other words that the other must have, in the same order
ALIKE = 0.5  # share of all words below which it need not be compared
LONGEST = 4  # words in one place
FEWEST = 4  # words that must be the same: fewer are alike by chance

HIDDEN = split("person location organization nrp address")  # what stands for a name in a redacted text: "<PERSON>"

Kind = Literal["number", "name"]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in which the sentence has another value than what it nearly repeats: characters of the sentence."""

    kind: Kind
    start: int
    end: int


def differing(mine: Sequence[Word], others: Sequence[Sequence[Word]]) -> tuple[Slot, ...]:
    """The places in which a sentence differs from the one that it repeats most of.

    Args:
        mine: one sentence.
        others: sentences. One that has the same values everywhere settles that there is none.
    """
    keys = {word.key for word in mine}
    near = [other for other in others if len(keys & {word.key for word in other}) >= ALIKE * len(keys)]
    found = [compared for other in near if (compared := _compared(mine, other)) is not None]
    if not found:
        return ()
    return min(found, key=lambda compared: (-round(compared[0], 2), len(compared[1])))[1]


def _compared(mine: Sequence[Word], other: Sequence[Word]) -> tuple[float, tuple[Slot, ...]] | None:
    """How much of the sentence the other has in the same order, values aside; and where their values differ."""
    matcher = SequenceMatcher(None, [word.key for word in mine], [word.key for word in other], autojunk=False)
    steps = matcher.get_opcodes()
    slots = tuple(_slots(mine, other, steps))
    same = sum(after - before for tag, before, after, _, _ in steps if tag == "equal")
    inside = sum(any(slot.start <= word.start < slot.end for slot in slots) for word in mine)
    share = same / max(1, len(mine) - inside)
    return (share, slots) if same >= FEWEST and share >= NEARLY else None


def _slots(
    mine: Sequence[Word], other: Sequence[Word], steps: Sequence[tuple[str, int, int, int, int]]
) -> Iterator[Slot]:
    for tag, first, last, from_, to in steps:
        here, there = mine[first:last], other[from_:to]
        if tag != "replace" or len(here) > LONGEST or len(there) > LONGEST:
            continue
        kind = _kind(here)
        if kind and kind == _kind(there) and not _values(here, kind) & _values(there, kind):
            yield Slot(kind, here[0].start, here[-1].end)


def _values(words: Sequence[Word], kind: Kind) -> set[str]:
    """What is compared: "around 9000" is "about 9,000", and "Miller's" is "Anna Miller"."""
    if kind == "name":
        return {word.key for word in words if word.name}
    return {"".join(c for c in word.text if c.isdecimal()) for word in words if word.text[0].isdecimal()}


def _kind(words: Sequence[Word]) -> Kind | None:
    """What a few words are, if they are one thing."""
    if any(word.text[0].isdecimal() for word in words):
        return "number"
    named = [word for word in words if word.name and word.text not in HIDDEN]
    return "name" if named and all(word.name or not word.content for word in words) else None
