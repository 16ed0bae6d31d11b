"""The tagger of names: its files, its windows, and that Presidio can use it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from guardrails.pii import tagger
from guardrails.pii.names import NameRecognizer
from guardrails.pii.tagger import CARD, MODEL, OVERLAP, TYPES, Tagger, before, shape
from guardrails.trained import PIECES
from guardrails.weights import WeightsError

TAGGER = Tagger()
LARGEST = 12_000_000  # bytes in the repository


def test_the_card_says_what_the_file_is() -> None:
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert card["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert card["thresholds"].keys() == {*TYPES, "@"}
    assert {"what", "made", "licence", "data", "licences", "limits", "figures"} <= card.keys()
    assert MODEL.stat().st_size <= LARGEST


def test_an_altered_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / "pii.onnx"
    altered.write_bytes(MODEL.read_bytes()[:-1] + b"\0")
    shutil.copy(CARD, tmp_path)
    monkeypatch.setattr(tagger, "MODEL", altered)
    with pytest.raises(WeightsError, match=r"pii\.onnx has SHA-256 .* run deploy/run again"):
        Tagger().load()


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(CARD, tmp_path)
    monkeypatch.setattr(tagger, "MODEL", tmp_path / "pii.onnx")
    with pytest.raises(WeightsError, match=r"pii\.onnx is missing"):
        Tagger().load()


@pytest.mark.parametrize("text", ["", " ", "\n\n", ".", "\ud800", "a" * 5000, "\u200b", "🙂" * 300])
def test_any_text_can_be_tagged(text: str) -> None:
    assert all(0 <= found.start < found.end <= len(text) for found in TAGGER.tag(text))


@pytest.mark.parametrize("words", [PIECES - 8, PIECES - 2, PIECES, PIECES + OVERLAP // 2, 2 * PIECES - OVERLAP, 700])
def test_nothing_is_lost_where_windows_meet(words: int) -> None:
    text = "and " * words + "then Katarzyna Nowak-Lindqvist called us. " + "so " * 400
    assert any(text[found.start : found.end] == "Katarzyna Nowak-Lindqvist" for found in TAGGER.tag(text))


@pytest.mark.parametrize(
    ("word", "kind"),
    [(",", 0), ("12", 1), ("b12", 2), ("anna", 3), ("A", 4), ("ANNA", 5), ("Anna", 6), ("McKay", 7), ("安", 7)],
)
def test_how_a_word_is_written(word: str, kind: int) -> None:
    assert shape(word) == kind


@pytest.mark.parametrize(("gap", "kind"), [("", 0), (" ", 1), (" \n", 2), ("\n\n", 3), ("\t", 3)])
def test_what_stands_before_a_word(gap: str, kind: int) -> None:
    assert before(gap) == kind


def test_presidio_uses_it_with_its_own_operators() -> None:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.nlp_engine.spacy_nlp_engine import spacy
    from presidio_anonymizer import AnonymizerEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__([{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry(recognizers=[NameRecognizer(TAGGER)], supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    text = "Please call Anna Kowalska in Nairobi."
    found = engine.analyze(text, "en", entities=["PERSON"])
    assert [(result.entity_type, text[result.start : result.end]) for result in found] == [("PERSON", "Anna Kowalska")]
    assert AnonymizerEngine().anonymize(text, found).text == "Please call <PERSON> in Nairobi."
