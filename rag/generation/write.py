"""Has the model write an answer from the sentences that matter. What it writes has not been checked yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrails.gate import Gate
from guardrails.pseudonyms import Conversations, Pseudonyms
from guardrails.stream import Cut, cuts
from guardrails.types import Context, Evidence, Finding, Origin
from rag.errors import ModelLooped
from rag.generation.extract import Extract, within
from rag.generation.models import ChatModel
from rag.generation.prompt import once_more, prompt, without_markers
from rag.generation.turns import Turn
from rag.index.relevance import relevance
from rag.screen import Source
from rag.types import Message, Search

LOOK_BACK = 400  # characters in which a loop is looked for
_LOOP = re.compile(r"(\S.{6,80}?)\1{2}$", re.DOTALL)  # the same words three times in a row


class Writer:
    """Turns sources into drafts, and keeps the stand-ins of each conversation.

    Args:
        evidence_characters: how much of the sources the model is given.
        canary: stands in the instructions of a model outside, and must never stand in an answer.
    """

    def __init__(self, evidence_characters: int, canary: str) -> None:
        self._evidence_characters = evidence_characters
        self._canary = canary
        self._pseudonyms = Conversations()

    def __call__(
        self,
        gate: Gate,
        model: ChatModel,
        search: Search,
        sources: Sequence[Source],
        found: Sequence[Extract],
        history: Sequence[Message],
        conversation: str,
    ) -> Draft:
        """Say what the model is told. A model outside is told stand-ins, which are replaced in what it writes.

        Raises:
            CheckFailed: nobody can tell what the model must not be told.
        """
        disguise = Disguise(gate, model, self._pseudonyms.of(conversation))
        chosen = within(found, self._evidence_characters)
        texts = [
            (disguise(source.title), disguise(_joined(chosen, number), public=source.evidence.public_contacts))
            for number, source in enumerate(sources)
            if any(extract.passage == number for extract in chosen)
        ]
        # Earlier turns are told only where the question leans on them: others lead a small model astray.
        leaning = history if len(search.queries) > 1 else ()
        earlier: list[Turn] = [("human" if said.role == "user" else "ai", disguise(said.content)) for said in leaning]
        # A random mark would make what a small model writes a matter of chance: the one inside is told none.
        mark = "" if model.inside else self._canary
        question = disguise(search.question)
        asked = prompt(question, texts, earlier, mark, model.rules)
        return Draft(gate, model, disguise, question, asked, relevance([source.passage for source in sources]))


class Disguise:
    """Stand-ins in what a model outside is told; a model inside, or where policy trusts them all, is told the words."""

    def __init__(self, gate: Gate, model: ChatModel, names: Pseudonyms) -> None:
        self._gate = gate
        self._names = names
        self._hides = not (model.inside or gate.policy.personal_data.models_outside_see_it)

    def __call__(self, text: str, *, public: bool = False) -> str:
        return self._names.hide(text, self._personal(text, public=public)) if self._hides else text

    def part(self, text: str, start: int, end: int) -> str:
        """Characters of a text as the disguised whole has them; the whole, where a personal value touches them."""
        if not self._hides:
            return text[start:end]
        touched = any(found.start < end and start < found.end for found in self._personal(text))
        return self(text) if touched else self._names.hide(text[start:end], ())

    def lifted(self, cut: Cut) -> Cut:
        """What the model wrote, with the values in place of their stand-ins."""
        return Cut(*map(self._names.restore, (cut.text, cut.before, cut.after))) if self._hides else cut

    def _personal(self, text: str, *, public: bool = False) -> list[Finding]:
        context = Context(evidence=(Evidence("", text, public_contacts=public),))
        return [found for found in self._gate.personal(text, context) if found.origin is not Origin.PUBLIC_DOCUMENT]


class Draft:
    """What a model writes for one question. Nothing of it has been checked yet."""

    def __init__(
        self,
        gate: Gate,
        model: ChatModel,
        disguise: Disguise,
        question: str,
        asked: Sequence[Turn],
        relevance: float = 1.0,
    ) -> None:
        self._gate = gate
        self._model = model
        self._disguise = disguise
        self._question = question
        self._asked = asked
        self._relevance = relevance

    def sentences(self) -> Iterator[Cut]:
        """Sentences as the model writes them.

        Raises:
            ModelError: it broke off.
            ModelLooped: it went round in circles. The sentences before are whole.
            CheckFailed: nobody can tell where a sentence may end.
        """
        return self._written(self._asked)

    def again(self, sentence: str, findings: Sequence[Finding]) -> Iterator[Cut]:
        """The same for one sentence that is written once more, by a model that is told what is wrong with it.

        Args:
            findings: characters of the sentence.

        Raises:
            CheckFailed: also where nobody can tell what the model must not be told.
        """
        wrong = [(self._disguise.part(sentence, found.start, found.end), found.reason) for found in findings]
        yield from self._written(once_more(self._asked, self._disguise(sentence), wrong))

    def _written(self, turns: Sequence[Turn]) -> Iterator[Cut]:
        pieces = _until_loop(self._model.stream(turns, self._relevance), self._model.name)
        for cut in _unrepeated(cuts(without_markers(pieces), self._gate.parts_a_value), self._question):
            yield self._disguise.lifted(cut)


def _joined(chosen: Sequence[Extract], passage: int) -> str:
    return "".join(extract.text for extract in chosen if extract.passage == passage)


def _until_loop(pieces: Iterator[str], name: str) -> Iterator[str]:
    written = ""
    for piece in pieces:
        written = (written + piece)[-LOOK_BACK:]
        if _LOOP.search(written):
            raise ModelLooped(f"the model {name} went round in circles")
        yield piece


def _unrepeated(written: Iterator[Cut], question: str) -> Iterator[Cut]:
    """Sentences up to the first that was there before: a model that repeats itself has nothing more to say.

    One that repeats the question is left out: it answers nothing, and all its words count as known.
    """
    asked = " ".join(question.split()).casefold()
    seen: set[str] = set()
    for cut in written:
        bare = " ".join(cut.text.split()).casefold()
        if asked in bare:
            continue
        if bare in seen:
            return
        seen.add(bare)
        yield cut
