"""What the log costs: records a second, what an event adds over the old chain of hashes, and how long verifying takes.

    python -m tests.quality.audit_speed [--turns 100] [--events 100000]

Every event is on disk before the next (synchronous=FULL). Old and new way take turns, event by event, so that a busy
machine slows both alike; medians are compared. Prints JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from guardrails.audit import storage, verifier
from guardrails.audit.log import PUT_EVENT, PUT_PAYLOAD, AuditLog
from guardrails.audit.storage import encrypted, events
from guardrails.audit.verifier import NONE, link
from guardrails.database import open_sqlite, writing

RUN = {"guard": "grounding", "status": "ran", "milliseconds": 12.345}
FACTS = {"action": "SHOW", "guards": [RUN] * 5, "quoted": False, "cited": [1, 2], "compared": []}
PAYLOAD = {"quoted": {"sealed": "c" * 400, "keys": [1]}, "findings": []}
TURN = ("asked", "searched", "sentence", "sentence", "sentence", "closed")
LAST = select(events.c.seq, events.c.hash).order_by(events.c.seq.desc()).limit(1)


class Chain:
    """The log as it was: each hash over the one before it, nothing signed."""

    def __init__(self, path: Path) -> None:
        self._engine = open_sqlite(path, durable=True)
        storage.metadata.create_all(self._engine)

    def append(self, kind: str, turn: str, facts: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
        key, salt = AESGCM.generate_key(256), os.urandom(16)
        ciphertext = encrypted(rfc8785.dumps(dict(payload)), key, salt)
        with writing(self._engine) as connection:
            seq, previous = connection.execute(LAST).first() or (0, NONE)
            header = rfc8785.dumps(
                {
                    "version": 1,
                    "seq": seq + 1,
                    "at": datetime.now(UTC).isoformat(timespec="microseconds"),
                    "kind": kind,
                    "conversation": "",
                    "turn": turn,
                    "actor": "",
                    "facts": dict(facts),
                    "commitment": hashlib.sha256(salt + ciphertext).hexdigest(),
                }
            )
            row = {"seq": seq + 1, "kind": kind, "turn": turn, "header": header, "hash": link(previous, header)}
            connection.execute(PUT_EVENT, row)
            row = {"seq": seq + 1, "key": key, "salt": salt, "ciphertext": ciphertext}
            connection.execute(PUT_PAYLOAD, row)


def seconds(what: Callable[[], object]) -> float:
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def appending(folder: Path, turns: int) -> dict[str, float]:
    """Milliseconds of an event and of a turn, the old way and the new."""
    old, new = Chain(folder / "old" / "audit.sqlite"), AuditLog(folder / "new" / "audit.sqlite")
    spent: dict[str, list[list[float]]] = {"old": [], "new": []}
    for turn in range(turns):
        spent["old"].append([])
        spent["new"].append([])
        for kind in TURN:
            spent["old"][-1].append(seconds(lambda: old.append(kind, f"t{turn}", FACTS, PAYLOAD)))  # noqa: B023 - called at once
            spent["new"][-1].append(seconds(lambda: new.append(kind, turn=f"t{turn}", facts=FACTS, payload=PAYLOAD)))  # noqa: B023
    new.close()
    of_event = {way: statistics.median(one for turn in rows for one in turn[:-1]) for way, rows in spent.items()}
    of_turn = {way: statistics.median(map(sum, rows)) for way, rows in spent.items()}
    return {
        "records a second": turns * len(TURN) / sum(map(sum, spent["new"])),
        "records a second, old way": turns * len(TURN) / sum(map(sum, spent["old"])),
        "an event adds, ms": 1000 * (of_event["new"] - of_event["old"]),
        "a turn adds, ms": 1000 * (of_turn["new"] - of_turn["old"]),
        "one sync of the disk, ms": 1000 * statistics.median(syncing(folder / "sync") for _ in range(50)),
    }


def syncing(path: Path) -> float:
    with path.open("ab") as file:
        file.write(bytes(300))
        file.flush()
        return seconds(lambda: os.fsync(file.fileno()))


def verifying(folder: Path, count: int) -> dict[str, float]:
    """Seconds to verify a log of so many events, one turn a transaction, and to verify its export."""
    log = AuditLog(folder / "audit.sqlite")
    for turn in range(count // len(TURN)):
        with log.writing() as connection:
            for kind in TURN:
                log.write(connection, kind, turn=f"t{turn}", facts=FACTS, payload={"findings": []})
    spent = seconds(log.examine)
    (folder / "export").write_text("".join(f"{line}\n" for line in log.export()), encoding="utf-8")
    (folder / "key").write_text(log.seals.key.pem(), encoding="utf-8")
    words = [sys.executable, "-I", "-S", verifier.__file__, folder / "export", log.seals.second_place]
    alone = seconds(lambda: subprocess.run([*words, "--public-key", folder / "key"], check=True, capture_output=True))
    log.close()
    return {"events": count // len(TURN) * len(TURN), "verifying, s": spent, "verifying its export alone, s": alone}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--events", type=int, default=100_000)
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="candor-") as folder:
        figures = appending(Path(folder), chosen.turns)
        if chosen.events:
            figures |= verifying(Path(folder) / "verifying", chosen.events)
    figures["load"] = os.getloadavg()[0]
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
