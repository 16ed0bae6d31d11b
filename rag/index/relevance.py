"""How much the passages found have to do with the question."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Passage


def relevance(passages: Sequence[Passage]) -> float:
    """0 to 1; how likely the passages speak of what is asked."""
    return max((passage.similarity for passage in passages), default=0.0)
