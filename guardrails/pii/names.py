"""The tagger as a recognizer of Presidio: for its registry, its context words, and its anonymizer.

    registry.add_recognizer(NameRecognizer())

Needs no language model and no pipeline beside it; any language will do.
"""

from __future__ import annotations

from typing import Any

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from guardrails.pii.tagger import TYPES, Tagger

NAME = "NameRecognizer"
LOWEST, HIGHEST = (
    0.4,
    0.7,
)  # score of a span that is just reported, and of a certain one: below values with check digits


class NameRecognizer(EntityRecognizer):
    """Reports ``TYPES``. May be shared by threads.

    Raises:
        WeightsError: at first use, when a file of the model is missing or altered.
    """

    def __init__(self, tagger: Tagger | None = None, supported_language: str = "en") -> None:
        self._tagger = tagger or Tagger()
        super().__init__(list(TYPES), name=NAME, supported_language=supported_language)

    def load(self) -> None:
        """Nothing yet: Presidio calls this when it builds the recognizer; the files are read at the first text."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """The spans of these types, scored from ``LOWEST`` to ``HIGHEST`` by their probability."""
        return [
            RecognizerResult(
                entity_type=found.type,
                start=found.start,
                end=found.end,
                score=score(found.probability),
                analysis_explanation=AnalysisExplanation(NAME, score(found.probability)),
                recognition_metadata={RecognizerResult.RECOGNIZER_NAME_KEY: NAME},
            )
            for found in self._tagger.tag(text)
            if found.type in entities
        ]


def score(probability: float) -> float:
    """Presidio's score of a span."""
    return LOWEST + (HIGHEST - LOWEST) * probability
