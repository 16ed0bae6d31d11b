"""Real classes with a script, in place of what is outside the house."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.types import Context, Finding, Stage
from rag.errors import ModelError
from rag.generation.prompt import RULES
from rag.generation.turns import Turn

STAGES: frozenset[Stage] = frozenset({"question", "passage", "sentence"})


class ScriptedModel:
    """Writes the replies it was made with, in order, word by word, and keeps what it was told.

    Args:
        breaks_after: words after which it breaks off with an error, as a killed server does.
    """

    def __init__(self, *replies: str, inside: bool = True, breaks_after: int | None = None) -> None:
        self.name = "scripted:test"
        self.inside = inside
        self.rules = RULES
        self.worded_from = 0.0
        self.replies = list(replies)
        self.breaks_after = breaks_after
        self.told: list[str] = []
        self.stopped = False

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        self.told.append("\n".join(text for _, text in turns))
        reply = self.replies.pop(0)
        try:
            for number, word in enumerate(reply.split(" ")):
                if number == self.breaks_after:
                    raise ModelError("the model scripted:test gave no usable reply (ReadError)")
                yield word if number == 0 else f" {word}"
        except GeneratorExit:
            self.stopped = True
            raise

    def close(self) -> None:
        return None


class BrokenGuard:
    """Fails from a given check on."""

    def __init__(self, name: str, sound: int = 0) -> None:
        self.name = name
        self.stages: frozenset[Stage] = frozenset({"sentence"}) if name in {"grounding", "output"} else STAGES
        self.sound = sound

    def check(self, text: str, context: Context) -> list[Finding]:
        self.sound -= 1
        if self.sound < 0:
            raise RuntimeError(f"cannot look at {text}")
        return []
