"""What the sources page does: list, put in, take out, see and release what was set aside.

Each function checks the role and returns values.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.access import LOCAL_READER, require
from rag.errors import CandorError
from rag.types import Ingested, Progress, Reader, SetAside, Shelved
from rag.web import words
from rag.web.faults import told

if TYPE_CHECKING:
    from rag.build import Candor


@dataclass(frozen=True, slots=True)
class Upload:
    """How an upload stands."""

    done: int
    total: int
    files: tuple[Ingested, ...] = ()
    running: bool = True
    cancelled: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page lists."""

    documents: tuple[Shelved, ...] = ()
    failures: tuple[Ingested, ...] = ()
    all_documents: int = 0  # before the filter
    offer_removal: bool = False  # own documents and samples lie side by side


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What of one document is set aside."""

    document: Shelved
    passages: tuple[SetAside, ...]  # the first of them


class Shelf:
    """The functions behind the sources page."""

    def __init__(self, candor: Candor) -> None:
        self.candor = candor
        self._cancelled: threading.Event | None = None

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
        )

    def upload(self, files: Sequence[str], reader: Reader = LOCAL_READER) -> Iterator[Upload]:
        """Put files in, one yield per file; the page's own copies of them are deleted at the end."""
        require(reader, "editor")
        paths = [Path(name) for name in files]
        if self._cancelled is not None:
            yield Upload(0, len(paths), running=False, problem="another upload is running; wait for it or cancel it")
            return
        cancelled = self._cancelled = threading.Event()
        state = Upload(0, len(paths))
        problem = ""
        try:
            yield state
            for progress in self.candor.library.upload(paths, reader, cancelled):
                state = _with(state, progress)
                yield state
        except CandorError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - an editor is told that something went wrong, whatever it was
            problem = told("an upload broke off", error)
        finally:
            self._cancelled = None
            for path in paths:
                shutil.rmtree(path.parent, ignore_errors=True)
        stopped = cancelled.is_set() and state.done < state.total
        yield Upload(state.done, state.total, state.files, running=False, cancelled=stopped, problem=problem)

    def cancel(self, reader: Reader = LOCAL_READER) -> None:
        """Ask the running upload to end after the file it is reading."""
        require(reader, "editor")
        if self._cancelled is not None:
            self._cancelled.set()

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
        """Take one document out; returns what to say."""
        require(reader, "editor")
        self.candor.library.remove(source, reader)
        return f"{source} was removed. Answers no longer use it."

    def remove_samples(self, reader: Reader = LOCAL_READER) -> str:
        require(reader, "editor")
        return f"{words.count(self.candor.library.remove_samples(reader), 'sample document')} removed."


def _with(state: Upload, progress: Progress) -> Upload:
    files = (*state.files, progress.latest) if progress.latest else state.files
    return Upload(progress.done, progress.total, files)
