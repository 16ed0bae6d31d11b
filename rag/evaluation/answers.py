"""How well questions are answered: ``candor evaluate answers``, through ``Assistant.ask`` from beginning to end."""

from __future__ import annotations

import string
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from guardrails.audit.log import AuditLog
from guardrails.types import Context, Evidence, Guard
from rag.access import LOCAL_READER
from rag.build import Candor, samples
from rag.errors import DataError
from rag.evaluation.rows import read_rows
from rag.evaluation.trial import OnProgress, elsewhere, messages, sample, trial_in, unseen
from rag.record import open_log
from rag.settings import Settings
from rag.types import Document, Done, Message, Sentence, Shown

PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLES = frozenset(["a", "an", "the"])
SHOWN = ("answered", "quoted")  # outcomes that are answers
NEEDED = {"question": str, "answerable": bool, "answers": list}


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled question."""

    question: str
    history: tuple[Message, ...]
    answers: tuple[str, ...]
    answerable: bool
    sources: frozenset[str]  # the documents that hold the answer; empty: not known, or there is none
    facts: tuple[str, ...] = ()  # words that a right answer holds


@dataclass(frozen=True, slots=True)
class Said:
    """What the reader got, and what the record says of it."""

    row: Row
    sentences: tuple[Sentence, ...]
    outcome: str
    seconds: float
    first_seconds: float | None  # until the first sentence; None: there was none
    grounded: tuple[bool, ...]  # per shown sentence: the guard passes it when asked again
    copied: tuple[bool, ...]  # per shown sentence: it stands in a passage word for word
    flagged: bool  # a sentence was flagged or left out
    found: frozenset[str]  # the documents of the passages that the answer was made from

    @property
    def answered(self) -> bool:
        return self.outcome in SHOWN and bool(self.sentences)

    @property
    def text(self) -> str:
        return "".join(sentence.text for sentence in self.sentences)


def measure(
    path: Path,
    settings: Settings,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Ask the questions of ``path``, each in a conversation of its own, with its history as if it had been said there.

    The contexts of all rows are the documents. Where no row has any, they are those of ``folder``, or without one those
    that come with the product. What is measured:

    * answered: something was shown, worded by the model or quoted. ``answered_answerable``, ``refused_unanswerable``
      and their mean; a share of no rows is 0.
    * ``answer_f1``: shared words of the shown text and the best reference, as SQuAD counts them, over the answerable
      rows. A refusal scores 0.
    * ``grounded_rate``: share of shown sentences in which the grounding guard, asked again over what the record holds
      of sentence and passages, finds nothing unsupported.
    * ``flagged_rate``: share of the answers of which a sentence was flagged or left out.
    * ``generated_share``: of the shown sentences, those that the model worded; ``copied_share``: of these, those that
      stand in a passage word for word.
    * ``source_found``: of the answerable rows with a known source, those with one among the passages that were found.
    * ``source_cited``: of the answerable rows with a known source, those that cite it. A refusal does not.
    * ``right``: of the answerable rows with ``facts``, those whose shown text holds every one of them, and that cite a
      known source where there is one.
    * ``distinct_2``: different pairs of neighbouring words over all such pairs of the shown texts.
    * ``first_sentence_p50_ms``: over the answers; the other times over all rows.

    Args:
        limit: most questions, drawn by ``seed``; all documents are indexed.

    Raises:
        DataError: the file is missing or a line of it cannot be used.
        CandorError: a part of the product cannot be loaded.
    """
    rows, documents = read(path)
    chosen = sample(rows, limit, seed)
    with assistant_over(documents, settings, on_progress, folder) as candor:
        said = []
        for number, row in enumerate(chosen, start=1):
            said.append(ask(candor, row, f"evaluation-{number}"))
            on_progress("Asking", number, len(chosen))
    return figures(said)


def read(path: Path) -> tuple[list[Row], list[Document]]:
    """The questions of a file, and the documents that their contexts make; a text that occurs twice is one document."""
    documents: dict[str, Document] = {}  # by text
    taken: set[str] = set()
    rows = []
    for number, values in enumerate(read_rows(path, NEEDED), start=1):
        contexts = values.get("contexts") or []
        for name in ("contexts", "answers"):
            if not all(isinstance(text, str) for text in values.get(name) or []):
                raise DataError(f'{path}, row {number}: "{name}" is not a list of strings')
        own = [_document(values, place, number, documents, taken) for place in range(len(contexts))]
        rows.append(_row(values, own, messages(values, path)))
    return rows, list(documents.values())


@contextmanager
def assistant_over(
    documents: Sequence[Document], settings: Settings, on_progress: OnProgress = unseen, folder: Path | None = None
) -> Iterator[Candor]:
    """The whole assistant in a temporary folder, over these documents; when there are none, over those of ``folder``,
    by default the product's own."""
    with elsewhere(settings) as own:
        if documents:
            with trial_in(own) as index:
                index.add(documents, on_progress)
        candor = Candor(own)
        try:
            candor.load(None if documents else folder or samples())
            yield candor
        finally:
            candor.close()


def ask(candor: Candor, row: Row, conversation: str) -> Said:
    """Ask one question as a reader would, and look up what was recorded."""
    if row.history:
        candor.memory.add(conversation, LOCAL_READER, *row.history)
    begun = time.perf_counter()
    first: float | None = None
    pieces: list[Shown] = []
    for piece in candor.assistant.ask(row.question, conversation, LOCAL_READER):
        if first is None and isinstance(piece, Sentence):
            first = time.perf_counter() - begun
        pieces.append(piece)
    seconds = time.perf_counter() - begun
    done = next(piece for piece in reversed(pieces) if isinstance(piece, Done))
    with closing(open_log(candor.settings)) as log:
        kept = _Kept.of(log, done.turn)
    sentences = tuple(piece for piece in pieces if isinstance(piece, Sentence))
    guard = next(guard for guard in candor.assistant.parts.gate().checks.guards if guard.name == "grounding")
    return Said(
        row,
        sentences,
        done.outcome,
        seconds,
        first,
        tuple(kept.is_grounded(guard, text, row) for text in kept.shown),
        tuple(kept.is_copied(text) for text in kept.shown),
        kept.flagged,
        kept.sources,
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the record holds of one answer, personal data redacted in sentences and passages alike."""

    shown: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    flagged: bool
    sources: frozenset[str]

    @classmethod
    def of(cls, log: AuditLog, turn: str) -> _Kept:
        events = log.read(turn=turn, kind=["searched", "sentence"])
        found = [p for event in events if event.kind == "searched" for p in (event.payload or {})["evidence"]]
        written = [event for event in events if event.kind == "sentence"]
        shown = tuple(text for event in written if (text := (event.payload or {})["quoted"]["shown"]))
        evidence = tuple(Evidence(p["id"], p["quoted"]["text"], p["quoted"]["title"]) for p in found)
        flagged = any(event.facts["action"] in ("FLAG", "DROP") for event in written)
        return cls(shown, evidence, flagged, frozenset(p["quoted"]["source"] for p in found))

    def is_grounded(self, guard: Guard, text: str, row: Row) -> bool:
        said = tuple(message.content for message in row.history if message.role == "user")
        findings = guard.check(text, Context(row.question, said, self.evidence))
        return not any(finding.kind == "unsupported" for finding in findings)

    def is_copied(self, text: str) -> bool:
        return any(_plain(text) in _plain(passage.text) for passage in self.evidence)


def figures(said: Sequence[Said]) -> dict[str, Any]:
    """The keys of the ``answers`` row of the measurements."""
    answerable = [one for one in said if one.row.answerable]
    unanswerable = [one for one in said if not one.row.answerable]
    answers = [one for one in said if one.answered]
    answered = _share(one.answered for one in answerable)
    refused = _share(not one.answered for one in unanswerable)
    pairs = [pair for one in said for pair in zip(one.sentences, one.copied, strict=True)]
    return {
        "rows": len(said),
        "answered_answerable": answered,
        "refused_unanswerable": refused,
        "balanced_accuracy": round((answered + refused) / 2, 4),
        "answer_f1": _mean(best_f1(one.text, one.row.answers) if one.answered else 0.0 for one in answerable),
        "grounded_rate": _share(passed for one in said for passed in one.grounded),
        "flagged_rate": _share(one.flagged for one in answers),
        "generated_share": _share(not sentence.quoted for sentence, _ in pairs),
        "copied_share": _share(copied for sentence, copied in pairs if not sentence.quoted),
        "source_found": _share(bool(one.found & one.row.sources) for one in answerable if one.row.sources),
        "source_cited": _share(_cites(one) for one in answerable if one.row.sources),
        "right": _share(is_right(one) for one in answerable if one.row.facts),
        "distinct_2": _distinct_pairs(one.text for one in answers),
    } | _times(said, answers)


def best_f1(text: str, references: Iterable[str]) -> float:
    """Shared words of a text and the reference that fits best, 0 to 1: lower case, without punctuation and articles."""
    return max((_f1(_counted(text), _counted(reference)) for reference in references), default=0.0)


def _f1(found: Counter[str], wanted: Counter[str]) -> float:
    shared = (found & wanted).total()
    return 2 * shared / (found.total() + wanted.total()) if shared else 0.0


def _counted(text: str) -> Counter[str]:
    return Counter(word for word in _words(text) if word not in ARTICLES)


def _words(text: str) -> list[str]:
    return text.lower().translate(PUNCTUATION).split()


def is_right(one: Said) -> bool:
    """Whether the shown text holds every fact of the row, and a right source is cited."""
    words = f" {' '.join(_words(one.text))} "
    held = all(f" {' '.join(_words(fact))} " in words for fact in one.row.facts)
    return one.answered and held and (_cites(one) or not one.row.sources)


def _cites(one: Said) -> bool:
    citations = (citation for sentence in one.sentences for citation in sentence.citations)
    return any(citation.supports and citation.source in one.row.sources for citation in citations)


def _distinct_pairs(texts: Iterable[str]) -> float:
    pairs = [pair for text in texts for pair in pairwise(_words(text))]
    return round(len(set(pairs)) / len(pairs), 4) if pairs else 0.0


def _times(said: Sequence[Said], answers: Sequence[Said]) -> dict[str, float]:
    import numpy as np

    def at(share: int, seconds: Iterable[float | None]) -> float:
        known = [value for value in seconds if value is not None]
        return round(float(np.percentile(known, share)) * 1000, 1) if known else 0.0

    whole = [one.seconds for one in said]
    return {
        "p50_ms": at(50, whole),
        "p95_ms": at(95, whole),
        "first_sentence_p50_ms": at(50, (one.first_seconds for one in answers)),
    }


def _document(
    values: Mapping[str, Any], place: int, number: int, documents: dict[str, Document], taken: set[str]
) -> Document:
    text = values["contexts"][place]
    if text not in documents:
        given = [values.get(name) or [] for name in ("context_ids", "titles")]
        id, title = (names[place] if place < len(names) and names[place] else "" for names in given)
        source = id if id and id not in taken else f"{number}-{place + 1} {id or title}".strip()
        taken.add(source)
        documents[text] = Document(source, title, text)
    return documents[text]


def _row(values: Mapping[str, Any], own: Sequence[Document], history: tuple[Message, ...]) -> Row:
    told = values.get("files") or ([values["source"]] if values.get("source") else [])
    known = told or [document.source for document in own]
    sources = frozenset(known if values["answerable"] else ())
    facts = tuple(values.get("facts") or ())
    return Row(values["question"], history, tuple(values["answers"]), values["answerable"], sources, facts)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _share(held: Iterable[bool]) -> float:
    return _mean(1.0 if one else 0.0 for one in held)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return round(sum(known) / len(known), 4) if known else 0.0
