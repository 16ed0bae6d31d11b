"""The figures of personal data, on rows small enough to count by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from guardrails.pii import Detection
from rag.errors import DataError
from rag.evaluation.pii import counted_as, measure


def rows(path: Path, *values: dict[str, Any]) -> Path:
    file = path / "rows.jsonl"
    file.write_text("".join(json.dumps({"lang": "en", **value}) + "\n" for value in values), encoding="utf-8")
    return file


def says(*found: tuple[int, int, str]) -> Callable[[str], Sequence[Detection]]:
    return lambda text: [Detection(label, start, end, 1.0, "") for start, end, label in found if end <= len(text)]


def row(
    text: str, *entities: tuple[int, int, str], types: Sequence[str] = ("PERSON", "URL"), **more: Any
) -> dict[str, Any]:
    listed = [{"start": start, "end": end, "type": kind, **more} for start, end, kind in entities]
    return {"text": text, "entities": listed, "annotated_types": list(types)}


def test_every_key_is_there(tmp_path: Path) -> None:
    figures = measure(rows(tmp_path, row("Anna Weiss")), find=says())
    assert list(figures) == [
        *("rows", "precision", "recall", "f2", "any_type", "char_recall", "false_alarm_rows"),
        *("by_type", "by_lang", "ms_per_1000_chars_p50"),
    ]


def test_right_wrong_and_missed_are_counted(tmp_path: Path) -> None:
    data = rows(tmp_path, row("Anna Weiss met Bob", (0, 10, "PERSON"), (15, 18, "PERSON")))
    figures = measure(data, find=says((0, 10, "PERSON"), (11, 14, "PERSON")))
    assert (figures["precision"], figures["recall"]) == (0.5, 0.5)
    assert figures["char_recall"] == round(10 / 13, 4)
    assert figures["by_type"]["PERSON"]["n"] == figures["by_lang"]["en"]["n"] == 2


@pytest.mark.parametrize(("end", "recall"), [(5, 1.0), (4, 0.0)])
def test_half_an_overlap_is_enough(tmp_path: Path, end: int, recall: float) -> None:
    data = rows(tmp_path, row("Anna Weiss", (0, 10, "PERSON")))
    assert measure(data, find=says((0, end, "PERSON")))["recall"] == recall


def test_a_wrong_type_counts_only_under_any_type(tmp_path: Path) -> None:
    figures = measure(rows(tmp_path, row("Anna Weiss", (0, 10, "PERSON"))), find=says((0, 10, "URL")))
    assert (figures["recall"], figures["any_type"]["recall"]) == (0.0, 1.0)


def test_types_that_a_row_does_not_annotate_do_not_count(tmp_path: Path) -> None:
    data = rows(tmp_path, row("Anna Weiss", types=["PERSON"]))
    assert measure(data, find=says((0, 4, "URL")))["false_alarm_rows"] == 0
    assert measure(data, find=says((0, 4, "PERSON")))["false_alarm_rows"] == 1


def test_a_name_already_cut_down_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    figures = measure(rows(tmp_path, row("A. W.", (0, 5, "PERSON"), redacted=True)), find=says((0, 5, "PERSON")))
    assert (figures["precision"], figures["recall"]) == (None, None)


@pytest.mark.parametrize(
    ("label", "types", "expected"),
    [
        ("PERSON", {"PERSON"}, "PERSON"),
        ("DATE_OF_BIRTH", {"DATE_TIME"}, "DATE_TIME"),
        ("ADDRESS", {"LOCATION", "ID"}, "LOCATION"),
        ("ADDRESS", {"LOCATION", "ADDRESS"}, "ADDRESS"),
        ("ADDRESS", {"ID"}, None),
        ("UK_POSTCODE", {"LOCATION"}, "LOCATION"),
        ("CA_POSTAL_CODE", {"LOCATION"}, "LOCATION"),
        ("UK_POSTCODE", {"LOCATION", "UK_POSTCODE"}, "UK_POSTCODE"),
        ("PHONE_NUMBER", {"TR_PHONE_NUMBER"}, "TR_PHONE_NUMBER"),
        ("EMPLOYEE_ID", {"ID"}, "ID"),
        ("EMAIL_ADDRESS", {"ID"}, None),
        ("US_SSN", {"UK_NHS"}, None),
    ],
)
def test_a_label_counts_as_the_wider_type(label: str, types: set[str], expected: str | None) -> None:
    assert counted_as(label, frozenset(types)) == expected


def test_an_entity_outside_its_text_is_named_by_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2: an entity lies outside the text"):
        measure(rows(tmp_path, row("ok"), row("Anna", (0, 9, "PERSON"))), find=says())


def test_the_products_own_detector_is_measured(tmp_path: Path) -> None:
    data = rows(tmp_path, row("mail a@example.org", (5, 18, "EMAIL_ADDRESS"), types=["EMAIL_ADDRESS"]))
    assert measure(data)["f2"] == 1.0
