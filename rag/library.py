"""The documents: bring in, list, remove. What the command, the Sources page and the owner's door call."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from guardrails.audit.log import AuditLog
from rag.access import actor, require
from rag.errors import LoadError
from rag.index.catalogue import Catalogue
from rag.ingest.ingest import Ingestion
from rag.types import Ingested, Progress, Reader, Shelved


class Library:
    """The documents of one state folder.

    Args:
        uploads: folder for files that were handed in through the page.
    """

    def __init__(self, catalogue: Catalogue, ingestion: Ingestion, log: AuditLog, uploads: Path) -> None:
        self._catalogue = catalogue
        self._ingestion = ingestion
        self._log = log
        self._uploads = uploads

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
        if source not in {shelved.source for shelved in self.shelf(reader)}:
            raise LoadError(source, "there is no such document")
        path = next(path for path, (known, _) in self._catalogue.files().items() if known == source)
        self._ingestion.remove(source)
        if Path(path).is_relative_to(self._uploads):
            Path(path).unlink(missing_ok=True)
        self._log.append("removed", actor=actor(reader), facts={"documents": 1})

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
