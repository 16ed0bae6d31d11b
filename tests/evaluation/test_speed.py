"""How speed is measured: that the parts are timed, on small numbers."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from guardrails.types import Context, Finding, Stage
from rag.errors import DataError, InstallationError
from rag.evaluation import memory, speed, tutorial
from rag.evaluation.trial import trial
from rag.settings import Settings
from rag.types import Reader, Search


class SlowGuard:
    name = "slow"
    stages: frozenset[Stage] = frozenset({"sentence"})

    def check(self, text: str, context: Context) -> Sequence[Finding]:
        time.sleep(0.02)
        return []


class SlowModel:
    name, inside, rules, worded_from = "scripted:slow", True, "", 0.0

    def __init__(self) -> None:
        self.closed = False

    def stream(self, turns: object, relevance: float = 1.0) -> Iterator[str]:
        try:
            for word in ("one ", "two ", "three"):
                time.sleep(0.02)
                yield word
        finally:
            self.closed = True

    def close(self) -> None:
        pass


def test_time_in_a_guard_is_kept() -> None:
    watch = speed.Stopwatch()
    guard = speed.TimedGuard(SlowGuard(), watch)
    assert guard.check("", Context()) == []
    assert watch.seconds >= 0.02
    assert guard.name == "slow"


def test_guards_side_by_side_count_once() -> None:
    watch = speed.Stopwatch()
    both = [threading.Thread(target=speed.TimedGuard(SlowGuard(), watch).check, args=("", Context())) for _ in "ab"]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert 0.02 <= watch.seconds < 0.038


def test_only_the_waiting_for_a_model_counts() -> None:
    model = speed.TimedModel(SlowModel())
    words = []
    for word in model.stream([]):
        time.sleep(0.2)  # what is done with the words is not the model's
        words.append(word)
    assert "".join(words) == "one two three"
    assert 0.06 <= model.seconds < 0.5


def test_closing_early_closes_the_model() -> None:
    slow = SlowModel()
    pieces = speed.TimedModel(slow).stream([])
    next(pieces)
    pieces.close()
    assert slow.closed


def test_synthetic_chunks_are_found_and_cover_their_documents() -> None:
    with trial(Settings()) as index:
        speed.fill(index, 250, random.Random(1))  # noqa: S311 - no secret
        assert index.catalogue.count() == (3, 250)
        assert index.vectors.count() == 250
        passages = index.retrieve(Search("the budget policy", ("the budget policy",)), Reader("anybody"))
    assert len(passages) == Settings().retrieval.passages


def test_the_tutorial_reads_text_and_markdown(tmp_path: Path) -> None:
    for name in ("one.md", "two.pdf", "sub/three.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("words")
    assert [path.name for path in tutorial.readable(tmp_path)] == ["one.md", "three.txt"]


def test_what_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder of documents"):
        speed.measure(tmp_path / "nowhere", Settings())


HOLDS_SOME = """
import subprocess, sys
held = b"x" * 60_000_000
if sys.argv[1:]:
    subprocess.Popen([sys.executable, __file__])
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="told by Linux alone")
def test_memory_of_a_process_counts_its_children(tmp_path: Path) -> None:
    (tmp_path / "holds.py").write_text(HOLDS_SOME)
    process = subprocess.Popen([sys.executable, tmp_path / "holds.py", "and a child"], stdin=subprocess.PIPE)
    try:
        until = time.monotonic() + 30
        while memory.held(process.pid) < 120_000_000 and time.monotonic() < until:
            time.sleep(0.05)
        assert 120_000_000 < memory.held(process.pid) < 200_000_000
    finally:
        process.communicate()  # ends what both of them read


def test_an_ingestion_that_breaks_off_has_no_figure(tmp_path: Path) -> None:
    guards = Settings().guards.model_copy(update={"policy": tmp_path / "nowhere.toml"})
    with pytest.raises(InstallationError, match="ended with status"):
        memory.peak_of_ingestion(tmp_path, Settings(guards=guards))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_figure_is_there(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text("# Leave\n\nFull-time employees have 28 days of annual leave.\n")
    figures = speed.measure(tmp_path, Settings(), limit=1, sizes=(100,))
    names = ["ingest_over_bare_encode", "ingest_over_langchain", "guards_over_generation", "first_sentence_ms"]
    names += ["first_sentence_added_ms"]
    assert list(figures) == [*names, "query_ms", "peak_rss_mb"]
    assert 0 < figures["ingest_over_bare_encode"] < 1
    assert 100 < figures["peak_rss_mb"] < 1500
    assert list(figures["query_ms"]) == ["100"]
