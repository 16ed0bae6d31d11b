"""A whole assistant on one state folder, of real parts; only what writes is scripted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from guardrails.audit.log import AuditLog
from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.policy import Policy, load
from guardrails.types import Guard
from rag.access import LOCAL_READER
from rag.assistant import Assistant, Parts
from rag.generation.models import ChatModel
from rag.types import Done, Notice, Reader, Sentence, Shown

DOCUMENTS = {
    "leave.md": """---
title: Annual leave
---
# Annual leave

Full-time staff have 28 days of paid annual leave a year. Part-time staff have leave in proportion to their hours.

## Carry-over

Up to five days may be carried over to the next year. They lapse on 31 March.
""",
    "directory.md": "# Directory\n\nHelen Moxon leads the field team. Her home telephone is +44 20 7946 0871.\n",
    "helpdesk.md": """---
contacts: public
---
# Help desk

The help desk answers on +44 20 7946 0100 on weekdays.
""",
    "salaries.md": """---
groups: [hr]
---
# Salary bands

The salary band of a senior engineer is 52 000 to 61 000 pounds.
""",
}
LEAVE = "How many days of paid annual leave do full-time staff have?"
GOOD = "Full-time staff have 28 days of paid annual leave a year."


def gate_of(guards: Sequence[Guard], policy: Policy | None = None, seconds: float = 20.0) -> Callable[[], Gate]:
    gate = Gate(Checks(guards, seconds), policy or load())
    return lambda: gate


@dataclass(frozen=True)
class House:
    """Everything but the model, on one state folder."""

    parts: Parts
    log: AuditLog

    def ask(
        self, question: str, model: ChatModel | None, *, conversation: str = "c", reader: Reader = LOCAL_READER
    ) -> list[Shown]:
        assistant = Assistant(replace(self.parts, model=lambda: model))
        return list(assistant.ask(question, conversation, reader))

    def with_guards(self, *guards: Guard, policy: Policy | None = None, seconds: float = 20.0) -> House:
        return House(replace(self.parts, gate=gate_of(guards, policy, seconds)), self.log)


def text_of(shown: list[Shown]) -> str:
    return "".join(piece.text for piece in shown if isinstance(piece, Sentence)).strip()


def notices(shown: list[Shown]) -> list[str]:
    return [piece.text for piece in shown if isinstance(piece, Notice)]


def outcome(shown: list[Shown]) -> str:
    return next(piece.outcome for piece in shown if isinstance(piece, Done))


def everything_recorded(house: House) -> str:
    return "\n".join(map(str, house.log.read()))
