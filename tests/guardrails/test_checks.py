"""Guards run side by side, and one that fails in any way costs its text, never the process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from guardrails import checks
from guardrails.checks import Checks
from guardrails.types import Context, Finding, GuardRun, Stage

EVERY_STAGE: frozenset[Stage] = frozenset({"question", "passage", "sentence"})
WORDS = "the secret words"


class Does:
    """A guard that does what it is made with."""

    def __init__(self, name: str, act: Callable[[], Sequence[Finding]] = list, *stages: Stage) -> None:
        self.name = name
        self.stages = frozenset(stages) or EVERY_STAGE
        self._act = act

    def check(self, text: str, context: Context) -> Sequence[Finding]:
        return self._act()


def run(*guards: Does, seconds: float = 5.0, off: str = "") -> tuple[list[Finding], list[GuardRun]]:
    return Checks(guards, seconds).run("sentence", WORDS, Context(), lambda name: name != off)


def found(start: int, end: int) -> Callable[[], Sequence[Finding]]:
    return lambda: [Finding("a", "pii", "ID", start, end, 1.0, 0.5, "")]


def raises(error: BaseException) -> Callable[[], Sequence[Finding]]:
    def act() -> Sequence[Finding]:
        raise error

    return act


def test_findings_come_in_the_order_of_the_guards_whoever_is_first() -> None:
    def slow() -> Sequence[Finding]:
        time.sleep(0.2)
        return found(0, 1)()

    findings, runs = run(Does("slow", slow), Does("quick", found(2, 3)))
    assert [finding.start for finding in findings] == [0, 2]
    assert [(ran.guard, ran.status) for ran in runs] == [("slow", "ran"), ("quick", "ran")]
    assert runs[0].milliseconds >= 200 > runs[1].milliseconds


def test_guards_run_side_by_side() -> None:
    together = threading.Barrier(3, timeout=5)

    def meets() -> Sequence[Finding]:
        together.wait()
        return []

    assert {ran.status for ran in run(*(Does(name, meets) for name in "abc"))[1]} == {"ran"}


def test_a_guard_looks_at_its_stages_alone_and_one_that_is_off_is_skipped() -> None:
    _, runs = run(Does("a"), Does("b", list, "question"), Does("c"), off="c")
    assert [(ran.guard, ran.status) for ran in runs] == [("a", "ran"), ("c", "skipped")]


@pytest.mark.parametrize(
    "error",
    [ValueError(WORDS), MemoryError(), RecursionError(), SystemExit(1), KeyboardInterrupt(), OSError(28, "full")],
)
def test_whatever_a_guard_raises_it_failed_and_nobody_is_quoted(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        findings, (ran,) = run(Does("a", raises(error)))
    assert [finding.kind for finding in findings] == ["guard_failed"]
    assert ran.status == "failed"
    assert "ALARM" in caplog.text
    assert type(error).__name__ in caplog.text
    assert WORDS not in caplog.text


@pytest.mark.parametrize("garbage", [found(-1, 2), found(3, 2), found(0, 999), lambda: None, lambda: ["x"], lambda: 7])
def test_a_guard_that_returns_garbage_failed(garbage: Callable[[], Sequence[Finding]]) -> None:
    findings, (ran,) = run(Does("a", garbage))
    assert ([finding.kind for finding in findings], ran.status) == (["guard_failed"], "failed")


def test_a_guard_that_hangs_is_given_up_in_time_and_the_others_count() -> None:
    forever = threading.Event()
    begun = time.perf_counter()
    findings, runs = run(Does("hangs", lambda: forever.wait() and []), Does("b", found(0, 1)), seconds=0.3)
    assert time.perf_counter() - begun < 2
    assert [(ran.guard, ran.status) for ran in runs] == [("hangs", "timed out"), ("b", "ran")]
    assert [finding.kind for finding in findings] == ["guard_failed", "pii"]
    forever.set()


def test_a_guard_that_keeps_hanging_takes_no_more_than_its_threads() -> None:
    forever = threading.Event()
    all_of_them = Checks([Does("hangs", lambda: forever.wait() and [])], seconds=0.02)
    before = threading.active_count()
    for _ in range(3 * checks.MOST_THREADS):
        assert all_of_them.run("sentence", "", Context(), lambda name: True)[1][0].status == "timed out"
    assert threading.active_count() - before <= checks.MOST_THREADS
    forever.set()


def test_threads_are_used_again_and_end_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "IDLE_SECONDS", 0.2)
    both = Checks([Does("a"), Does("b")])
    before = threading.active_count()
    for _ in range(50):
        both.run("sentence", "", Context(), lambda name: True)
    assert threading.active_count() - before <= 4
    time.sleep(1)
    assert threading.active_count() <= before
    assert both.run("sentence", "", Context(), lambda name: True)[1][0].status == "ran"


def test_threads_that_come_and_go_leave_no_check_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "IDLE_SECONDS", 0.01)
    quick = Checks([Does("quick")], seconds=2.0)

    def look_often() -> set[str]:
        return {quick.run("sentence", "", Context(), lambda name: True)[1][0].status for _ in range(20)}

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            assert set().union(*(looks.result() for looks in [pool.submit(look_often) for _ in range(4)])) == {"ran"}
            time.sleep(0.05)  # longer than a thread without work lives
