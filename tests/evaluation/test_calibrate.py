"""The threshold that reviewed answers ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DataError
from rag.evaluation.calibrate import calibrate, interval, reliability, threshold
from rag.evaluation.run import run
from rag.settings import Settings

PASSAGE = "Every employee is entitled to 25 days of paid leave. The canteen opens at noon. Soup costs 3 euros."
GOOD = ["The canteen opens at noon.", "Soup costs 3 euros.", "Every employee is entitled to 25 days of paid leave."]
BAD = ["The CEO is a lizard.", "Bicycles are leased for 36 months."]


def rows(folder: Path, good: int, bad: int) -> Path:
    answers = [(GOOD[n % 3], "grounded") for n in range(good)] + [(BAD[n % 2], "ungrounded") for n in range(bad)]
    file = folder / "reviewed.jsonl"
    made = ({"question": "", "contexts": [PASSAGE], "answer": answer, "label": label} for answer, label in answers)
    file.write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    return file


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200).map(sorted), st.floats(0, 1))
def test_never_more_are_flagged_than_allowed(scores: list[float], share: float) -> None:
    at = threshold(scores, share)
    assert sum(score >= at for score in scores if score < 1) <= share * len(scores)


def test_the_interval_is_the_textbooks() -> None:
    assert interval(0, 30) == [0.0, 0.1157]  # 1 - 0.025 ** (1 / 30)


def test_certainty_that_is_right_costs_nothing() -> None:
    assert reliability([1, 0, 0, 1], [1.0, 0.0, 0.0, 1.0])["brier"] == 0
    found = reliability([1, 0, 1, 0], [0.5] * 4)
    assert (found["brier"], found["brier_of_rate"], found["calibration_error"]) == (0.25, 0.25, 0.0)


def test_a_threshold_is_found_with_its_intervals(tmp_path: Path) -> None:
    found = run("grounding", None, Settings(), calibrate=rows(tmp_path, 20, 6))
    assert (found["rows"], found["supported"], found["flag_at_most"]) == (26, 20, 0.1)
    assert found["flagged_of_supported"] <= 0.1
    low, high = found["flagged_of_supported_interval"]
    assert low <= found["flagged_of_supported"] <= high
    assert found["recall"] == 1.0
    assert 0 < found["report_from"] <= 1


def test_too_few_answers_to_show_the_share(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 5 supported answers; to flag at most 10% takes at least 10"):
        calibrate(rows(tmp_path, 5, 5), 0.1)
