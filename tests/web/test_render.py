"""Whatever stands in a document, a question, a title or the model's text, the page shows it as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.pii.labels import KNOWN
from guardrails.types import Repair
from rag.repair import Outcome
from rag.types import Done, Mark, Progress, Sentence, SetAside
from rag.web import render, render_answer, render_chat, render_review, render_shelf, turns, words
from rag.web.shelf import Listing, Quarantine, Work
from rag.web.turns import Turn
from tests.web.scripted import LEAVE, PAYLOADS, SHELF, Ingested, citation, hostile, leave_answer, record, replace

OWN_TAGS = set(
    re.findall(
        r"\w+",
        "article aside blockquote details div h1 h2 h3 nav p section summary table tbody thead tr td th a button code "
        "input label textarea dd dl dt li mark ol progress q span strong tfoot time ul svg path rect circle",
    )
)


class Seen(HTMLParser):
    """What a browser would make of it: the elements, their attributes, the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"progress", "circle", "path", "rect", "br", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"progress", "circle", "path", "rect"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def inert(html: str) -> Seen:
    seen = Seen(html)
    assert seen.open == []
    assert {tag for tag, _ in seen.tags} <= OWN_TAGS
    for _, attributes in seen.tags:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcdoc", "style"}]
        assert str(attributes.get("href", "/")).startswith("/")
    return seen


def turn(items: list[object], question: str = "?") -> Turn:
    made = Turn(question)
    for item in items:
        match item:
            case Sentence():
                made.sentences.append(item)
            case Done():
                made.done = item
    return made


@pytest.mark.parametrize("text", PAYLOADS)
def test_a_payload_is_shown_as_text_wherever_it_comes_from(text: str) -> None:
    shelved = replace(SHELF[0], source=text, title=text, superseded_by=text, quarantined=3)
    held = Quarantine(shelved, (SetAside(text, 1, text),))
    failed = Ingested(text, "failed", reason=text)
    pages = [
        render_answer.conversation([turn(hostile(), text), Turn(text, remembered=text), Turn(text, problem=text)]),
        render_chat.welcome([text], 1),
        render_chat.earlier([(text, text, "now")]),
        render_chat.status(text),
        render_shelf.table(Listing((shelved,), (failed,), 1)),
        render_shelf.failures([failed]),
        render_shelf.progress(Work(Progress(1, 1), (failed,), problem=text)),
        render_shelf.progress(Work(Progress(1, 1), (failed,), running=False, problem=text)),
        render_shelf.confirmation(text),
        render_shelf.quarantine(held),
        render_shelf.release(held),
        render_review.alarms([text]),
        render_review.record(record(text, text, text)),
        render.steps([(text, text, 1.0)], text),
        render.notice(text),
    ]
    for page in pages:
        seen = inert(page)
        assert text.split(">")[0].strip("\"'")[:12] in page or render.safe(text)[:12] in page
        assert seen.tags


@given(st.text(), st.lists(st.tuples(st.integers(-3, 40), st.integers(-3, 40))))
def test_highlighting_changes_no_character(text: str, spans: list[tuple[int, int]]) -> None:
    shown = inert(f"<p>{render.highlighted(text, spans)}</p>").text
    plain = "".join(character for character in text if render.safe(character))
    assert shown.replace("\r", "") == plain.replace("\r", "")


@given(st.text(max_size=40), st.lists(st.tuples(st.booleans(), st.integers(0, 45), st.integers(0, 45)), max_size=4))
def test_any_marks_give_sound_html(text: str, marks: list[tuple[bool, int, int]]) -> None:
    given_marks = tuple(Mark("redacted" if r else "flagged", a, b, "PERSON", "why") for r, a, b in marks)
    inert(render_answer.conversation([Turn("?", [Sentence(text, (), given_marks)], done=Done("t", "answered"))]))


def test_marks_cover_exactly_the_words_they_name() -> None:
    sentence = Sentence("Paid after 18 months.", (), (Mark("flagged", 11, 13, "number", "Not in the passages."),))
    html = render_answer.conversation([Turn("?", [sentence])])
    assert '<span class="flagged">18</span>' in html
    assert html.count("Not in the passages.") == 3  # on hover, to a screen reader, and in the note that opens


def test_a_redacted_value_reads_as_words_with_its_reason() -> None:
    html = render_answer.conversation([turn(leave_answer())])
    assert "phone number hidden" in html
    assert "PHONE_NUMBER" not in html
    assert html.count("A private phone number from a document is not shown.") == 3


@pytest.mark.parametrize(
    ("stand_in", "told"),
    [
        ("<PHONE_NUMBER>", "phone number hidden"),
        ("<PERSON_417>", "name hidden"),
        ("<CREDIT_CARD ****4242>", "card number ending in 4242"),
        ("<IBAN_CODE ****300X>", "bank account ending in 300X"),
        ("<LINK>", "link left out"),
        ("<IMAGE>", "image left out"),
        ("<MARKUP>", "markup left out"),
        ("<DE_TAX_ID>", "de tax id hidden"),
    ],
)
def test_a_stand_in_reads_as_words_with_and_without_a_mark(stand_in: str, told: str) -> None:
    assert render.with_pills(f"Pay {stand_in} now") == f'Pay <span class="pill">{told}</span> now'
    assert render.in_words(stand_in) == f"[{told}]"
    label = re.findall(r"[A-Z_]+[A-Z]", stand_in)[0]
    sentence = Sentence(f"Pay {stand_in} now", (), (Mark("redacted", 4, 4 + len(stand_in), label, "why"),))
    shown = inert(render_answer.conversation([Turn("?", [sentence])])).text
    assert f"Pay {told} now" in shown
    assert label not in shown


@pytest.mark.parametrize("text", ["<CREDIT_CARD ****42424>", "<CREDIT_CARD 4242>", "<NAME>", "<link>", "<SCRIPT>"])
def test_what_only_resembles_a_stand_in_is_shown_as_it_is(text: str) -> None:
    assert inert(f"<p>{render.with_pills(text)}</p>").text == text


def test_every_label_that_a_policy_may_hide_reads_as_words() -> None:
    assert [label for label in KNOWN if f"<{label}>" in render.in_words(f"<{label}>")] == []
    assert "_" not in "".join(map(words.hidden, KNOWN))


def test_every_citation_opens_a_source_that_exists() -> None:
    seen = inert(render_answer.conversation([turn(leave_answer()), turn(leave_answer())]))
    targets = [a["popovertarget"] for tag, a in seen.tags if tag == "button" and "popovertarget" in a]
    described = [a["aria-describedby"] for tag, a in seen.tags if tag == "button" and "aria-describedby" in a]
    identifiers = [a["id"] for _, a in seen.tags if "id" in a]
    assert set(targets) | set(described) == set(identifiers)
    assert len(identifiers) == len(set(identifiers))


def test_a_source_shows_the_words_that_support_the_sentence_and_what_replaced_it() -> None:
    cited = citation(1, "28 days", superseded_by="Annual leave 2026")
    html = render_answer.conversation([Turn("?", [Sentence("28 days.", (cited,))], done=Done("t", "answered"))])
    assert "<mark>28 days</mark>" in html
    assert "Annual leave 2026" in html
    assert "hr/annual-leave-2025.md, page 2" in html


def test_sources_are_listed_once_with_all_their_supporting_words() -> None:
    sentences = [Sentence("a", (citation(1, "28 days"),)), Sentence("b", (citation(1, "five days"),))]
    (listed,) = turns.cited(sentences)
    assert [LEAVE[a:b] for a, b in listed.spans] == ["28 days", "five days"]


AGAINST = citation(2, "28 days", title="Leave", verdict="contradicts")
FLAG = Mark("flagged", 0, 7, "number", "Not in the passages.")
FLAGGED = Turn("?", [Sentence("30 days of leave.", (AGAINST,), (FLAG,))], done=Done("t", "answered"))


def test_a_passage_that_nothing_rests_on_is_no_source() -> None:
    text = inert(render_answer.conversation([FLAGGED])).text
    assert "Compared, but no source of this answer" in text
    assert "contradicts this sentence" in text
    assert "The highlighted words are about the same, and say otherwise." in text
    assert "Sources" not in text
    assert "support the sentence" not in text
    copied = turns.plain(FLAGGED)
    assert "30 days of leave. (number not in the sources; [2] contradicts it)" in copied
    assert "Sources:" not in copied
    assert copied.index("Compared, but no source of this answer:") < copied.index("[2] Leave (hr/") < len(copied)


def test_a_passage_that_one_sentence_rests_on_is_a_source_though_it_contradicts_another() -> None:
    against = citation(1, "five days", verdict="contradicts")
    (listed,) = turns.cited([Sentence("a", (against,)), Sentence("b", (citation(1, "28 days"),))])
    assert listed.supports
    assert [LEAVE[a:b] for a, b in listed.spans] == ["28 days"]


def test_beside_a_sentence_stand_the_deciding_words_of_its_best_source() -> None:
    sentence = Sentence("28 days.", (citation(1, "28 days"), citation(2, "five days")))
    seen = inert(render_answer.conversation([Turn("?", [sentence])]))
    (tip,) = [attributes for _, attributes in seen.tags if attributes.get("role") == "tooltip"]
    cites = [attributes for _, attributes in seen.tags if str(attributes.get("class")).startswith("cite ")]
    assert [attributes["aria-describedby"] for attributes in cites] == [tip["id"]] * 2
    peek = (
        render_answer.conversation([Turn("?", [sentence])]).partition('class="peek-words"')[2].partition("</span>")[0]
    )
    assert "<mark>28 days</mark>" in peek
    assert "<mark>five days</mark>" not in peek


@pytest.mark.parametrize("label", words.UNSUPPORTED)
def test_what_is_not_supported_says_its_kind_in_words(label: str) -> None:
    marked = Sentence("Paid after 18 months.", (), (Mark("flagged", 11, 13, label, "Why."),))
    html = render_answer.conversation([Turn("?", [marked])])
    assert f">{words.UNSUPPORTED[label]}</button>" in html
    assert f'aria-label="{words.UNSUPPORTED[label]}: Why."' in html


@given(st.text(max_size=900), st.lists(st.tuples(st.integers(-3, 900), st.integers(-3, 900)), max_size=3))
def test_an_excerpt_is_part_of_the_text_with_the_first_words_in_it(text: str, spans: list[tuple[int, int]]) -> None:
    shown = inert(f"<p>{render.excerpt(text, spans)}</p>").text.removeprefix("… ").removesuffix(" …")
    plain = "".join(character for character in text if render.safe(character)).replace("\r", "")
    assert shown.replace("\r", "").strip() in plain
    wanted = render.merged(spans, len(text))
    assert not wanted or "<mark>" in render.excerpt(text, spans)


def test_an_excerpt_of_a_long_passage_is_short() -> None:
    text = "word " * 900
    assert len(inert(f"<p>{render.excerpt(text, [(2000, 2004), (4000, 4004)])}</p>").text) < 600


def test_a_copied_answer_names_its_sources_and_the_caution() -> None:
    text = turns.plain(turn(leave_answer()))
    assert "28 days of paid leave a year. [1]" in text
    assert "[2] Annual leave 2023 (hr/annual-leave-2025.md, page 2)" in text
    assert text.endswith("Written by an AI; check the sources.")


def test_a_refusal_names_the_nearest_documents() -> None:
    html = render_answer.conversation([Turn("?", done=Done("t", "refused", ("Annual leave 2025",)))])
    assert "The documents do not answer this question." in html
    assert "Annual leave 2025" in html


def test_lines_that_an_editor_wrapped_are_joined_and_every_place_stays() -> None:
    wrapped = "Full-time staff in all countries have 28 days of paid annual leave\nin each year.\n\n- one\nTwo\n"
    assert render.reflowed(wrapped) == wrapped.replace("leave\nin", "leave in")


def test_direction_marks_and_control_characters_do_not_reach_the_page() -> None:
    assert render.safe("a\u202eb\u2066c\x00d\ud800e\nf") == "abcde\nf"


def test_a_record_shows_what_was_written_and_what_was_shown() -> None:
    text = inert(render_review.record(record("t", "How long?"))).text
    for part in ("As written", "nothing", "left out", "score 0.18, threshold 0.42", "origin: document", "9f31c2d8a7b0"):
        assert part in text
    assert "<mark>28 days of paid leave</mark>" in render_review.record(record("t", "How long?"))


@pytest.mark.parametrize("repair", get_args(Repair)[1:])
@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_record_shows_what_was_repaired_and_what_came_of_it(repair: str, outcome: str) -> None:
    found = record("t", "How long?")
    first, second, *_ = found.sentences
    both = (replace(first, repair=repair, outcome=outcome), replace(second, replaces=repair))
    text = inert(render_review.record(replace(found, sentences=both))).text
    assert f"{words.REPAIRS[repair]} · {words.REPAIRED[outcome]}" in text
    assert f"Sentence 2 · in place of the one before: {words.REPAIRS[repair]}" in text


def test_a_record_tells_why_it_is_here_and_how_each_guard_fared() -> None:
    text = inert(render_review.record(record("t", "How long?"))).text
    for part in ("not supported by the documents", "a check could not be made", "Found in the question", "score 0.91"):
        assert part in text
    assert "timed out · 10.0 s" in text
    assert "switched off" in text
    assert "ran · 8.1 ms" in text
    assert "Together" in text
    assert render_review.checks(()) == ""  # records from before guards were timed


def test_the_tag_of_a_document_opens_what_is_set_aside() -> None:
    html = render_shelf.table(Listing((replace(SHELF[0], quarantined=1),), (), 1))
    assert ">1 passage set aside</button>" in html
    assert "set aside" not in render_shelf.table(Listing((SHELF[0],), (), 1))
    held = Quarantine(replace(SHELF[0], quarantined=30), (SetAside("Call <PHONE_NUMBER>.", 2, "Why."),))
    text = inert(render_shelf.quarantine(held)).text
    assert "Call phone number hidden." in text
    assert "Page 2 · Why." in text
    assert "The first 1 of 30 are shown." in text


def test_alarms_are_shown_only_when_there_are_some() -> None:
    assert render_review.alarms([]) == ""
    assert 'role="alert"' in render_review.alarms(["Grounding: a check could not be made."])
