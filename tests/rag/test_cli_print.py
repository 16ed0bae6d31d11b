"""What the command prints of an ingestion."""

from __future__ import annotations

import json

import pytest

from rag import cli_print
from rag.types import Ingested, Progress

STEPS = [
    Progress(0, 3),
    Progress(1, 3, Ingested("a.md", "added", 4, held=2)),
    Progress(2, 3, Ingested("b.md", "replaced", 3, held=1)),
    Progress(3, 3, Ingested("c.md", "unchanged")),
]


def test_what_was_set_aside_is_said_once_for_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_print.ingestion(STEPS, as_json=False) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "3 chunks set aside: they read like instructions to the assistant; see Sources"


def test_nothing_is_said_where_nothing_was_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    cli_print.ingestion([Progress(1, 1, Ingested("a.md", "added", 4))], as_json=False)
    assert "set aside" not in capsys.readouterr().out


def test_json_tells_it_of_each_file(capsys: pytest.CaptureFixture[str]) -> None:
    cli_print.ingestion(STEPS, as_json=True)
    assert [json.loads(line)["held"] for line in capsys.readouterr().out.splitlines()] == [2, 1, 0]


def test_a_release_is_told_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli_print.released("a\x1b[31m.md", 1, as_json=False)
    cli_print.released("a.md", 2, as_json=True)
    told, row = capsys.readouterr().out.splitlines()
    assert told == "1 chunk of a[31m.md released: answers may rest on it from now on"
    assert json.loads(row) == {"source": "a.md", "released": 2}
