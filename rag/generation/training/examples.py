"""What the writer is trained on: what it would be told of a question, and what it should write.

The passages are those that the product finds among all documents of a set, cut and chosen as for a reader; where the
right one was not found it is put among them, at any place. An answer is kept only where the grounding guard finds
its sentences in what is told; where it does not, those sentences that are told and come nearest to the answer take its
place. Where nothing told holds the answer, the answer is that the sources do not say.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from guardrails.stream import sentences
from guardrails.types import Context, Evidence
from rag.access import LOCAL_READER
from rag.dialogue.understand import understand
from rag.evaluation.answers import best_f1
from rag.evaluation.trial import trial
from rag.generation.extract import extracts, within
from rag.generation.prompt import NOT_ANSWERED, SHORT, prompt
from rag.generation.training.questions import SETS, Question, documents, questions
from rag.generation.training.staged import staged
from rag.generation.turns import Turn
from rag.ingest.split import split
from rag.settings import Settings
from rag.types import Chunk, Document, Message, Passage

logger = logging.getLogger(__name__)

SHORTEST_SENTENCE = 12  # characters; the answers of xquad_en are phrases, of which the words alone are compared
PHRASES = "xquad_en"  # the set whose answers are phrases
WITHHELD = 0.1  # of that set: the passages with the answer are left out, and it is refused
ROUNDS = {"clapnq": 2, "mtrag": 2, "contoso": 2}  # small sets count twice, with other cuts of the evidence
BUDGETS = (700, 1200, 1200, 1600)  # characters of evidence, so that the writer copes with either
MOST = {"xquad_en": 380, "pubmedqa": 130, "qmsum": 60}  # answered questions of a set
STAGED = 480
REFUSED = 1 / 8  # of all examples
MOST_SENTENCES = 4
NEAR_ENOUGH = 0.35  # token F1 from which sentences of the sources count as the answer
SHORTEST_QUOTE = 30  # characters: headings and remains of tables are shorter


@dataclass(frozen=True, slots=True)
class Example:
    """Turns that a model continues, and how it should."""

    dataset: str
    turns: tuple[Turn, ...]
    answer: str


def examples(data: Path, seed: int) -> list[Example]:
    """All examples, shuffled; refusals at most ``REFUSED`` of them."""
    draw = random.Random(seed)  # noqa: S311 - the same examples every time
    maker = _Maker(Encoder(), draw)
    found = [example for name in SETS for example in maker.of_set(name, data)]
    found += maker.staged()
    draw.shuffle(found)
    refusals = [example for example in found if example.answer == NOT_ANSWERED]
    answers = [example for example in found if example.answer != NOT_ANSWERED]
    kept = answers + refusals[: int(len(answers) * REFUSED / (1 - REFUSED))]
    draw.shuffle(kept)
    return kept


def told(question: str, history: Sequence[Message], texts: Sequence[tuple[str, str]]) -> tuple[Turn, ...]:
    """What the embedded model is told, as ``rag/generation/write.py`` puts it."""
    search = understand(question, history)
    leaning = history if len(search.queries) > 1 else ()
    earlier: list[Turn] = [("human" if said.role == "user" else "ai", said.content) for said in leaning]
    return tuple(prompt(search.question, texts, earlier, rules=SHORT))


class _Maker:
    """Makes examples of questions, with the parts that a reader's question goes through."""

    def __init__(self, encoder: Encoder, draw: random.Random) -> None:
        self._encoder = encoder
        self._guard = GroundingGuard(encoder)
        self._draw = draw
        self._settings = Settings()

    def of_set(self, name: str, data: Path) -> Iterator[Example]:
        rows = [row for row in questions(data) if row.dataset == name]
        self._draw.shuffle(rows)
        answered = 0
        with trial(self._settings) as index:
            index.add(documents(name, data))
            for row in rows * ROUNDS.get(name, 1):
                if row.answers and answered >= MOST.get(name, len(rows) * 2):
                    continue
                if example := self._of_row(
                    row, list(index.retrieve(understand(row.question, row.history), LOCAL_READER))
                ):
                    answered += example.answer != NOT_ANSWERED
                    yield example
        logger.info("%s: %d answered", name, answered)

    def staged(self) -> Iterator[Example]:
        """Each document among three others."""
        made = list(staged(STAGED, self._draw))
        for one in made:
            others = (other.document for other in self._draw.sample(made, 3))
            chunks = [chunk for document in (one.document, *others) for chunk in self._split(document)]
            self._draw.shuffle(chunks)
            parts = self._chosen(
                understand(one.question, one.history).queries, [Passage(c, 0.0) for c in chunks[: self._most]]
            )
            row = Question("staged", one.question, one.history, (), "", (one.answer,))
            if answer := self._supported(row, parts) if one.answer else NOT_ANSWERED:
                yield Example("staged", told(one.question, one.history, parts), answer)

    @property
    def _most(self) -> int:
        return self._settings.retrieval.passages

    def _of_row(self, row: Question, passages: list[Passage]) -> Example | None:
        withheld = row.dataset == PHRASES and self._draw.random() < WITHHELD
        if withheld:
            passages = [one for one in passages if not any(answer in one.chunk.text for answer in row.answers)]
        elif row.answers:
            self._put_among(passages, row)
        parts = self._chosen(understand(row.question, row.history).queries, passages)
        if not parts:
            return None
        answer = NOT_ANSWERED if withheld or not row.answers else self._supported(row, parts)
        return Example(row.dataset, told(row.question, row.history, parts), answer) if answer else None

    def _put_among(self, passages: list[Passage], row: Question) -> None:
        """A chunk of the row's own contexts, where none was found."""
        if any(one.chunk.text in context for one in passages for context in row.contexts):
            return
        if chunks := [chunk for text in row.contexts for chunk in self._split(Document("own", row.title, text))]:
            best = max(chunks, key=lambda chunk: _overlap(chunk.text, row.answers[0]))
            del passages[self._most - 1 :]
            passages.insert(self._draw.randrange(len(passages) + 1), Passage(best, 0.0))

    def _split(self, document: Document) -> list[Chunk]:
        return split(document, self._settings.chunks.size, self._settings.chunks.overlap)

    def _chosen(self, queries: Sequence[str], passages: Sequence[Passage]) -> list[tuple[str, str]]:
        """(title, text) of what is told, as the writer joins it."""
        chosen = within(extracts(queries, passages, self._encoder), self._draw.choice(BUDGETS))
        return [
            (passage.chunk.title, text)
            for number, passage in enumerate(passages)
            if (text := "".join(extract.text for extract in chosen if extract.passage == number))
        ]

    def _supported(self, row: Question, parts: Sequence[tuple[str, str]]) -> str:
        """The reference that stands in what is told; of its sentences those that do, if the first is among them."""
        if row.dataset == PHRASES:
            return next((_phrase(answer) for answer in row.answers if any(answer in text for _, text in parts)), "")
        evidence = tuple(Evidence(str(number), text, title) for number, (title, text) in enumerate(parts))
        context = Context(row.question, (), evidence)
        for answer in row.answers:
            cut = [" ".join(part.split()) for part in sentences([answer])][:MOST_SENTENCES]
            kept = [part for part in cut if len(part) >= SHORTEST_SENTENCE and self._stands(part, context)]
            if kept and kept[0] == cut[0]:
                return " ".join(kept)
        return _nearest(row.answers, [text for _, text in parts])

    def _stands(self, sentence: str, context: Context) -> bool:
        judged = self._guard.unsupported(sentence, context)
        return judged is not None and judged < self._guard.threshold


def _nearest(answers: Sequence[str], texts: Sequence[str]) -> str:
    """The sentences that together come nearest to an answer, in their order; nothing where they are far from it."""
    told = [" ".join(part.split()) for text in texts for part in sentences([text])]
    quotes = [
        part for part in dict.fromkeys(told) if len(part) >= SHORTEST_QUOTE and part[0].isalnum() and "|" not in part
    ]
    chosen: list[str] = []
    reached = 0.0

    def joined(one: str) -> str:
        return " ".join(part for part in quotes if part in (*chosen, one))

    while len(chosen) < MOST_SENTENCES and (left := [part for part in quotes if part not in chosen]):
        best = max(left, key=lambda one: best_f1(joined(one), answers))
        if (gained := best_f1(joined(best), answers)) <= reached:
            break
        chosen.append(best)
        reached = gained
    return joined(chosen[0]) if reached >= NEAR_ENOUGH else ""


def _overlap(text: str, answer: str) -> int:
    return len(set(text.casefold().split()) & set(answer.casefold().split()))


def _phrase(answer: str) -> str:
    return (answer[0].upper() + answer[1:]).rstrip(".") + "."
