"""Opens a relational database with the settings that its safety rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event


def open_sqlite(path: Path, *, durable: bool) -> Engine:
    """Open or make a SQLite database that several threads and processes may use.

    Args:
        path: its file; the folder is made if it is missing, readable by its owner only.
        durable: a commit waits until the disk has it (``synchronous=FULL``); otherwise a
            power cut may lose the last commits, but never harms the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connecting = {"timeout": 10, "check_same_thread": False}
    # An error would quote the row, and a log of statements every row.
    engine = create_engine(f"sqlite:///{path}", connect_args=connecting, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        for pragma in ("journal_mode=WAL", f"synchronous={'FULL' if durable else 'NORMAL'}", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read transaction fails when another one wrote meanwhile.
        mode = "IMMEDIATE" if connection.get_execution_options().get("writes") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end, rolled back when anything is raised."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def fold(engine: Engine) -> None:
    """Write what the write-ahead file holds into the database, and empty it. Waits for readers, at most 10 s."""
    _alone(engine, "PRAGMA wal_checkpoint(TRUNCATE)")


def compact(engine: Engine) -> None:
    """Write the database anew, so that nothing is left of what was deleted. Needs as much disk as it holds."""
    _alone(engine, "VACUUM")
    fold(engine)


def _alone(engine: Engine, statement: str) -> None:
    """Run what must not stand in a transaction."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute(statement).fetchall()
