"""How fast it is, as ratios measured in one run on one machine: ``candor evaluate speed``."""

from __future__ import annotations

import random
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from guardrails.checks import Checks
from guardrails.encoder import Encoder, open_folder
from guardrails.gate import Gate
from guardrails.injection import InjectionGuard
from guardrails.policy import PolicyFile
from guardrails.types import Context, Finding, Guard
from guardrails.weights import MINILM
from rag.access import LOCAL_READER
from rag.assistant import Assistant
from rag.build import Candor, samples
from rag.errors import DataError
from rag.evaluation import tutorial
from rag.evaluation.memory import peak_of_ingestion
from rag.evaluation.trial import OnProgress, Trial, elsewhere, trial, unseen
from rag.generation.models import ChatModel
from rag.generation.turns import Turn
from rag.index.retrieve import Retriever
from rag.ingest.ingest import Ingestion
from rag.screen import instructing
from rag.settings import Settings
from rag.types import EVERYONE, Chunk, Document, Search, Sentence

if TYPE_CHECKING:
    import numpy as np

SIZES = (1_000, 10_000, 100_000)  # chunks
PER_DOCUMENT = 100  # synthetic chunks
QUERIES = 20  # per size
ROUNDS = 2  # of each timed ingestion; the faster counts, since what else the machine does only slows
QUESTIONS = (
    "How many days of annual leave do full-time employees have?",
    "What must a password look like?",
    "Who may work from another country, and for how long?",
    "How is an accident reported?",
    "When are travel expenses paid back?",
    "What does a service contract for a heat pump cover?",
)
VOCABULARY = (
    "agreement allowance boiler budget calendar clause contract deadline delivery department device employee energy "
    "equipment expense heating holiday incident inspection insurance invoice leave manager member meter notice office "
    "order overtime passage password payment pension permit policy price project protocol pump rate record refund "
    "repair report request rota safety salary schedule security service shift sickness storage supplier supply support "
    "tariff tenant training travel valve vehicle visitor wage warranty workshop"
)
COMMON = VOCABULARY.split()
WORDS = [*COMMON, *(first + second for first in COMMON for second in COMMON)]  # some 4 400
FREQUENCIES = [1 / (rank + 10) for rank in range(len(WORDS))]  # few are frequent, most are rare, as in real text


def measure(
    folder: Path | None,
    settings: Settings,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    sizes: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """Ingest a folder in three ways, answer questions, search indexes of growing size.

    * ``ingest_over_bare_encode``: characters a second of a whole ingestion (read, split, embed, screen, store) over
      those of one call of sentence-transformers' ``encode`` on the same passages, in float32 and batches of 32.
    * ``ingest_over_langchain``: the same over LangChain's tutorial pipeline, both on the text and Markdown files of
      the folder; null where its packages are not installed.
    * ``guards_over_generation``: time in which guards were at work, side by side counted once, over time waiting for
      the model, over all questions; null when the model said nothing.
    * ``first_sentence_ms``: median over the questions that got an answer; null when none did.
    * ``first_sentence_added_ms``: of that, what checking adds: the guards over question and passages, and from the
      moment at which the model had written the sentence until it was shown; over answers that begin with the model's
      words.
    * ``query_ms``: median time from a question to its passages, by number of chunks, over synthetic passages with
      random vectors.
    * ``peak_rss_mb``: the most memory that an ingestion of the folder holds, all its processes together.

    Args:
        folder: documents to ingest; None: those that come with the product.
        limit: most questions, of the six that are asked of the product's own documents.

    Raises:
        DataError: there is no such folder, or no document in it can be read.
        CandorError: a part of the product cannot be loaded.
    """
    folder = folder or samples()
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder of documents")
    on_progress("Ingesting", 0, 2)
    figures: dict[str, Any] = {"ingest_over_bare_encode": _over_bare_encode(folder, settings)}
    on_progress("Ingesting", 1, 2)
    figures["ingest_over_langchain"] = _over_langchain(folder, settings)
    on_progress("Ingesting", 2, 2)
    figures |= _answering(settings, QUESTIONS[:limit], on_progress)
    figures["query_ms"] = {}
    for done, size in enumerate(sizes, start=1):
        figures["query_ms"][str(size)] = _query_ms(size, settings, seed)
        on_progress("Searching", done, len(sizes))
    return figures | {"peak_rss_mb": peak_of_ingestion(folder, settings)}


class _Remembering(Encoder):
    """Keeps what it was given to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return super().embed(texts)


class Stopwatch:
    """Seconds in which at least one of those who share it was at work."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._at_work = 0
        self._since = 0.0
        self._changing = threading.Lock()

    def __enter__(self) -> None:
        with self._changing:
            if self._at_work == 0:
                self._since = time.perf_counter()
            self._at_work += 1

    def __exit__(self, *exception: object) -> None:
        with self._changing:
            self._at_work -= 1
            if self._at_work == 0:
                self.seconds += time.perf_counter() - self._since


class TimedGuard:
    """A guard with a stopwatch: those that run side by side share one."""

    def __init__(self, guard: Guard, watch: Stopwatch) -> None:
        self.name = guard.name
        self.stages = guard.stages
        self._guard = guard
        self._watch = watch

    def check(self, text: str, context: Context) -> Sequence[Finding]:
        with self._watch:
            return self._guard.check(text, context)


class TimedModel:
    """A model, the seconds spent waiting for its words, and when they came."""

    def __init__(self, model: ChatModel) -> None:
        self.name, self.inside, self.rules, self.worded_from = model.name, model.inside, model.rules, model.worded_from
        self.seconds = 0.0
        self.arrivals: list[tuple[float, int]] = []  # of the latest reply: when, and how many characters by then
        self._model = model

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        self.arrivals = []
        written = 0
        with closing(self._model.stream(turns, relevance)) as pieces:  # type: ignore[type-var]  # it is a generator
            while True:
                begun = time.perf_counter()
                piece = next(pieces, None)
                self.seconds += time.perf_counter() - begun
                if piece is None:
                    return
                written += len(piece)
                self.arrivals.append((time.perf_counter(), written))
                yield piece

    def written_at(self, characters: int) -> float | None:
        """When so many characters of the latest reply were there."""
        return next((at for at, written in self.arrivals if written >= characters), None)

    def close(self) -> None:
        self._model.close()


@dataclass(frozen=True, slots=True)
class _Timing:
    """What answering took, in seconds."""

    guards: float
    model: float
    firsts: list[float]  # to the first sentence, of the questions that got one
    added: list[float]  # what checking added to that, of those whose first sentence is the model's


def _over_bare_encode(folder: Path, settings: Settings) -> float:
    encoder, judging = _Remembering(), Encoder()
    encoder.load()
    judging.load()
    whole = min(_ingestion_seconds(folder, settings, encoder, judging) for _ in range(ROUNDS))
    texts = encoder.texts[: len(encoder.texts) // ROUNDS]
    if not texts:
        raise DataError(f"{folder} holds no document that can be read")
    original = open_folder(MINILM.verified().parent)
    bare = min(_seconds(lambda: original.encode(texts, batch_size=32, show_progress_bar=False)) for _ in range(ROUNDS))
    return round(bare / whole, 3)


def _over_langchain(folder: Path, settings: Settings) -> float | None:
    if not tutorial.installed():
        return None
    encoder = Encoder()
    encoder.load()
    with TemporaryDirectory(prefix="candor-") as place:
        texts = Path(place, "documents")
        for path in tutorial.readable(folder):
            copy = texts / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        if not texts.exists():
            return None
        pipeline = tutorial.Pipeline(settings.chunks.size, settings.chunks.overlap)
        ours = min(_ingestion_seconds(texts, settings, encoder, encoder) for _ in range(ROUNDS))
        theirs = min(_seconds(lambda: pipeline.ingest(texts)) for _ in range(ROUNDS))
    return round(theirs / ours, 3)


def _ingestion_seconds(folder: Path, settings: Settings, encoder: Encoder, judging: Encoder) -> float:
    """
    Args:
        judging: embeds for the guard that screens what is ingested.
    """
    gate = Gate(Checks([InjectionGuard(judging)]), PolicyFile(settings.guards.policy).current())
    with trial(settings) as index:
        ingestion = Ingestion(
            index.catalogue,
            index.vectors,
            encoder,
            settings.chunks,
            lambda chunks: instructing(chunks, gate),
        )
        return _seconds(lambda: list(ingestion([folder])))


def _answering(settings: Settings, questions: Sequence[str], on_progress: OnProgress) -> dict[str, Any]:
    with elsewhere(settings) as own:
        candor = Candor(own)
        try:
            on_progress("Loading", 0, 1)
            candor.load(samples())
            on_progress("Loading", 1, 1)
            timing = _timed_answers(candor, questions, on_progress)
        finally:
            candor.close()
    return {
        "guards_over_generation": round(timing.guards / timing.model, 3) if timing.model else None,
        "first_sentence_ms": round(statistics.median(timing.firsts) * 1000, 1) if timing.firsts else None,
        "first_sentence_added_ms": round(statistics.median(timing.added) * 1000, 1) if timing.added else None,
    }


def _timed_answers(candor: Candor, questions: Sequence[str], on_progress: OnProgress) -> _Timing:
    parts, given = candor.assistant.parts, candor.model()
    gate = parts.gate()
    watch = Stopwatch()
    timed = Gate(Checks([TimedGuard(guard, watch) for guard in gate.checks.guards]), gate.policy)
    model = TimedModel(given) if given else None
    assistant = Assistant(replace(parts, gate=lambda: timed, model=lambda: model))
    firsts, added = [], []
    for number, question in enumerate(questions, start=1):
        begun = time.perf_counter()
        spent = watch.seconds
        screening = 0.0  # guards before anything is written
        first: float | None = None
        for piece in assistant.ask(question, f"speed-{number}", LOCAL_READER):
            if first is None and isinstance(piece, Sentence):
                first = (now := time.perf_counter()) - begun
                written = model.written_at(len(piece.text)) if model and not piece.quoted else None
                added += [screening + now - written] if written else []
            screening = watch.seconds - spent if first is None else screening
        firsts += [] if first is None else [first]
        on_progress("Answering", number, len(questions))
    return _Timing(watch.seconds, model.seconds if model else 0.0, firsts, added)


def _query_ms(size: int, settings: Settings, seed: int) -> float:
    """Median milliseconds of a search among ``size`` synthetic chunks."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    with trial(settings) as index:
        fill(index, size, chance)
        retrieve: Retriever = index.retrieve
        times = []
        for _ in range(QUERIES + 1):
            question = "What is the {} for the {} of a {}?".format(*chance.choices(WORDS, FREQUENCIES, k=3))
            search = Search(question, (question,))
            times.append(_seconds(lambda search=search: retrieve(search, LOCAL_READER)))  # type: ignore[misc]
    return round(statistics.median(times[1:]) * 1000, 1)  # the first one loads


def fill(index: Trial, size: int, chance: random.Random) -> None:
    """Put synthetic documents into an index: words at random, as frequent as in real text, and random vectors."""
    import numpy as np

    numbers = np.random.default_rng(chance.randrange(2**32))
    for first in range(0, size, PER_DOCUMENT):
        document, chunks = _synthetic(first, min(PER_DOCUMENT, size - first), chance)
        vectors = numbers.standard_normal((len(chunks), Encoder.dimensions), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = [chunk.id for chunk in chunks]
        index.vectors.add(ids, vectors, [document.id] * len(chunks), [EVERYONE] * len(chunks))
        place = Path("/", document.source)
        index.catalogue.put(document, chunks, path=place, root=Path("/"), file_hash="", sample=False)


def _synthetic(first: int, count: int, chance: random.Random) -> tuple[Document, list[Chunk]]:
    texts = [" ".join(chance.choices(WORDS, FREQUENCIES, k=120)) + "\n" for _ in range(count)]
    document = Document(f"synthetic/{first}.txt", f"Synthetic {first}", "".join(texts))
    chunks, start = [], 0
    for text in texts:
        chunks.append(Chunk(document.id, document.source, document.title, text, start, start + len(text)))
        start += len(text)
    return document, chunks


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
