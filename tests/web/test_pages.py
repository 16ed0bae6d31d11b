"""What the pages do, without Gradio: roles, stopping, failures that may not be shown."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guardrails.audit.alarms import GuardAlarm
from guardrails.policy import PolicyFile
from rag.access import LOCAL_READER
from rag.errors import CandorError, NotAllowed
from rag.types import Message, Reader
from rag.web import about, chat_turn, faults, render_about, render_shelf
from rag.web.chat_turn import Chat
from rag.web.desk import Desk, ReviewRefused
from rag.web.render_about import measured, read
from rag.web.shelf import Shelf, Work
from tests.web.scripted import Candor

NOBODY = Reader("nobody", roles=frozenset())
READER = Reader("reader", roles=frozenset({"user"}))


@pytest.fixture
def candor(tmp_path: Path) -> Candor:
    return Candor(tmp_path)


def test_every_function_checks_the_role_itself(candor: Candor) -> None:
    chat, shelf, desk = Chat(candor), Shelf(candor), Desk(candor)
    refused = [
        lambda: next(chat.ask("q", "c", NOBODY)),
        lambda: chat.stop("c", NOBODY),
        lambda: chat.rate("1", "c", "up", (), "", NOBODY),
        lambda: chat.earlier(NOBODY),
        lambda: chat.reopen("c", NOBODY),
        lambda: chat.welcome(NOBODY),
        lambda: shelf.listing("", NOBODY),
        lambda: shelf.upload([], READER),
        lambda: shelf.work(READER),
        lambda: shelf.cancel(READER),
        lambda: shelf.quarantine("x", READER),
        lambda: shelf.release("x", READER),
        lambda: shelf.remove("x", READER),
        lambda: shelf.remove_samples(READER),
        lambda: about.in_force(candor, NOBODY),
        lambda: desk.alarms(READER),
        lambda: desk.queue("open", READER),
        lambda: desk.record("t", READER),
        lambda: desk.judge("t", "right", "because", READER),
    ]
    for call in refused:
        with pytest.raises(NotAllowed, match="this needs the role"):
            call()


def test_sentences_are_drawn_as_they_come(candor: Candor) -> None:
    drawn = [(len(talk.turns[0].sentences), talk.running) for talk in Chat(candor).ask("How much leave?", "c")]
    counts = [count for count, _ in drawn]
    assert counts == sorted(counts)
    assert {0, 1, 2, 3, 4, 5} <= set(counts)
    assert drawn[0] == (0, True)
    assert drawn[-1] == (5, False)


def test_what_a_browser_names_must_be_an_answer_of_this_page(candor: Candor) -> None:
    chat = Chat(candor)
    list(chat.ask("How much leave?", "c"))
    for where in ("0", "2", "-1", "1-1", "x", "", "9" * 50):
        with pytest.raises(CandorError, match="no longer open"):
            chat.rate(where, "c", "up", (), "")
    chat.rate("1", "c", "up", (), "")
    chat.rate("1", "c", "up", (), "")  # says nothing new
    assert candor.feedback.said == [("turn-1", "up", (), "")]


def test_a_status_is_there_before_anything_is_searched(candor: Candor) -> None:
    assert next(Chat(candor).ask("How much leave?", "c")).status == "Searching the documents…"
    assert candor.assistant.asked == []


def test_stopping_ends_the_answer_at_once_and_closes_it(candor: Candor) -> None:
    candor.assistant.pace = 0.2
    chat = Chat(candor)
    for talk in chat.ask("How much leave?", "c"):
        if talk.turns[0].sentences:
            assert chat.stop("c").status in {"Stopping…", ""}
    assert len(talk.turns[0].sentences) < 5
    assert talk.turns[0].done is not None
    assert talk.turns[0].done.outcome == "stopped"
    assert candor.assistant.closed == 1


def test_a_stop_does_not_wait_for_a_model_that_says_nothing(candor: Candor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_turn, "STOP_WITHIN", 0.3)
    candor.assistant.pace = 5
    chat, begun = Chat(candor), time.monotonic()
    for _ in chat.ask("How much leave?", "c"):
        chat.stop("c")
    assert time.monotonic() - begun < 3


def test_a_reader_who_goes_away_ends_the_answer(candor: Candor) -> None:
    candor.assistant.pace = 0.05
    answer = Chat(candor).ask("How much leave?", "c")
    next(answer)
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    for _ in range(100):
        if candor.assistant.closed:
            break
        time.sleep(0.02)
    assert candor.assistant.closed == 1


def test_what_an_unexpected_error_says_is_not_shown(candor: Candor, caplog: pytest.LogCaptureFixture) -> None:
    *_, talk = Chat(candor).ask("break", "c")
    assert talk.turns[0].problem == faults.SOMETHING_WRONG
    assert "secret words" not in caplog.text
    assert "an answer broke off: RuntimeError at scripted.py:" in caplog.text


def test_a_second_question_waits_for_the_first_answer(candor: Candor) -> None:
    chat = Chat(candor)
    first = chat.ask("How much leave?", "c")
    next(first)
    assert [len(talk.turns) for talk in chat.ask("And then?", "c")] == [1]
    list(first)
    assert len(candor.assistant.asked) == 1


def test_only_so_many_conversations_are_kept_for_drawing(candor: Candor) -> None:
    chat = Chat(candor)
    for number in range(chat_turn.OPEN_PAGES + 5):
        chat.talk(str(number))
    assert len(chat._talks) == chat_turn.OPEN_PAGES


def test_an_earlier_conversation_is_opened_from_the_store(candor: Candor) -> None:
    candor.memory.known["old"] = [Message("user", "How?"), Message("assistant", "So."), Message("user", "Why?")]
    chat = Chat(candor)
    assert chat.earlier() == [("old", "How?", "2 hours ago")]
    assert [(turn.question, turn.remembered) for turn in chat.reopen("old").turns] == [
        ("How?", "So."),
        ("Why?", "No answer was shown."),
    ]


def test_sample_questions_go_with_the_samples(candor: Candor, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    rows = [{"question": f"Question {n}?", "sample": n % 2 == 0} for n in range(20)]
    questions.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    chat = Chat(candor, questions)
    assert chat.welcome() == ([f"Question {n}?" for n in range(0, 12, 2)], 3)
    Shelf(candor).remove_samples()
    assert chat.welcome() == ([], 0)
    candor.startup.ready = False
    assert chat.welcome() == ([], None)


def put(folder: Path, *names: str) -> list[str]:
    """Files as Gradio hands them over: each in a folder of its own."""
    paths = [folder / str(number) / name for number, name in enumerate(names)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text("# Bicycle leasing\n36 months.", encoding="utf-8")
    return [str(path) for path in paths]


def ended(shelf: Shelf) -> Work:
    run = shelf.candor.library.running(LOCAL_READER)
    assert run is not None
    assert run.wait(10)
    work = shelf.work()
    assert work is not None
    return work


def test_an_upload_reports_each_file_and_leaves_no_copy_behind(candor: Candor, tmp_path: Path) -> None:
    files = put(tmp_path / "passing", "bikes.md", "old.broken")
    shelf = Shelf(candor)
    assert shelf.upload(files).now.total in (0, 2)
    last = ended(shelf)
    assert [(file.source, file.state) for file in last.files] == [
        ("uploads/bikes.md", "added"),
        ("old.broken", "failed"),
    ]
    assert not last.running
    assert not any(Path(name).exists() for name in files)
    listing = Shelf(candor).listing("bicycle")
    assert [item.title for item in listing.documents] == ["Bicycle leasing"]
    assert listing.offer_removal
    assert [failed.source for failed in listing.failures] == ["old.broken"]


def test_what_is_set_aside_is_shown_with_its_reason_and_released(candor: Candor) -> None:
    source = "safety/fire-safety.pdf"
    candor.library.set_aside(source)
    shelf = Shelf(candor)
    held = shelf.quarantine(source)
    assert [passage.page for passage in held.passages] == [2, 5]
    assert held.document.quarantined == 2
    assert shelf.release(source) == f"Answers may rest on 2 more passages of {source} from now on."
    with pytest.raises(CandorError, match="nothing of it is set aside"):
        shelf.quarantine(source)


def test_the_desk_tells_first_what_is_wrong_with_guards_and_policy(candor: Candor, tmp_path: Path) -> None:
    desk = Desk(candor)
    assert desk.alarms() == []
    until = datetime.now(UTC) + timedelta(hours=5)
    file = tmp_path / "policy.toml"
    text = PolicyFile().file.read_text(encoding="utf-8")
    opened = f"[fail_open]\nguards = ['grounding']\nuntil = {until.isoformat()}\nreason = 'ticket 4711'\n"
    file.write_text(f"{text}\n{opened}", encoding="utf-8")
    candor.policies = PolicyFile(file)
    candor.review.lately = [GuardAlarm("grounding", 2, 1, datetime.now(UTC))]
    opening, failing = desk.alarms()
    assert opening.startswith("Fail-open: until ")
    assert opening.endswith("Guards: Grounding. Reason given: ticket 4711")
    assert failing.startswith(
        "Grounding: 3 checks could not be made in the last 24 hours (2 failed, 1 timed out; last just now, "
    )
    file.write_text("nonsense = 1\n", encoding="utf-8")
    problem, *rest = desk.alarms()
    assert str(file) in problem
    assert "stays in force" in problem
    assert rest == [opening, failing]
    candor.startup.ready = False
    assert desk.alarms() == []


def test_the_about_page_names_the_guards_and_the_policy_in_force(candor: Candor) -> None:
    page = render_about.page(candor.settings, about.in_force(candor))
    policy = candor.policies.current()
    for part in ("Personal data", "Grounding", "Instructions to the assistant", "Links and markup", policy.hash):
        assert part in page
    assert "switched off" not in page
    off = policy.model_copy(update={"harm": policy.harm.model_copy(update={"on": False})})
    assert render_about.guards(render_about.InForce(("pii", "harm"), off)).count("switched off by the policy") == 1
    candor.startup.ready = False
    assert "still being loaded" in render_about.page(candor.settings, about.in_force(candor))


def test_an_upload_goes_on_until_it_is_cancelled_from_any_page(candor: Candor, tmp_path: Path) -> None:
    candor.library.pace = 0.05
    Shelf(candor).upload(put(tmp_path / "passing", *(f"{n}.md" for n in range(40))))
    other = Shelf(candor)  # a page that was opened later
    work = other.work()
    assert work is not None
    assert work.running
    assert "<progress" in render_shelf.progress(work)
    other.cancel()
    last = ended(other)
    assert (last.running, last.cancelled) == (False, True)
    assert len(last.files) < 40
    assert "cancelled" in render_shelf.progress(last)


@pytest.mark.parametrize(
    ("verdict", "reason", "told"),
    [("", "because", "Choose a verdict"), ("maybe", "because", "Choose a verdict"), ("right", "  ", "Give a reason")],
)
def test_a_verdict_needs_one_of_three_words_and_a_reason(candor: Candor, verdict: str, reason: str, told: str) -> None:
    with pytest.raises(ReviewRefused, match=told):
        Desk(candor).judge("turn-0", verdict, reason)


def test_after_a_verdict_comes_the_next_open_answer(candor: Candor) -> None:
    desk = Desk(candor)
    assert desk.judge("turn-0", "wrong", "It is in the passage.") == "turn-1"
    assert [item.turn for item in desk.queue("judged")] == ["turn-0"]
    assert desk.judge("turn-1", "right", "It is not.") == ""


def test_a_record_that_does_not_exist_is_a_message(candor: Candor) -> None:
    with pytest.raises(ReviewRefused, match="there is no turn <script>"):
        Desk(candor).record("<script>")


def test_figures_that_were_not_measured_are_not_made_up(tmp_path: Path) -> None:
    assert "Not measured yet." in measured(read(tmp_path / "figures.json"))
    row = {"guard": "grounding", "measure": "AUROC", "value": 0.86, "data": "set", "samples": 250, "date": "2026-11-23"}
    (tmp_path / "figures.json").write_text(json.dumps({"rows": [row]}), encoding="utf-8")
    assert "0.86" in measured(read(tmp_path / "figures.json"))
    (tmp_path / "figures.json").write_text('{"rows": [{}]}', encoding="utf-8")
    assert read(tmp_path / "figures.json") == []


def test_a_stop_event_is_not_shared_between_conversations(candor: Candor) -> None:
    candor.assistant.pace = 0.05
    chat, ended = Chat(candor), {}

    def run(name: str) -> None:
        *_, talk = chat.ask("How much leave?", name)
        ended[name] = len(talk.turns[0].sentences)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    time.sleep(0.12)
    chat.stop("a")
    for thread in threads:
        thread.join()
    assert ended["b"] == 5
    assert ended["a"] < 5
