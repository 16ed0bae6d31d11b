"""How much memory a whole ingestion takes. It has processes of its own, so that nothing else counts.

``python -m rag.evaluation.memory FOLDER``, with settings as JSON on standard input, is the ingestion.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rag.access import LOCAL_READER
from rag.build import Candor, quiet
from rag.errors import InstallationError
from rag.evaluation.trial import elsewhere
from rag.settings import Settings

LOOK_EVERY = 0.05  # seconds
PROCESSES = Path("/proc")


def peak_of_ingestion(folder: Path, settings: Settings) -> float:
    """The most that ``candor ingest`` holds in memory with the processes that it starts, in MiB.

    What several share counts for each. Where there is no ``/proc``, it is the command's own process alone.

    Raises:
        InstallationError: the ingestion broke off.
    """
    with elsewhere(settings) as own:
        command = [sys.executable, "-m", "rag.evaluation.memory", str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stdin  # noqa: S101 - it was asked for
        with process.stdin as stdin:
            stdin.write(own.model_dump_json())
        most = 0
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            most = max(most, held(process.pid))
            time.sleep(LOOK_EVERY)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InstallationError(f"the ingestion whose memory is measured ended with status {process.returncode}")
    if not most:
        most = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # bytes there, KiB elsewhere
    return round(most / 2**20, 1)


def held(process: int) -> int:
    """Bytes that a process and its descendants hold in memory now; 0 where that cannot be told."""
    return sum(map(_own, _with_descendants(process)))


def _with_descendants(process: int) -> Iterator[int]:
    yield process
    program = _read(PROCESSES / str(process) / "cmdline")
    for children in (PROCESSES / str(process) / "task").glob("*/children"):
        for child in _read(children).split():
            if _read(PROCESSES / child / "cmdline") != program:  # a child that is about to become one shares all
                yield from _with_descendants(int(child))


def _own(process: int) -> int:
    pages = _read(PROCESSES / str(process) / "statm").split()  # smaps would stop the process while it counts
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended
        return ""


def main() -> None:
    quiet()
    candor = Candor(Settings.model_validate_json(sys.stdin.read()), answers=False)
    try:
        candor.load()
        for _ in candor.library.ingest([Path(sys.argv[1])], LOCAL_READER):
            pass
    finally:
        candor.close()


if __name__ == "__main__":
    main()
