"""Loads files in a process of its own, so that no file can crash, hang or fill the process that asks.

Started with ``python -m rag.ingest.worker``, the process reads one request a line from standard input and answers one
line each, both JSON: whatever a file does to it, it cannot send objects that run code here.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from guardrails.process import Child, ChildFailed, ChildNotStarted, ChildTimeout, serve
from rag.errors import LoaderFailed, LoadError, NoText
from rag.ingest import meta
from rag.types import Document

logger = logging.getLogger(__name__)

SECONDS = 60.0  # for one file
MEGABYTES = 2048  # of address space, where the system can limit it
GRACE = 5  # seconds after which the process ends itself although nobody killed it: its parent is gone
ERRORS: dict[str, type[LoadError]] = {kind.__name__: kind for kind in (LoadError, NoText, LoaderFailed)}


class Worker:
    """A process that loads files, started when it is first needed and again when it was lost. Safe to share."""

    def __init__(self, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._child = Child("rag.ingest.worker", str(megabytes))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process. The next file starts another."""
        self._child.close()

    def load(self, path: Path, root: Path, source: str = "") -> Document:
        """Do what ``rag.ingest.load.load`` does, in the other process.

        Raises:
            LoadError, NoText: as ``load`` does.
            LoaderFailed: the file crashed the process, took too long, or needed too much memory.
        """
        request = {"path": str(path), "root": str(root), "source": source, "seconds": self._seconds}
        try:
            answer = json.loads(self._child.ask(json.dumps(request), self._seconds))
        except ChildTimeout:
            raise LoaderFailed(path, f"it was not read within {self._seconds:.0f} s") from None
        except ChildNotStarted as error:
            raise LoaderFailed(path, f"the process that reads files failed: {error}") from None
        except ChildFailed as error:
            why = f"it crashed the process that read it ({error}): it is damaged, or needs more than"
            raise LoaderFailed(path, f"{why} {self._megabytes} MB") from None
        return self._document(path, answer)

    def _document(self, path: Path, answer: dict[str, Any]) -> Document:
        if "document" in answer:
            return from_json(answer["document"])
        if answer.get("memory"):
            self.close()  # what is left of its memory is no measure for the next file
            raise LoaderFailed(path, f"it needs more than {self._megabytes} MB of memory to be read")
        raise ERRORS[answer["error"]](path, answer["reason"])


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
    serve(lambda line: json.dumps(_served(json.loads(line))))


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
