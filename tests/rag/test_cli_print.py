"""What the command prints of an ingestion."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rag import cli_print, cli_print_ingest
from rag.types import Citation, Difference, Done, Ingested, Mark, Progress, Sentence, Verified

STEPS = [
    Progress(0, 3),
    Progress(1, 3, Ingested("a.md", "added", 4, held=2)),
    Progress(2, 3, Ingested("b.md", "replaced", 3, held=1)),
    Progress(3, 3, Ingested("c.md", "unchanged")),
]


def test_what_was_set_aside_is_said_once_for_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_print_ingest.ingestion(STEPS, as_json=False)
    *_, last, _ = capsys.readouterr().out.splitlines()
    assert last == "3 chunks set aside: they read like instructions to the assistant; see Sources"


def test_nothing_is_said_where_nothing_was_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    cli_print_ingest.ingestion([Progress(1, 1, Ingested("a.md", "added", 4))], as_json=False)
    assert "set aside" not in capsys.readouterr().out


def test_json_tells_it_of_each_file_and_of_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    failed = Progress(4, 4, Ingested("d.md", "failed", reason="it is empty", seconds=3.0))
    assert not cli_print_ingest.ingestion([*STEPS, failed], as_json=True)
    *files, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [file["held"] for file in files] == [2, 1, 0, 0]
    report = last["report"]
    assert (report["states"]["added"], report["states"]["failed"], report["chunks"], report["held"]) == (1, 1, 7, 3)
    assert report["failures"] == [{"source": "d.md", "reason": "it is empty"}]
    assert report["slowest"] == [{"source": "d.md", "seconds": 3.0}]


def test_what_was_done_is_told_also_when_it_is_broken_off(capsys: pytest.CaptureFixture[str]) -> None:
    def steps() -> Iterator[Progress]:
        yield STEPS[1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cli_print_ingest.ingestion(steps(), as_json=False)
    assert "1 added" in capsys.readouterr().out


def test_how_fast_it_is_and_how_long_it_takes() -> None:
    step = Progress(1, 9, chunks=500, size=20_000_000, seconds=10.0, left=125.0)
    assert cli_print_ingest.pace(step) == "50 chunks/s, 2.0 MB/s, 2 min 5 s to go"


def test_what_differs_decides_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    mended, not_mended = Difference("its file is gone", "a.md"), Difference("x", "b.md", mended=False, reason="why")
    assert cli_print_ingest.verification([mended, Verified(3, 9, 3)], as_json=False)
    assert not cli_print_ingest.verification([mended, not_mended, Verified(3, 9, 3)], as_json=True)
    assert '"mended": false' in capsys.readouterr().out


def test_a_release_is_told_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli_print_ingest.of_document("release", "a\x1b[31m.md", 1, as_json=False)
    cli_print_ingest.of_document("release", "a.md", 2, as_json=True)
    told, row = capsys.readouterr().out.splitlines()
    assert told == "1 chunk of a[31m.md released: answers may rest on it from now on"
    assert json.loads(row) == {"source": "a.md", "released": 2}


COMPARED = [
    Sentence("28 days. ", (Citation(1, "leave.md", "Leave", None, "28 days", ((0, 7),)),)),
    Sentence(
        "Pay is 5.",
        (Citation(2, "pay.md", "Pay", 3, "Pay is 4", ((0, 8),), verdict="contradicts"),),
        (Mark("flagged", 7, 8, "number", "Why."),),
    ),
    Done("t", "answered"),
]


def test_a_passage_that_nothing_rests_on_is_printed_as_no_source(capsys: pytest.CaptureFixture[str]) -> None:
    cli_print.answer(COMPARED, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "28 days. [1]",
        "Pay is 5.  (flagged: not fully supported; [2] contradicts)",
        "[1] Leave (leave.md)",
        "[2] Pay (pay.md, page 3): no source of the answer",
    ]
    cli_print.answer(COMPARED, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert [source["number"] for source in printed["sources"]] == [1]
    assert [source["verdict"] for source in printed["compared"]] == ["contradicts"]
    assert printed["sentences"][1]["sources"] == []
