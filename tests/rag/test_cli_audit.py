"""``candor audit verify``, ``key`` and ``verifier``: what an auditor does with the log, an export, and one file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guardrails.audit import verifier, verify
from guardrails.audit.log import AuditLog
from rag.cli import app
from rag.errors import CandorError


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(verify, "PATIENCE", 0)
    monkeypatch.setenv("CANDOR_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CANDOR_AUDIT__CHECKPOINTS", str(tmp_path / "share"))
    (tmp_path / "share").mkdir()
    from rag.record import open_log
    from rag.settings import load

    with closing(open_log(load())) as log:
        for turn in ("one", "two"):
            log.append("asked", turn=turn, payload={"question": "What?"})
            log.append("closed", turn=turn)
        log.append("asked", turn="three")
        log.fold()
    return tmp_path / "state"


def said(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["audit", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def test_a_sound_log_is_told_with_the_turn_that_was_not_closed(state: Path) -> None:
    told = said("verify")
    assert "The log holds: 5 events, 2 checkpoints." in told
    assert "turn three was begun on" in told


def test_a_fault_is_told_with_status_1(state: Path) -> None:
    with closing(sqlite3.connect(state / "audit.sqlite")) as connection, connection:
        connection.execute("DELETE FROM payloads WHERE seq = 2")
    assert "the payload of event 2 is gone" in said("verify", status=1)


def test_another_second_place_may_be_named(state: Path, tmp_path: Path) -> None:
    kept = (tmp_path / "share" / "checkpoints.jsonl").read_text()
    (tmp_path / "mine.jsonl").write_text(kept)
    (tmp_path / "share" / "checkpoints.jsonl").write_text(kept.splitlines()[0] + "\n")
    assert "lacks 1 of the 2 checkpoints" in said("verify", status=1)
    said("verify", "--checkpoints", tmp_path / "mine.jsonl")


def test_an_export_is_verified_here_and_elsewhere(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export, program, key = tmp_path / "export.jsonl", tmp_path / "verifier.py", tmp_path / "key.pem"
    assert "5 events written to" in said("export", "--to", export)
    key.write_text(said("key"))
    assert "EXPORT CHECKPOINTS --public-key KEY" in said("verifier", "--to", program)
    assert program.read_text() == Path(verifier.__file__).read_text()
    assert "The log holds: 5 events, 2 checkpoints." in said("verify", "--export", export)

    kept = tmp_path / "share" / "checkpoints.jsonl"
    monkeypatch.setenv("CANDOR_STATE", str(tmp_path / "nothing here"))
    said("verify", "--export", export, "--checkpoints", kept, "--public-key", key)
    alone = [sys.executable, "-I", "-S", str(program), str(export), str(kept), "--public-key", str(key)]
    assert subprocess.run(alone, capture_output=True).returncode == 0
    export.write_text(export.read_text().replace('"kind": "closed"', '"kind": "opened"'))
    said("verify", "--export", export, "--checkpoints", kept, "--public-key", key, status=1)
    assert subprocess.run(alone, capture_output=True).returncode == 1


def test_a_key_that_is_another_verifies_nothing(state: Path, tmp_path: Path) -> None:
    other = AuditLog(tmp_path / "other" / "audit.sqlite")
    other.append("reviewed")
    (tmp_path / "key.pem").write_text(other.seals.key.pem())
    other.close()
    assert "signed with another key" in said("verify", "--public-key", tmp_path / "key.pem", status=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("verify", "--public-key", "nowhere.pem"), "cannot read nowhere.pem"),
        (("verify", "--export", "nowhere.jsonl"), "cannot read nowhere.jsonl"),
        (("verify", "--export", "{export}"), "there is no candor export where one belongs"),
        (("verifier", "--to", "nowhere/verifier.py"), "cannot write nowhere/verifier.py"),
        (("export", "--to", "nowhere/export"), "cannot write nowhere/export"),
    ],
)
def test_what_goes_wrong_is_told(state: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    (tmp_path / "export").write_text('{"signature": ""}\n')
    with pytest.raises(CandorError) as error:
        said(*(word.format(export=tmp_path / "export") for word in words))
    assert told in str(error.value)


def test_without_a_key_the_log_cannot_be_verified(state: Path) -> None:
    (state / "audit.key").unlink()
    with pytest.raises(CandorError, match="is gone; restore it"):
        said("verify")
