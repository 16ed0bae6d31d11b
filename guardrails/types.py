"""What flows through the guards. This module imports the standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Literal, Protocol

Kind = Literal["pii", "supported", "unsupported", "injection", "harm", "output", "guard_failed"]
Stage = Literal["question", "passage", "sentence"]  # what a text is: a reader's message, a source, part of an answer
Verdict = Literal["supports", "does not support", "contradicts"]
Repair = Literal["drop", "hedge", "quote", "ask"]  # what becomes of a sentence that nothing supports
Status = Literal["ran", "skipped", "timed out", "failed"]


class Action(IntEnum):
    """What is done with a text. The gate takes the highest action that a finding asks for."""

    SHOW = 0
    REDACT = 1  # the span is replaced by its label, e.g. <EMAIL_ADDRESS>
    FLAG = 2  # shown with a mark, and queued for review
    DROP = 3  # this sentence is left out of the answer, and queued for review
    WITHHOLD = 4  # nothing more of this answer is shown; the reader is told why


class Origin(Enum):
    """Where a value in a checked text comes from."""

    USER = "user"  # the reader wrote it in this conversation
    PUBLIC_DOCUMENT = "public_document"  # evidence whose contacts are meant for every reader
    DOCUMENT = "document"  # other evidence
    INVENTION = "invention"  # neither: the model made it up


@dataclass(frozen=True, slots=True)
class Evidence:
    """One passage that an answer may rest on, as the model saw it."""

    id: str
    text: str
    title: str = ""
    public_contacts: bool = False  # the document, or the policy, says that its contacts are meant for every reader


@dataclass(frozen=True, slots=True)
class Context:
    """What a guard may compare a text with."""

    question: str = ""
    history: tuple[str, ...] = ()  # the reader's earlier messages in this conversation, oldest first
    evidence: tuple[Evidence, ...] = ()  # empty while a question is checked
    audience: frozenset[str] = frozenset()  # the reader's role and groups
    before: str = ""  # the last few hundred characters before the checked text in the same answer, unredacted
    after: str = ""  # what follows it there
    report_from: float | None = None  # certainty from which lack of support is reported; None: as the guard says


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` (exclusive) of the evidence with this id, and what they say of a sentence."""

    evidence_id: str
    start: int
    end: int
    verdict: Verdict = "supports"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a guard found in a text.

    Holds where it is and why it was reported, never the words themselves: a
    finding is logged and exported, and what it points at may be a secret.
    """

    guard: str
    kind: Kind
    label: str  # the guard's own name for it, e.g. "EMAIL_ADDRESS", "number", "sentence"
    start: int  # characters into the checked text
    end: int  # exclusive
    score: float  # 0 to 1: how sure the guard is
    threshold: float  # the setting that score was compared with
    reason: str  # one sentence for an auditor
    origin: Origin | None = None  # personal data only
    support: tuple[Span, ...] = ()  # grounding only: the words of the evidence that say it, or those that come nearest


@dataclass(frozen=True, slots=True)
class GuardRun:
    """How one guard fared on one text."""

    guard: str
    status: Status
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text after redaction, with what was found in it."""

    text: str
    findings: tuple[Finding, ...] = ()  # start and end are characters of this text


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that the guards have seen."""

    shown: Redacted  # for the reader: redacted as policy says; empty when dropped or withheld
    kept: Redacted  # for the auditor: all personal data redacted; empty text when a guard failed
    action: Action
    runs: tuple[GuardRun, ...] = ()
    unsupported: tuple[
        Finding, ...
    ] = ()  # what drops it, if lack of support alone does: characters of the text as given


class Guard(Protocol):
    """Looks at one text. Contract: ``tests/contracts.py::GuardContract``."""

    name: str
    stages: frozenset[Stage]  # the texts that it looks at

    def check(self, text: str, context: Context) -> Sequence[Finding]:
        """Report what is wrong with ``text``, and what supports it.

        Args:
            text: a question, or a sentence of an answer; may be empty.
            context: what the text may be compared with.

        Returns:
            Findings in order of start. None of a kind other than "supported" means that
            nothing wrong was found, never that the guard could not look: then it raises.
        """
        ...
