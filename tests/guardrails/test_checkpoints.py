"""Checkpoints are made when they should be, kept in a second place, and nothing is recorded where they cannot be."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from guardrails.audit import checkpoints, verify
from guardrails.audit import log as log_module
from guardrails.audit.checkpoints import Checkpointing
from guardrails.audit.log import AuditLog
from guardrails.audit.signing import LogError, SigningKey
from guardrails.audit.signing import verify as verify_signature
from guardrails.audit.verifier import CHECKPOINT, lines_of, read_checkpoints, verify_export
from guardrails.database import writing
from tests.guardrails.tampering import Scene, rewrite

MANY = """
import sys
from pathlib import Path
from guardrails.audit.log import AuditLog
log = AuditLog(Path(sys.argv[1]))
for number in range(15):
    log.append("asked", turn=f"{sys.argv[2]}-{number}")
    log.append("closed", turn=f"{sys.argv[2]}-{number}")
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    made = AuditLog(tmp_path / "audit.sqlite")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PATIENCE", 0)


def sizes(folder: Path) -> list[int]:
    return [json.loads(line)["size"] for line in lines_of(folder / "checkpoints.jsonl")]


def turn(log: AuditLog, name: str = "t") -> None:
    for kind in ("asked", "sentence", "closed"):
        log.append(kind, turn=name)


def test_the_end_of_an_answer_is_a_checkpoint_and_so_is_every_event_beside_answers(log: AuditLog) -> None:
    turn(log)
    log.append("reviewed", turn="t")
    log.append("asked", turn="u")
    assert sizes(log.path.parent) == [3, 4]
    assert log.examine().open_turns == [f"turn u was begun on {log.read(turn='u')[0].at.isoformat()} and not closed"]
    assert log.verify() == []


def test_a_long_answer_has_checkpoints_on_its_way(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.sqlite", Checkpointing(events=4))
    for _ in range(9):
        log.append("sentence", turn="t")
    assert sizes(tmp_path) == [4, 8]
    log.close()


def test_after_a_quiet_time_the_first_event_is_a_checkpoint(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(minutes=11)

    turn(log)
    monkeypatch.setattr(checkpoints, "datetime", Later)
    log.append("asked", turn="u")
    assert sizes(log.path.parent) == [3, 4]


def test_several_events_of_one_transaction_have_one_checkpoint(log: AuditLog) -> None:
    with log.writing() as connection:
        for _ in range(5):
            log.write(connection, "erased", facts={"keys": []})
    assert sizes(log.path.parent) == [5]


def test_what_is_rolled_back_leaves_no_trace(log: AuditLog) -> None:
    turn(log)

    def fail() -> None:
        with log.writing() as connection:
            log.write(connection, "reviewed")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    turn(log, "u")
    assert (log.count(), sizes(log.path.parent), log.verify()) == (6, [3, 6], [])


def test_processes_share_one_log_and_one_second_place(log: AuditLog) -> None:
    command = [sys.executable, "-c", MANY, str(log.path)]
    processes = [subprocess.Popen([*command, name]) for name in ("a", "b", "c")]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (log.count(), log.verify(), log.examine().open_turns) == (90, [], [])


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
def test_the_key_and_the_second_place_are_for_their_owner_only(log: AuditLog) -> None:
    turn(log)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (log.seals.key_file, log.seals.second_place)] == [0o600] * 2


def test_the_second_place_may_be_another_folder(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    log = AuditLog(tmp_path / "state" / "audit.sqlite", Checkpointing(tmp_path / "share"))
    turn(log)
    assert (sizes(tmp_path / "share"), log.verify()) == ([3], [])
    assert not (tmp_path / "state" / "checkpoints.jsonl").exists()
    log.close()


def test_a_new_second_place_gets_all_checkpoints(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "share"):
        (tmp_path / "share").mkdir(exist_ok=True)
        log = AuditLog(tmp_path / "audit.sqlite", Checkpointing(folder))
        turn(log)
        assert log.verify() == []
        log.close()
    assert sizes(tmp_path / "share") == [3, 6]


def test_where_checkpoints_cannot_be_kept_at_most_one_more_is_recorded(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.sqlite", Checkpointing(tmp_path / "share"))
    turn(log)  # the last of its events makes the checkpoint, which finds no folder
    with pytest.raises(
        LogError, match=r"cannot be kept in .*share/checkpoints.jsonl \(FileNotFoundError\); nothing more"
    ):
        log.append("asked", turn="u")
    assert (log.count(), bool(log.verify())) == (3, True)
    (tmp_path / "share").mkdir()
    turn(log, "u")
    assert (sizes(tmp_path / "share"), log.verify()) == ([3, 6], [])
    log.close()


def test_the_second_place_of_another_log_is_left_alone(tmp_path: Path) -> None:
    mine, other = (AuditLog(tmp_path / name / "audit.sqlite", Checkpointing(tmp_path / name)) for name in "ab")
    turn(mine)
    turn(other)
    mine.close()
    before = other.seals.second_place.read_bytes()
    moved = AuditLog(mine.path, Checkpointing(tmp_path / "b"))
    with pytest.raises(LogError, match="is of another log; name another folder"):
        turn(moved)
    assert other.seals.second_place.read_bytes() == before
    moved.close()
    other.close()


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_line_that_was_cut_off_is_written_once_more(log: AuditLog, cut: int) -> None:
    turn(log)
    turn(log, "u")
    place = log.seals.second_place
    place.write_bytes(place.read_bytes()[:-cut])
    assert (log.verify() == []) == (cut == 1)  # of which only the end of the line was not written
    again = AuditLog(log.path)
    turn(again, "v")
    assert again.verify() == []
    again.close()


def test_a_checkpoint_that_was_not_copied_is_with_the_next_event(log: AuditLog) -> None:
    turn(log)
    before = log.seals.second_place.read_bytes()
    turn(log, "u")
    log.seals.second_place.write_bytes(before)
    assert "the newest are copied with the next event" in log.verify()[0]
    again = AuditLog(log.path)
    again.append("asked", turn="v")
    assert again.verify() == []
    again.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE head SET line = replace(line, 'root', 'toor')",
        "UPDATE head SET edge = zeroblob(64)",
        "UPDATE head SET edge = 5",
        "DELETE FROM head",
    ],
)
def test_nothing_is_put_on_a_head_that_was_not_signed(log: AuditLog, statement: str) -> None:
    turn(log)
    with writing(log._engine) as connection:
        connection.execute(text(statement))
    again = AuditLog(log.path)
    with pytest.raises(LogError, match="see candor audit verify"):
        again.append("asked")
    assert again.count() == 3
    again.close()


def test_nothing_is_put_on_a_head_that_agrees_with_a_rewritten_event(log: AuditLog, tmp_path: Path) -> None:
    turn(log)
    log.fold()
    rewrite(Scene(log.path.parent, [], tmp_path, random.Random(1)))  # noqa: S311 - chooses, keeps no secret
    again = AuditLog(log.path)
    with pytest.raises(LogError, match="the signature of a candor signed head does not verify"):
        again.append("asked")
    again.close()


def test_an_event_that_was_put_in_is_not_vouched_for(log: AuditLog) -> None:
    log.append("asked", turn="t")
    with writing(log._engine) as connection:
        connection.execute(text("INSERT INTO events SELECT 2, kind, turn, header, hash FROM events"))
    with pytest.raises(Exception, match="UNIQUE"):
        log.append("closed", turn="t")
    assert log.verify() != []


def test_a_key_that_is_gone_is_not_replaced(log: AuditLog) -> None:
    turn(log)
    log.seals.key_file.unlink()
    again = AuditLog(log.path)
    with pytest.raises(LogError, match=r"audit\.key, is gone; restore it"):
        again.append("asked")
    assert "is gone; restore it" in again.verify()[0]
    assert not log.seals.key_file.exists()
    again.close()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"\xff"])
def test_a_key_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "audit.key").write_bytes(content)
    with pytest.raises(LogError, match=r"audit\.key, cannot be read"):
        SigningKey.read(tmp_path / "audit.key")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "audit.key").write_bytes(pem)
    with pytest.raises(LogError, match="is of another kind"):
        SigningKey.read(tmp_path / "audit.key")


def test_a_key_that_was_made_before_a_crash_is_used(log: AuditLog) -> None:
    made = SigningKey.read_or_make(log.seals.key_file)
    turn(log)
    assert (log.seals.key.public, log.verify()) == (made.public, [])


def test_a_log_without_events_is_sound_and_can_be_exported(log: AuditLog) -> None:
    assert (log.verify(), log.examine().events) == ([], 0)
    assert len(list(log.export())) == 1


def test_a_log_that_was_emptied_is_noticed(log: AuditLog) -> None:
    turn(log)
    with writing(log._engine) as connection:
        for table in ("events", "payloads", "head", "checkpoints"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    again = AuditLog(log.path)
    assert "the log has 0 events, but 3 were signed on" in "\n".join(again.verify())
    log.seals.key_file.unlink()
    third = AuditLog(log.path)
    assert "is gone; restore it" in third.verify()[0]
    again.close()
    third.close()


@pytest.mark.parametrize("junk", ["{}", "5}", '{"number":"x","origin":""}'])
def test_after_a_line_that_is_none_the_newest_checkpoint_is_kept_all_the_same(log: AuditLog, junk: str) -> None:
    turn(log)
    with log.seals.second_place.open("a") as file:
        file.write(f"{junk}\n")
    turn(log, "u")
    assert json.loads(lines_of(log.seals.second_place)[-1])["size"] == 6
    assert log.verify() != []


def test_a_payload_that_is_gone_is_told_in_an_export_too(log: AuditLog) -> None:
    turn(log)
    with writing(log._engine) as connection:
        connection.execute(text("DELETE FROM payloads WHERE seq = 2"))
    report = verify_export(log.export(), lines_of(log.seals.second_place), log.seals.key.public, verify_signature)
    assert report.faults == ["the payload of event 2 is gone, and no erasure was recorded"]


def test_checkpoints_with_the_clock_set_back_between_them_are_told() -> None:
    key = SigningKey(Ed25519PrivateKey.generate())
    lines, previous = [], "0" * 64
    for number, at in enumerate(("2026-11-27T10:00:00+00:00", "2026-11-27T09:00:00+00:00", "yesterday", 5), start=1):
        said = {"number": number, "size": number, "root": "", "at": at, "previous": previous}
        lines.append(key.sign(CHECKPOINT, said))
        previous = hashlib.sha256(lines[-1].encode()).hexdigest()
    found, faults = read_checkpoints(lines, key.public, verify_signature)
    assert [one.number for one in found] == [1, 2]
    assert faults == [
        "the clock was set back between checkpoints 1 and 2",
        "line 3 of the checkpoints cannot be read",
        "line 4 of the checkpoints cannot be read",
    ]


def test_a_checkpoint_that_nobody_signed_is_told(log: AuditLog) -> None:
    turn(log)
    lines = lines_of(log.seals.second_place)
    said = json.loads(lines[-1]) | {"number": 2, "size": 4, "previous": hashlib.sha256(lines[-1].encode()).hexdigest()}
    lines.append(rfc8785.dumps(said).decode())
    told = ["line 2 of the checkpoints: the signature of a candor checkpoint does not verify"]
    assert read_checkpoints(lines, log.seals.key.public, verify_signature)[1] == told


def test_a_clock_that_was_set_back_by_a_minute_is_told(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) - timedelta(minutes=1)

    turn(log)
    monkeypatch.setattr(log_module, "datetime", Earlier)
    log.append("asked", turn="u")
    assert [fault[:37] for fault in log.verify()] == ["the clock was set back before event 4"]


def test_an_older_copy_of_the_whole_folder_is_noticed_from_outside(log: AuditLog, tmp_path: Path) -> None:
    turn(log)
    log.fold()
    older = tmp_path / "older"
    older.mkdir()
    for name in ("audit.sqlite", "audit.key", "checkpoints.jsonl"):
        shutil.copy(tmp_path / name, older)
    turn(log, "u")
    restored = AuditLog(older / "audit.sqlite")
    assert restored.verify() == []
    told = restored.examine(second_place=log.seals.second_place).faults
    assert [fault for fault in told if "the log has 3 events, but 6 were signed on" in fault]
    restored.close()
