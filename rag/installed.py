"""Which model files are installed, and whether they are what they should be."""

from __future__ import annotations

import json
from dataclasses import dataclass

from guardrails.weights import MINILM, Weights, WeightsError
from rag.generation.embedded import ADAPTER, CARD, SMOLLM2, verified_adapter

MODELS: dict[str, Weights] = {"embeddings, guards": MINILM, "writing": SMOLLM2}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One model file, examined."""

    name: str
    use: str
    path: str  # "" when it is missing
    megabytes: int
    sha256: str  # as it should be
    licence: str
    problem: str  # "" when it is sound

    @property
    def sound(self) -> bool:
        return not self.problem


def model_files() -> list[ModelFile]:
    """Every model file that the default set-up uses; takes about a second, since each is hashed."""
    return [*(_examined(use, weights) for use, weights in MODELS.items()), _adapter()]


def _examined(use: str, weights: Weights) -> ModelFile:
    try:
        path = weights.verified()
    except WeightsError as error:
        return ModelFile(weights.name, use, "", 0, weights.sha256, weights.licence, str(error))
    return ModelFile(weights.name, use, str(path), path.stat().st_size >> 20, weights.sha256, weights.licence, "")


def _adapter() -> ModelFile:
    name, use = "writer", "writing, what it was taught"
    try:
        path, card = verified_adapter(), json.loads(CARD.read_bytes())
    except WeightsError as error:
        return ModelFile(name, use, "", 0, "", "Apache-2.0", str(error))
    return ModelFile(name, use, str(path), ADAPTER.stat().st_size >> 20, card["sha256"], card["licence"], "")
