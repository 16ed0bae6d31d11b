"""What is put in place of a sentence that nothing supports: hedged, the source's own words, or written once more.

Whatever it is, the gate has checked it as it will be shown.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from guardrails.encoder import Encoder
from guardrails.gate import Gate
from guardrails.stream import BEFORE, LOOK_AHEAD, Cut
from guardrails.types import Action, Checked, Context, Finding, Repair
from rag.errors import ModelError
from rag.generation.extract import Extract, extracts, quotable
from rag.generation.prompt import declines
from rag.screen import Source

logger = logging.getLogger(__name__)

MOST_ASKED = 2  # sentences of one answer that are written once more: each takes as long as a sentence does
MOST_READ = 3  # sentences of what the model writes then, in search of one that claims something
# Score of a source's sentence against the one it replaces. Of 13 sentences about three documents, read by eye, those on
# the same matter had 0.87 or more, others 0.61 or less.
FITS_FROM = 0.65
_WORD = re.compile(r"\w+")

Outcome = Literal[
    "passed",
    "dropped",
    "withheld",
    "declined",
    "model failed",
    "none fits",
    "said before",
    "asked enough",
    "not finished",
]
BY_ACTION: dict[Action, Outcome] = {Action.DROP: "dropped", Action.WITHHOLD: "withheld"}
TOLD: dict[Repair, tuple[str, str]] = {  # about one sentence, about several
    "drop": (
        "One sentence was left out, because a check did not let what the model wrote there pass.",
        "{} sentences were left out, because a check did not let what the model wrote there pass.",
    ),
    "hedge": (
        "One sentence is shown although the documents do not say it.",
        "{} sentences are shown although the documents do not say it.",
    ),
    "quote": (
        "One sentence was replaced by the document's own words, because the documents do not say what the model wrote.",
        "{} sentences were replaced by the documents' own words, because they do not say what the model wrote.",
    ),
    "ask": (
        "One sentence was written once more, because the documents do not say what the model wrote first.",
        "{} sentences were written once more, because the documents do not say what the model wrote first.",
    ),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer, and what the gate says of it."""

    text: str
    checked: Checked
    quoted: bool = False  # the source's own words, not the model's
    replaces: Repair | None = None  # the repair by which it stands in place of what the model wrote


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done about a sentence that nothing supports, and what came of it."""

    kind: Repair
    outcome: Outcome
    part: Part | None = None  # what stands in its place, if the gate lets it


class Repairs:
    """The repairs of one answer.

    Args:
        again: has the model write a sentence once more, told the findings.
    """

    def __init__(
        self,
        gate: Gate,
        sources: Sequence[Source],
        encoder: Encoder,
        again: Callable[[str, Sequence[Finding]], Iterator[Cut]],
    ) -> None:
        self._gate = gate
        self._sources = sources
        self._encoder = encoder
        self._again = again
        self._asked = 0

    def kind(self, checked: Checked, shown: Sequence[str]) -> Repair:
        """What policy does about it; "drop" where something other than lack of support leaves it out too.

        Args:
            shown: what was shown of the answer so far. None of it: a hedged sentence has nothing to stand beside.
        """
        if not checked.unsupported:
            return "drop"
        kind = self._gate.policy.repair(checked.unsupported)
        return "quote" if kind == "hedge" and not shown else kind

    def __call__(self, kind: Repair, sentence: Part, around: Context, shown: Sequence[str]) -> Repaired:
        """Make this repair.

        Args:
            around: what the sentence was checked with.

        Raises:
            CheckFailed: nobody can tell what the model must not be told.
        """
        match kind:
            case "hedge":
                return _made(kind, Part(sentence.text, self._gate.hedged(sentence.text, around)))
            case "quote":
                return self._quoted(sentence.text, around, shown)
            case "ask":
                return self._written_again(sentence, around, shown)
            case "drop":
                return Repaired(kind, "dropped")

    def _quoted(self, sentence: str, around: Context, shown: Sequence[str]) -> Repaired:
        """By the sentence of the sources that fits best. One that was shown already says enough."""
        found = extracts([sentence], [source.passage for source in self._sources], self._encoder)
        best = max(quotable(found, 1), key=lambda extract: extract.score, default=None)
        if best is None or best.score < FITS_FROM:
            return Repaired("quote", "none fits")
        part = own_words(self._gate, self._sources[best.passage], best, around)
        return Repaired("quote", "said before") if said(part.checked, shown) else _made("quote", part)

    def _written_again(self, sentence: Part, around: Context, shown: Sequence[str]) -> Repaired:
        if self._asked == MOST_ASKED:
            return Repaired("ask", "asked enough")
        self._asked += 1
        try:
            part = self._second(sentence, around)
        except ModelError as error:
            logger.warning("a sentence could not be written once more: %s", type(error).__name__)
            return Repaired("ask", "model failed")
        if part is None:
            return Repaired("ask", "declined")
        return Repaired("ask", "said before") if said(part.checked, shown) else _made("ask", part)

    def _second(self, sentence: Part, around: Context) -> Part | None:
        """The first sentence of the second try that claims something; None when the model sees that there is none."""
        with closing(self._again(sentence.text, sentence.checked.unsupported)) as written:  # type: ignore[type-var]
            for _, cut in zip(range(MOST_READ), written, strict=False):
                if declines(cut.text):
                    break
                text = _in_place_of(sentence.text, cut.text)
                checked = self._gate.sentence(text, around)
                if not claims_nothing(checked):
                    return Part(text, checked)
        return None


def own_words(gate: Gate, source: Source, extract: Extract, context: Context) -> Part:
    """A sentence of a source, checked as part of an answer, with what stands around it there."""
    evidence = source.evidence
    before, after = evidence.text[: extract.start][-BEFORE:], evidence.text[extract.end :][:LOOK_AHEAD]
    text = " ".join(extract.text.split()) + "\n"
    return Part(
        text, gate.sentence(text, replace(context, evidence=(evidence,), before=before, after=after)), quoted=True
    )


def claims_nothing(checked: Checked) -> bool:
    """Whether nothing was found that supports it, and nothing else either: "Here is why:"."""
    return not checked.kept.findings and checked.action is Action.SHOW


def said(checked: Checked, shown: Sequence[str]) -> bool:
    """Whether these words stand in what was shown already."""
    words = _bare(checked.shown.text)
    return bool(words.strip()) and words in _bare(" ".join(shown))


def told(repairs: Counter[Repair]) -> Iterator[str]:
    """What the reader is told of sentences that are not shown as the model wrote them: one line for each repair."""
    for kind, (one, several) in TOLD.items():
        if number := repairs[kind]:
            yield one if number == 1 else several.format(number)


def _made(kind: Repair, part: Part) -> Repaired:
    return Repaired(kind, BY_ACTION.get(part.checked.action, "passed"), replace(part, replaces=kind))


def _in_place_of(sentence: str, written: str) -> str:
    """New words between the white space of the old ones."""
    bare = sentence.strip()
    return sentence.replace(bare, written.strip(), 1) if bare else written


def _bare(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "
