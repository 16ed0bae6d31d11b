"""The command that measures: what it takes, prints and returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rag.cli import main
from rag.errors import DataError
from rag.evaluation.run import TASKS, run
from rag.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one to be read and one to be refused."""
    (tmp_path / "good.txt").write_text("The office opens at nine o'clock.\n", encoding="utf-8")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "documents.csv").write_text(
        "file,format,expected,phrase\ngood.txt,txt,text,opens at nine\nbad.pdf,pdf,clear error,\n", encoding="utf-8"
    )
    return tmp_path


def command(monkeypatch: pytest.MonkeyPatch, state: Path, *words: str) -> int:
    """Run ``candor`` with these words; its exit status."""
    monkeypatch.setenv("CANDOR_STATE", str(state))
    monkeypatch.setattr(sys, "argv", ["candor", "evaluate", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_json_is_one_object_and_nothing_else(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "own"
    assert command(monkeypatch, state, "documents", "--data", str(folder), "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["rows"], figures["as_expected"]) == (2, 1.0)
    assert not state.exists()


def test_the_table_names_every_figure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, tmp_path / "own", "documents", "--data", str(folder), "--limit", "1") == 0
    printed = capsys.readouterr().out
    for name in ("rows", "as_expected", "crashed", "silent_empty", "by_format", "slowest_s"):
        assert name in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["poetry"],
            'there is no measurement "poetry"; '
            "known: retrieval, answers, grounding, pii, injection, safety, "
            "documents, stream, speed",
        ),
        (["pii"], "pii needs --data PATH: a .jsonl or .jsonl.gz file"),
        (["pii", "--data", "nowhere.jsonl"], "nowhere.jsonl does not exist; pii needs a .jsonl"),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_status_2(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, tmp_path / "own", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in " ".join(captured.err.split())


@pytest.mark.parametrize("task", ["answers", "pii", "grounding"])
def test_a_broken_line_is_named_by_file_and_number(task: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n{broken\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2: not JSON"):
        run(task, path, Settings(state=tmp_path / "own"))


def test_the_help_says_what_each_task_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, tmp_path / "own", "--help") == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name, task in TASKS.items():
        assert f"{name}: {task.about.split(',')[0].split()[0]}" in printed
