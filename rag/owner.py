"""One process owns a state folder. Others that want to change it ask the owner.

The owner holds a lock on the folder for as long as it lives; the operating system lets go of it when the process ends,
however it ends. While it serves, a note beside the lock says where it listens and with which key.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import OwnedElsewhere


@dataclass(frozen=True, slots=True)
class Address:
    """Where the owner of a state folder listens."""

    pid: int
    url: str  # on loopback
    key: str  # a secret of this run; whoever can read the state folder may use it

    def __repr__(self) -> str:
        return f"Address(pid={self.pid}, url={self.url!r}, key='********')"


class Owner:
    """Holds a state folder until ``release``.

    Raises:
        OwnedElsewhere: another process holds it.
    """

    def __init__(self, state: Path) -> None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._note = state / "owner.json"
        self._lock = FileLock(str(state / "owner.lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise OwnedElsewhere(f"{state} is in use by another candor process; wait for it or stop it") from None
        self._note.unlink(missing_ok=True)

    def announce(self, url: str) -> Address:
        """Say where this process listens, in a file that only its user can read."""
        address = Address(os.getpid(), url, secrets.token_urlsafe(32))
        with os.fdopen(os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as note:
            json.dump(asdict(address), note)
        return address

    def release(self) -> None:
        self._note.unlink(missing_ok=True)
        self._lock.release()


@contextmanager
def owning(state: Path) -> Iterator[Owner]:
    owner = Owner(state)
    try:
        yield owner
    finally:
        owner.release()


def address_of_owner(state: Path) -> Address | None:
    """Where the process that owns this folder listens; None when it does not listen, or when there is none."""
    try:
        return Address(**json.loads((state / "owner.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
