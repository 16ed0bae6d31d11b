"""The way of a command to the parts: the running assistant of the state folder, or this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag import cli_print
from rag.build import Candor
from rag.errors import OwnedElsewhere
from rag.owner import Address, Owner, address_of_owner
from rag.settings import Settings

PATIENCE = 600.0  # seconds that a command waits for another one
LOOK_EVERY = 0.5


@contextmanager
def door(settings: Settings, patience: float = PATIENCE, *, answers: bool = True) -> Iterator[Address | Candor]:
    """The running assistant of this state folder; without one, its parts in this process.

    Args:
        patience: seconds to wait for another command that is at work there.
        answers: whether questions will be asked; see ``Candor``.

    Raises:
        OwnedElsewhere: it was at work for longer.
    """
    owner = _owner(settings, patience)
    if isinstance(owner, Address):
        yield owner
        return
    candor = Candor(settings, answers=answers)
    try:
        with cli_print.waiting("Loading the models…"):
            candor.load()
        yield candor
    finally:
        candor.close()
        owner.release()


def _owner(settings: Settings, patience: float) -> Owner | Address:
    from rag.remote import answers

    until = time.monotonic() + patience
    told = False
    while True:
        try:
            return Owner(settings.state)
        except OwnedElsewhere as error:
            address = address_of_owner(settings.state)
            if address is not None and answers(address):
                return address
            if time.monotonic() >= until:
                raise OwnedElsewhere(f"{error}; this one has waited {patience:.0f} s for it") from None
        if not told:
            cli_print.note(f"another candor command is at work in {settings.state}; waiting for it (Ctrl-C: give up)")
            told = True
        time.sleep(LOOK_EVERY)
