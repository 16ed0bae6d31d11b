"""Whether an answer that is streamed is the answer that is not, however it arrives: ``candor evaluate stream``."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.pii import PiiGuard
from guardrails.pii.child import ChildDetector
from guardrails.policy import Policy, PolicyFile
from guardrails.stream import Cut, cuts
from guardrails.types import Context, Evidence, Finding
from rag.errors import DataError
from rag.evaluation.rows import read_rows
from rag.evaluation.trial import OnProgress, sample, unseen
from rag.generation.prompt import without_markers
from rag.settings import Settings

CHUNKINGS = 1000  # in all, unless told
SECONDS = 300.0  # a check may take so long: what is measured is not how busy the machine is
FIELDS = ("text", "answer", "question")  # the first of them that a row has is streamed
LONGEST_PIECE = (1, 2, 4, 8, 40, 400)  # characters; one of them is drawn for each chunking


@dataclass(slots=True)
class Tally:
    """What was seen over all chunkings."""

    cases: int = 0
    mismatches: int = 0
    raw_values: int = 0
    held_back: list[float] = field(default_factory=list)  # the median of each chunking


@dataclass(frozen=True, slots=True)
class Release:
    """One sentence that left, and how much of the text had arrived by then."""

    shown: str
    length: int  # characters of the text that it stands for
    arrived: int


def measure(
    path: Path,
    settings: Settings,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    chunkings: int = CHUNKINGS,
) -> dict[str, Any]:
    """Stream every text of a file in pieces of random length; compare with the same text put through the gate whole.

    Each text counts as an answer whose values stand in a document that is not public, so that what the policy holds
    personal must be hidden. ``raw_values_in_prefix`` counts values that the gate hides in the whole text and that
    stand in something that left before the end, whatever the cut.

    Args:
        chunkings: how many there are in all; spread evenly over the texts, at least one each.

    Raises:
        DataError: the file cannot be used.
    """
    texts = sample(_texts(path), limit, seed)
    chance = random.Random(seed)  # noqa: S311 - no secret
    tally = Tally()
    detector = ChildDetector(SECONDS)
    try:
        detector.load()
        gate = Gate(Checks([PiiGuard(detector)], SECONDS), PolicyFile(settings.guards.policy).current())
        for number, text in enumerate(texts):
            share = max(1, (chunkings * (number + 1)) // len(texts) - (chunkings * number) // len(texts))
            _stream_one(gate, text, share, chance, tally)
            on_progress("Streaming", number + 1, len(texts))
    finally:
        detector.close()
    return {
        "rows": len(texts),
        "cases": tally.cases,
        "mismatches": tally.mismatches,
        "raw_values_in_prefix": tally.raw_values,
        "held_back_median_chars": statistics.median(tally.held_back) if tally.held_back else None,
    }


def _texts(path: Path) -> list[str]:
    texts = []
    for number, row in enumerate(read_rows(path, {}), start=1):
        text = next((row[name] for name in FIELDS if isinstance(row.get(name), str)), None)
        if text is None:
            raise DataError(f"{path}, row {number}: none of {', '.join(FIELDS)} is there")
        texts.append(text)
    return texts


def _stream_one(gate: Gate, text: str, chunkings: int, chance: random.Random, tally: Tally) -> None:
    text = "".join(without_markers(iter([text])))
    context = Context(question=" ", evidence=(Evidence("0", text),))
    whole = gate.sentence(text, context)
    hidden = _hidden(gate.policy, text, gate.personal(text, context), context)

    @cache
    def checked(cut: Cut) -> str:
        around = replace(context, before=cut.before, after=cut.after)
        return gate.sentence(cut.text, around).shown.text

    parts_a_value = cache(gate.parts_a_value)
    for _ in range(chunkings):
        pieces = _pieces(text, chance)
        released = list(released_from(pieces, parts_a_value, checked))
        tally.cases += 1
        tally.mismatches += "".join(release.shown for release in released) != whole.shown.text
        tally.raw_values += _leaks("".join(release.shown for release in released), hidden)
        tally.held_back.append(_held_back(pieces, released))


def released_from(
    pieces: Sequence[str], parts_a_value: Callable[[str, int], bool], checked: Callable[[Cut], str]
) -> Iterator[Release]:
    """What leaves, as the assistant lets it leave."""
    arrived = 0

    def arriving() -> Iterator[str]:
        nonlocal arrived
        for piece in pieces:
            arrived += len(piece)
            yield piece

    for cut in cuts(without_markers(arriving()), parts_a_value):
        yield Release(checked(cut), len(cut.text), arrived)


def _pieces(text: str, chance: random.Random) -> list[str]:
    longest = chance.choice(LONGEST_PIECE)
    pieces, start = [], 0
    while start < len(text):
        end = start + chance.randint(1, longest)
        pieces.append(text[start:end])
        start = end
    return pieces


def _hidden(policy: Policy, text: str, personal: Sequence[Finding], context: Context) -> dict[str, int]:
    """Each value that must not be seen, and how often its characters stand in the text where nothing was found."""
    values = {text[f.start : f.end] for f in personal if policy.hides(f, context, "sentence")}
    covered = [(f.start, f.end) for f in personal]
    return {value: _outside(text, value, covered) for value in values if value.strip()}


def _outside(text: str, value: str, covered: Sequence[tuple[int, int]]) -> int:
    count, start = 0, text.find(value)
    while start >= 0:
        end = start + len(value)
        count += not any(first < end and start < last for first, last in covered)
        start = text.find(value, start + 1)
    return count


def _leaks(shown: str, hidden: dict[str, int]) -> int:
    """Values that stand in what left, beyond where they are no value. Whatever left earlier is part of it."""
    return sum(shown.count(value) > elsewhere for value, elsewhere in hidden.items())


def _held_back(pieces: Sequence[str], released: Sequence[Release]) -> float:
    """Median over the arrivals of how many characters had come and were not released."""
    ends = {}
    gone = 0
    for release in released:
        gone += release.length
        ends[release.arrived] = gone
    held, arrived, out = [], 0, 0
    for piece in pieces:
        arrived += len(piece)
        out = ends.get(arrived, out)
        held.append(max(0, arrived - out))
    return statistics.median(held) if held else 0.0
