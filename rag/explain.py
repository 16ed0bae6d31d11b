"""What a policy would do to a text, and why: the way of a text through the gate, with each decision named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from guardrails.gate import Gate
from guardrails.listed import by_lists
from guardrails.policy import Policy, Ruling
from guardrails.stream import cuts
from guardrails.types import Action, Context, Evidence, Finding, GuardRun, Repair, Stage
from rag.ingest.load import load

As = Literal["question", "answer", "user", "passage"]  # user: part of an answer that repeats the user's words
STAGES: dict[As, Stage] = {"question": "question", "answer": "sentence", "user": "sentence", "passage": "passage"}
NO_QUESTION = " "  # an answer to nothing, whose values come from nowhere; without any, they would be the reader's


@dataclass(frozen=True, slots=True)
class Explained:
    """One piece of the text: a sentence of an answer, else the whole."""

    text: str
    action: Action
    reader: str  # what they see; empty where they see nothing
    record: str  # what is kept for the auditor
    findings: tuple[tuple[Finding, Ruling], ...]  # characters of text
    runs: tuple[GuardRun, ...]
    repair: Repair = "drop"  # tried with a sentence of the model that nothing supports


def explain(gate: Gate, text: str, as_: As, audience: frozenset[str], evidence: Sequence[Evidence]) -> list[Explained]:
    """Put a text through the gate as what it is."""
    stage = STAGES[as_]
    context = Context(audience=audience, evidence=tuple(evidence))
    if stage == "sentence":
        context = replace(context, question=text if as_ == "user" else NO_QUESTION)
        return [
            _explained(gate, cut.text, stage, replace(context, before=cut.before, after=cut.after))
            for cut in cuts([text], gate.parts_a_value)
        ]
    own = (Evidence("", text),) if stage == "passage" else context.evidence
    return [_explained(gate, text, stage, replace(context, question=text if stage == "question" else "", evidence=own))]


def document(path: Path, policy: Policy) -> Evidence:
    """A document as evidence; public if it says so, or the policy does.

    Raises:
        LoadError: it cannot be read.
    """
    read = load(path, path.parent, path.as_posix())
    public = read.meta.public_contacts or policy.is_public(read.source)
    return Evidence(read.source, read.text, read.title, public)


def _explained(gate: Gate, text: str, stage: Stage, context: Context) -> Explained:
    found, runs = gate.checks.run(stage, text, context, gate.policy.uses)
    rulings = tuple(
        (finding, gate.policy.ruling(finding, context, stage)) for finding in by_lists(text, found, gate.policy)
    )
    action, reader, record, repair = _outcome(gate, text, stage, context)
    return Explained(text, action, reader, record, rulings, tuple(runs), repair)


def _outcome(gate: Gate, text: str, stage: Stage, context: Context) -> tuple[Action, str, str, Repair]:
    """What is done, what the reader sees, what is kept, what is tried in place of a sentence that is left out."""
    if stage == "passage":
        passage = gate.passage(context.evidence[0], replace(context, evidence=()))
        if passage is None:
            return Action.WITHHOLD, "", "", "drop"
        return passage.action, passage.shown.text, passage.kept.text, "drop"
    checked = gate.question(text, context) if stage == "question" else gate.sentence(text, context)
    repair = gate.policy.repair(checked.unsupported) if checked.unsupported else "drop"
    return checked.action, checked.shown.text, checked.kept.text, repair
