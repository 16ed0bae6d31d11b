"""From settings to a working assistant: the only place that chooses parts. They load in the background, visibly."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from guardrails.audit import erase
from guardrails.audit.review import ReviewDesk
from guardrails.checks import Checks
from guardrails.encoder import Encoder
from guardrails.gate import Gate
from guardrails.grounding.guard import GroundingGuard
from guardrails.harm import HarmGuard
from guardrails.injection import InjectionGuard
from guardrails.output import OutputGuard, new_canary
from guardrails.pii.child import ChildDetector
from guardrails.pii.guard import PiiGuard
from guardrails.policy import PolicyError, PolicyFile
from guardrails.process import ChildFailed
from guardrails.types import Guard
from guardrails.weights import WeightsError
from rag.access import LOCAL_READER
from rag.assistant import Assistant, Parts
from rag.dialogue.memory import Memory
from rag.errors import CandorError, InstallationError, ModelError, SettingsError, StillLoading
from rag.feedback import Feedback
from rag.generation.models import ChatModel, chat_model
from rag.generation.prompt import NEVER_SAID
from rag.index import remains
from rag.index.embed import Embedder
from rag.index.exchange import Exchange, open_index
from rag.index.retrieve import Retriever
from rag.index.store import VectorStore
from rag.index.whole import WholeDocuments
from rag.ingest.ingest import Ingestion, embedded_text
from rag.library import Library
from rag.pages import Pages
from rag.purge import Purge
from rag.record import open_log
from rag.screen import instructing
from rag.settings import Settings

logger = logging.getLogger(__name__)

FIRST_DOCUMENTS = "Sample documents"  # shown only while there are none
# Times as long as a question's may a check of an ingestion take: it gives way to whoever asks, and nobody waits for it.
PATIENCE = 12
STEPS = ("Language model", "Search index", "Guards", "Writing model")
# What the libraries would otherwise fetch or send. Set before any of them is imported.
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # read when torch is imported; see guardrails/encoder.py
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One part that is loaded."""

    name: str
    state: Literal["waiting", "loading", "ready", "failed"]
    seconds: float = 0.0


class Startup:
    """How far the parts are. Read by the page while they load."""

    def __init__(self) -> None:
        self._steps = {name: Step(name, "waiting") for name in STEPS}
        self._over = threading.Event()
        self.failed = ""  # one line for the operator
        self.warning = ""  # what works, but not fully

    @property
    def ready(self) -> bool:
        return self._over.is_set() and not self.failed

    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps.values())

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the parts are ready or one failed; whether they are ready."""
        self._over.wait(timeout)
        return self.ready

    def run(self, name: str, load: Callable[[], T]) -> T:
        """Load one part, and let it be seen."""
        begun = time.perf_counter()
        self._steps[name] = Step(name, "loading")
        try:
            part = load()
        except Exception:
            self._steps[name] = Step(name, "failed", time.perf_counter() - begun)
            raise
        self._steps[name] = Step(name, "ready", time.perf_counter() - begun)
        return part

    def end(self, failed: str = "") -> None:
        self.failed = failed
        self._over.set()


class Candor:
    """A whole installation: one state folder, one set of settings. Its parts may be used once ``startup.ready``.

    Args:
        answers: whether questions will be asked. If not, what only answers need, some 750 MB, is left to load when
            first used.
    """

    def __init__(self, settings: Settings, *, answers: bool = True) -> None:
        self.settings = settings
        self._answers = answers
        self.startup = Startup()
        self._model: ChatModel | None = None
        self._model_lock = threading.Lock()
        self._closers: list[Callable[[], None]] = []
        self._assistant: Assistant | None = None
        self._library: Library | None = None
        self._memory: Memory | None = None
        self._pages: Pages | None = None
        self._review: ReviewDesk | None = None
        self._feedback: Feedback | None = None
        self._policies: PolicyFile | None = None
        self._checks: Checks | None = None
        self._exchange: Exchange | None = None
        self._closing = threading.Event()
        self.exchanging: tuple[int, int] | None = None  # chunks that have a vector of another embedding model, of all

    @property
    def assistant(self) -> Assistant:
        return self._loaded(self._assistant)

    @property
    def library(self) -> Library:
        return self._loaded(self._library)

    @property
    def memory(self) -> Memory:
        return self._loaded(self._memory)

    @property
    def pages(self) -> Pages:
        return self._loaded(self._pages)

    @property
    def feedback(self) -> Feedback:
        return self._loaded(self._feedback)

    @property
    def review(self) -> ReviewDesk:
        return self._loaded(self._review)

    @property
    def policies(self) -> PolicyFile:
        return self._loaded(self._policies)

    @property
    def guards(self) -> tuple[str, ...]:
        """The names of the guards, in their order."""
        return tuple(guard.name for guard in self._loaded(self._checks).guards)

    def model(self) -> ChatModel | None:
        """The writing model; None while it cannot be had, so that answers are quotations. Each call tries again."""
        with self._model_lock:
            if self._model is None:
                try:
                    self._model = chat_model(self.settings.generation)
                except ModelError as error:
                    logger.error("no writing model: %s", error)
                    self.startup.warning = str(error)
            return self._model

    def close(self) -> None:
        """Let go of files and child processes."""
        self._closing.set()
        for close in reversed(self._closers):
            close()
        self._closers.clear()

    def load(self, first_documents: Path | None = None) -> None:
        """Load every part, in the order in which an answer needs them.

        Args:
            first_documents: a folder that is ingested when the index is empty.

        Raises:
            CandorError: a part cannot be had; ``startup.failed`` says the same.
        """
        try:
            self._load()
            if first_documents is not None and self.library.is_empty():
                self._ingest_first(first_documents)
        except (CandorError, WeightsError, PolicyError) as error:
            self.startup.end(str(error))
            raise error if isinstance(error, CandorError) else _translated(error) from error
        except Exception as error:
            self.startup.end(f"a part cannot be loaded ({type(error).__name__}); see candor doctor")
            raise InstallationError(self.startup.failed) from error
        self.startup.end()

    def gate_alone(self, without: frozenset[str] = frozenset()) -> Gate:
        """The guards under the policy in force, without index, log and model: to try a text. ``close`` ends them.

        Args:
            without: names of guards that are left out.

        Raises:
            CandorError: the policy or a model file cannot be used.
        """
        try:
            policies = PolicyFile(self.settings.guards.policy)
            detector, encoder = self._detector(), Encoder()
            encoder.load()
            guards = self._guards(detector(), encoder, policies, new_canary())
        except (WeightsError, PolicyError) as error:
            raise _translated(error) from error
        chosen = [guard for guard in guards if guard.name not in without]
        return Gate(Checks(chosen, self.settings.guards.seconds), policies.current())

    def exchange(self, cancelled: threading.Event | None = None) -> Iterator[tuple[int, int]]:
        """Make the vectors of the embedding model that the settings name, where the index has those of another.

        Searches use the others until these are complete. Yields how many chunks are done, of how many.
        """
        if self._exchange is None:
            return
        for step in self._exchange(cancelled or self._closing):
            self.exchanging = step
            yield step
        self.exchanging = None

    def start(self, first_documents: Path | None = None) -> None:
        """Begin to ``load`` in the background; returns at once. ``startup`` tells how far it is."""

        def load() -> None:
            try:
                self.load(first_documents)
                for _ in self.exchange():
                    pass
            except CandorError as error:
                logger.error("%s", error)

        threading.Thread(target=load, name="loading", daemon=True).start()

    def _load(self) -> None:
        state, run = self.settings.state, self.startup.run
        policies = PolicyFile(self.settings.guards.policy)
        detector, encoder = self._detector(), Encoder()
        run("Language model", encoder.load)
        index = run("Search index", lambda: open_index(self.settings, encoder))
        catalogue, vectors = index.catalogue, index.vectors
        self.startup.warning = index.warning
        canary = new_canary()
        guards = run("Guards", lambda: self._guards(detector(), encoder, policies, canary))
        checks = Checks(guards, self.settings.guards.seconds)
        unhurried = Checks(guards, PATIENCE * self.settings.guards.seconds)

        def gate() -> Gate:
            return Gate(checks, policies.current())

        if self._answers:
            run("Writing model", self.model)
        log = open_log(self.settings)
        memory = Memory(state / "conversations.sqlite", log.keys)
        self._closers += [catalogue.close, log.close, memory.close, self._close_model]
        ingestion = Ingestion(
            catalogue,
            vectors,
            index.embedder,
            self.settings.chunks,
            screen=lambda chunks: instructing(chunks, Gate(unhurried, policies.current())),
            limits=self.settings.ingest.limits,
            moved=partial(erase.moved, log),
        )
        ingestion.clear_leftovers()
        retrieve = Retriever(catalogue, vectors, index.embedder, self.settings.retrieval)
        self._assistant = Assistant(
            Parts(
                self.settings,
                encoder,
                retrieve,
                self.model,
                gate,
                log,
                memory,
                catalogue.hold,
                canary,
                still_there=partial(remains.still_there, catalogue),
                whole=WholeDocuments(catalogue),
            )
        )
        purge = Purge(state, catalogue, vectors, log, ingestion.remove)
        purge.complete()

        def use(vectors: VectorStore, embedder: Embedder) -> None:
            retrieve.use(vectors, embedder)
            ingestion.use(vectors, embedder)
            purge.use(vectors)

        self._exchange = index.exchange(ingestion.alone, use, embedded_text)
        self._library = Library(catalogue, ingestion, log, state / "uploads", gate, purge)
        self._closers.append(self._library.close)
        self._memory = memory
        self._pages = Pages(catalogue, gate)
        self._closers.append(self._pages.close)
        self._review, self._feedback = ReviewDesk(log, gate), Feedback(log, gate)
        self._policies, self._checks = policies, checks

    def _ingest_first(self, folder: Path) -> None:
        def ingest() -> None:
            for _ in self.library.ingest([folder], LOCAL_READER, sample=True):
                pass

        self.startup.run(FIRST_DOCUMENTS, ingest)

    def _detector(self) -> Callable[[], ChildDetector]:
        """Begin to start the process that looks for personal data, beside all else that loads; waits when called."""
        detector = ChildDetector()
        self._closers.append(detector.close)
        if not self._answers:
            return lambda: detector
        starting = ThreadPoolExecutor(1)
        started = starting.submit(detector.load)
        starting.shutdown(wait=False)

        def ready() -> ChildDetector:
            try:
                started.result()
            except ChildFailed as error:
                raise InstallationError(f"the process that looks for personal data: {error}") from None
            return detector

        return ready

    def _guards(self, detector: ChildDetector, encoder: Encoder, policies: PolicyFile, canary: str) -> list[Guard]:
        return [
            PiiGuard(detector),
            GroundingGuard(encoder),
            InjectionGuard(encoder),
            HarmGuard(encoder),
            OutputGuard(lambda: policies.current().output, canary, NEVER_SAID),
        ]

    def _close_model(self) -> None:
        if self._model is not None:
            self._model.close()

    def _loaded(self, part: T | None) -> T:
        if part is None:
            raise StillLoading(self.startup.failed or "Candor is still loading; try again in a few seconds")
        return part


def quiet() -> None:
    """Keep libraries from calling home. Call before anything heavy is imported."""
    os.environ.update(QUIET)


def _translated(error: WeightsError | PolicyError) -> CandorError:
    return InstallationError(str(error)) if isinstance(error, WeightsError) else SettingsError(str(error))


def samples() -> Path:
    """The folder of the documents that come with the product."""
    return Path(__file__).resolve().parents[1] / "corpus" / "documents"
