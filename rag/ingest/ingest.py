"""From files to the index: what is new or changed is read, split, embedded and stored; what is gone is removed.

A file counts as unchanged by the hash of its bytes and of its side-car. A document becomes visible in one
transaction, in place of its older self. Killed at any moment, the index is sound, and the same command completes it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from guardrails.encoder import Encoder
from rag.errors import LoadError
from rag.index.catalogue import Catalogue, audience_of
from rag.index.store import VectorStore
from rag.ingest.meta import SIDE_CAR
from rag.ingest.split import split
from rag.ingest.worker import Worker
from rag.settings import Chunks
from rag.types import Chunk, Document, Ingested, Progress

logger = logging.getLogger(__name__)

BATCH = 256  # chunks embedded together: enough that sorting by length pays, few enough that progress is seen


@dataclass(frozen=True, slots=True)
class File:
    """One file to be looked at."""

    path: Path
    root: Path
    source: str


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read and split, waiting to be embedded."""

    file: File
    file_hash: str
    document: Document
    chunks: list[Chunk]


Screen = Callable[[Chunk], bool]  # whether a chunk must not be used: it reads like instructions to the assistant


def all_sound(chunk: Chunk) -> bool:
    return False


class Ingestion:
    """Brings files into the index. One at a time; a second one waits."""

    def __init__(
        self, catalogue: Catalogue, vectors: VectorStore, encoder: Encoder, settings: Chunks, screen: Screen = all_sound
    ) -> None:
        self._catalogue = catalogue
        self._vectors = vectors
        self._encoder = encoder
        self._settings = settings
        self._screen = screen
        self._one_at_a_time = threading.Lock()
        self._being_stored: frozenset[str] = frozenset()  # documents whose vectors are written but not yet visible

    def __call__(
        self, paths: Sequence[Path], cancelled: threading.Event | None = None, *, sample: bool = False
    ) -> Iterator[Progress]:
        """Ingest files and folders.

        A folder is compared as a whole: documents whose file is gone from it are removed. Each file that cannot be
        read is reported with its reason and costs only itself.

        Args:
            cancelled: when set, no further file is begun; what is done stays.

        Raises:
            LoadError: a path does not exist; nothing was changed.
        """
        paths = [path.expanduser().resolve() for path in paths]
        for path in paths:
            if not path.exists():
                raise LoadError(path, "it does not exist")
        with self._one_at_a_time:
            self.clear_leftovers()
            self._catalogue.forget_failures([path for path in self._catalogue.failed() if not Path(path).is_file()])
            yield from self._run(self._files(paths), self._gone(paths), cancelled or threading.Event(), sample)

    def remove(self, source: str) -> bool:
        """Remove one document with its words and vectors; False when there is none."""
        removed = self._catalogue.remove(source)
        self.clear_leftovers()
        return removed is not None

    def forget_everything(self) -> None:
        """Empty the index, to be built anew."""
        with self._one_at_a_time:
            self._catalogue.clear()
            self._vectors.clear()

    def clear_leftovers(self) -> None:
        """Complete what an interruption left: remove vectors that belong to no document."""
        ids = [id for id in self._catalogue.leftover_ids() if id not in self._being_stored]
        self._vectors.remove(ids)
        self._catalogue.cleared(ids)

    def _run(
        self, files: Sequence[File], gone: Sequence[str], cancelled: threading.Event, sample: bool
    ) -> Iterator[Progress]:
        done, total = 0, len(files) + len(gone)
        yield Progress(done, total)
        for source in gone:
            self.remove(source)
            done += 1
            yield Progress(done, total, Ingested(source, "removed"))
        known = self._catalogue.files()
        waiting: list[Read] = []
        with Worker() as worker:
            for file in files:
                if cancelled.is_set():
                    break
                outcome = self._read(worker, file, known.get(str(file.path)))
                if isinstance(outcome, Read):
                    waiting.append(outcome)
                if isinstance(outcome, Ingested) or sum(len(read.chunks) for read in waiting) >= BATCH:
                    for ingested in [outcome] if isinstance(outcome, Ingested) else self.store(waiting, sample):
                        done += 1
                        yield Progress(done, total, ingested)
                    waiting = waiting if isinstance(outcome, Ingested) else []
        for ingested in self.store(waiting, sample):
            done += 1
            yield Progress(done, total, ingested)

    def _read(self, worker: Worker, file: File, known: tuple[str, str] | None) -> Read | Ingested:
        """
        Args:
            known: source and hash of the file as the index has it.
        """
        try:
            file_hash = hash_of(file.path)
            if known == (file.source, file_hash):
                return Ingested(file.source, "unchanged")
            document = worker.load(file.path, file.root, file.source)
            chunks = split(document, self._settings.size, self._settings.overlap)
        except LoadError as error:
            # An older version of the document stays readable: a broken save must not empty the index.
            self._catalogue.note_failure(file.path, file.root, file.source, error.reason)
            return Ingested(file.source, "failed", reason=error.reason)
        return Read(file, file_hash, document, chunks)

    def store(self, reads: Sequence[Read], sample: bool = False) -> Iterator[Ingested]:
        """Embed and store documents that were read and split; each is visible when its report comes."""
        if not reads:
            return
        chunks = [chunk for read in reads for chunk in read.chunks]
        vectors = self._encoder.embed([embedded_text(chunk) for chunk in chunks])
        self._being_stored = frozenset(read.document.id for read in reads)
        self._catalogue.announce(self._being_stored)
        self._vectors.add(
            [chunk.id for chunk in chunks],
            vectors,
            [chunk.document_id for chunk in chunks],
            [audience_of(read.document.meta.groups) for read in reads for _ in read.chunks],
        )
        for read in reads:
            file = read.file
            screened = [replace(chunk, quarantine="held") if self._screen(chunk) else chunk for chunk in read.chunks]
            old = self._catalogue.put(
                read.document, screened, path=file.path, root=file.root, file_hash=read.file_hash, sample=sample
            )
            held = sum(chunk.quarantine == "held" for chunk in screened)
            yield Ingested(file.source, "replaced" if old else "added", len(read.chunks), held=held)
        self._being_stored = frozenset()
        self.clear_leftovers()

    def _files(self, paths: Sequence[Path]) -> list[File]:
        """Every file below the paths, each with a source that no file of another root has."""
        taken = {source: path for path, (source, _) in self._catalogue.files().items()}
        roots = [Path(root) for root in self._catalogue.roots()]
        files: dict[Path, File] = {}
        for given in paths:
            root = given if given.is_dir() else _root_of(given, roots)
            for path in _below(given):
                source = path.relative_to(root).as_posix()
                if taken.get(source, str(path)) != str(path):
                    source = f"{root.name}/{source}"
                taken[source] = str(path)
                files.setdefault(path, File(path, root, source))
        return list(files.values())

    def _gone(self, paths: Sequence[Path]) -> list[str]:
        """Source of every document of these folders whose file is no longer there."""
        folders = [path for path in paths if path.is_dir()]
        known = [(path, source) for folder in folders for path, (source, _) in self._catalogue.files(folder).items()]
        return [source for path, source in known if not Path(path).is_file()]


def embedded_text(chunk: Chunk) -> str:
    """What stands for a chunk in the vector index: the title tells what it is about when it does not say so itself."""
    return "\n".join(part for part in (chunk.title, chunk.section, chunk.text) if part)


def hash_of(path: Path) -> str:
    """SHA-256 over a file and its side-car.

    Raises:
        LoadError: it cannot be opened.
    """
    digest = hashlib.sha256()
    try:
        for part in (path, path.with_name(path.name + SIDE_CAR)):
            if part == path or part.exists():
                with part.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise LoadError(path, error.strerror or type(error).__name__) from error
    return digest.hexdigest()


def _below(given: Path) -> list[Path]:
    """The files of a path in order of name; hidden ones, links out of the folder and side-cars are passed over."""
    if given.is_file():
        return [given]
    found = [path for path in sorted(given.rglob("*")) if path.is_file() and not path.name.endswith(SIDE_CAR)]
    return [
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(given).parts)
        and path.resolve().is_relative_to(given)
    ]


def _root_of(file: Path, roots: Sequence[Path]) -> Path:
    """The ingested folder that a single file belongs to; its own folder when there is none."""
    around = [root for root in roots if file.is_relative_to(root)]
    return max(around, key=lambda root: len(root.parts), default=file.parent)
