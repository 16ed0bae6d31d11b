"""Labelled data: what is read, and what is said of a line that cannot be."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from rag.errors import DataError
from rag.evaluation.rows import read_rows

NEEDED = {"text": str, "spans": list}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_lines_end_at_the_line_feed_alone(tmp_path: Path, name: str) -> None:
    lines = '{"text": "a\u2028b\x85c", "spans": []}\n\n{"text": "d\\n", "spans": [1], "more": null}\r\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(lines.encode()) if name.endswith("gz") else lines.encode())
    assert [row["text"] for row in read_rows(path, NEEDED)] == ["a\u2028b\x85c", "d\n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no row"),
        (b'{"text": "a", "spans": []}\nnonsense\n', "line 2: not JSON"),
        (b"[1]\n", "line 1: not a JSON object"),
        (b'{"text": "a"}\n', 'line 1: "spans" is missing'),
        (b'{"text": 1, "spans": []}\n', 'line 1: "text" is not a string'),
        (b'{"text": "a", "spans": []}\n\xff\xfe\n', "not UTF-8"),
    ],
)
def test_unusable_data_is_named_by_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"rows\.jsonl.*{re.escape(message)}"):
        read_rows(path, NEEDED)


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_damaged_packed_file_is_named(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "abcdefghijklmnopqrstuvwxyz", "spans": []}\n')[:-cut])
    with pytest.raises(DataError, match="damaged or cut short"):
        read_rows(path, NEEDED)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_rows(tmp_path / "none.jsonl", NEEDED)
    with pytest.raises(DataError, match="is a folder"):
        read_rows(tmp_path, NEEDED)
