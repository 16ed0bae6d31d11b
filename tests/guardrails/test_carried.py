"""A log of version 1, chained by hashes, is carried over into the tree; its chain is verified as before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text

from guardrails.audit import storage, verify
from guardrails.audit.log import AuditLog
from guardrails.audit.signing import LogError
from guardrails.audit.signing import verify as verify_signature
from guardrails.audit.storage import events, payloads
from guardrails.audit.verifier import NONE, lines_of, link, verify_export
from guardrails.database import open_sqlite, writing


def written_by_version_1(path: Path, count: int = 5) -> list[bytes]:
    """A log as 0.3.0 left it; the hashes of its chain."""
    engine = open_sqlite(path, durable=False)
    storage.metadata.create_all(engine)
    chain = [NONE]
    with writing(engine) as connection:
        for seq in range(1, count + 1):
            kind, turn = ("asked", "sentence", "closed")[seq % 3 - 1], f"t{(seq + 2) // 3}"
            key, salt = AESGCM.generate_key(256), os.urandom(16)
            ciphertext = AESGCM(key).encrypt(salt[:12], rfc8785.dumps({"question": f"What {seq}?"}), None)
            header = rfc8785.dumps(
                {
                    "version": 1,
                    "seq": seq,
                    "at": f"2026-11-01T10:00:0{seq}.000000+00:00",
                    "kind": kind,
                    "conversation": "c",
                    "turn": turn,
                    "actor": "anna",
                    "facts": {"n": seq},
                    "commitment": hashlib.sha256(salt + ciphertext).hexdigest(),
                }
            )
            chain.append(link(chain[-1], header))
            connection.execute(events.insert().values(seq=seq, kind=kind, turn=turn, header=header, hash=chain[-1]))
            connection.execute(payloads.insert().values(seq=seq, key=key, salt=salt, ciphertext=ciphertext))
    engine.dispose()
    return chain


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PATIENCE", 0)


@pytest.fixture
def chain(tmp_path: Path) -> list[bytes]:
    return written_by_version_1(tmp_path / "audit.sqlite")


@pytest.fixture
def log(tmp_path: Path, chain: list[bytes]) -> Iterator[AuditLog]:
    made = AuditLog(tmp_path / "audit.sqlite")
    yield made
    made.close()


def test_an_old_log_is_sealed_by_one_event_and_goes_on(log: AuditLog, chain: list[bytes]) -> None:
    assert log.read(kind="carried")[0].facts == {"events": 5, "chain": chain[-1].hex()}
    assert (log.count(), log.verify()) == (6, [])
    assert len(lines_of(log.seals.second_place)) == 1
    log.append("reviewed", turn="t1")
    assert (log.count(), log.verify()) == (7, [])
    assert log.read(turn="t1")[0].payload == {"question": "What 1?"}
    assert [told.split()[1] for told in log.examine().open_turns] == ["t2"]


def test_it_is_carried_over_once(log: AuditLog) -> None:
    again = AuditLog(log.path)
    assert (again.count(), again.verify()) == (6, [])
    again.close()


def test_an_export_of_it_holds(log: AuditLog) -> None:
    report = verify_export(log.export(), lines_of(log.seals.second_place), log.seals.key.public, verify_signature)
    assert (report.events, report.faults) == (6, [])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET header = CAST(replace(header, 'anna', 'ben') AS BLOB) WHERE seq = 2",
        "UPDATE events SET hash = zeroblob(32) WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "UPDATE payloads SET ciphertext = zeroblob(40) WHERE seq = 2",
        "UPDATE payloads SET key = zeroblob(32) WHERE seq = 2",
        "DELETE FROM payloads WHERE seq = 2",
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_changed_in_the_old_part_is_noticed(
    chain: list[bytes], tmp_path: Path, statement: str, when: str
) -> None:
    if when == "after":
        AuditLog(tmp_path / "audit.sqlite").close()
    engine = open_sqlite(tmp_path / "audit.sqlite", durable=False)
    with writing(engine) as connection:
        connection.execute(text(statement))
    engine.dispose()
    log = AuditLog(tmp_path / "audit.sqlite")
    assert [fault for fault in log.verify() if "event 2" in fault or "event 3" in fault]
    log.close()


@pytest.mark.parametrize("second_place_too", [False, True])
def test_a_log_whose_head_was_removed_is_not_carried_over_again(log: AuditLog, second_place_too: bool) -> None:
    with writing(log._engine) as connection:
        connection.execute(text("DELETE FROM head"))
    if second_place_too:
        log.seals.second_place.unlink()
    again = AuditLog(log.path)
    assert (again.count(), bool(again.verify())) == (6, True)
    again.close()


def test_an_old_log_beside_checkpoints_that_are_not_its_own_is_left_as_it_is(
    chain: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "checkpoints.jsonl").write_text("{}\n")
    log = AuditLog(tmp_path / "audit.sqlite")
    assert (log.count(), bool(log.verify())) == (5, True)
    with pytest.raises(LogError, match="the log has no signed head, but"):
        log.append("asked")
    log.close()


def test_several_that_open_an_old_log_at_once_carry_it_over_once(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / str(number) / "audit.sqlite"
        written_by_version_1(path)
        with ThreadPoolExecutor(4) as pool:
            logs = list(pool.map(AuditLog, [path] * 4))
        assert (logs[0].count(), logs[0].verify()) == (6, [])
        for log in logs:
            log.close()
