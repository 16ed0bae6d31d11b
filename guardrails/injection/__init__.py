"""Instructions that should not be followed: the guard, and what it looks at."""

from guardrails.injection.guard import InjectionGuard

__all__ = ["InjectionGuard"]
