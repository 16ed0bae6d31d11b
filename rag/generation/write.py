"""Has the model write an answer from the sentences that matter. What it writes has not been checked yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrails.gate import Gate
from guardrails.pseudonyms import Conversations, Pseudonyms
from guardrails.stream import Cut, cuts
from guardrails.types import Context, Evidence, Origin
from rag.errors import ModelError
from rag.generation.extract import Extract, within
from rag.generation.models import ChatModel, Turn
from rag.generation.prompt import prompt, without_markers
from rag.screen import Source
from rag.types import Message, Search

LOOK_BACK = 400  # characters in which a loop is looked for
_LOOP = re.compile(r"(\S.{6,80}?)\1{2}$", re.DOTALL)  # the same words three times in a row


class Writer:
    """Turns sources into sentences, and keeps the stand-ins of each conversation.

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
    ) -> Iterator[Cut]:
        """Sentences as the model writes them. A model outside is told stand-ins, which are replaced in what it writes.

        Raises:
            ModelError: it broke off, or went round in circles.
            CheckFailed: nobody can tell what the model must not be told, or where a sentence may end.
        """
        names = self._pseudonyms.of(conversation)
        hides = not (model.inside or gate.policy.personal_data.models_outside_see_it)

        def told(text: str, *, public: bool = False) -> str:
            return _disguised(gate, text, names, public=public) if hides else text

        chosen = within(found, self._evidence_characters)
        texts = [
            (told(source.title), told(_joined(chosen, number), public=source.evidence.public_contacts))
            for number, source in enumerate(sources)
            if any(extract.passage == number for extract in chosen)
        ]
        # Earlier turns are told only where the question leans on them: others lead a small model astray.
        leaning = history if len(search.queries) > 1 else ()
        earlier: list[Turn] = [("human" if said.role == "user" else "ai", told(said.content)) for said in leaning]
        # A random mark would make what a small model writes a matter of chance: the one inside is told none.
        mark = "" if model.inside else self._canary
        pieces = _until_loop(model.stream(prompt(told(search.question), texts, earlier, mark)), model.name)
        for cut in _unrepeated(cuts(without_markers(pieces), gate.parts_a_value), told(search.question)):
            yield Cut(*map(names.restore, (cut.text, cut.before, cut.after))) if hides else cut


def _disguised(gate: Gate, text: str, names: Pseudonyms, *, public: bool) -> str:
    context = Context(evidence=(Evidence("", text, public_contacts=public),))
    return names.hide(text, (f for f in gate.personal(text, context) if f.origin is not Origin.PUBLIC_DOCUMENT))


def _joined(chosen: Sequence[Extract], passage: int) -> str:
    return "".join(extract.text for extract in chosen if extract.passage == passage)


def _until_loop(pieces: Iterator[str], name: str) -> Iterator[str]:
    written = ""
    for piece in pieces:
        written = (written + piece)[-LOOK_BACK:]
        if _LOOP.search(written):
            raise ModelError(f"the model {name} went round in circles")
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
