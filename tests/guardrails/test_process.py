"""A process that hangs, crashes or babbles costs one question; code that holds Python's lock included."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.pii import DetectionTimeout, PiiGuard
from guardrails.pii.child import ChildDetector
from guardrails.policy import load
from guardrails.process import Child, ChildFailed, ChildNotStarted, ChildTimeout
from guardrails.types import Action, Context

ECHO = "tests.guardrails.misbehaving"


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child(ECHO)
    yield child
    child.close()


def test_it_answers_line_by_line_and_stays(child: Child) -> None:
    assert [child.ask(text, 20) for text in ("echo a", "echo ä\\n\u2028")] == ["a", "ä\\n\u2028"]
    first = child.pid
    child.ask("echo again", 20)
    assert child.pid == first


def test_what_it_prints_is_no_answer(child: Child) -> None:
    assert child.ask("print nonsense", 20) == "printed"
    assert child.ask("lines", 20) == "one two"
    assert child.ask("echo still in step", 20) == "still in step"


def test_code_that_holds_the_lock_is_killed_in_time(child: Child) -> None:
    child.start()
    begun, hung = time.perf_counter(), child.pid
    with pytest.raises(ChildTimeout):
        child.ask("hang", 0.5)  # a regular expression that takes hours: no thread of its process runs meanwhile
    assert time.perf_counter() - begun < 5
    assert hung is not None
    assert not psutil.pid_exists(hung)
    assert child.ask("echo back", 20) == "back"


@pytest.mark.parametrize("way", ["crash", "exit", "raise"])
def test_one_that_dies_is_replaced(child: Child, way: str) -> None:
    with pytest.raises(ChildFailed):
        child.ask(way, 20)
    assert child.ask("echo back", 20) == "back"


def test_one_that_cannot_be_started_says_so() -> None:
    with pytest.raises(ChildNotStarted):
        Child("tests.guardrails.no_such_module").ask("echo", 5)


def test_many_may_ask_at_once(child: Child) -> None:
    answers: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: answers.__setitem__(n, child.ask(f"echo {n}", 20))) for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: str(n) for n in range(40)}


class Hanging(ChildDetector):
    """Detection whose process hangs at the word "hang", with Python's lock held."""

    def __init__(self) -> None:
        super().__init__(seconds=1.0)
        self._child = Child("tests.guardrails.misbehaving", "detector")


def test_detection_that_hangs_with_the_lock_held_withholds_that_text_alone() -> None:
    detector = Hanging()
    gate = Gate(Checks([PiiGuard(detector)]), load())
    try:
        assert gate.sentence("All is well.", Context()).action is Action.SHOW
        hung = gate.sentence("hang", Context())
        assert (hung.action, hung.shown.text, hung.runs[0].status) == (Action.WITHHOLD, "", "failed")
        with pytest.raises(DetectionTimeout):
            detector.detect("hang again")
        assert gate.sentence("All is well again.", Context()).action is Action.SHOW
    finally:
        detector.close()


def test_the_real_process_finds_what_the_detector_finds_and_remembers_no_text() -> None:
    detector = ChildDetector()
    try:
        detector.load()
        found = detector.detect("Write to anna.weiss@example.org.")
        assert [(value.label, value.start, value.end) for value in found] == [("EMAIL_ADDRESS", 9, 31)]
        detector.close()
        assert detector.detect("Write to anna.weiss@example.org.") == found  # without a process
        assert "anna" not in repr(vars(detector))
    finally:
        detector.close()
