"""The documents: bring in, list, release, remove. What the command, the Sources page and the owner's door call."""

from __future__ import annotations

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
from rag.types import Chunk, Ingested, Progress, Reader, SetAside, Shelved

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
        self, catalogue: Catalogue, ingestion: Ingestion, log: AuditLog, uploads: Path, gate: Callable[[], Gate]
    ) -> None:
        self._catalogue = catalogue
        self._ingestion = ingestion
        self._log = log
        self._uploads = uploads
        self._gate = gate

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
        self, paths: Sequence[Path], reader: Reader, cancelled: threading.Event | None = None, *, sample: bool = False
    ) -> Iterator[Progress]:
        """Bring files and folders into the index; see ``Ingestion``. What was done is recorded, also when cancelled."""
        require(reader, "editor")
        states: dict[str, int] = {}
        try:
            for progress in self._ingestion(paths, cancelled, sample=sample):
                if progress.latest:
                    states[progress.latest.state] = states.get(progress.latest.state, 0) + 1
                yield progress
        finally:
            self._log.append("ingested", actor=actor(reader), facts={"files": states})

    def upload(
        self, paths: Sequence[Path], reader: Reader, cancelled: threading.Event | None = None
    ) -> Iterator[Progress]:
        """Keep copies of files that were handed in, and ingest those. The same name replaces the older file."""
        require(reader, "editor")
        self._uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = []
        for path in paths:
            target = self._uploads / Path(path.name).name
            shutil.copyfile(path, target)
            kept.append(target)
        yield from self.ingest(kept, reader, cancelled)

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
