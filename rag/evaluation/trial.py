"""An index in a temporary folder, made of the product's parts: the reader's own index and log stay untouched."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from guardrails.encoder import Encoder
from rag.errors import DataError
from rag.index.catalogue import Catalogue
from rag.index.embed import Embedder
from rag.index.exchange import open_index
from rag.index.retrieve import Retriever
from rag.index.store import VectorStore
from rag.ingest.files import File
from rag.ingest.ingest import Ingestion, Read
from rag.ingest.split import split
from rag.settings import Audit, Settings
from rag.types import Document, Message

T = TypeVar("T")
OnProgress = Callable[[str, int, int], None]  # what is being done, how many are, of how many
GROUP = 64  # documents stored together


def unseen(_doing: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One temporary index."""

    settings: Settings
    encoder: Embedder
    catalogue: Catalogue
    vectors: VectorStore
    retrieve: Retriever

    def add(self, documents: Sequence[Document], on_progress: OnProgress = unseen) -> None:
        """Split, embed and store, as an ingestion does once it has read the files."""
        ingestion = Ingestion(self.catalogue, self.vectors, self.encoder, self.settings.chunks)
        for first in range(0, len(documents), GROUP):
            group = documents[first : first + GROUP]
            for _ in ingestion.store([self._read(document) for document in group if document.text.strip()]):
                pass
            on_progress("Indexing", first + len(group), len(documents))

    def _read(self, document: Document) -> Read:
        file = File(Path("/", document.source), Path("/"), document.source)
        chunks = split(document, self.settings.chunks.size, self.settings.chunks.overlap)
        return Read(file, "", document, chunks)


@contextmanager
def trial(settings: Settings) -> Iterator[Trial]:
    """A temporary index with these settings."""
    with elsewhere(settings) as own, trial_in(own) as index:
        yield index


@contextmanager
def trial_in(settings: Settings) -> Iterator[Trial]:
    """An index in the state folder of these settings, which nobody else may be using."""
    index = open_index(settings, Encoder())
    search = Retriever(index.catalogue, index.vectors, index.embedder, settings.retrieval)
    try:
        yield Trial(settings, index.embedder, index.catalogue, index.vectors, search)
    finally:
        index.catalogue.close()


@contextmanager
def elsewhere(settings: Settings) -> Iterator[Settings]:
    """The same settings with a temporary state folder, and vectors in it rather than on a server."""
    with TemporaryDirectory(prefix="candor-", ignore_cleanup_errors=True) as folder:
        retrieval = settings.retrieval.model_copy(update={"chroma_url": ""})
        yield settings.model_copy(update={"state": Path(folder), "retrieval": retrieval, "audit": Audit()})


def messages(row: Mapping[str, Any], path: Path) -> tuple[Message, ...]:
    """The earlier turns of a labelled question, oldest first.

    Raises:
        DataError: ``history`` is not a list of turns.
    """
    history = row.get("history") or []
    if not isinstance(history, list) or not all(_is_turn(said) for said in history):
        what = 'a list of {"role": "user" or "assistant", "content": "..."}'
        raise DataError(f'{path}, row {row.get("id") or row.get("_id") or "without id"}: "history" is not {what}')
    return tuple(Message(said["role"], said["content"]) for said in history)


def _is_turn(said: object) -> bool:
    return (
        isinstance(said, Mapping) and said.get("role") in ("user", "assistant") and isinstance(said.get("content"), str)
    )


def sample(items: Sequence[T], limit: int | None, seed: int) -> list[T]:
    """At most ``limit`` of the items, drawn by ``seed``, in their order."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[place] for place in sorted(random.Random(seed).sample(range(len(items)), limit))]  # noqa: S311 - no secret
