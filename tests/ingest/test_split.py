"""Chunks are exact slices, lose nothing, and are each about one thing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.split import split
from rag.types import Chunk, Document, Meta

words = st.text(alphabet="abcÄ. \n\t-|#!?;:。\u05d9", max_size=400)
lines = st.lists(
    st.sampled_from(
        [
            "# A heading",
            "## Another heading",
            "",
            "One sentence. Another one! A third? Mr. Smith came.",
            "- an item of a list",
            "| a | b |",
            "|---|---|",
            "```",
            "    indented",
            "Title",
            "=====",
            "word " * 60,
            "x" * 300,
            "Name: Ada; Team: blue; Room: 4",
        ]
    ),
    max_size=40,
).map("\n".join)
texts = words | lines
sizes = st.integers(20, 400).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size // 2)))


def chunks_of(text: str, size: int = 200, overlap: int = 40, source: str = "a.md") -> list[Chunk]:
    return split(Document(source, "A", text), size, overlap)


@given(texts, sizes)
def test_every_chunk_is_an_exact_slice_that_fits(text: str, sizes: tuple[int, int]) -> None:
    for chunk in chunks_of(text, *sizes):
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip()
        assert 0 < len(chunk.text) <= sizes[0]


@given(texts, sizes)
def test_no_word_is_lost(text: str, sizes: tuple[int, int]) -> None:
    held = {place for chunk in chunks_of(text, *sizes) for place in range(chunk.start, chunk.end)}
    assert [place for place, sign in enumerate(text) if not sign.isspace() and place not in held] == []


@given(texts, sizes)
def test_chunks_go_forward_and_repeat_no_more_than_the_overlap(text: str, sizes: tuple[int, int]) -> None:
    chunks = chunks_of(text, *sizes)
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert before.end - after.start <= sizes[1]


headings = st.sampled_from(["# A heading", "## Another one\n\n### And below it", "Title\n====="])
bodies = st.sampled_from(
    ["One sentence. Another one! A third?", "- an item", "| a | b |\n|---|---|", "word " * 60, "x" * 300]
)


@given(st.lists(st.tuples(headings, bodies), min_size=1), st.integers(100, 400), st.integers(0, 50))
def test_no_chunk_is_a_heading_alone(sections: list[tuple[str, str]], size: int, overlap: int) -> None:
    text = "\n\n".join(f"{heading}\n{body}" for heading, body in sections)
    for chunk in chunks_of(text, size, overlap):
        assert any(line and not line.startswith(("#", "Title", "=")) for line in chunk.text.split("\n"))


@given(st.lists(st.text(alphabet="ab;: ", min_size=1, max_size=70), min_size=1, max_size=30), sizes)
def test_rows_that_fit_are_never_divided(cells: list[str], sizes: tuple[int, int]) -> None:
    size = max(sizes[0], 90)
    rows = [f"Name: {number}; Value: {cell}".strip() for number, cell in enumerate(cells)]
    chunks = chunks_of("\n".join(rows), size, min(sizes[1], size // 2), source="table.csv")
    for row in rows:
        assert any(row in chunk.text for chunk in chunks)
    for chunk in chunks:
        assert chunk.text.startswith("Name: ")


def test_each_section_is_a_chunk_of_its_own() -> None:
    sections = [f"## Section {number}\n\n" + f"Words of section {number}. " * 5 for number in range(4)]
    chunks = chunks_of("\n".join(sections))
    assert [chunk.text for chunk in chunks] == [section.strip() for section in sections]


def test_tiny_sections_share_a_chunk() -> None:
    text = "# Handbook\n\n## Leave\n\n28 days.\n\n## Sickness\n\nCall before ten."
    assert [chunk.text for chunk in chunks_of(text)] == [text]


def test_cuts_fall_between_sentences() -> None:
    sentence = "Full-time staff have 28 days of leave, as Dr. Moxon of No. 4 says. "
    for chunk in chunks_of(sentence * 20, 300, 100):
        assert chunk.text.startswith("Full-time")
        assert chunk.text.endswith("says.")


def test_neighbours_repeat_whole_sentences() -> None:
    first, second = chunks_of("".join(f"Sentence {number} is here. " for number in range(10, 24)), 200, 60)[:2]
    repeated = first.text[second.start - first.start :]
    assert repeated.startswith("Sentence ")
    assert repeated.endswith(".")


def test_the_header_of_a_table_stays_with_its_first_row() -> None:
    text = "word " * 30 + "\n\n| Office | Staff |\n|---|---|\n" + "| Leeds | 187 |\n" * 12
    chunk = next(chunk for chunk in chunks_of(text, 180, 0) if "Office" in chunk.text)
    assert "Leeds" in chunk.text


def test_a_part_of_a_table_names_its_header() -> None:
    rows = "\n".join(f"| Office {number} | {number} weeks | {number} % |" for number in range(12))
    text = f"# Leave\n\nBy office:\n\n| Office | Length | Pay |\n|---|---|---|\n{rows}\n\nThat is all there is to say."
    first, *later, last = chunks_of(text)
    assert first.section == "Leave"
    assert {chunk.section for chunk in later} == {"Leave > Office | Length | Pay"}
    assert last.section == "Leave > Office | Length | Pay"  # it begins with rows


def test_a_hash_in_code_is_no_heading() -> None:
    code = "```\n" + "# comment\nrun this\n" * 8 + "```"
    assert len(chunks_of("Before it. " * 3 + "\n\n" + code, 300, 0)) == 1


@pytest.mark.parametrize(("start", "page"), [("first", 1), ("second", 3), ("third", 4)])
def test_a_chunk_has_the_page_on_which_it_starts(start: str, page: int) -> None:
    text = "first " * 40 + "\n\n" + "second " * 40 + "\n\n" + "third " * 40
    second, third = text.index("second"), text.index("third")
    document = Document("a.pdf", "A", text, page_starts=(0, second, second, third))  # page 2 is empty
    chunk = next(chunk for chunk in split(document, 300, 0) if chunk.text.startswith(start))
    assert chunk.page == page


def test_a_chunk_carries_what_the_document_says_of_itself() -> None:
    document = Document("a.md", "A", "Words.", meta=Meta(public_contacts=True, superseded_by="b.md"))
    [chunk] = split(document, 200, 0)
    assert (chunk.document_id, chunk.source, chunk.title) == (document.id, "a.md", "A")
    assert (chunk.public_contacts, chunk.superseded_by, chunk.page) == (True, "b.md", None)


@pytest.mark.parametrize("overlap", [-1, 101])
def test_an_overlap_that_cannot_be_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and half the size, 100"):
        chunks_of("text", 200, overlap)


def test_why_the_splitter_is_our_own() -> None:
    """LangChain's splitter looks for its offsets afterwards: where words repeat, they point to the wrong place."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    text = "yes. no. no. no. no. no. no. end."
    theirs = RecursiveCharacterTextSplitter(chunk_size=6, chunk_overlap=3, add_start_index=True)
    starts = [piece.metadata["start_index"] for piece in theirs.create_documents([text])]
    assert starts.count(5) > 1
    ours = [chunk.start for chunk in chunks_of(text, 6, 3)]
    assert len(set(ours)) == len(ours)


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        (
            "# Leave\n\n## Parental\n\n{0}\n\n### Pay\n\n{0}\n\n## Unpaid\n\n{0}",
            ["Parental", "Parental > Pay", "Unpaid"],
        ),
        ("Guide\n=====\n\n{0}\n\nUse\n---\n\n{0}\n\nMore\n=====\n\n{0}", ["Guide", "Guide > Use", "More"]),
        ("= Guide =\n\n{0}\n\n= = Use = =\n\n{0}\n\n==More==\n\n{0}", ["Guide", "Guide > Use", "Guide > More"]),
        ("{0}\n\n3 Travel by land and sea\n\n3.1 Travel by train\n\n{0}", ["", "Travel by train"]),
    ],
)
def test_a_chunk_names_the_headings_above_it(text: str, sections: list[str]) -> None:
    words = "Words that fill the section well enough to be a chunk of their own. " * 6
    document = Document("leave.md", "Leave", text.format(words.strip()))
    found = [chunk.section for chunk in split(document, 500, 0)]
    assert [section.removeprefix("3.1 ") for section in found] == sections


@pytest.mark.timeout(20)  # each took minutes when it was quadratic
@pytest.mark.parametrize(
    "text",
    ["word " * 400_000, "# A" + " " * 100_000 + "b\n\nWords.", "# A\n\n" * 40_000, "| " * 400_000],
    ids=["one line", "blanks in a heading", "headings alone", "one row"],
)
def test_the_time_grows_with_the_length_alone(text: str) -> None:
    assert split(Document("a.md", "Title", text), 1000, 150)
