"""A log worth tampering with, and the ways in which somebody without its key may do it.

Left out is what is no evidence: the working columns of erasing (``document_keys.document``, ``erasures.asked``,
``holds``, ``naming``). What they led to is recorded in events.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guardrails.audit import checkpoints, erase
from guardrails.audit import log as log_module
from guardrails.audit.checkpoints import Checkpointing
from guardrails.audit.keys import Quoted
from guardrails.audit.log import AuditLog
from guardrails.audit.merkle import edge_of
from guardrails.audit.verifier import leaf, root

FILES = ("audit.sqlite", "audit.key", "checkpoints.jsonl")
COLUMNS = {
    "events": ("seq", "kind", "turn", "header", "hash"),
    "payloads": ("seq", "key", "salt", "ciphertext"),
    "document_keys": ("id", "key"),
    "erasures": ("key_id", "done"),
    "head": ("id", "line", "edge"),
    "checkpoints": ("number", "line"),
}
NUMBERED = {"events": "seq", "payloads": "seq", "checkpoints": "number", "document_keys": "id"}


def recorded(folder: Path, turns: int = 4) -> list[Path]:
    """A log in a folder; copies of it as it was after each turn. The last turn is not closed.

    So the last copy but one is from the moment of the last checkpoint: what was recorded after it may be taken back.
    """
    log = AuditLog(folder / "audit.sqlite", Checkpointing(events=6))
    copies = []
    for number in range(turns):
        turn = f"turn-{number}"
        keys = tuple(log.keys_of([f"{number}.md", "shared.md"]).values())
        facts = {"relevance": 0.25 * number, "guards": [{"guard": "pii", "milliseconds": 1.5}]}
        log.append(
            "asked", conversation="c", turn=turn, actor="anna", facts=facts, payload={"question": f"What {number}?"}
        )
        log.append("sentence", turn=turn, facts={"cited": [1]}, payload={"quoted": Quoted({"text": "It is so."}, keys)})
        if number < turns - 1:
            log.append("closed", turn=turn, facts={"outcome": "answered"})
            copies.append(copied(log, folder / f"copy-{number}"))
        if number == 1:
            log.append("reviewed", turn=turn, actor="ben", facts={"verdict": "right"}, payload={"reason": "So it is."})
            erase.erase(log, "0.md", "anna")
    copies.append(copied(log, folder / "whole"))
    log.close()
    return copies


def copied(log: AuditLog, to: Path) -> Path:
    log.fold()
    to.mkdir()
    for name in FILES:
        shutil.copy(log.path.parent / name, to)
    return to


@dataclass(frozen=True)
class Scene:
    """One copy of a log in a folder, to be tampered with, and what lies about for it."""

    folder: Path
    earlier: list[Path]  # copies of the same log
    other: Path  # another log, signed with another key
    dice: random.Random

    @property
    def database(self) -> Path:
        return self.folder / "audit.sqlite"

    @property
    def second_place(self) -> Path:
        return self.folder / "checkpoints.jsonl"

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            yield connection

    def pick(self, connection: sqlite3.Connection, table: str) -> tuple[int, tuple[Any, ...]]:
        rows = connection.execute(f"SELECT rowid, * FROM {table}").fetchall()  # noqa: S608
        rowid, *row = self.dice.choice(rows)
        return rowid, tuple(row)

    def lines(self) -> list[str]:
        return self.second_place.read_text(encoding="utf-8").splitlines()

    def write(self, lines: list[str]) -> None:
        self.second_place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def change_a_cell(scene: Scene) -> None:
    table = scene.dice.choice([*COLUMNS, "events", "payloads"])
    column = scene.dice.choice(COLUMNS[table])
    with scene.opened() as connection:
        rowid, _ = scene.pick(connection, table)
        old = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", [rowid]).fetchone()[0]  # noqa: S608
        new = other_than(old, scene.dice)
        if scene.dice.random() < 0.1:  # the same in another type: SQLite lets it
            new = old.encode() if isinstance(old, str) else old.decode() if column == "header" else new
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [new, rowid])  # noqa: S608


def other_than(value: Any, dice: random.Random) -> Any:
    if isinstance(value, int):
        return value + dice.choice([50, 99, 1000])
    raw = value.encode() if isinstance(value, str) else value
    at = dice.randrange(len(raw))
    changed = dice.choice(
        [
            raw[:at] + bytes([raw[at] ^ (1 << dice.randrange(7))]) + raw[at + 1 :],
            raw[:at],
            raw + bytes([dice.randrange(128)]),
            raw[1:] + bytes([raw[0] ^ 1]),
            bytes([raw[0] ^ 1]) + bytes(len(raw) - 1),
        ]
    )
    return changed.decode("utf-8", "replace") if isinstance(value, str) else changed


def delete_rows(scene: Scene) -> None:
    table = scene.dice.choice(list(COLUMNS))
    with scene.opened() as connection:
        if scene.dice.random() < 0.2:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
            return
        rowid, _ = scene.pick(connection, table)
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", [rowid])  # noqa: S608
        if table == "events" and scene.dice.random() < 0.5:
            connection.execute("DELETE FROM payloads WHERE seq = ?", [rowid])


def reorder(scene: Scene) -> None:
    with scene.opened() as connection:
        count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        one, two = scene.dice.sample(range(1, count + 1), 2)
        tables = scene.dice.choice([["events", "payloads"], ["events"], ["payloads"]])
        for table in tables:
            for old, new in ((one, -1), (two, one), (-1, two)):
                connection.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", [new, old])  # noqa: S608


def renumber(scene: Scene) -> None:
    with scene.opened() as connection:
        begin = scene.dice.randrange(1, 10)
        for table in ("events", "payloads"):
            connection.execute(f"UPDATE {table} SET seq = -seq - 1 WHERE seq >= ?", [begin])  # noqa: S608
            connection.execute(f"UPDATE {table} SET seq = -seq WHERE seq < 0")  # noqa: S608


def duplicate(scene: Scene) -> None:
    table = scene.dice.choice(["events", "payloads", "checkpoints"])
    with scene.opened() as connection:
        _, row = scene.pick(connection, table)
        last = connection.execute(f"SELECT max({NUMBERED[table]}) FROM {table}").fetchone()[0]  # noqa: S608
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", [last + 1, *row[1:]])  # noqa: S608


def truncate(scene: Scene) -> None:
    """The newest events go; with the checkpoints of the database, with the head of an older copy, or alone."""
    with scene.opened() as connection:
        count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        keep = scene.dice.randrange(0, count)
        head = None
        if scene.dice.random() < 0.5:
            with closing(sqlite3.connect(scene.dice.choice(scene.earlier[:-2]) / "audit.sqlite")) as older:
                keep = older.execute("SELECT count(*) FROM events").fetchone()[0]
                head = older.execute("SELECT line, edge FROM head").fetchone()
        for table in ("events", "payloads"):
            connection.execute(f"DELETE FROM {table} WHERE seq > ?", [keep])  # noqa: S608
        if head:
            connection.execute("UPDATE head SET line = ?, edge = ?", head)
        if head or scene.dice.random() < 0.5:
            rows = connection.execute("SELECT number, line FROM checkpoints").fetchall()
            gone = [[number] for number, line in rows if json.loads(line)["size"] > keep]
            connection.executemany("DELETE FROM checkpoints WHERE number = ?", gone)


def splice(scene: Scene) -> None:
    """Rows of another log, which stand in the same place there, take the place of this one's."""
    with scene.opened() as connection, closing(sqlite3.connect(scene.other / "audit.sqlite")) as other:
        count = other.execute("SELECT count(*) FROM events").fetchone()[0]
        begin = scene.dice.randrange(1, count)
        tables = scene.dice.choice([["events", "payloads"], ["events"], ["payloads"], ["checkpoints"], ["head"]])
        for table in tables:
            number = NUMBERED.get(table, "id")
            condition = f"{number} BETWEEN {begin} AND {begin + scene.dice.randrange(3)}" if table in NUMBERED else "1"
            if table == "checkpoints":
                condition = f"{number} = 1"
            for row in other.execute(f"SELECT * FROM {table} WHERE {condition}").fetchall():  # noqa: S608
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608


def set_the_clock_back(scene: Scene) -> None:
    back = timedelta(seconds=scene.dice.choice([3600, 86_400, 86_400 * 30]))

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) - back

    for module in (log_module, checkpoints):
        module.datetime = Clock  # type: ignore[attr-defined]
    try:
        append(scene, scene.dice.choice(["asked", "reviewed"]))
    finally:
        for module in (log_module, checkpoints):
            module.datetime = datetime  # type: ignore[attr-defined]


def append(scene: Scene, kind: str) -> None:
    log = AuditLog(scene.database)
    log.append(kind, turn="later", payload={"question": "What then?"})
    log.fold()
    log.close()


def restore(scene: Scene) -> None:
    """An older copy of the database; perhaps the assistant goes on with it, knowing nothing."""
    remove(scene.database)
    shutil.copy(scene.dice.choice(scene.earlier[:-2]) / "audit.sqlite", scene.database)
    if scene.dice.random() < 0.2:
        append(scene, scene.dice.choice(["asked", "reviewed"]))


def edit_the_second_place(scene: Scene) -> None:
    lines = scene.lines()
    at = scene.dice.randrange(len(lines))
    match scene.dice.randrange(7):
        case 0:
            lines[at] = other_than(lines[at], scene.dice).replace("\n", "?").replace("\r", "?")
        case 1:
            del lines[at]
        case 2:
            lines = lines[:at]
        case 3:
            lines.insert(at, lines[scene.dice.randrange(len(lines))])
        case 4:
            other = (at + 1) % len(lines)
            lines[at], lines[other] = lines[other], lines[at]
        case 5:
            lines[at] = scene.dice.choice((scene.other / "checkpoints.jsonl").read_text().splitlines())
        case _:
            said = json.loads(lines[at])
            said[scene.dice.choice(["size", "number"])] += 1
            lines[at] = rfc8785.dumps(said).decode()
    scene.write(lines)


def forge(scene: Scene) -> None:
    """A log that is sound in itself, signed with another key; in one place or in both."""
    remove(scene.database)
    shutil.copy(scene.other / "audit.sqlite", scene.database)
    if scene.dice.random() < 0.5:
        shutil.copy(scene.other / "checkpoints.jsonl", scene.second_place)


def rewrite(scene: Scene) -> None:
    """An event says something else, and all that can be computed without the key agrees with it."""
    with scene.opened() as connection:
        seq, row = scene.pick(connection, "events")
        header = json.loads(row[3])
        key, salt = connection.execute("SELECT key, salt FROM payloads WHERE seq = ?", [seq]).fetchone()
        plain = rfc8785.dumps({"question": f"What {scene.dice.random()}?"})
        ciphertext = AESGCM(key).encrypt(salt[:12], plain, None)
        header["commitment"] = hashlib.sha256(salt + plain).hexdigest()
        header["facts"] = {"verdict": "wrong"}
        written = rfc8785.dumps(header)
        connection.execute("UPDATE events SET header = ?, hash = ? WHERE seq = ?", [written, leaf(written), seq])
        connection.execute("UPDATE payloads SET ciphertext = ? WHERE seq = ?", [ciphertext, seq])
        edge = edge_of([row[0] for row in connection.execute("SELECT hash FROM events ORDER BY seq")])
        said = json.loads(connection.execute("SELECT line FROM head").fetchone()[0]) | {"root": root(edge).hex()}
        connection.execute("UPDATE head SET line = ?, edge = ?", [rfc8785.dumps(said).decode(), b"".join(edge)])


def remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


WAYS: dict[Callable[[Scene], None], int] = {
    change_a_cell: 900,
    delete_rows: 200,
    reorder: 120,
    renumber: 30,
    duplicate: 90,
    truncate: 150,
    splice: 140,
    set_the_clock_back: 20,
    restore: 60,
    edit_the_second_place: 200,
    forge: 20,
    rewrite: 120,
}
