"""The one door to watchfiles: what changes in a folder is taken over once it has settled, what is deleted too.

Each time a command of its own does it, as one would by hand: it goes through the page where one runs, and whatever
happens to it, the watch goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rag.ingest.meta import FOLDER, SIDE_CAR

SETTLED = 2.0  # seconds without a change, after which what changed is taken over
LONGEST = 30.0  # seconds of changes without a pause, after which it is taken over all the same
WHOLE_EVERY = 3600.0  # seconds: whole folders are compared, since disks elsewhere on the network do not tell
RETRY = 60.0  # seconds after which a command that failed is tried again, with whole folders
MOST = 100  # paths named to one command; beyond, the whole folders are
GRACE = 10.0  # seconds for a command to end by itself after Ctrl-C
UNUSABLE = 2  # exit status of a command that could do nothing

Ingest = Callable[[Sequence[Path]], int]  # its exit status


def watch(
    folders: Sequence[Path],
    ingest: Ingest,
    *,
    complain: Callable[[str], None],
    stop: threading.Event | None = None,
    settled: float = SETTLED,
    retry: float = RETRY,
) -> None:
    """Take over what is there, then what changes, until ``stop`` or Ctrl-C."""
    stop = stop or threading.Event()
    while not stop.is_set():
        if missing := [folder for folder in folders if not folder.exists()]:
            complain(f"{', '.join(map(str, missing))} is not there; nothing is removed, waiting for it to come back")
            while not stop.is_set() and not all(folder.exists() for folder in folders):
                stop.wait(settled)
            continue
        _until_one_is_gone(folders, ingest, stop, settled, retry)


def command(options: Sequence[str]) -> Ingest:
    """``candor ingest`` as a process of its own."""

    def ingest(paths: Sequence[Path]) -> int:
        known = os.environ.get("PYTHONPATH")
        here = str(Path(__file__).resolve().parents[2])
        with subprocess.Popen(
            [sys.executable, "-P", "-c", "from rag.cli import main; main()", "ingest", *options, *map(str, paths)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [here, known]))},
        ) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the terminal told it too
                process.wait(GRACE)
                raise

    return ingest


def affected(changed: Iterable[Path], folders: Sequence[Path]) -> list[Path]:
    """What must be looked at when these paths changed: the file itself, or the folder from which something is gone."""
    found = {_nearest(path, folder) for path in changed for folder in folders if path.is_relative_to(folder)}
    if len(found) > MOST:
        return list(folders)
    return sorted(path for path in found if not any(parent in found for parent in path.parents))


def _until_one_is_gone(
    folders: Sequence[Path], ingest: Ingest, stop: threading.Event, settled: float, retry: float
) -> None:
    from watchfiles import watch as changes

    whole_at = time.monotonic()  # when the whole folders are to be compared
    # It begins to listen at its first step, which is before anything is compared: no change falls in between.
    for seen in changes(
        *folders,
        watch_filter=lambda _, path: _is_meant(Path(path), folders),
        step=int(settled * 1000),
        debounce=int(max(LONGEST, settled) * 1000),
        rust_timeout=int(settled * 1000),
        yield_on_timeout=True,
        stop_event=stop,
        ignore_permission_denied=True,
    ):
        if not all(folder.exists() for folder in folders):
            return
        whole = time.monotonic() >= whole_at
        paths = list(folders) if whole else affected((Path(path) for _, path in seen), folders)
        if paths and not stop.is_set():
            status = ingest(paths)
            if whole or status == UNUSABLE:
                whole_at = time.monotonic() + (retry if status == UNUSABLE else WHOLE_EVERY)


def _is_meant(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a change matters: not that of a hidden file, nor of one beside a file that was named itself."""
    around = [folder for folder in folders if path.is_relative_to(folder)]
    return any(not any(part.startswith(".") for part in path.relative_to(folder).parts) for folder in around)


def _nearest(path: Path, folder: Path) -> Path:
    if path.name == FOLDER:
        path = path.parent
    elif path.name.endswith(SIDE_CAR):
        path = path.with_name(path.name.removesuffix(SIDE_CAR))
    while path != folder and not path.exists():
        path = path.parent
    return path
