"""Loads files in a process of its own, so that no file can crash, hang or fill the process that asks.

Started with ``python -m rag.ingest.worker``, the process reads one request a line from standard input and answers one
line each, both JSON: whatever a file does to it, it cannot send objects that run code here.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from guardrails.process import Child, ChildFailed, ChildNotStarted, ChildTimeout, serve
from rag.errors import LoaderFailed, LoadError, NoText, NotUnderstood
from rag.ingest import meta
from rag.types import Document, Limits

logger = logging.getLogger(__name__)

WAY_OUT = "split it, save it anew, or raise"
GRACE = 5  # seconds after which the process ends itself although nobody killed it: its parent is gone
ERRORS: dict[str, type[LoadError]] = {kind.__name__: kind for kind in (LoadError, NoText, NotUnderstood, LoaderFailed)}


class Worker:
    """A process that loads files, started when it is first needed and again when it was lost. Safe to share."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        # What lies inside a file is laid here to be read: a process that is killed cannot clear it away itself.
        self.folder = Path(tempfile.gettempdir(), f"candor-{secrets.token_hex(8)}")
        self._child = Child("rag.ingest.worker", str(limits.megabytes), str(self.folder))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process. The next file starts another."""
        self._child.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def interrupt(self) -> None:
        """End whatever is being loaded; who waits for it gets ``LoaderFailed``."""
        self._child.interrupt()

    def load(self, path: Path, root: Path, source: str = "") -> Document:
        """Do what ``rag.ingest.load.load`` does, in the other process.

        Raises:
            LoadError, NoText: as ``load`` does.
            LoaderFailed: the file crashed the process, took too long, or needed too much memory.
        """
        return from_json(self._asked(path, {"root": str(root), "source": source})["document"])

    def locate(self, path: Path, start: int, end: int) -> dict[str, Any]:
        """Do what ``rag.ingest.pdf_picture.locate`` does, in the other process; raises as ``load`` does."""
        return self._asked(path, {"locate": [start, end]})

    def draw(self, path: Path, page: int, marked: Sequence[int], hidden: Sequence[int]) -> dict[str, Any]:
        """Do what ``rag.ingest.pdf_picture.draw`` does, in the other process; raises as ``load`` does."""
        return self._asked(path, {"draw": [page, marked, hidden]})

    def _asked(self, path: Path, wish: dict[str, Any]) -> dict[str, Any]:
        request = {"path": str(path), "limits": asdict(self._limits), **wish}
        seconds, megabytes = self._limits.seconds, self._limits.megabytes
        self.folder.mkdir(mode=0o700, exist_ok=True)
        try:
            answer: dict[str, Any] = json.loads(self._child.ask(json.dumps(request), seconds))
        except ChildTimeout:
            reason = f"it was not read within {seconds:.0f} s; {WAY_OUT} ingest.seconds in the settings"
        except ChildNotStarted as error:
            reason = f"the process that reads files failed: {error}"
        except ChildFailed as error:
            reason = f"it crashed the process that read it ({error}): it is damaged, or needs more than {megabytes} MB"
        else:
            if "error" in answer:
                raise ERRORS[answer["error"]](path, answer["reason"])
            if not answer.get("memory"):
                return answer
            reason = f"it needs more than {megabytes} MB of memory; {WAY_OUT} ingest.megabytes in the settings"
        self.close()  # what is left of its memory is no measure for the next file
        raise LoaderFailed(path, reason)


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
    tempfile.tempdir = sys.argv[2]
    serve(lambda line: json.dumps(_served(json.loads(line))))


def _served(request: dict[str, Any]) -> dict[str, Any]:
    path, limits = Path(request["path"]), Limits(**request["limits"])
    try:
        with _ends_itself_after(limits.seconds + GRACE):
            return _done(path, request, limits)
    except LoadError as error:
        return {"error": type(error).__name__, "reason": error.reason}
    except MemoryError:
        return {"memory": True}


def _done(path: Path, request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    if "root" in request:
        from rag.ingest.load import load

        return {"document": to_json(load(path, Path(request["root"]), request["source"], limits))}
    from rag.ingest import pdf_picture

    if "locate" in request:
        return pdf_picture.locate(path, *request["locate"])
    return pdf_picture.draw(path, *request["draw"])


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
