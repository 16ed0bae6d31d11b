"""What is said to a model."""

from __future__ import annotations

from typing import Literal

Turn = tuple[Literal["system", "human", "ai"], str]
