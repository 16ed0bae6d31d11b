"""From files to the index: what is new or changed is read, split, embedded and stored; what is gone is removed.

A file counts as unchanged by the hash of its bytes and of what is said of it. What is in the index already, in whatever
document, is not embedded again. A document becomes visible in one transaction, in place of its older self. Killed at
any moment, the index is sound, and the same command completes it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import LoadError, NotUnderstood
from rag.index.catalogue import Catalogue, audience_of
from rag.index.embed import Embedder
from rag.index.store import VectorStore
from rag.ingest.ahead import Ahead
from rag.ingest.files import File, Plan, hash_of, plan, require_known
from rag.ingest.split import split
from rag.ingest.worker import Worker
from rag.settings import Chunks
from rag.types import Chunk, Document, Ingested, IngestState, Limits, Progress, Quarantine

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

BATCH = 256  # chunks stored together: enough that sorting by length pays, few enough that little is lost
SLICE = 16  # chunks embedded between two looks at whether to stop; they take about half a second
PER_FILE = 20_000  # bytes that a file seems larger by, in what is told of the time to go: beginning it takes time too
WINDOW = 30.0  # seconds over which the rate is taken, in that


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read and split, waiting to be embedded."""

    file: File
    file_hash: str
    document: Document
    chunks: list[Chunk]
    seconds: float = 0.0


# Which of some chunks must not be used: they read like instructions to the assistant. One answer each, in order.
Screen = Callable[[Sequence[Chunk]], Sequence[bool]]


def all_sound(chunks: Sequence[Chunk]) -> list[bool]:
    return [False] * len(chunks)


def unheeded(old: str, new: str) -> None:
    """Where nothing is kept by the source of a document, nobody need know that it was moved."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was embedded and judged before, by digest."""

    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    held: dict[str, bool] = field(default_factory=dict)


class Ingestion:
    """Brings files into the index. One at a time; a second one waits."""

    def __init__(
        self,
        catalogue: Catalogue,
        vectors: VectorStore,
        encoder: Embedder,
        settings: Chunks,
        screen: Screen = all_sound,
        limits: Limits = Limits(),
        moved: Callable[[str, str], object] = unheeded,
    ) -> None:
        self._moved = moved  # told the old source and the new one, before the index knows of it
        self.catalogue = catalogue
        self.vectors = vectors
        self.encoder = encoder
        self._settings = settings
        self._screen = screen
        self._limits = limits
        self._one_at_a_time = threading.Lock()
        self._being_stored: frozenset[str] = frozenset()  # documents whose vectors are written but not yet visible
        self._spare: dict[
            str, tuple[str, str]
        ] = {}  # of what is gone since this run began; the vectors are still there

    def __call__(
        self,
        paths: Sequence[Path],
        cancelled: threading.Event | None = None,
        *,
        sample: bool = False,
        mass_removal: bool = False,
    ) -> Iterator[Progress]:
        """Ingest files and folders.

        A folder is compared as a whole: documents whose file is gone from it are removed, unless most of them are
        gone at once. Each file that cannot be read is reported with its reason and costs only itself.

        Args:
            cancelled: when set, it ends, also in the middle of a file; what is done stays.
            mass_removal: also most of a folder's documents may be gone.

        Raises:
            LoadError: a path does not exist, and no document was read from there; nothing was changed.
        """
        paths = [path.expanduser().resolve() for path in paths]
        require_known(self.catalogue, paths)
        cancelled = cancelled or threading.Event()
        while not self._one_at_a_time.acquire(timeout=0.2):
            yield Progress(0, 0, waiting=True)
            if cancelled.is_set():
                return
        try:
            self.clear_leftovers()
            self.catalogue.forget_failures([path for path in self.catalogue.failed() if not Path(path).is_file()])
            yield from self._run(plan(self.catalogue, paths, mass_removal=mass_removal), cancelled, sample)
        finally:
            self._spare = {}
            self.clear_leftovers()
            self._one_at_a_time.release()

    def remove(self, source: str) -> bool:
        """Remove one document with its words and vectors; False when there is none."""
        removed = self.catalogue.remove(source)
        self.clear_leftovers()
        return removed is not None

    def use(self, vectors: VectorStore, embedder: Embedder) -> None:
        """Ingest with these from now on. Whoever calls it is ``alone``."""
        self.vectors, self.encoder = vectors, embedder

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody ingests meanwhile, and nothing is left over from an interruption."""
        with self._one_at_a_time:
            self.clear_leftovers()
            yield

    def forget_everything(self) -> None:
        """Empty the index, to be built anew."""
        with self._one_at_a_time:
            self.catalogue.clear()
            self.vectors.clear()

    def clear_leftovers(self) -> None:
        """Complete what an interruption left: remove vectors that belong to no chunk."""
        in_use = self._being_stored | {id.rpartition(":")[0] for id, _ in self._spare.values()}
        ids = [id for id in self.catalogue.leftover_ids() if id not in in_use]
        if not ids:
            return
        visible = {id: chunk_ids for id in ids if (chunk_ids := self.catalogue.chunk_ids(id))}
        self.vectors.remove([id for id in ids if id not in visible])
        for id, chunk_ids in visible.items():
            self.vectors.keep_only(id, chunk_ids)
        self.catalogue.cleared(ids)

    def _run(self, todo: Plan, cancelled: threading.Event, sample: bool) -> Iterator[Progress]:
        tally = _Tally(todo)
        yield tally.now()
        for refused in todo.refused:
            yield tally.now(refused)
        if todo.gone and any(str(file.path) not in todo.known for file in todo.files):
            self._spare = self.catalogue.embedded(sources=todo.gone)
        for source in todo.gone:
            if cancelled.is_set():
                return
            self.catalogue.remove(source)
            yield tally.now(Ingested(source, "removed"))
        self.clear_leftovers()
        with Worker(self._limits) as worker:
            reading = (self._read(worker, file, todo.known.get(str(file.path)), cancelled) for file in todo.files)
            with Ahead(reading, _weight, 2 * BATCH, worker.interrupt, cancelled) as outcomes:
                yield from self._stored(outcomes, tally, cancelled, sample)

    def _stored(
        self, outcomes: Ahead[Read | Ingested], tally: _Tally, cancelled: threading.Event, sample: bool
    ) -> Iterator[Progress]:
        waiting: list[Read] = []
        for outcome in outcomes:
            if isinstance(outcome, Ingested):
                yield tally.now(outcome)
                continue
            waiting.append(outcome)
            if sum(map(_weight, waiting)) >= BATCH:
                for step in self._store(waiting, sample, cancelled):
                    yield tally.now(step)
                waiting = []
        for step in self._store(waiting, sample, cancelled):
            yield tally.now(step)

    def _read(
        self, worker: Worker, file: File, known: tuple[str, str] | None, cancelled: threading.Event
    ) -> Read | Ingested:
        """
        Args:
            known: source and hash of the file as the index has it.
        """
        begun = time.perf_counter()
        try:
            file_hash = hash_of(file.path)
            if known == (file.source, file_hash):
                return Ingested(file.source, "unchanged", size=file.size)
            document = worker.load(file.path, file.root, file.source)
            chunks = split(document, self._settings.size, self._settings.overlap)
        except LoadError as error:
            # An older version of the document stays readable, as a broken save must not empty the index; unless it
            # cannot be told who may read it. A reader that was interrupted says nothing about the file.
            if isinstance(error, NotUnderstood):
                self.catalogue.remove(file.source)
            if not cancelled.is_set():
                self.catalogue.note_failure(file.path, file.root, file.source, error.reason)
            seconds = time.perf_counter() - begun
            return Ingested(file.source, "failed", reason=error.reason, seconds=seconds, size=file.size)
        return Read(file, file_hash, document, chunks, time.perf_counter() - begun)

    def store(self, reads: Sequence[Read], sample: bool = False) -> Iterator[Ingested]:
        """Embed and store documents that were read and split; each is visible when its report comes."""
        for step in self._store(reads, sample, threading.Event()):
            if isinstance(step, Ingested):
                yield step

    def _store(self, reads: Sequence[Read], sample: bool, cancelled: threading.Event) -> Iterator[int | Ingested]:
        """``store``, telling beside it how many more chunks were embedded."""
        begun = time.perf_counter()
        chunks = [chunk for read in reads for chunk in read.chunks]
        digests = [digest_of(chunk) for chunk in chunks]
        known = yield from self._embedded(dict(zip(digests, chunks, strict=True)), len(chunks), cancelled)
        if cancelled.is_set() or not chunks:
            return
        each = (time.perf_counter() - begun) / len(chunks)
        try:
            self._being_stored = frozenset(read.document.id for read in reads)
            self._write(reads, chunks, [known.vectors[digest] for digest in digests])
            of_chunk = iter(digests)
            for read in reads:
                own = [next(of_chunk) for _ in read.chunks]
                ingested = self._show(read, own, known.held, sample)
                yield replace(ingested, seconds=read.seconds + each * len(own), size=read.file.size)
        finally:
            self._being_stored = frozenset()
            self.clear_leftovers()

    def _embedded(
        self, chunks: Mapping[str, Chunk], total: int, cancelled: threading.Event
    ) -> Generator[int, None, _Known]:
        """Vector of, and judgement on, each of these chunks, by digest; made where the index has none."""
        known = self._known(chunks)
        embed = sorted(chunks.keys() - known.vectors.keys(), key=lambda digest: (-len(chunks[digest].text), digest))
        screen = sorted(chunks.keys() - known.held.keys())
        yield total - len(embed)
        for part in _slices(embed):
            if cancelled.is_set():
                return known
            vectors = self.encoder.embed([embedded_text(chunks[digest]) for digest in part])
            known.vectors.update(zip(part, vectors, strict=True))
            yield len(part)
        for part in _slices(screen):
            if cancelled.is_set():
                return known
            known.held.update(zip(part, self._screen([chunks[digest] for digest in part]), strict=True))
            yield 0
        return known

    def _known(self, chunks: Mapping[str, Chunk]) -> _Known:
        found = {digest: self._spare[digest] for digest in chunks if digest in self._spare}
        found |= self.catalogue.embedded(chunks.keys())
        if not found:
            return _Known()
        stored = self.vectors.vectors([id for id, _ in found.values()])
        vectors = {digest: stored[id] for digest, (id, _) in found.items() if id in stored}
        # What was held or released once is looked at again: it may be another document, with other readers.
        return _Known(vectors, {digest: False for digest, (_, said) in found.items() if digest in vectors and not said})

    def _write(self, reads: Sequence[Read], chunks: Sequence[Chunk], vectors: Sequence[np.ndarray]) -> None:
        import numpy as np

        self.catalogue.announce(self._being_stored)
        self.vectors.add(
            [chunk.id for chunk in chunks],
            np.stack(vectors),
            [chunk.document_id for chunk in chunks],
            [audience_of(read.document.meta.groups) for read in reads for _ in read.chunks],
        )

    def _show(self, read: Read, digests: Sequence[str], held: Mapping[str, bool], sample: bool) -> Ingested:
        """Make a document visible whose vectors are written."""
        file = read.file
        released = self.catalogue.released(file.path, file.moved_from)
        judged = [
            replace(chunk, quarantine=_judged(digest in released, held[digest]))
            for chunk, digest in zip(read.chunks, digests, strict=True)
        ]
        if file.moved_from:
            self._moved(file.moved_from, file.source)
        replaced = self.catalogue.put(
            read.document,
            judged,
            path=file.path,
            root=file.root,
            file_hash=read.file_hash,
            sample=sample,
            digests=digests,
            moved_from=file.moved_from,
        )
        count = sum(chunk.quarantine == "held" for chunk in judged)
        state: IngestState = "moved" if file.moved_from else "replaced" if replaced else "added"
        return Ingested(file.source, state, len(judged), held=count)


class _Tally:
    """Counts what is done, and tells how long the rest will take."""

    def __init__(self, todo: Plan) -> None:
        self._total = len(todo.files) + len(todo.gone) + len(todo.refused)
        self._work = todo.size + PER_FILE * self._total
        self._done = self._chunks = self._size = 0
        self._begun = time.monotonic()
        self._lately: deque[tuple[float, int]] = deque([(self._begun, 0)])  # when, and how much work was done by then

    def now(self, step: Ingested | int = 0) -> Progress:
        """
        Args:
            step: a file that is done, or how many more chunks are embedded.
        """
        if isinstance(step, int):
            self._chunks += step
            return self._told(None)
        self._done += 1
        self._size += step.size
        return self._told(step)

    def _told(self, latest: Ingested | None) -> Progress:
        now = time.monotonic()
        work = self._size + PER_FILE * self._done
        self._lately.append((now, work))
        while len(self._lately) > 2 and self._lately[1][0] < now - WINDOW:
            self._lately.popleft()
        then, before = self._lately[0]
        left = (self._work - work) * (now - then) / (work - before) if work > before else None
        return Progress(self._done, self._total, latest, self._chunks, self._size, seconds=now - self._begun, left=left)


def embedded_text(chunk: Chunk) -> str:
    """What stands for a chunk in the vector index: the title tells what it is about when it does not say so itself."""
    return "\n".join(part for part in (chunk.title, chunk.section, chunk.text) if part)


def digest_of(chunk: Chunk) -> str:
    """SHA-256 of what is embedded of a chunk, and of what is screened: a title must not pass for a screened text."""
    return hashlib.sha256("\0".join((embedded_text(chunk), chunk.text)).encode(errors="replace")).hexdigest()


def _judged(released: bool, held: bool) -> Quarantine:
    return "released" if released else "held" if held else ""


def _weight(outcome: Read | Ingested) -> int:
    return len(outcome.chunks) if isinstance(outcome, Read) else 0


def _slices(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(digests), SLICE):
        yield digests[first : first + SLICE]
