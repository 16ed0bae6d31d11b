"""What the personal-data guard's figures are compared with: ``python -m tests.quality.baselines FILE``.

Plain Presidio, as it comes without a spaCy model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from guardrails.pii import Detection
from guardrails.pii.domains import keep_presidio_offline
from rag.evaluation import pii

LANGUAGES = ("en", "de", "es", "fr")


@cache
def presidio() -> Any:
    """The default recognizers of each language over a blank pipeline; no context words, since that has no lemmas."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.nlp_engine.spacy_nlp_engine import spacy  # it comes with Presidio, and is used nowhere else

    class Blank(SpacyNlpEngine):  # type: ignore[misc]  # Presidio publishes no types
        def __init__(self) -> None:
            super().__init__([{"lang_code": language, "model_name": "blank"} for language in LANGUAGES])
            self.nlp = {language: spacy.blank(language) for language in LANGUAGES}

    keep_presidio_offline()
    registry = RecognizerRegistry(supported_languages=list(LANGUAGES))
    registry.load_predefined_recognizers(languages=list(LANGUAGES))
    return AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=list(LANGUAGES))


def plain_presidio(language: str) -> Callable[[str], list[Detection]]:
    def find(text: str) -> list[Detection]:
        results = presidio().analyze(text, language)
        return [Detection(r.entity_type, r.start, r.end, min(1.0, r.score), "") for r in results]

    return find


def main(file: str) -> None:
    path = Path(file)
    language = {"german_ler": "de", "meddocan": "es", "europeana_fr": "fr"}.get(path.name.partition(".")[0], "en")
    figures = pii.measure(path, find=plain_presidio(language))
    sys.stdout.write(json.dumps({"file": path.name, **figures}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
