"""Which of the passages found an answer may rest on, and what of them its reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from guardrails import gate
from guardrails.gate import Gate, Redaction
from guardrails.injection import InjectionGuard
from guardrails.types import Action, Context, Evidence, GuardRun
from rag.types import Chunk, Passage

SET_ASIDE = "One passage was set aside: it reads like instructions to the assistant."
SOME_SET_ASIDE = "{} passages were set aside: they read like instructions to the assistant."


def instructing(chunks: Sequence[Chunk], gate: Gate) -> list[bool]:
    """Which of these chunks must not be used, since they read like instructions to the assistant."""
    texts = [chunk.text for chunk in chunks]
    with ExitStack() as ahead:
        for guard in gate.checks.guards:
            if isinstance(guard, InjectionGuard):
                ahead.enter_context(guard.looking_ahead(texts))
        return [gate.quarantines(text) for text in texts]


@dataclass(frozen=True, slots=True)
class Named:
    """What a document is called, through the gate."""

    title: str
    source: str
    newer: str  # title of the document that supersedes it


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as the answer may rest on it, and as its reader may see it."""

    passage: Passage
    evidence: Evidence
    checked: gate.Passage
    shown: Named  # for the reader
    kept: Named  # for the record

    @property
    def title(self) -> str:
        return self.shown.title


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
    names = (chunk.title, chunk.source, chunk.superseded_by)
    named = gate.passage(Evidence(chunk.id, "\n".join(names), public_contacts=public), context)
    if not (checked and named):
        return None
    checked = replace(checked, action=max(checked.action, named.action))  # a title reaches the model as well
    return Source(passage, evidence, checked, _named(named.shown, names), _named(named.kept, names))


def _named(redacted: Redaction, names: Sequence[str]) -> Named:
    """The names again, which were put through the gate as one text, each on a line."""
    parts, at = [], 0
    for name in names:
        start, end = redacted.move(at, at + len(name))
        parts.append(redacted.text[start:end])
        at += len(name) + 1
    return Named(*parts)


def _is_public(gate: Gate, chunk: Chunk) -> bool:
    return chunk.public_contacts or gate.policy.is_public(chunk.source)


def _is_held(source: Source) -> bool:
    return source.checked.action >= Action.DROP and source.passage.chunk.quarantine != "released"
