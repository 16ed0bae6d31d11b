"""Has the model write an answer from the sentences that matter. What it writes has not been checked yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardrails.gate import Gate
from guardrails.pseudonyms import Conversations, Pseudonyms
from guardrails.stream import sentences
from guardrails.types import Context, Evidence, Origin
from rag.errors import ModelError
from rag.generation.extract import Extract, within
from rag.generation.models import ChatModel, Turn
from rag.generation.prompt import prompt, without_markers
from rag.turn import Source
from rag.types import Message, Search

LOOK_BACK = 400  # characters in which a loop is looked for
_LOOP = re.compile(r"(\S.{6,80}?)\1{2}$", re.DOTALL)  # the same words three times in a row


class Writer:
    """Turns sources into sentences, and keeps the stand-ins of each conversation.

    Args:
        evidence_characters: how much of the sources the model is given.
    """

    def __init__(self, gate: Gate, evidence_characters: int) -> None:
        self._gate = gate
        self._evidence_characters = evidence_characters
        self._pseudonyms = Conversations()

    def __call__(
        self,
        model: ChatModel,
        search: Search,
        sources: Sequence[Source],
        found: Sequence[Extract],
        history: Sequence[Message],
        conversation: str,
    ) -> Iterator[str]:
        """Sentences as the model writes them. A model outside is told stand-ins, which are replaced in what it writes.

        Raises:
            ModelError: it broke off, or went round in circles.
        """
        names = self._pseudonyms.of(conversation)
        hides = not (model.inside or self._gate.policy.personal_data.models_outside_see_it)

        def told(text: str, *, public: bool = False) -> str:
            return self._disguised(text, names, public=public) if hides else text

        chosen = within(found, self._evidence_characters)
        texts = [
            (told(source.title), told(_joined(chosen, number), public=source.evidence.public_contacts))
            for number, source in enumerate(sources)
            if any(extract.passage == number for extract in chosen)
        ]
        # Earlier turns are told only where the question leans on them: others lead a small model astray.
        leaning = history if len(search.queries) > 1 else ()
        earlier: list[Turn] = [("human" if said.role == "user" else "ai", told(said.content)) for said in leaning]
        pieces = _until_loop(model.stream(prompt(told(search.question), texts, earlier)), model.name)
        for sentence in _unrepeated(sentences(without_markers(pieces))):
            yield names.restore(sentence) if hides else sentence

    def _disguised(self, text: str, names: Pseudonyms, *, public: bool) -> str:
        checked = self._gate.passage(Evidence("", text, public_contacts=public), Context())
        if checked is None:
            raise ModelError("the prompt could not be checked for personal data")
        return names.hide(text, (f for f in checked.personal if f.origin is not Origin.PUBLIC_DOCUMENT))


def _joined(chosen: Sequence[Extract], passage: int) -> str:
    return "".join(extract.text for extract in chosen if extract.passage == passage)


def _until_loop(pieces: Iterator[str], name: str) -> Iterator[str]:
    written = ""
    for piece in pieces:
        written = (written + piece)[-LOOK_BACK:]
        if _LOOP.search(written):
            raise ModelError(f"the model {name} went round in circles")
        yield piece


def _unrepeated(written: Iterator[str]) -> Iterator[str]:
    """Sentences up to the first that was there before: a model that repeats itself has nothing more to say."""
    seen: set[str] = set()
    for sentence in written:
        bare = " ".join(sentence.split()).casefold()
        if bare in seen:
            return
        seen.add(bare)
        yield sentence
