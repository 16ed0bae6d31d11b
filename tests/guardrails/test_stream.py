"""The cut into sentences depends on the text alone."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.stream import LONGEST, sentences

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
    source = iter(["You have 28 days. ", "They lapse in March ", "of the next year."])
    released = sentences(source)
    assert next(released) == "You have 28 days. "
    assert next(source) == "of the next year."  # it had not been asked for yet


def test_a_value_is_not_cut_by_a_full_stop_inside_it() -> None:
    text = "See https://intra.example/a.b?mail=anna.weiss@mail.example.org&x=1 for more. Or ask."
    assert len(list(sentences([text]))) == 2
