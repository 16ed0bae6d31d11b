"""The cut into sentences depends on the text alone, and no value is cut in two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.stream import HARD_LIMIT, LONGEST, cuts, sentences

PARTS = st.sampled_from(
    [
        "Dr. Weiss",
        "e.g. a list",
        "3.5 days",
        "A.",
        "b",
        "Is it? ",
        "Yes! ",
        "\n",
        "\n\n",
        "- item",
        "1. one\n",
        "J. Smith",
        "…",
        " ",
        "  ",
        "https://a.example/x?y=1.2 ",
        "anna@mail.example.org. ",
        "word ",
        "42. ",
        "end. ",
        "(end.) ",
        '"end." ',
        "| a | b |\n",
        "x" * 300,
        "No.",
        "am 3. Mai ",
    ]
)
TEXTS = st.lists(PARTS, max_size=14).map("".join) | st.text(max_size=200)


@settings(max_examples=1500, deadline=None)
@example("", [])
@given(TEXTS, st.lists(st.integers(1, 40), max_size=60))
def test_any_chunking_gives_the_same_sentences(text: str, lengths: list[int]) -> None:
    pieces, rest = [], text
    for length in lengths:
        pieces.append(rest[:length])
        rest = rest[length:]
    assert list(sentences([*pieces, rest])) == list(sentences([text]))


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_sentences_join_to_the_text(text: str) -> None:
    cut = list(sentences(text))
    assert "".join(cut) == text
    assert all(len(sentence) <= LONGEST for sentence in cut[:-1])


def test_abbreviations_initials_and_decimals_do_not_end_a_sentence() -> None:
    text = "Dr. J. Smith earns 3.5 days, e.g. in May. Is that all? Yes, i.e. no more."
    assert [s.strip() for s in sentences([text])] == [
        "Dr. J. Smith earns 3.5 days, e.g. in May.",
        "Is that all?",
        "Yes, i.e. no more.",
    ]


def test_list_items_and_paragraphs_are_sentences() -> None:
    text = "You need:\n- a laptop\n- a badge\n\nThen call us"
    assert [s.strip() for s in sentences([text])] == ["You need:", "- a laptop", "- a badge", "Then call us"]


def test_a_sentence_leaves_before_the_answer_is_complete() -> None:
    source = iter(["You have 28 days. ", "They lapse on the last day of March ", "of the next year. ", "Ask us."])
    released = sentences(source)
    assert next(released) == "You have 28 days. "
    assert next(source) == "Ask us."  # it had not been asked for yet


def test_n_sentences_leave_in_n_releases_when_each_is_longer_than_the_look_ahead() -> None:
    text = " ".join(f"Sentence number {n} is long enough to be an ordinary one." for n in "abcdefgh")
    released: list[int] = []
    given = 0

    def tokens() -> Iterator[str]:
        nonlocal given
        for word in text.split(" "):
            given += 1
            yield word + " "

    for _ in sentences(tokens()):
        released.append(given)
    assert len(released) == 8
    assert len(set(released)) >= 7


def test_a_value_is_not_cut_by_a_full_stop_inside_it() -> None:
    text = "See https://intra.example/a.b?mail=anna.weiss@mail.example.org&x=1 for more. Or ask."
    assert len(list(sentences([text]))) == 2


def inside(value: str) -> Callable[[str, int], bool]:
    """Whether a place lies inside an occurrence of this value, found in what it is given alone."""

    def parts(around: str, at: int) -> bool:
        return any(match.start() < at < match.end() for match in re.finditer(re.escape(value), around))

    return parts


@pytest.mark.parametrize(
    "value",
    ["+41 44.\n\n555 01 99", "Dr. Ada\n- Lovelace", "DE89 3704 0044.\n0532 0130 00", "x" * 1180 + " " + "y" * 40],
)
def test_a_value_lies_in_one_sentence(value: str) -> None:
    text = f"It is this one. Call {value} tomorrow, please. Or write. {'word ' * 300}"
    found = list(cuts(list(text), inside(value)))
    assert "".join(cut.text for cut in found) == text
    assert sum(value in cut.text for cut in found) == 1


def test_a_sentence_without_an_end_has_a_bound() -> None:
    never = list(cuts(["x"] * 20_000, lambda text, at: True))
    assert [len(cut.text) for cut in never[:4]] == [HARD_LIMIT] * 4
    assert max(len(cut.text) for cut in cuts(["x"] * 20_000)) == LONGEST


def test_each_place_is_asked_for_once_however_the_text_arrives() -> None:
    asked: list[tuple[str, int]] = []

    def parts(text: str, at: int) -> bool:
        asked.append((text, at))
        return False

    list(cuts("".join(f"It is {n}. It is not {n}. " for n in "abcdefghijklmnop"), parts))
    assert len(asked) == len(set(asked))


@settings(max_examples=1500, deadline=None)
@given(TEXTS, st.lists(st.integers(1, 40), max_size=60), st.sampled_from(["x", "end. ", "42. ", "- item"]))
def test_any_chunking_gives_the_same_cuts_around_values(text: str, lengths: list[int], value: str) -> None:
    pieces, rest = [], text
    for length in lengths:
        pieces.append(rest[:length])
        rest = rest[length:]
    parts = inside(value * 2)
    assert list(cuts([*pieces, rest], parts)) == list(cuts([text], parts))
