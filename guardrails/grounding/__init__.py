"""Grounding: what supports a sentence, or that nothing does."""

from guardrails.grounding.guard import GroundingGuard

__all__ = ["GroundingGuard"]
