"""The documents: bring in, list, release, remove. What the command, the Sources page and the owner's door call."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guardrails.audit.log import AuditLog
from guardrails.gate import Gate
from guardrails.types import Action, Context, Evidence
from rag.access import actor, audience, require
from rag.errors import CandorError, LoadError
from rag.index.catalogue import Catalogue
from rag.ingest.ingest import Ingestion
from rag.ingest.run import PATIENCE, Run
from rag.ingest.verify import verify
from rag.purge import Purge, Purged
from rag.types import Chunk, Difference, Ingested, Progress, Reader, SetAside, Shelved, Verified

logger = logging.getLogger(__name__)

MOST_SHOWN = 20  # of the passages of one document that were set aside; each passes the gate
LONGEST_SHOWN = 1200  # characters of each
INSTRUCTS = "It reads like instructions to the assistant."
NOT_AGAIN = (
    "It was set aside when the document was put in, because it read like instructions to the assistant or could not be "
    "checked. Looked at again now, nothing is found."
)
NOT_CHECKED = "It cannot be shown: a check could not be made just now."


class Library:
    """The documents of one state folder.

    Args:
        uploads: folder for files that were handed in through the page.
        gate: with the policy that is in force now.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        ingestion: Ingestion,
        log: AuditLog,
        uploads: Path,
        gate: Callable[[], Gate],
        purge: Purge,
    ) -> None:
        self._catalogue = catalogue
        self._ingestion = ingestion
        self._log = log
        self._uploads = uploads
        self._gate = gate
        self._purge = purge
        self._runs: tuple[Run, ...] = ()  # those at work, oldest first; when there are none, the latest

    def shelf(self, reader: Reader) -> list[Shelved]:
        """The documents that this reader may see, in order of source."""
        require(reader, "user")
        audiences, _ = self._catalogue.audiences(reader.groups)
        return self._catalogue.shelf(audiences)

    def failures(self, reader: Reader) -> list[Ingested]:
        """Files that could not be read when they were last tried."""
        require(reader, "editor")
        return list(self._catalogue.failed().values())

    def is_empty(self) -> bool:
        return self._catalogue.count()[0] == 0

    def ingest(
        self,
        paths: Sequence[Path],
        reader: Reader,
        *,
        sample: bool = False,
        mass_removal: bool = False,
    ) -> Iterator[Progress]:
        """Bring files and folders into the index; see ``Ingestion``. Who stops drawing from it cancels it.

        What was done is recorded, also then.
        """
        require(reader, "editor")
        run = self._begin(paths, reader, sample=sample, mass_removal=mass_removal)
        try:
            yield from run.follow()
        finally:
            run.cancel()
            run.wait(PATIENCE)

    def upload(self, paths: Sequence[Path], reader: Reader) -> Run:
        """Keep copies of files that were handed in, and ingest those. The same name replaces the older file."""
        require(reader, "editor")
        self._uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._begin([self._kept(path) for path in paths], reader)

    def running(self, reader: Reader) -> Run | None:
        """The ingestion at work that began first, wherever it was asked for; else the latest of this process."""
        require(reader, "editor")
        return next((run for run in self._runs if not run.over), self._runs[-1] if self._runs else None)

    def verify(
        self, paths: Sequence[Path], reader: Reader, *, mass_removal: bool = False
    ) -> Iterator[Difference | Progress | Verified]:
        """Compare store, keyword index and folder, and mend what differs; see ``rag/ingest/verify.py``."""
        require(reader, "editor")
        yield from verify(self._ingestion, paths, lambda these: self.ingest(these, reader, mass_removal=mass_removal))

    def remove(self, source: str, reader: Reader) -> None:
        """Remove a document from the index, and the file if it was handed in through the page.

        Raises:
            LoadError: there is no such document that this reader may see.
        """
        require(reader, "editor")
        self._require_on_shelf(source, reader)
        path = next(path for path, (known, _) in self._catalogue.files().items() if known == source)
        self._ingestion.remove(source)
        if Path(path).is_relative_to(self._uploads):
            Path(path).unlink(missing_ok=True)
        self._log.append("removed", actor=actor(reader), facts={"documents": 1})

    def purge(self, source: str, reader: Reader) -> Purged:
        """Remove every byte of a document, also of one that was removed before; see ``rag/purge.py``.

        Raises:
            LoadError: there is no such document that this reader may see.
        """
        self._begin_purge(source, reader)
        return next(purged for purged in self._purge.complete() if purged.source == source)

    def purge_removed(self, reader: Reader) -> int:
        """Leave nothing of whatever was removed so far, by whichever way; how many documents the record quoted."""
        require(reader, "editor")
        return self._purge.removed(reader)

    def delete(self, source: str, reader: Reader) -> None:
        """``purge``, of which the slow part is done in the background: at once, nobody finds the document any more.

        Raises:
            LoadError: there is no such document that this reader may see.
        """
        self._begin_purge(source, reader)
        threading.Thread(target=self._complete_purges, name="purging", daemon=True).start()

    def quarantined(self, source: str, reader: Reader, limit: int = MOST_SHOWN) -> list[SetAside]:
        """The passages of a document that are set aside, in order, as this reader may see them.

        Raises:
            LoadError: there is no such document that this reader may see.
        """
        require(reader, "editor")
        self._require_on_shelf(source, reader)
        gate = self._gate()
        return [_set_aside(gate, chunk, reader) for chunk in self._catalogue.quarantined(source)[:limit]]

    def release(self, source: str, reader: Reader) -> int:
        """Let answers rest on the passages of a document that were set aside; how many they are.

        Recorded before it takes effect. A new version of the file is looked at afresh.

        Raises:
            LoadError: there is no such document that this reader may see.
            CandorError: nothing of it is set aside.
        """
        require(reader, "editor")
        self._require_on_shelf(source, reader)
        held = len(self._catalogue.quarantined(source))
        if not held:
            raise CandorError(f"no passage of {source} is set aside")
        self._log.append("released", actor=actor(reader), facts={"documents": 1, "chunks": held})
        return self._catalogue.release(source)

    def rebuild(self, reader: Reader) -> None:
        """Forget every document and how they were cut and embedded; the files are untouched."""
        require(reader, "editor")
        self._ingestion.forget_everything()
        self._log.append("removed", actor=actor(reader), facts={"everything": True})

    def remove_samples(self, reader: Reader) -> int:
        """Remove the documents that came with the product; how many there were."""
        require(reader, "editor")
        samples = [shelved.source for shelved in self.shelf(reader) if shelved.sample]
        for source in samples:
            self._ingestion.remove(source)
        self._log.append("removed", actor=actor(reader), facts={"documents": len(samples)})
        return len(samples)

    def close(self) -> None:
        """Have what is at work end."""
        for run in self._runs:
            run.cancel()
            run.wait(2 * PATIENCE)

    def _begin(self, paths: Sequence[Path], reader: Reader, *, sample: bool = False, mass_removal: bool = False) -> Run:
        def steps(cancelled: threading.Event) -> Iterator[Progress]:
            states: dict[str, int] = {}
            try:
                for progress in self._ingestion(paths, cancelled, sample=sample, mass_removal=mass_removal):
                    if progress.latest:
                        states[progress.latest.state] = states.get(progress.latest.state, 0) + 1
                    yield progress
            finally:
                self._log.append("ingested", actor=actor(reader), facts={"files": states})

        run = Run(steps)
        self._runs = (*(other for other in self._runs if not other.over), run)
        return run

    def _kept(self, path: Path) -> Path:
        """A copy of a file among those that were handed in; a kill leaves the whole of it or nothing."""
        target = self._uploads / Path(path.name).name
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(path, part)
        os.replace(part, target)
        return target

    def _begin_purge(self, source: str, reader: Reader) -> None:
        require(reader, "editor")
        if source in {known for known, _ in self._catalogue.files().values()}:
            self._require_on_shelf(source, reader)
        self._purge.begin(source, reader)

    def _complete_purges(self) -> None:
        try:
            self._purge.complete()
        except Exception as error:  # noqa: BLE001 - the journal stays, and the next start goes on with it
            logger.error("a purge is not complete (%s); it goes on at the next start", type(error).__name__)

    def _require_on_shelf(self, source: str, reader: Reader) -> None:
        if source not in {shelved.source for shelved in self.shelf(reader)}:
            raise LoadError(source, "there is no such document")


def _set_aside(gate: Gate, chunk: Chunk, reader: Reader) -> SetAside:
    public = chunk.public_contacts or gate.policy.is_public(chunk.source)
    checked = gate.passage(Evidence(chunk.id, chunk.text, chunk.title, public), Context(audience=audience(reader)))
    if checked is None:
        return SetAside("", chunk.page, NOT_CHECKED)
    why = INSTRUCTS if checked.action >= Action.DROP else NOT_AGAIN
    return SetAside(_shortened(checked.shown.text), chunk.page, why)


def _shortened(text: str) -> str:
    """The beginning of a redacted text, cut between words."""
    if len(text) <= LONGEST_SHOWN:
        return text
    return text[: LONGEST_SHOWN + 1].rpartition(" ")[0][:LONGEST_SHOWN] + " …"
