"""The figures of harmful texts, on rows small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.encoder import Encoder
from guardrails.harm import HarmGuard
from rag.errors import DataError
from rag.evaluation.safety import BAD, GOOD, measure

INSULT = "You are a stupid bitch, shut up."
PLAIN = "How many days of leave do I have?"


def file(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def guard() -> HarmGuard:
    return HarmGuard(Encoder())


def test_right_wrong_and_missed_are_counted(tmp_path: Path, guard: HarmGuard) -> None:
    texts = [(INSULT, "toxic"), (INSULT, "nontoxic"), (PLAIN, "toxic"), (PLAIN, "nontoxic")]
    found = measure(file(tmp_path, *({"text": text, "label": label} for text, label in texts)), guard=guard)
    assert list(found) == ["rows", "auroc", "precision", "recall", "f1", "by_dataset", "ms_p50"]
    assert (found["rows"], found["auroc"], found["precision"], found["recall"], found["f1"]) == (4, 0.5, 0.5, 0.5, 0.5)
    assert found["by_dataset"]["rows"]["n"] == 4


@pytest.mark.parametrize("label", [*BAD, *GOOD])
def test_every_label_of_the_sets_is_known(tmp_path: Path, guard: HarmGuard, label: str) -> None:
    found = measure(file(tmp_path, {"text": INSULT, "label": label}), guard=guard)
    assert found["recall"] == (1.0 if label in BAD else None)
    assert found["auroc"] is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x", "label": "odd"}, r"row 1: \"label\" is none of harmful, toxic"),
        ({"context": "x", "question": "y", "label": 0}, 'line 1: "text" is missing'),  # as bbq has them
        ({"text": "x", "label": 0}, 'line 1: "label" is not a string'),
    ],
)
def test_unusable_rows_are_named(tmp_path: Path, guard: HarmGuard, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        measure(file(tmp_path, row), guard=guard)
