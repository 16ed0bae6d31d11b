"""The measurement of reading, and what it says of real files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from rag.errors import DataError
from rag.evaluation.documents import folded, measure
from rag.ingest.load import load

HEADER = "file,format,group,origin,licence,hard,expected,phrase,bytes\n"
OUR_KINDS = {"md", "txt", "html", "pdf", "docx", "csv"}


def table(folder: Path, *rows: str) -> Path:
    (folder / "documents.csv").write_text(HEADER + "\n".join(rows), encoding="utf-8")
    return folder


def test_each_expectation_is_judged(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leave\n\n28 days.")
    (tmp_path / "empty.md").write_text(" ")
    (tmp_path / "b.bin").write_text("x")
    folder = table(
        tmp_path,
        "a.md,md,,,,,text,Leave 28-DAYS,1",
        "a.md,md,,,,,text,30 days,1",
        "a.md,md,,,,,clear error,,1",
        'empty.md,md,,,,,"no text, said clearly",,1',
        "empty.md,md,,,,,clear error,,1",
        "b.bin,bin,,,,,clear error,,1",
        "b.bin,bin,,,,,text or clear error,,1",
        "b.bin,bin,,,,,text,,1",
    )
    seen: list[tuple[int, int]] = []
    figures = measure(folder, on_progress=lambda done, total: seen.append((done, total)))
    assert set(figures) == {"rows", "as_expected", "crashed", "silent_empty", "by_format", "slowest_s"}
    assert (figures["rows"], figures["as_expected"], figures["crashed"], figures["silent_empty"]) == (8, 0.5, 0, 0)
    assert figures["by_format"]["bin"] == {"n": 3, "as_expected": 0.6667, "read": 0, "refused": 3}
    assert seen == [(done, 8) for done in range(1, 9)]


def test_a_sample_is_drawn_by_its_seed(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Words.")
    folder = table(tmp_path, *["a.md,md,,,,,text,,1"] * 5)
    assert measure(folder, 2, seed=1)["rows"] == 2
    assert measure(folder, 9)["rows"] == 5


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["a.md,md,,,,,maybe,,1"], "documents.csv, line 2: expected must be one of: text; clear error"),
        (["none.md,md,,,,,text,,1"], "documents.csv, line 2: the file none.md is not there"),
        (["a.md"], "documents.csv, line 2: expected must be one of"),
    ],
)
def test_unusable_data_is_named_with_its_line(tmp_path: Path, rows: list[str], reason: str) -> None:
    (tmp_path / "a.md").write_text("Words.")
    with pytest.raises(DataError, match=reason):
        measure(table(tmp_path, *rows))


def test_a_missing_table_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"documents.csv: No such file or directory"):
        measure(tmp_path)
    (tmp_path / "documents.csv").write_text("file,format\n")
    with pytest.raises(DataError, match="line 1: no column expected, phrase"):
        measure(tmp_path)


@pytest.mark.quality
def test_real_files_are_read_or_refused_as_expected(shared_data: Path) -> None:
    figures = measure(shared_data / "documents")
    assert (figures["crashed"], figures["silent_empty"]) == (0, 0)
    assert figures["slowest_s"] < 60
    assert figures["as_expected"] >= 0.98  # 72 files; all of them when this was written


@pytest.mark.quality
def test_real_files_of_the_main_kinds_are_read(shared_data: Path) -> None:
    folder = shared_data / "documents"
    with (folder / "documents.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["format"] in OUR_KINDS and row["expected"] == "text"]
    assert len(rows) >= 30
    for row in rows:
        assert folded(row["phrase"]) in folded(load(folder / row["file"], folder).text), row["file"]


@pytest.mark.quality
def test_a_company_s_files_are_read(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "documents"
    demo = (folder / "demo.csv").read_text(encoding="utf-8")
    (tmp_path / "documents.csv").write_text(demo, encoding="utf-8")
    (tmp_path / "demo").symlink_to(folder / "demo")
    figures = measure(tmp_path)
    assert figures["rows"] == 200
    assert figures["as_expected"] >= 0.99  # all when this was written
