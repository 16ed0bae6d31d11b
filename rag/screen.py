"""Which of the passages found an answer may rest on, and what of them its reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrails import gate
from guardrails.gate import Gate
from guardrails.types import Action, Context, Evidence, GuardRun
from rag.types import Chunk, Passage

SET_ASIDE = "One passage was set aside: it reads like instructions to the assistant."
SOME_SET_ASIDE = "{} passages were set aside: they read like instructions to the assistant."


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as the answer may rest on it, and as its reader may see it."""

    passage: Passage
    evidence: Evidence
    checked: gate.Passage
    title: str  # through the gate


@dataclass(frozen=True, slots=True)
class Screened:
    """The passages of one search, after the gate."""

    sources: tuple[Source, ...]  # best first
    quarantined: tuple[Source, ...]  # they read like instructions to the assistant: nothing rests on them
    unchecked: int  # how many could not be checked, and are not used

    @property
    def runs(self) -> tuple[GuardRun, ...]:
        """Every check that was made of them."""
        return tuple(run for source in (*self.sources, *self.quarantined) for run in source.checked.runs)

    def notices(self) -> list[str]:
        """What the reader is told."""
        match len(self.quarantined):
            case 0:
                return []
            case 1:
                return [SET_ASIDE]
            case several:
                return [SOME_SET_ASIDE.format(several)]


def screen(gate: Gate, passages: Sequence[Passage], context: Context) -> Screened:
    """Put each passage through the gate; one that could not be checked is not used at all."""
    checked = [_source(gate, passage, context) for passage in passages]
    sources = [source for source in checked if source]
    held = [source for source in sources if _is_held(source)]
    sound = tuple(source for source in sources if source not in held)
    return Screened(sound, tuple(held), len(checked) - len(sources))


def _source(gate: Gate, passage: Passage, context: Context) -> Source | None:
    chunk = passage.chunk
    public = _is_public(gate, chunk)
    evidence = Evidence(chunk.id, chunk.text, chunk.title, public)
    checked = gate.passage(evidence, context)
    named = gate.passage(Evidence(chunk.id, chunk.title, public_contacts=public), context)
    return Source(passage, evidence, checked, named.shown.text) if checked and named else None


def _is_public(gate: Gate, chunk: Chunk) -> bool:
    return chunk.public_contacts or gate.policy.is_public(chunk.source)


def _is_held(source: Source) -> bool:
    return source.checked.action >= Action.DROP and source.passage.chunk.quarantine != "released"
