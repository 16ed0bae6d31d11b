"""Contacts of the sample documents: public ones are shown, private ones are not, and both are found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from rag.access import LOCAL_READER
from rag.assistant import Assistant
from rag.build import Candor, samples
from rag.settings import load
from rag.types import Sentence
from tests.fakes import ScriptedModel

QUESTIONS = [
    json.loads(line) for line in (samples().parent / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
PUBLIC = [question for question in QUESTIONS if question["kind"] == "public_contact"]
PRIVATE = [question for question in QUESTIONS if question["kind"] == "private_data"]


@pytest.fixture(scope="module")
def candor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Candor]:
    """The sample documents, ingested with every guard of the product."""
    candor = Candor(load(state=str(tmp_path_factory.mktemp("state")), generation={"model": "none"}))
    candor.load(samples())
    yield candor
    candor.close()


def everything_shown(candor: Candor, question: dict[str, Any], *, by_model: bool) -> tuple[str, str]:
    """What the answer says, and whatever else a reader sees of it; the model knows the right answer."""
    parts = candor.assistant.parts
    if by_model:
        model = ScriptedModel(question["answers"][0])
        settings = parts.settings.model_copy(
            update={"generation": parts.settings.generation.model_copy(update={"model": "scripted:test"})}
        )
        parts = replace(parts, model=lambda: model, settings=settings)
    shown = list(Assistant(parts).ask(question["question"], f"{question['id']}-{by_model}", LOCAL_READER))
    said = "".join(piece.text for piece in shown if isinstance(piece, Sentence))
    return said, repr(shown)


def test_there_are_ten_questions_of_each_kind() -> None:
    assert min(len(PUBLIC), len(PRIVATE)) >= 10


def test_public_contacts_are_shown(candor: Candor) -> None:
    """Some are asked for in such other words that the passage is not found: what is not found cannot be shown."""
    said = {question["id"]: everything_shown(candor, question, by_model=True)[0] for question in PUBLIC}
    shown = [question["id"] for question in PUBLIC if all(fact in said[question["id"]] for fact in question["facts"])]
    assert len(shown) >= 10, sorted(said.keys() - set(shown))
    masked = [question["id"] for question in PUBLIC if "<PHONE_NUMBER>" in said[question["id"]]]
    assert masked == [], masked


@pytest.mark.parametrize("by_model", [True, False], ids=["worded", "quoted"])
@pytest.mark.parametrize("question", PRIVATE, ids=lambda question: str(question["id"]))
def test_a_private_value_is_not_shown(candor: Candor, question: dict[str, Any], by_model: bool) -> None:
    _, everything = everything_shown(candor, question, by_model=by_model)
    assert [fact for fact in question["facts"] if fact in everything] == []


def test_questions_about_a_person_find_that_persons_document(candor: Candor) -> None:
    from rag.dialogue.understand import understand

    retrieve = candor.assistant.parts.retrieve
    found = {
        question["id"]: {p.chunk.source for p in retrieve(understand(question["question"], []), LOCAL_READER)}
        for question in PRIVATE
    }
    missed = [question["id"] for question in PRIVATE if question["source"] not in found[question["id"]]]
    assert len(missed) <= 1, missed
