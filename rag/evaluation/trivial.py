"""What can be said of an answer without any guard: the bar below which one adds nothing."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.encoder import Encoder
from guardrails.grounding.words import words
from guardrails.types import Context

Answer = tuple[str, Context]


def trivial(answers: Sequence[Answer], encoder: Encoder) -> dict[str, list[float]]:
    """By name, how suspicious each answer is. Words of the question count as known in all of them."""
    return {
        "new words": [_new_words(answer, context) for answer, context in answers],
        "length": [float(len(answer)) for answer, _ in answers],
        "embedding": [_unlike(answer, context, encoder) for answer, context in answers],
    }


def _new_words(answer: str, context: Context) -> float:
    texts = [context.question, *(passage.text for passage in context.evidence)]
    known = {word.key for text in texts for word in words(text)}
    return float(sum(word.content and word.key not in known for word in words(answer)))


def _unlike(answer: str, context: Context, encoder: Encoder) -> float:
    said, *passages = encoder.embed([answer, *(passage.text for passage in context.evidence)])
    return 1 - max((float(said @ passage) for passage in passages), default=0.0)
