"""The page as a reader meets it, with a scripted assistant: every state that a real one may give, quickly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guardrails.audit.alarms import GuardAlarm
from rag.access import LOCAL_READER
from rag.types import Message, SetAside
from tests.browser.conftest import Opened, served
from tests.web.scripted import Candor, record

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore"),  # the server runs in this process: Gradio's own warnings would be its errors
]


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Candor]]:
    candor = Candor(tmp_path_factory.mktemp("state"), pace=0.05)
    with served(candor) as address:
        yield address, candor


@pytest.fixture
def address(site: tuple[str, Candor]) -> str:
    return site[0]


@pytest.fixture
def candor(site: tuple[str, Candor]) -> Iterator[Candor]:
    """The scripted parts behind the page, as they were at first."""
    fresh = Candor(site[1].settings.state, pace=0.05)
    for part in ("assistant", "feedback", "library", "memory", "pages", "policies", "review", "startup"):
        setattr(site[1], part, getattr(fresh, part))
    return site[1]


def ask(page: Any, question: str) -> None:
    page.wait_for_selector("#send:enabled")
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    # An earlier turn's answer is over as well: wait for that of this question.
    page.locator(".turn:last-child", has_text=question).locator(".answer.over").wait_for()


def test_an_answer_opens_its_source_at_the_supporting_words(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address) as page:
        ask(page, "How much leave do I get?")
        page.click(".body .cite")
        source = page.locator(".source:popover-open")
        assert source.locator("mark").inner_text() == "entitled to 28 days of paid leave"
        assert "hr/annual-leave-2025.md, page 2" in source.inner_text()
        page.keyboard.press("Escape")
        assert source.count() == 0
        assert page.evaluate("document.activeElement.matches('.cite')")
        assert page.locator(".sources li").count() == 2
        assert page.get_by_text("An AI answers; check the sources.").is_visible()


def test_everything_works_with_the_keyboard(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address) as page:
        ask(page, "How much leave do I get?")
        page.focus(".body .cite >> nth=0")
        page.keyboard.press("Enter")
        assert page.locator(".source:popover-open").count() == 1
        page.keyboard.press("Enter")  # the close button has the focus
        assert page.locator(".source:popover-open").count() == 0
        page.focus(".body .pill")
        page.keyboard.press("Enter")
        assert "private phone number" in page.locator(".why:popover-open").inner_text()


def test_a_thumb_and_its_reason_are_given_with_the_keyboard_alone(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address, width=390) as page:
        ask(page, "How much leave do I get?")
        page.get_by_role("button", name="Good answer").press("Enter")
        page.locator(".thumb[aria-pressed=true][aria-label='Good answer']").wait_for()
        page.get_by_role("button", name="Bad answer").press("Enter")
        page.locator(".thumb[aria-pressed=true][aria-label='Bad answer']").wait_for()
        form = page.get_by_role("dialog", name="What is wrong with this answer?")
        form.get_by_label("It is out of date").press("Space")
        form.get_by_label("In your own words (optional)").fill("<b>Old</b> rules")
        assert form.bounding_box()["width"] <= 390
        form.get_by_role("button", name="Send").press("Enter")
        page.get_by_text("Thank you: reviewers will read it").wait_for()
        assert page.locator(".rate:popover-open").count() == 0
    assert candor.feedback.said == [
        ("turn-1", "up", (), ""),
        ("turn-1", "down", (), ""),
        ("turn-1", "down", ("outdated",), "<b>Old</b> rules"),
    ]


def test_a_source_shows_its_page_with_the_keyboard_alone(opened: Opened, address: str, candor: Candor) -> None:
    candor.pages.pace = 0.4
    with opened(address, width=390) as page:
        ask(page, "What do hotels include?")
        page.focus(".body .cite")
        page.keyboard.press("Enter")
        page.focus(".source:popover-open .show-page")
        page.keyboard.press("Enter")
        assert page.get_by_text("Drawing the page…").is_visible()
        picture = page.locator("#paper:popover-open img")
        picture.wait_for()
        assert "Page 1 of finance/travel-expenses-2025.pdf" in str(picture.get_attribute("alt"))
        assert page.get_by_text("Drawing the page…").is_hidden()
        narrow = picture.bounding_box()["width"]
        assert narrow <= 390
        page.focus(".sheet button")
        page.keyboard.press("Enter")
        assert picture.bounding_box()["width"] > 2 * narrow
        page.keyboard.press("Escape")
        assert page.locator("#paper:popover-open").count() == 0
        assert page.locator(".source:popover-open").count() == 1
        assert "show-page" in page.evaluate("document.activeElement.className")


def test_a_page_that_cannot_be_shown_says_why_and_leaves_the_words(
    opened: Opened, address: str, candor: Candor
) -> None:
    candor.pages.problem = "The file is no longer where it was."
    with opened(address) as page:
        ask(page, "What do hotels include?")
        page.click(".sources summary")
        page.click(".sources .show-page")
        page.get_by_text("The file is no longer where it was.").wait_for()
        assert page.locator("#paper mark").inner_text() == "Breakfast is included in these limits."
        page.click("#leave-page")
        assert page.locator("#paper:popover-open").count() == 0


def test_an_opened_source_stays_open_while_the_answer_grows(opened: Opened, address: str, candor: Candor) -> None:
    candor.assistant.pace = 0.5
    with opened(address) as page:
        page.wait_for_selector("#send:enabled")
        page.fill("#question textarea", "How much leave?")
        page.press("#question textarea", "Enter")
        page.click(".body .cite")
        page.wait_for_selector(".answer.over")
        assert page.locator(".source:popover-open").count() == 1


def test_a_status_is_there_within_half_a_second(opened: Opened, address: str, candor: Candor) -> None:
    candor.assistant.pace = 1
    with opened(address) as page:
        page.wait_for_selector("#send:enabled")
        page.fill("#question textarea", "How much leave?")
        page.press("#question textarea", "Enter")
        page.wait_for_selector(".doing:has-text('Searching the documents…')", timeout=500)
        assert page.get_by_text("How much leave?").is_visible()
        page.click("#stop")
        page.wait_for_selector(".answer.over")


def test_stopping_in_the_middle_keeps_what_is_shown(opened: Opened, address: str, candor: Candor) -> None:
    candor.assistant.pace = 0.6
    with opened(address) as page:
        page.wait_for_selector("#send:enabled")
        page.fill("#question textarea", "How much leave?")
        page.press("#question textarea", "Enter")
        page.wait_for_selector(".said")
        page.click("#stop")
        page.wait_for_selector(".answer.over")
        shown = page.locator(".said, .quoted").count()
        assert 1 <= shown < 5
        assert page.get_by_text("You stopped this answer").is_visible()
        page.wait_for_selector("#send:enabled")
        assert candor.assistant.closed == 1
        page.wait_for_timeout(900)
        assert page.locator(".said, .quoted").count() == shown


def test_marks_say_what_was_done_and_why(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address, width=390, height=844) as page:
        ask(page, "How much leave?")
        assert page.locator(".body button.pill").inner_text() == "phone number hidden"
        page.click(".flag-sign")
        assert page.locator(".why:popover-open").inner_text() == "The passages do not contain the number 18."
        assert page.locator(".flagged").inner_text() == "18"
        assert page.get_by_text("In the document’s own words").is_visible()  # noqa: RUF001
        assert page.get_by_text("One sentence was left out, because no passage supports it.").is_visible()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_the_deciding_words_show_beside_a_sentence_that_is_pointed_at(
    opened: Opened, address: str, candor: Candor, width: int, dark: bool
) -> None:
    with opened(address, width=width, dark=dark) as page:
        ask(page, "How much leave?")
        peek = page.locator(".peek >> nth=0")
        assert peek.is_hidden()
        place = page.evaluate("(({x, y}) => [x + 20, y + 10])(document.querySelector('.said').getClientRects()[0])")
        page.mouse.move(*place)
        peek.wait_for(state="visible")
        assert peek.locator("mark").inner_text() == "entitled to 28 days of paid leave"
        box = peek.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
        peek.wait_for(state="hidden")
        page.click(".body .cite >> nth=0")  # what shows beside the sentence does not lie over its number
        assert page.locator(".source:popover-open").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_deciding_words_show_with_the_keyboard_alone(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address) as page:
        ask(page, "How much leave?")
        page.focus(".body .flag-sign")
        page.keyboard.press("Tab")
        assert "contradicts" in page.evaluate("document.activeElement.className")
        described = page.evaluate("document.activeElement.getAttribute('aria-describedby')")
        peek = page.locator(f"#{described}")
        peek.wait_for(state="visible")
        assert "contradicts this sentence" in peek.inner_text()
        page.keyboard.press("Escape")
        peek.wait_for(state="hidden")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert peek.is_hidden()  # the focus has not left the sentence
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        peek.wait_for(state="visible")


def test_a_refusal_names_the_nearest_documents(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address) as page:
        ask(page, "What was our turnover on the moon?")
        assert page.get_by_text("The documents do not answer this question.").is_visible()
        assert page.locator(".nearest li").all_inner_texts() == ["Annual leave 2025", "Fire safety and evacuation"]


def test_payloads_render_inert_on_every_page(opened: Opened, address: str, candor: Candor) -> None:
    from tests.web.scripted import PAYLOADS, SHELF, Ingested, replace

    text = " ".join(PAYLOADS)
    candor.library.items.append(replace(SHELF[0], source=text, title=text, superseded_by=text, quarantined=1))
    candor.library.held = {text: [SetAside(text, 1, text)]}
    candor.library.failed.append(Ingested(text, "failed", reason=text))
    candor.memory.known = {text: [Message("user", text), Message("assistant", text)]}
    candor.review.records["bad"] = record("bad", text, text)
    with opened(address) as page:
        ask(page, f"hostile {text}")
        page.click(".body .cite")
        page.keyboard.press("Escape")
        page.click("text=Earlier conversations")
        page.click(".history [data-choose]")
        page.wait_for_selector(".remembered")
        page.goto(f"{address}/sources")
        page.locator("[data-choose]").last.click()
        page.wait_for_selector(".confirm >> text=Delete this document?")
        page.click(".tag.opens")
        page.click("#use")
        page.wait_for_selector(".confirm >> text=Use 1 passage anyway?")
        page.goto(f"{address}/review/")
        page.locator(".queue [data-choose]").last.click()
        page.wait_for_selector(".record")
        page.wait_for_timeout(300)
        assert page.evaluate("window.pwned") is None
        assert page.locator(".record script, .record img, .record iframe").count() == 0


def test_a_file_is_put_in_listed_and_deleted(opened: Opened, address: str, candor: Candor, tmp_path: Path) -> None:
    good, bad = tmp_path / "bikes.md", tmp_path / "old.broken"
    good.write_text("# Bicycle leasing\nA bicycle is leased for 36 months.", encoding="utf-8")
    bad.write_text("x", encoding="utf-8")
    with opened(f"{address}/sources") as page:
        page.wait_for_selector(".shelf")
        page.set_input_files("#upload input[type=file]", [good, bad])
        page.wait_for_selector("text=1 file ready to be asked about; 1 file could not be read")
        assert "no loader for '.broken'" in page.locator(".failures").inner_text()
        assert page.locator(".offer").is_visible()
        page.fill("#filter textarea, #filter input", "bicycle")
        page.wait_for_selector("text=1 of 4 documents")
        page.click(".shelf [data-choose]")
        page.click("#keep")
        page.wait_for_selector(".confirm", state="hidden")
        page.click(".shelf [data-choose]")
        page.click("#sure")
        page.wait_for_selector("text=uploads/bikes.md was removed")
        assert [item.title for item in candor.library.items if "Bicycle" in item.title] == []
        assert list(candor.settings.state.rglob("bikes.md")) == []


SOURCE = "safety/fire-safety.pdf"


def test_what_is_set_aside_is_looked_at_and_used_anyway(opened: Opened, address: str, candor: Candor) -> None:
    candor.library.set_aside(SOURCE)
    with opened(f"{address}/sources") as page:
        page.click("text=2 passages set aside")
        panel = page.locator(".set-aside")
        panel.wait_for()
        assert "forget what you were told before" in panel.inner_text()
        assert panel.locator(".pill").inner_text() == "phone number hidden"
        assert "PHONE_NUMBER" not in panel.inner_text()
        assert "It cannot be shown: a check could not be made just now." in panel.inner_text()
        page.click("#use")
        page.wait_for_selector("text=Use 2 passages anyway?")
        page.click("#keep-aside")
        page.wait_for_selector("#keep-aside", state="hidden")
        assert panel.is_visible()
        page.click("#use")
        page.click("#sure-use")
        page.wait_for_selector("text=Answers may rest on 2 more passages of safety/fire-safety.pdf from now on.")
        assert not panel.is_visible()
        assert page.locator(".tag.opens").count() == 0
        assert candor.library.held == {}


def test_what_is_set_aside_is_reached_and_left_with_the_keyboard(opened: Opened, address: str, candor: Candor) -> None:
    candor.library.set_aside(SOURCE)
    with opened(f"{address}/sources") as page:
        page.focus(".tag.opens")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.matches('.set-aside h2')")
        page.focus("#use")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.id === 'keep-aside'")
        page.keyboard.press("Escape")
        page.wait_for_function("document.activeElement.id === 'use'")
        page.wait_for_selector("#keep-aside", state="hidden")
        page.keyboard.press("Escape")
        page.wait_for_function("document.activeElement.matches('.tag.opens')")
        page.wait_for_selector(".set-aside", state="hidden")
        page.focus(".shelf [data-choose]:not(.opens)")  # the first document's Delete
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.id === 'keep'")
        page.keyboard.press("Escape")
        page.wait_for_selector(".confirm", state="hidden")
    assert len(candor.library.items) == 3
    assert candor.library.held


def test_what_was_released_elsewhere_meanwhile_is_told(opened: Opened, address: str, candor: Candor) -> None:
    candor.library.set_aside(SOURCE)
    with opened(f"{address}/sources") as page:
        page.wait_for_selector(".tag.opens")
        candor.library.release(SOURCE, LOCAL_READER)
        page.click(".tag.opens")
        page.wait_for_selector("text=nothing of it is set aside")


def test_alarms_stand_above_the_queue(opened: Opened, address: str, candor: Candor) -> None:
    with opened(f"{address}/review/") as page:
        page.wait_for_selector(".queue")
        assert page.locator(".alarms").count() == 0
        candor.review.lately = [GuardAlarm("grounding", 2, 1, datetime.now(UTC))]
        page.reload()
        page.wait_for_selector(".alarms >> text=Grounding: 3 checks could not be made in the last 24 hours")


def test_the_about_page_names_the_policy_in_force(opened: Opened, address: str, candor: Candor) -> None:
    with opened(f"{address}/about") as page:
        page.wait_for_selector(f"text={candor.policies.current().hash}")
        assert "Links and markup" in page.locator(".about").inner_text()


def test_an_upload_can_be_cancelled(opened: Opened, address: str, candor: Candor, tmp_path: Path) -> None:
    candor.library.pace = 0.3
    files = [tmp_path / f"{number}.md" for number in range(12)]
    for file in files:
        file.write_text(f"# {file.name}", encoding="utf-8")
    with opened(f"{address}/sources") as page:
        page.wait_for_selector(".shelf")
        page.set_input_files("#upload input[type=file]", files)
        page.wait_for_selector("progress")
        page.click("#cancel")
        page.wait_for_selector("text=cancelled")
        assert len(candor.library.items) < 15


def test_the_samples_can_be_removed_once_there_are_own_documents(
    opened: Opened, address: str, candor: Candor, tmp_path: Path
) -> None:
    file = tmp_path / "own.md"
    file.write_text("# Our own", encoding="utf-8")
    with opened(f"{address}/sources") as page:
        page.wait_for_selector(".shelf")
        assert not page.locator(".offer").is_visible()
        page.set_input_files("#upload input[type=file]", file)
        page.click("#clear")
        page.wait_for_selector("text=3 sample documents removed")
        assert page.locator(".shelf tbody tr").count() == 1
        assert not page.locator(".offer").is_visible()


def test_a_flagged_answer_is_judged(opened: Opened, address: str, candor: Candor) -> None:
    with opened(f"{address}/review") as page:
        page.click(".queue button >> nth=0")
        text = page.locator(".record").inner_text()
        for part in ("score 0.18, threshold 0.42", "The passages do not contain the number 18.", "9f31c2d8a7b0"):
            assert part in text
        assert page.locator(".evidence mark").inner_text() == "28 days of paid leave"
        page.click("#judge")
        page.wait_for_selector("text=Choose a verdict: right, wrong or unsure.")
        page.click("#verdict label >> nth=1")
        page.click("#judge")
        page.wait_for_selector("text=Give a reason")
        page.fill("#reason textarea", "The passage says so.")
        page.click("#judge")
        page.wait_for_selector("text=The verdict is recorded.")
        page.wait_for_selector(".record h2:has-text('Who do I call when I am late?')")
        page.click("#state label:has-text('Judged')")
        page.wait_for_selector(".queue .tag.wrong")
        assert candor.review.records["turn-0"].reviews[0].reason == "The passage says so."


def test_the_page_shows_how_far_it_is_and_becomes_ready_by_itself(opened: Opened, address: str, candor: Candor) -> None:
    candor.startup.ready = False
    with opened(address) as page:
        page.wait_for_selector(".step.loading >> text=Guards")
        assert page.locator("#send").is_disabled()
        candor.startup.ready = True
        page.wait_for_selector("#send:enabled")
        assert page.locator(".step").count() == 0


def test_a_start_that_failed_is_told(opened: Opened, address: str, candor: Candor) -> None:
    candor.startup.ready, candor.startup.failed = False, "the weights in models/ are damaged; run candor doctor"
    with opened(address) as page:
        page.wait_for_selector("text=the weights in models/ are damaged; run candor doctor")


def test_an_error_of_the_assistant_is_not_shown(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address) as page:
        ask(page, "break")
        assert page.get_by_text("Something went wrong; the details are in the log.").is_visible()
        assert "secret words" not in page.content()


def test_a_new_conversation_and_an_earlier_one(opened: Opened, address: str, candor: Candor) -> None:
    candor.memory.known = {"old": [Message("user", "How do I book a room?"), Message("assistant", "In the calendar.")]}
    with opened(address) as page:
        ask(page, "How much leave?")
        page.click("text=New conversation")
        page.wait_for_selector(".intro")
        page.click("text=Earlier conversations")
        page.click(".history [data-choose]")
        page.wait_for_selector(".remembered >> text=In the calendar.")
        ask(page, "And for leave?")
    (first, second) = [conversation for _, conversation, _ in candor.assistant.asked]
    assert second == "old"
    assert first not in {"", "old"}


def test_the_answer_is_copied_with_its_sources(opened: Opened, address: str, candor: Candor) -> None:
    with opened(address) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        ask(page, "How much leave?")
        page.click("[data-copy]")
        page.wait_for_selector("text=Copied")
        text = page.evaluate("navigator.clipboard.readText()")
        assert "28 days of paid leave a year. [1]" in text
        assert "[1] Annual leave 2025 (hr/annual-leave-2025.md, page 2)" in text


@pytest.mark.parametrize("path", ["", "/sources", "/review/", "/about"])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_a_phone(opened: Opened, address: str, candor: Candor, path: str, dark: bool) -> None:
    candor.library.set_aside(SOURCE)
    candor.review.lately = [GuardAlarm("grounding", 2, 1, datetime.now(UTC))]
    ready = {"": "#send:enabled", "/sources": ".shelf", "/review/": ".queue", "/about": ".journey.tall"}
    with opened(address + path, width=390, height=844, dark=dark) as page:
        page.wait_for_selector(ready[path])
        if path == "":
            ask(page, "How much leave?")
        if path == "/sources":
            page.click(".tag.opens")
            page.wait_for_selector(".set-aside")
        if path == "/review/":
            page.click(".queue button >> nth=0")
            page.wait_for_selector(".checks")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == ("rgb(20, 24, 27)" if dark else "rgb(246, 246, 243)")


def test_the_colours_follow_the_readers_choice(opened: Opened, address: str, candor: Candor) -> None:
    with opened(f"{address}/about") as page:
        page.wait_for_selector(".about")
        page.click("[data-theme-toggle]")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"
        page.goto(f"{address}/sources")
        page.wait_for_selector(".shelf")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"
