"""The one door to Chroma: vectors by chunk id. It holds no text, so that none is left when a document is removed.

What is removed from Chroma stays in its files all the same, and a vector tells roughly what a passage was about:
``rewrite`` leaves nothing of it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from guardrails.process import Child, ChildFailed
from rag.errors import StoreError

if TYPE_CHECKING:
    import numpy as np

COLLECTION = "chunks"
COPIED = 2000  # vectors at a time
VACUUM_SECONDS = 600.0
REMOVED = 100  # documents at a time
M_PERTURB = -6  # of glibc's mallopt: blocks of memory are overwritten when they are given out
WITH_ZEROS, NOT_AT_ALL = 0xFF, 0  # its values; a block is filled with the complement


class _ZeroedMemory:
    """While it is entered, memory is given out zeroed.

    Chroma writes the whole block that it keeps vectors in, also where none is yet. A block that was used before would
    put on disk what it held then: questions, documents. Elsewhere than under glibc this changes nothing.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._entered = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        with self._changing:
            before, self._entered = self._entered, self._entered + by
            if sys.platform == "linux" and not (before and self._entered):
                mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
                if mallopt is not None:
                    mallopt(M_PERTURB, WITH_ZEROS if self._entered else NOT_AT_ALL)


zeroed_memory = _ZeroedMemory()


class VectorStore:
    """Vectors of chunks, each with its document and audience.

    A folder has one owner at a time: Chroma does not see what another process writes to it.

    Args:
        folder: where the vectors lie, unless ``url`` is given.
        url: address of a Chroma server; empty for the folder.
        model: whose vectors they are; those of several models lie side by side. Empty: of the model in the box.

    Raises:
        StoreError: the server cannot be reached, or the folder cannot be opened.
    """

    def __init__(self, folder: Path, url: str = "", model: str = "") -> None:
        import chromadb
        from chromadb.config import Settings

        quiet = Settings(anonymized_telemetry=False)
        try:
            if url:
                address = urlparse(url)
                self._client: Any = chromadb.HttpClient(
                    host=address.hostname or "localhost",
                    port=address.port or (443 if address.scheme == "https" else 8000),
                    ssl=address.scheme == "https",
                    settings=quiet,
                )
            else:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._client = chromadb.PersistentClient(str(folder), settings=quiet)
            self._folder = None if url else folder
            self._name = f"{COLLECTION}-{hashlib.sha256(model.encode()).hexdigest()[:12]}" if model else COLLECTION
            self._copy = f"{self._name}-copy"  # while the vectors are written anew
            self._changing = threading.RLock()  # whoever writes; reading goes on meanwhile
            with zeroed_memory():
                self._complete_rewriting()
                self._collection = self._open()
        except Exception as error:
            where = f"the Chroma server at {urlparse(url).hostname}" if url else f"the vectors at {folder}"
            raise StoreError(f"{where} cannot be opened ({type(error).__name__}); see candor doctor") from error
        self._batch = int(self._client.get_max_batch_size())

    def _open(self, name: str = "") -> Any:
        name = name or self._name
        return self._client.get_or_create_collection(name, metadata={"hnsw:space": "cosine"}, embedding_function=None)

    def add(
        self, chunk_ids: Sequence[str], vectors: np.ndarray, document_ids: Sequence[str], audiences: Sequence[str]
    ) -> None:
        """Store vectors ((n, d) float32, each of length 1). Writing an id again replaces it."""
        metadatas = [{"document": d, "audience": a} for d, a in zip(document_ids, audiences, strict=True)]
        for first in range(0, len(chunk_ids), self._batch):
            part = slice(first, first + self._batch)
            with self._changing, zeroed_memory():
                self._collection.upsert(ids=list(chunk_ids[part]), embeddings=vectors[part], metadatas=metadatas[part])

    def search(self, vector: np.ndarray, limit: int, audiences: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """The nearest chunks as (id, cosine), nearest first.

        Args:
            vector: (d,) float32 of length 1.
            audiences: only chunks of these; None: of all, which is faster.
        """
        if audiences is not None and not audiences:
            return []
        where = None if audiences is None else {"audience": {"$in": list(audiences)}}
        found = self._read(
            lambda now: now.query(query_embeddings=[vector], n_results=limit, where=where, include=["distances"])
        )
        return [
            (id, 1.0 - float(distance)) for id, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, np.ndarray]:
        """Id to vector of the chunks that are there."""
        found = self._read(lambda now: now.get(ids=list(chunk_ids), include=["embeddings"]))
        return dict(zip(found["ids"], found["embeddings"], strict=True))

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all vectors of these documents; unknown ones are ignored."""
        for first in range(0, len(document_ids), REMOVED):
            with self._changing, zeroed_memory():
                self._collection.delete(where={"document": {"$in": list(document_ids[first : first + REMOVED])}})

    def keep_only(self, document_id: str, chunk_ids: Sequence[str]) -> None:
        """Remove the vectors of this document that belong to other chunks."""
        found = self._read(lambda now: now.get(where={"document": document_id}, include=[]))["ids"]
        self.discard(sorted(set(found) - set(chunk_ids)))

    def discard(self, chunk_ids: Sequence[str]) -> None:
        """Remove the vectors of these chunks."""
        for first in range(0, len(chunk_ids), self._batch):
            with self._changing, zeroed_memory():
                self._collection.delete(ids=list(chunk_ids[first : first + self._batch]))

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """(chunk id, document, audience) of every vector. Nobody should be writing meanwhile."""
        for first in range(0, self.count(), COPIED):
            part = self._part(first)
            for id, said in zip(part["ids"], part["metadatas"], strict=True):
                yield id, str(said["document"]), str(said["audience"])

    def _part(self, first: int) -> Any:
        return self._read(lambda now: now.get(limit=COPIED, offset=first, include=["metadatas"]))

    def clear(self) -> None:
        """Remove everything, to be built anew."""
        with self._changing, zeroed_memory():
            self._client.delete_collection(self._name)
            self._collection = self._open()

    def count(self) -> int:
        return int(self._read(lambda now: now.count()))

    def rewrite(self) -> None:
        """Write what is there anew, and let go of files that hold more; writers wait, readers do not.

        Nothing is embedded again: 10 000 vectors take about 8 s. Interrupted, the next process that opens the vectors
        goes on with the old ones or the new. What is there of other models goes. Of a Chroma server only the collection
        is replaced; its files are its own.
        """
        with self._changing, zeroed_memory():
            copy, old = self._open(self._copy), self._collection
            for first in range(0, old.count(), COPIED):
                part = old.get(limit=COPIED, offset=first, include=["embeddings", "metadatas"])
                copy.add(ids=part["ids"], embeddings=part["embeddings"], metadatas=part["metadatas"])
            self._client.delete_collection(self._name)
            copy.modify(name=self._name)
            self._collection = copy
            self.drop_others()

    def drop_others(self) -> None:
        """Remove what is there of other models, and let go of files that nothing uses."""
        with self._changing, zeroed_memory():
            for name in self._names() - {self._name}:
                if name.startswith(COLLECTION):  # a server may hold collections of others
                    self._client.delete_collection(name)
            if self._folder:
                _forget_deleted(self._folder)

    def _complete_rewriting(self) -> None:
        names = self._names()
        if self._copy in names and self._name in names:
            self._client.delete_collection(self._copy)
        elif self._copy in names:
            self._client.get_collection(self._copy, embedding_function=None).modify(name=self._name)

    def _names(self) -> set[str]:
        return {collection.name for collection in self._client.list_collections()}

    def _read(self, read: Callable[[Any], Any]) -> Any:
        """What the collection answers; asked again when it was replaced in the middle."""
        with zeroed_memory():
            try:
                return read(self._collection)
            except Exception:  # noqa: BLE001 - whatever it is, Chroma is asked again and may raise it again
                with self._changing:  # a rewriting may be about to put the new one in its place, or hold the file
                    return read(self._collection)


def _forget_deleted(folder: Path) -> None:
    """Delete the files of collections that are no longer there, and write Chroma's database anew.

    In another process: the SQLite of Python and that of Chroma do not see each other's locks within one.
    """
    child = Child("rag.index.vacuum")
    try:
        used = json.loads(child.ask(str(folder / "chroma.sqlite3"), VACUUM_SECONDS))
    except ChildFailed as error:
        raise StoreError(f"the vectors at {folder} cannot be written anew: {error}") from None
    finally:
        child.close()
    if used is None:
        raise StoreError(f"the vectors at {folder} cannot be written anew: another process uses them")
    for left in folder.iterdir():
        if left.is_dir() and left.name not in used:
            shutil.rmtree(left)
