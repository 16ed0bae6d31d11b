"""What becomes of values that overlap or belong together: several rules may see parts of one."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from operator import attrgetter

from guardrails.pii.detection import WEAK, Detection

PARTS_OF_A_NAME = frozenset({"PERSON"})
PARTS_OF_AN_ADDRESS = frozenset({"ADDRESS", "LOCATION", "UK_POSTCODE", "CA_POSTAL_CODE"})
_NOTHING = re.compile(r"(?!)")
_NEXT_PART = re.compile(r"[\s,>]{1,5}")
_BLOCK = re.compile(r"(?:\A|(?<!:)(?<!:[ \t])\n)[ \t>]*\Z")  # what comes next begins a line, and no label stands above
_LINE = re.compile(r"[^\s>](?:[^\n]*[^\s])?")


def joined(text: str, found: Sequence[Detection]) -> Iterator[Detection]:
    """Several rules may see parts of one value: names that overlap are one; what goes on an address is one too."""
    yield from (value for value in found if value.label not in PARTS_OF_A_NAME | PARTS_OF_AN_ADDRESS)
    for chain in _chains(text, found, PARTS_OF_A_NAME, _NOTHING):
        surest = max(chain, key=lambda d: d.score)
        yield replace(surest, start=chain[0].start, end=max(value.end for value in chain))
    for chain in _chains(text, found, PARTS_OF_AN_ADDRESS, _NEXT_PART):
        addresses = [value for value in chain if value.label == "ADDRESS"]
        yield from _whole_address(text, chain, max(addresses, key=lambda d: d.score)) if addresses else chain


def _whole_address(text: str, parts: Sequence[Detection], surest: Detection) -> Iterator[Detection]:
    """One value in a sentence or behind a label; line by line in a block of its own, so that the lines stay."""
    start, end = parts[0].start, max(value.end for value in parts)
    if not _BLOCK.search(text[max(0, start - 200) : start]):
        yield replace(surest, start=start, end=end)
        return
    for line in _LINE.finditer(text, start, end):
        yield replace(surest, start=line.start(), end=line.end())


def _chains(
    text: str, found: Iterable[Detection], labels: Set[str], between: re.Pattern[str]
) -> Iterator[list[Detection]]:
    """Values of these labels that overlap, or have nothing else than that between them."""
    chain: list[Detection] = []
    end = 0
    for value in sorted((value for value in found if value.label in labels), key=lambda d: (d.start, d.end)):
        if chain and value.start >= end and not between.fullmatch(text, end, value.start):
            yield chain
            chain = []
        chain.append(value)
        end = max(end, value.end)
    if chain:
        yield chain


def disjoint(found: Iterable[Detection]) -> tuple[Detection, ...]:
    """Where values overlap, the surest, then the longest, then the first of the tables.

    A web address gives way to what it holds, and stays.
    """
    kept: list[Detection] = []  # in order
    addresses: list[Detection] = []
    for value in sorted(found, key=lambda d: (d.label == "URL", -d.score, d.start - d.end)):
        overlapping = _touching(kept, value)
        holds_them = all(value.start <= other.start and other.end <= value.end for other in overlapping)
        if value.label == "URL" and holds_them and not _touching(addresses, value):
            insort(addresses, value, key=_start)
        elif value.label != "URL" and not overlapping:
            insort(kept, value, key=_start)
    return tuple(sorted((*kept, *addresses), key=lambda d: (d.start, d.end)))


def _touching(kept: Sequence[Detection], value: Detection) -> Sequence[Detection]:
    """Those that overlap the value, of some in order that overlap nowhere."""
    end = first = bisect_left(kept, value.end, key=_start)
    while first and kept[first - 1].end > value.start:
        first -= 1
    return kept[first:end]


_start = attrgetter("start")


def united(plain: Sequence[Detection], disguised: Iterable[Detection]) -> tuple[Detection, ...]:
    """What is found plain, and what a disguise hides besides: a whole value in place of the part that shows."""
    kept = list(plain)
    for value in disguised:
        if any(other.start <= value.start and value.end <= other.end and _outranks(other, value) for other in kept):
            continue
        kept = [
            other
            for other in kept
            if not (value.start <= other.start and other.end <= value.end and _outranks(value, other))
        ]
        kept.append(value)
    return tuple(sorted(kept, key=lambda d: (d.start, d.end)))


def _outranks(one: Detection, other: Detection) -> bool:
    return one.label == other.label or one.label not in WEAK
