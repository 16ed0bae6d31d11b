"""The recipe that teaches the embedded model: what it is taught on, and that it is told what it learned from."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from guardrails.stream import sentences
from rag.errors import ModelError
from rag.generation import embedded
from rag.generation.embedded import ADAPTER, EmbeddedServer, verified_adapter
from rag.generation.prompt import SHORT
from rag.generation.training.adapter import permuted
from rag.generation.training.examples import told
from rag.generation.training.lora import TOGETHER, Tokens, batches, slope
from rag.generation.training.questions import SETS, kept_aside, questions, read
from rag.generation.training.staged import staged
from rag.types import Message
from tests.fakes import ScriptedModel
from tests.rag.house import GOOD, LEAVE, House

LARGEST = 12_000_000  # bytes


def test_nothing_kept_aside_is_trained_on(shared_data: Path) -> None:
    aside = {
        row["question"] for name in SETS for row in read(shared_data / "qa" / f"{name}.jsonl.gz") if kept_aside(row)
    }
    aside_texts = {
        text
        for name in ("clapnq", "xquad_en")
        for row in read(shared_data / "qa" / f"{name}.jsonl.gz")
        if kept_aside(row)
        for text in row["contexts"]
    }
    trained = list(questions(shared_data))
    assert len(trained) > 1000
    assert not aside & {row.question for row in trained if row.dataset in ("clapnq", "xquad_en", "pubmedqa", "contoso")}
    assert not aside_texts & {text for row in trained for text in row.contexts}


@pytest.mark.parametrize("seed", range(5))
def test_staged_answers_stand_in_their_documents(seed: int) -> None:
    for one in staged(100, random.Random(seed)):  # noqa: S311
        numbers = {word.strip(".,") for word in one.answer.split() if any(c.isdigit() for c in word)}
        assert all(number in one.document.text for number in numbers), one
        if not one.answer:  # the name that is asked about stands nowhere
            assert not any(sentence.strip(" -\n") in one.question for sentence in sentences([one.document.text]))


def test_batches_hold_every_example_once_and_stay_small() -> None:
    draw = random.Random(1)  # noqa: S311
    tokens = [Tokens([1] * draw.randint(50, 600), [2] * draw.randint(2, 90)) for _ in range(200)]
    made = batches(tokens, draw)
    assert sorted(map(id, (one for batch in made for one in batch))) == sorted(map(id, tokens))
    assert all(len(batch) * max(map(len, batch)) <= TOGETHER for batch in made)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [slope(step, 100) for step in range(101)]
    assert (max(rates), rates[-1]) == (1, 0)
    assert rates.index(1) < 10


def test_halves_of_heads_are_interleaved() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]  # two heads of four: (0 1 | 2 3), (4 5 | 6 7)
    assert permuted(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_the_writer_tells_the_model_what_it_was_trained_on(house: House) -> None:
    """The recipe builds prompts by itself; a change to the writer alone would leave the adapter untaught."""
    model = ScriptedModel(GOOD, GOOD)
    model.rules = SHORT
    house.ask(LEAVE, model)
    house.ask("And for part-time staff?", model)
    texts = [
        (title.partition("] ")[2], text)
        for title, _, text in (block.partition("\n") for block in _sources(model.told[-1]))
    ]
    wanted = told("And for part-time staff?", (Message("user", LEAVE), Message("assistant", GOOD)), texts)
    assert model.told[-1] == "\n".join(text for _, text in wanted)


def _sources(said: str) -> list[str]:
    listed = said.partition("Sources:\n")[2].partition("\n\nQuestion:")[0]
    return re.split(r"\n\n(?=\[\d\])", listed)


def test_the_adapter_is_small_and_what_its_card_says() -> None:
    assert verified_adapter().stat().st_size < LARGEST


def test_an_altered_adapter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / "writer.gguf"
    altered.write_bytes(ADAPTER.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(embedded, "ADAPTER", altered)
    with pytest.raises(ModelError, match="SHA-256"):
        EmbeddedServer().endpoint()


def test_without_the_adapter_the_model_comes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ADAPTER", Path("nowhere.gguf"))
    server = EmbeddedServer(trained=False)
    try:
        assert server.endpoint().url
    finally:
        server.stop()


def test_the_card_names_data_licences_and_limits() -> None:
    card = json.loads(embedded.CARD.read_bytes())
    assert {"data", "licences", "limits", "figures", "base_sha256"} <= card.keys()
