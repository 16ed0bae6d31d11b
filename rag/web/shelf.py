"""What the sources page does: list, put in, take out, see and release what was set aside.

Each function checks the role and returns values.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.access import LOCAL_READER, require
from rag.errors import CandorError
from rag.ingest.run import Report, Run, report
from rag.types import Ingested, Progress, Reader, SetAside, Shelved
from rag.web import words
from rag.web.faults import told

if TYPE_CHECKING:
    from rag.build import Candor


@dataclass(frozen=True, slots=True)
class Work:
    """How an ingestion stands, wherever it was asked for."""

    now: Progress
    files: tuple[Ingested, ...] = ()
    running: bool = True
    cancelled: bool = False
    problem: str = ""

    @property
    def report(self) -> Report:
        return report(self.files, self.now.seconds)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page lists."""

    documents: tuple[Shelved, ...] = ()
    failures: tuple[Ingested, ...] = ()
    all_documents: int = 0  # before the filter
    offer_removal: bool = False  # own documents and samples lie side by side
    exchanging: tuple[int, int] | None = None  # chunks that have a vector of another embedding model, of all


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What of one document is set aside."""

    document: Shelved
    passages: tuple[SetAside, ...]  # the first of them


class Shelf:
    """The functions behind the sources page."""

    def __init__(self, candor: Candor) -> None:
        self.candor = candor

    def listing(self, wanted: str = "", reader: Reader = LOCAL_READER) -> Listing:
        """Documents whose title or file contains ``wanted``; nothing while the index is being opened."""
        require(reader, "user")
        if not self.candor.startup.ready:
            return Listing()
        found = self.candor.library.shelf(reader)
        kept = [item for item in found if wanted.strip().casefold() in f"{item.title}\n{item.source}".casefold()]
        samples = sum(item.sample for item in found)
        return Listing(
            tuple(sorted(kept, key=lambda item: (item.sample, item.title.casefold(), item.source))),
            tuple(self.candor.library.failures(reader)) if "editor" in reader.roles else (),
            len(found),
            offer_removal=0 < samples < len(found),
            exchanging=self.candor.exchanging,
        )

    def upload(self, files: Sequence[str], reader: Reader = LOCAL_READER) -> Work:
        """Put files in: begun, and gone on with whoever looks. The page's own copies of them are deleted."""
        require(reader, "editor")
        paths = [Path(name) for name in files]
        try:
            return _standing(self.candor.library.upload(paths, reader))
        except CandorError as error:
            return Work(Progress(0, len(paths)), running=False, problem=str(error))
        except Exception as error:  # noqa: BLE001 - an editor is told that something went wrong, whatever it was
            return Work(Progress(0, len(paths)), running=False, problem=told("an upload broke off", error))
        finally:
            for path in paths:
                shutil.rmtree(path.parent, ignore_errors=True)

    def work(self, reader: Reader = LOCAL_READER) -> Work | None:
        """The ingestion at work, wherever it was asked for; else the latest."""
        require(reader, "editor")
        run = self.candor.library.running(reader) if self.candor.startup.ready else None
        return _standing(run) if run else None

    def cancel(self, reader: Reader = LOCAL_READER) -> None:
        """Have the ingestion at work end, in the middle of whatever it does."""
        require(reader, "editor")
        run = self.candor.library.running(reader)
        if run is not None:
            run.cancel()

    def quarantine(self, source: str, reader: Reader = LOCAL_READER) -> Quarantine:
        """The passages of a document that are set aside, as this reader may see them.

        Raises:
            CandorError: there is no such document, or nothing of it is set aside.
        """
        require(reader, "editor")
        document = next((item for item in self.candor.library.shelf(reader) if item.source == source), None)
        if document is None or not document.quarantined:
            raise CandorError("This document is no longer there, or nothing of it is set aside. Reload the page.")
        return Quarantine(document, tuple(self.candor.library.quarantined(source, reader)))

    def release(self, source: str, reader: Reader = LOCAL_READER) -> str:
        """Let answers rest on what was set aside of a document; returns what to say."""
        require(reader, "editor")
        released = self.candor.library.release(source, reader)
        return f"Answers may rest on {words.count(released, 'more passage')} of {source} from now on."

    def remove(self, source: str, reader: Reader = LOCAL_READER) -> str:
        """Take one document out, with every byte of it; returns what to say."""
        require(reader, "editor")
        self.candor.library.delete(source, reader)
        return f"{source} was removed. Answers no longer use it."

    def remove_samples(self, reader: Reader = LOCAL_READER) -> str:
        require(reader, "editor")
        return f"{words.count(self.candor.library.remove_samples(reader), 'sample document')} removed."


def _standing(run: Run) -> Work:
    stopped = run.over and run.cancelled.is_set()
    problem = run.problem
    line = str(problem) if isinstance(problem, CandorError) else "It broke off; see the log." if problem else ""
    return Work(run.now, run.files, running=not run.over, cancelled=stopped, problem=line)
