"""Another sentence in place of one that nothing supports, as policy says. What it gives has passed the gate again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from guardrails.gate import Gate
from guardrails.stream import BEFORE, LOOK_AHEAD
from guardrails.types import Action, Checked, Context
from rag.errors import ModelError
from rag.generation.extract import Extract, quoted
from rag.generation.prompt import declines
from rag.screen import Source

MOST_ASKED = 2  # sentences of one answer that the model is asked to write again: each costs as long as it took
HEDGE = "The documents do not say this: "
DONE = {
    "hedge": "{} shown though the documents do not say it, and marked so.",
    "quote": "{} replaced by the document's own words, because no passage supports what the model wrote there.",
    "ask": "{} written once more, because no passage supported what the model wrote first.",
}


@dataclass(frozen=True, slots=True)
class Repaired:
    """A checked sentence, and whether its words are a document's."""

    checked: Checked
    quoted: bool = False


def hedge(gate: Gate, sentence: str, context: Context, refused: Checked) -> Repaired | None:
    """The sentence, said not to be in the documents.

    None where more is known than that nobody says it, a number, a name, the opposite: that is no matter of opinion.
    """
    if any(finding.label != "sentence" for finding in refused.kept.findings if finding.kind == "unsupported"):
        return None
    body = sentence.lstrip()
    return Repaired(gate.hedged(sentence[: len(sentence) - len(body)] + HEDGE + body, context))


def quote(
    gate: Gate,
    context: Context,
    refused: Checked,
    sources: Sequence[Source],
    found: Sequence[Extract],
    said: Sequence[str],
) -> Repaired | None:
    """The source's own sentence that comes nearest, unless the answer has it already; none when nothing comes near."""
    near = [(span.evidence_id, span.start) for finding in refused.kept.findings for span in finding.support]
    for extract in found:
        evidence = sources[extract.passage].evidence
        if not any(id == evidence.id and extract.start <= start < extract.end for id, start in near):
            continue
        text = quoted(extract)
        if any(text.strip() in " ".join(earlier.split()) for earlier in said):
            return None
        before, after = evidence.text[: extract.start][-BEFORE:], evidence.text[extract.end :][:LOOK_AHEAD]
        own = replace(context, evidence=(evidence,), before=before, after=after)
        return Repaired(gate.sentence(text, own), quoted=True)
    return None


def ask(gate: Gate, context: Context, write: Callable[[], str]) -> Repaired | None:
    """What the model writes when asked once more; none when it cannot, or says that the sources do not tell."""
    try:
        text = write()
    except ModelError:
        return None
    if not text.strip() or declines(text):
        return None
    checked = gate.sentence(text, context)
    # A sentence that claims nothing is no answer to what was asked.
    return Repaired(checked) if checked.kept.findings or checked.action > Action.SHOW else None
