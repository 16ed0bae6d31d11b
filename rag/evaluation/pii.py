"""How well personal data is found: ``candor evaluate pii``."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrails.pii import Detection, PiiGuard
from rag.errors import DataError
from rag.evaluation.rows import read_rows
from rag.evaluation.trial import OnProgress, sample, unseen

OVERLAP = 0.5  # intersection over union from which two spans are the same
REQUIRED: Mapping[str, type] = {"text": str, "entities": list, "annotated_types": list}
PLACES = frozenset({"ADDRESS", "UK_POSTCODE", "CA_POSTAL_CODE"})  # LOCATION to a set that does not tell them apart
# Labels that are no number of a person; every other label is an ``ID`` where a set has only this one type for numbers.
NO_ID = frozenset(
    {"PERSON", "LOCATION", "ORGANIZATION", "DATE_TIME", "DATE_OF_BIRTH", "PHONE_NUMBER", "EMAIL_ADDRESS", "URL"}
    | {"IP_ADDRESS", "MAC_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "SECRET", "CRYPTO", "AGE", "NRP", "TITLE"}
    | PLACES
)

Find = Callable[[str], Sequence[Detection]]


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled or predicted value: characters of the row's text, end exclusive."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    lang: str
    labelled: tuple[Span, ...]
    unclear: tuple[Span, ...]  # neither to be found nor wrong to find
    types: frozenset[str]  # the only ones that count


@dataclass(slots=True)
class Tally:
    """Outcomes of labelled and predicted values, and of labelled characters."""

    truth: list[int] = field(default_factory=list)
    predicted: list[int] = field(default_factory=list)
    characters: int = 0
    covered: int = 0

    def add(self, truth: int, predicted: int) -> None:
        self.truth.append(truth)
        self.predicted.append(predicted)

    def scores(self) -> dict[str, float | None]:
        """Precision, recall and F2; none without a labelled or a predicted value."""
        from sklearn.metrics import precision_recall_fscore_support

        if not self.truth:
            return {"precision": None, "recall": None, "f2": None}
        scores = precision_recall_fscore_support(
            self.truth, self.predicted, beta=2, average="binary", zero_division=0.0
        )
        return dict(zip(("precision", "recall", "f2"), (round(float(score), 4) for score in scores[:3]), strict=True))

    def char_recall(self) -> float | None:
        return round(self.covered / self.characters, 4) if self.characters else None


def measure(
    path: Path,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    find: Find | None = None,
) -> dict[str, Any]:
    """Look for personal data in every text of a file of rows, and compare with its labels.

    A prediction is right when its type agrees and the two spans overlap by half (intersection over union), each label
    being found once. A label of ours that a set does not know counts as the wider type that it belongs to: a date of
    birth as DATE_TIME, an address as LOCATION, a staff number as ID, a phone number as that of the only country the row
    is about. Findings of other types do not count, except that under ``any_type`` they may find a label.
    ``char_recall`` counts characters that any finding covers, whatever its type.

    Args:
        limit: most rows, drawn by ``seed``.
        find: another detector than the product's, to compare with.

    Raises:
        DataError: the file cannot be used.
    """
    rows = sample(read(path), limit, seed)
    if find is None:
        guard = PiiGuard()
        guard.load()
        find = guard.detect
    typed, untyped = Tally(), Tally()
    by_type: defaultdict[str, Tally] = defaultdict(Tally)
    by_lang: defaultdict[str, Tally] = defaultdict(Tally)
    alarms, times = [], []
    for number, row in enumerate(rows, start=1):
        begun = time.perf_counter()
        found = find(row.text)
        if row.text:
            times.append((time.perf_counter() - begun) * 1e6 / len(row.text))
        predicted = [Span(d.start, d.end, t) for d in found if (t := counted_as(d.label, row.types))]
        others = [Span(d.start, d.end, "") for d in found if not counted_as(d.label, row.types)]
        if not row.labelled and not row.unclear:
            alarms.append(bool(predicted))
        _compare(row, predicted, (typed, by_lang[row.lang]), by_type, same_type=True)
        _compare(row, [*predicted, *others], (untyped,), defaultdict(Tally), same_type=False)
        _cover(row, found, (typed, by_lang[row.lang]), by_type)
        on_progress("Looking for personal data", number, len(rows))
    return {
        "rows": len(rows),
        **typed.scores(),
        "any_type": untyped.scores(),
        "char_recall": typed.char_recall(),
        "false_alarm_rows": round(statistics.mean(alarms), 4) if alarms else None,
        "by_type": _table(by_type),
        "by_lang": _table(by_lang),
        "ms_per_1000_chars_p50": round(statistics.median(times), 3) if times else None,
    }


def read(path: Path) -> list[Row]:
    """The rows of a file.

    Raises:
        DataError: a line has no such fields, or an entity lies outside its text.
    """
    return [_row(path, number, values) for number, values in enumerate(read_rows(path, REQUIRED), start=1)]


def _row(path: Path, number: int, values: Mapping[str, Any]) -> Row:
    text = values["text"]
    types = frozenset(map(str, values["annotated_types"]))
    labelled: list[Span] = []
    unclear: list[Span] = []
    for entity in values["entities"]:
        try:
            span = Span(int(entity["start"]), int(entity["end"]), str(entity["type"]))
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path}, row {number}: an entity lacks start, end or type") from None
        if not 0 <= span.start < span.end <= len(text):
            raise DataError(f"{path}, row {number}: an entity lies outside the text")
        if span.type in types:
            (unclear if entity.get("redacted") else labelled).append(span)
    return Row(text, str(values.get("lang") or "unknown"), tuple(labelled), tuple(unclear), types)


def counted_as(label: str, types: frozenset[str]) -> str | None:
    """The type that a label counts as in a row that knows these; none when it does not count."""
    if label in types:
        return label
    if label == "DATE_OF_BIRTH" and "DATE_TIME" in types:
        return "DATE_TIME"
    if label in PLACES and "LOCATION" in types:
        return "LOCATION"
    if label == "PHONE_NUMBER":
        return next((t for t in sorted(types) if t.endswith(("_PHONE_NUMBER", "_MOBILE_NUMBER"))), None)
    return "ID" if "ID" in types and label not in NO_ID else None


def _compare(
    row: Row, predicted: Sequence[Span], tallies: Iterable[Tally], by_type: Mapping[str, Tally], *, same_type: bool
) -> None:
    """Pair labels and predictions, the best overlaps first, and count what is paired and what is left."""
    pairs = sorted(
        (
            (-overlap, not guess.type, i, j)
            for i, label in enumerate(row.labelled)
            for j, guess in enumerate(predicted)
            if (overlap := _iou(label, guess)) >= OVERLAP and (label.type == guess.type or not same_type)
        ),
    )
    found: set[int] = set()
    right: set[int] = set()
    for _, _, i, j in pairs:
        if i not in found and j not in right:
            found.add(i)
            right.add(j)
    outcomes = [(label.type, 1, int(i in found)) for i, label in enumerate(row.labelled)]
    outcomes += [
        (guess.type, 0, 1)
        for j, guess in enumerate(predicted)
        if guess.type and j not in right and not any(_iou(guess, unclear) > 0 for unclear in row.unclear)
    ]
    for kind, truth, said in outcomes:
        for tally in (*tallies, by_type[kind]):
            tally.add(truth, said)


def _cover(row: Row, found: Sequence[Detection], tallies: Iterable[Tally], by_type: Mapping[str, Tally]) -> None:
    covered = {place for value in found for place in range(value.start, value.end)}
    for label in row.labelled:
        for tally in (*tallies, by_type[label.type]):
            tally.characters += label.end - label.start
            tally.covered += sum(place in covered for place in range(label.start, label.end))


def _iou(one: Span, other: Span) -> float:
    shared = min(one.end, other.end) - max(one.start, other.start)
    return max(0, shared) / (max(one.end, other.end) - min(one.start, other.start))


def _table(tallies: Mapping[str, Tally]) -> dict[str, dict[str, Any]]:
    return {
        name: {"n": sum(tally.truth), **tally.scores(), "char_recall": tally.char_recall()}
        for name, tally in sorted(tallies.items())
        if tally.truth
    }
