"""The figures of grounding, on rows small enough to count by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.encoder import Encoder
from guardrails.grounding import GroundingGuard
from guardrails.grounding.align import NAMES
from guardrails.grounding.head import MODEL
from guardrails.grounding.score import FILE, scorer
from rag.errors import DataError
from rag.evaluation.grounding import figures, measure

PASSAGE = "Every employee is entitled to 25 days of paid leave. The canteen opens at noon."
GOOD = {"answer": "Every employee is entitled to 25 days of paid leave.", "label": "grounded"}
BAD = {
    "answer": "The canteen opens at noon. The CEO is a lizard.",
    "label": "ungrounded",
    "spans": [{"start": 27, "end": 47, "type": "x"}],
}


def rows(path: Path, *values: dict[str, Any]) -> Path:
    file = path / "rows.jsonl"
    file.write_text(
        "".join(json.dumps({"question": "", "contexts": [PASSAGE], **value}) + "\n" for value in values), "utf-8"
    )
    return file


@pytest.fixture(scope="module")
def guard() -> GroundingGuard:
    return GroundingGuard(Encoder())


def test_answers_are_judged_by_their_worst_sentence(tmp_path: Path, guard: GroundingGuard) -> None:
    found = measure(rows(tmp_path, GOOD, BAD), guard=guard)
    assert list(found) == [
        *("rows", "auroc", "precision", "recall", "f1", "balanced_accuracy", "flagged_rate", "span_f1"),
        *("threshold", "ms_per_answer_p50", "ms_per_answer_p95", "baselines"),
    ]
    assert (found["rows"], found["auroc"], found["f1"], found["flagged_rate"]) == (2, 1.0, 1.0, 0.5)
    assert found["span_f1"] > 0.9


def test_trivial_baselines_stand_beside(tmp_path: Path, guard: GroundingGuard) -> None:
    asked = {"question": "Is the CEO a lizard?"}  # its words count as known
    found = measure(rows(tmp_path, GOOD, BAD, {**BAD, **asked}), guard=guard)["baselines"]
    assert list(found) == ["new words", "length", "embedding"]
    assert found["length"]["auroc"] == 0.0  # the good answer is the longest
    assert found["new words"]["auroc"] == 0.75  # one of two bad answers has a word that neither text nor question has
    assert found["new words"]["f1_at_best"] == 0.8


def test_a_file_of_one_kind_gives_no_figure_that_needs_both(tmp_path: Path, guard: GroundingGuard) -> None:
    found = measure(rows(tmp_path, GOOD), guard=guard)
    assert (found["auroc"], found["balanced_accuracy"], found["recall"]) == (None, None, None)
    assert found["flagged_rate"] == 0


def test_figures_by_hand() -> None:
    found = figures([1, 1, 0, 0], [0.9, 0.2, 0.6, 0.1], 0.5)
    assert (found["precision"], found["recall"], found["balanced_accuracy"]) == (0.5, 0.5, 0.5)
    assert found["auroc"] == 0.75


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "maybe"}, "neither grounded nor ungrounded"),
        ({"contexts": [1]}, "something other than text"),
        ({"spans": [{"start": 0, "end": 999}]}, "outside the answer"),
        ({"spans": [{"start": 0}]}, "lacks start or end"),
    ],
)
def test_unusable_rows_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"row 2: .*{message}"):
        measure(rows(tmp_path, GOOD, {**GOOD, **change}))


def test_the_card_names_every_feature_and_where_the_weights_come_from() -> None:
    card = json.loads(FILE.read_text(encoding="utf-8"))
    assert list(card["weights"]) == list(NAMES)
    assert {"what", "made", "licence", "licences", "data", "limits", "figures", "threshold_chosen"} <= card.keys()
    assert list(card["head"]["features"]) == list(NAMES)
    assert card["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert MODEL.stat().st_size <= 12_000_000
    assert scorer().threshold == card["threshold"]


@pytest.mark.quality
@pytest.mark.slow
def test_few_good_answers_are_flagged(shared_data: Path, guard: GroundingGuard) -> None:
    assert measure(shared_data / "grounding" / "clapnq.dev.jsonl.gz", guard=guard)["flagged_rate"] <= 0.10
