"""Loads files in a process of its own, so that no file can crash, hang or fill the process that asks.

Started with ``python -m rag.ingest.worker``, the process reads one request a line from standard input and answers one
line each, both JSON: whatever a file does to it, it cannot send objects that run code here.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from rag.errors import LoaderFailed, LoadError, NoText
from rag.ingest import meta
from rag.types import Document

logger = logging.getLogger(__name__)

SECONDS = 60.0  # for one file
MEGABYTES = 2048  # of address space, where the system can limit it
START_SECONDS = 30.0  # it takes under one; more only on a machine that is busy or cold
GRACE = 5  # seconds after which the process ends itself although nobody killed it: its parent is gone
READY = "ready"
ERRORS: dict[str, type[LoadError]] = {kind.__name__: kind for kind in (LoadError, NoText, LoaderFailed)}


class Worker:
    """A process that loads files, started when it is first needed and again when it was lost. Safe to share."""

    def __init__(self, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process. The next file starts another."""
        with self._one_at_a_time:
            self._end()

    def load(self, path: Path, root: Path, source: str = "") -> Document:
        """Do what ``rag.ingest.load.load`` does, in the other process.

        Raises:
            LoadError, NoText: as ``load`` does.
            LoaderFailed: the file crashed the process, took too long, or needed too much memory.
        """
        request = {"path": str(path), "root": str(root), "source": source, "seconds": self._seconds}
        with self._one_at_a_time:
            return self._document(path, self._answer(path, json.dumps(request)))

    def _answer(self, path: Path, request: str) -> str:
        process = self._running(path)
        try:
            _pipe(process.stdin).write(request + "\n")
            _pipe(process.stdin).flush()
            line = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self._end()
            raise LoaderFailed(path, f"it was not read within {self._seconds:.0f} s") from None
        except OSError:
            line = None
        if line is None:
            raise LoaderFailed(path, self._why_it_ended())
        return line

    def _document(self, path: Path, line: str) -> Document:
        answer = json.loads(line)
        if "document" in answer:
            return from_json(answer["document"])
        if answer.get("memory"):
            self._end()  # what is left of its memory is no measure for the next file
            raise LoaderFailed(path, f"it needs more than {self._megabytes} MB of memory to be read")
        raise ERRORS[answer["error"]](path, answer["reason"])

    def _running(self, path: Path) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = process = _start(self._megabytes)
        self._answers = queue.SimpleQueue()
        threading.Thread(target=_collect, args=(_pipe(process.stdout), self._answers), daemon=True).start()
        try:
            ready = self._answers.get(timeout=START_SECONDS)
        except queue.Empty:
            ready = None
        if ready != READY:
            self._end()
            raise LoaderFailed(path, "the process that reads files could not be started; run candor doctor")
        return process

    def _why_it_ended(self) -> str:
        process = self._process
        try:
            status = process.wait(timeout=GRACE) if process else 0
        except subprocess.TimeoutExpired:
            status = 0
        self._end()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"it crashed the process that read it ({how}): it is damaged, or needs more than {self._megabytes} MB"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:
                logger.debug("a pipe of the ended process was closed already")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("the process was started without pipes")
    return pipe


def _start(megabytes: int) -> subprocess.Popen[str]:
    package = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return subprocess.Popen(
        # -P: no module of the folder that the program happens to be started in
        [sys.executable, "-P", "-m", "rag.ingest.worker", str(megabytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what a library prints may quote the file
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [package, known])), "PYTHONUTF8": "1"},
        encoding="utf-8",
        bufsize=1,
    )


def _collect(pipe: IO[str], answers: queue.SimpleQueue[str | None]) -> None:
    """Put each line into ``answers``, then None when the process has closed its end."""
    try:
        for line in pipe:
            answers.put(line.rstrip("\n"))
    except (OSError, ValueError):
        logger.debug("the pipe was closed while it was read")
    answers.put(None)


def to_json(document: Document) -> dict[str, Any]:
    """``document`` as JSON can hold it; ``from_json`` is its inverse."""
    return asdict(document) | {"meta": meta.to_json(document.meta)}


def from_json(values: dict[str, Any]) -> Document:
    """The ``Document`` that ``to_json`` was given."""
    said, starts = meta.from_json(values["meta"]), tuple(values["page_starts"])
    return Document(**{**values, "meta": said, "page_starts": starts})


def main() -> None:
    """Serve requests until standard input ends."""
    _limit_memory(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not break the protocol
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_watch, args=(requests,), daemon=True).start()
    print(READY, file=answers, flush=True)
    while True:
        print(json.dumps(_served(json.loads(requests.get()))), file=answers, flush=True)


def _watch(requests: queue.SimpleQueue[str]) -> None:
    """Hand on each request; when the parent is gone, end at once, also in the middle of a file."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _served(request: dict[str, Any]) -> dict[str, Any]:
    from rag.ingest.load import load

    path = Path(request["path"])
    try:
        with _ends_itself_after(request["seconds"] + GRACE):
            return {"document": to_json(load(path, Path(request["root"]), request["source"]))}
    except LoadError as error:
        return {"error": type(error).__name__, "reason": error.reason}
    except MemoryError:
        return {"memory": True}


@contextmanager
def _ends_itself_after(seconds: float) -> Iterator[None]:
    """Let the system end this process in time, even where a library keeps Python itself from running."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(megabytes: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    except (ImportError, ValueError, OSError):  # not every system can; the time limit still holds
        logger.debug("this system cannot limit the memory of a process")


if __name__ == "__main__":
    main()
