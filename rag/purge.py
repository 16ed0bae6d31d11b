"""Complete removal: afterwards no file of the state folder holds a byte of what the document said.

Rows, words and vectors go; the files that held them are rewritten; the file goes if it was handed in through the page;
the key of what the record and the conversations quote of it is destroyed, unless it is on legal hold. Then every file
is searched for what the document said, and what is found is told.

Killed at any moment, the same call completes it; so does ``resume``, which belongs at the start of a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from guardrails.audit.log import AuditLog
from rag.index.catalogue import Catalogue
from rag.index.store import VectorStore
from rag.types import Reader


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did, and what it could not."""

    source: str
    chunks: int  # that were removed; 0 when the document had been removed before
    searched: int  # pieces of its text that every file was searched for; 0: its text was not known any more
    held: bool  # a legal hold keeps the key of what the record quotes of it; destroyed when the hold is lifted
    elsewhere: tuple[str, ...]  # other documents that say the same in part: their words stay
    left: tuple[str, ...]  # files of the state folder that still hold something of it; empty: it is gone
    seconds: float


class Purge:
    """Purges documents of one state folder. One at a time; asking goes on meanwhile, ingesting waits.

    Args:
        state: the folder; everything below it is searched.
    """

    def __init__(self, state: Path, catalogue: Catalogue, vectors: VectorStore, log: AuditLog) -> None:
        self._state = state
        self._catalogue = catalogue
        self._vectors = vectors
        self._log = log

    def __call__(self, source: str, reader: Reader) -> Purged:
        """Purge one document, whether it is still there or was removed before.

        Raises:
            NotAllowed: the reader is no editor.
            LoadError: there is, and was, no such document.
            StoreError: a file cannot be rewritten; the same call completes it.
        """
        raise NotImplementedError

    def removed(self, reader: Reader) -> int:
        """Purge what ordinary removal has left of documents that are gone: files are rewritten, keys destroyed.

        Returns:
            How many documents that were.
        """
        raise NotImplementedError

    def resume(self) -> Purged | None:
        """Complete a purge that was interrupted; None when there is none."""
        raise NotImplementedError
