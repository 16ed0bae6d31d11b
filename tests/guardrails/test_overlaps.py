"""Values that overlap or belong together."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.pii import Detection
from guardrails.pii.overlaps import disjoint, joined

LABELS = ("PERSON", "ADDRESS", "LOCATION", "EMAIL_ADDRESS", "URL", "IBAN_CODE")


def value(text: str, part: str, label: str, score: float = 0.6) -> Detection:
    return Detection(label, text.index(part), text.index(part) + len(part), score, "")


def spans(text: str, *found: Detection) -> list[tuple[str, str]]:
    return sorted((one.label, text[one.start : one.end]) for one in joined(text, found))


def test_names_that_overlap_are_one_and_neighbours_are_not() -> None:
    text = "Dr. Anna Weiss, Bo Li"
    found = [value(text, "Anna Weiss", "PERSON"), value(text, "Weiss", "PERSON"), value(text, "Bo Li", "PERSON")]
    assert spans(text, *found) == [("PERSON", "Anna Weiss"), ("PERSON", "Bo Li")]


@pytest.mark.parametrize("before", ["Send it to ", "Address: ", "Address:\n", "Lieferanschrift:\n  "])
def test_an_address_in_a_sentence_or_behind_a_label_is_one_value(before: str) -> None:
    text = f"{before}12 Hill Road\n Leeds\n LS1 4AB"
    found = [value(text, "12 Hill Road", "ADDRESS"), value(text, "Leeds", "LOCATION")]
    assert spans(text, *found, value(text, "LS1 4AB", "UK_POSTCODE")) == [("ADDRESS", text.removeprefix(before))]


@pytest.mark.parametrize("before", ["", "Anna Weiss\n", "> Anna Weiss\n> "])
def test_a_block_of_lines_keeps_its_lines(before: str) -> None:
    text = f"{before}12 Hill Road\n> Leeds\n"
    found = spans(text, value(text, "12 Hill Road", "ADDRESS"), value(text, "Leeds", "LOCATION"))
    assert found == [("ADDRESS", "12 Hill Road"), ("ADDRESS", "Leeds")]


def test_a_place_without_a_street_stays_a_place() -> None:
    text = "from Leeds, England to Ulm"
    found = [value(text, part, "LOCATION") for part in ("Leeds", "England", "Ulm")]
    assert spans(text, *found) == [("LOCATION", "England"), ("LOCATION", "Leeds"), ("LOCATION", "Ulm")]


@given(
    st.lists(
        st.builds(
            lambda start, size, label, score: Detection(label, start, start + size, score, ""),
            st.integers(0, 60), st.integers(1, 12), st.sampled_from(LABELS), st.floats(0.4, 1.0),
        ),
        max_size=25,
    )
)  # fmt: skip
def test_none_overlap_but_a_web_address_may_hold_others_and_no_stronger_one_is_lost(found: list[Detection]) -> None:
    kept = disjoint(found)
    assert list(kept) == sorted(kept, key=lambda one: (one.start, one.end))
    for index, one in enumerate(kept):
        for other in kept[index + 1 :]:
            if other.start < one.end:
                holder, held = (one, other) if one.label == "URL" else (other, one)
                assert holder.label == "URL" != held.label
                assert holder.start <= held.start <= held.end <= holder.end
    for lost in found:
        if lost.label != "URL":
            assert any(k.start < lost.end and lost.start < k.end and k.score >= lost.score for k in kept)


def test_thousands_of_values_take_no_square_of_the_time() -> None:
    text = "Ulm, " * 20_000
    places = [Detection("LOCATION", at, at + 3, 0.5, "") for at in range(0, len(text), 5)]
    begun = time.perf_counter()
    assert len(disjoint(joined(text, places))) == len(places)
    assert time.perf_counter() - begun < 10
