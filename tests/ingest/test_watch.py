"""A watched folder: what changes is taken over once it has settled, and nothing ends the watch but its user."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rag.ingest.watch import UNUSABLE, affected, command, watch


class Watched:
    """A folder that is watched in a thread, and what was asked to be ingested of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[list[Path]] = []
        self.told: list[str] = []
        self.status = 0
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        watch([self.folder], self._ingest, complain=self.told.append, stop=self.stop, settled=0.2, retry=0.5)

    def _ingest(self, paths: Sequence[Path]) -> int:
        self.asked.append(list(paths))
        return self.status

    def end(self) -> None:
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    folder = tmp_path / "documents"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.md").write_text("# A", encoding="utf-8")
    watched = Watched(folder)
    wait_for(lambda: len(watched.asked) == 1)
    assert watched.asked == [[folder]]  # first of all, the whole folder
    watched.asked.clear()
    yield watched
    watched.end()


def test_changes_are_taken_over_together_once_they_have_settled(watched: Watched) -> None:
    for number in range(5):
        (watched.folder / f"{number}.md").write_text("# New", encoding="utf-8")
        time.sleep(0.02)
    (watched.folder / ".hidden.md").write_text("# Hidden", encoding="utf-8")
    wait_for(lambda: bool(watched.asked))
    assert watched.asked == [[watched.folder / f"{number}.md" for number in range(5)]]


def test_of_what_is_deleted_the_folder_is_compared(watched: Watched) -> None:
    (watched.folder / "sub" / "a.md").unlink()
    wait_for(lambda: bool(watched.asked))
    assert watched.asked == [[watched.folder / "sub"]]


def test_a_folder_that_goes_away_removes_nothing_and_is_compared_when_it_is_back(watched: Watched) -> None:
    elsewhere = watched.folder.with_name("elsewhere")
    watched.folder.rename(elsewhere)
    wait_for(lambda: bool(watched.told))
    assert "nothing is removed" in watched.told[0]
    assert watched.asked == []
    elsewhere.rename(watched.folder)
    wait_for(lambda: bool(watched.asked))
    assert watched.asked == [[watched.folder]]


def test_a_command_that_fails_is_tried_again_with_the_whole_folder(watched: Watched) -> None:
    watched.status = UNUSABLE
    (watched.folder / "b.md").write_text("# B", encoding="utf-8")
    wait_for(lambda: len(watched.asked) >= 2)
    assert watched.asked[:2] == [[watched.folder / "b.md"], [watched.folder]]


def test_what_speaks_of_a_file_or_folder_has_that_looked_at(tmp_path: Path) -> None:
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "a.md").write_text("# A", encoding="utf-8")
    changed = [tmp_path / "hr" / "a.md.meta.toml"]
    assert affected(changed, [tmp_path]) == [tmp_path / "hr" / "a.md"]
    assert affected([tmp_path / "hr" / "_folder.meta.toml"], [tmp_path]) == [tmp_path / "hr"]
    assert affected([tmp_path / "hr" / "a.md", tmp_path / "hr" / "gone.md"], [tmp_path]) == [tmp_path / "hr"]
    assert affected([tmp_path / "gone" / "deep" / "x.md"], [tmp_path]) == [tmp_path]
    assert affected([tmp_path / f"{n}" for n in range(300)], [tmp_path]) == [tmp_path]


def test_the_command_is_that_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDOR_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CANDOR_WEB__NOTHING", "1")  # a setting that does not exist: it ends before anything is loaded
    assert command([])([tmp_path]) == UNUSABLE
