"""Which model files are installed, and whether they are what they should be."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.weights import MINILM, Weights, WeightsError
from rag.generation.embedded import SMOLLM2

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
    return [_examined(use, weights) for use, weights in MODELS.items()]


def _examined(use: str, weights: Weights) -> ModelFile:
    try:
        path = weights.verified()
    except WeightsError as error:
        return ModelFile(weights.name, use, "", 0, weights.sha256, weights.licence, str(error))
    return ModelFile(weights.name, use, str(path), path.stat().st_size >> 20, weights.sha256, weights.licence, "")
