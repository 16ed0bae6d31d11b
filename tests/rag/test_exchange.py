"""Another embedding model: its vectors are made beside those in use, then put in their place."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.encoder import Encoder
from guardrails.weights import MINILM
from rag.errors import SettingsError
from rag.index.embed import ModelFolder
from rag.index.exchange import MODEL, Index, open_index
from rag.index.retrieve import Retriever
from rag.ingest.ingest import Ingestion, embedded_text
from rag.settings import Settings
from rag.types import Reader, Search

ROOMS = ("attic", "cellar", "garage", "kitchen", "library", "workshop")
ANYBODY = Reader("anybody")


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model that is not the one in the box: its first two layers."""
    folder = tmp_path_factory.mktemp("models") / "shallow"
    shutil.copytree(MINILM.path.parent, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    return folder


class Home:
    """One state folder, opened with one model after another."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.folder, self.encoder = folder, encoder
        self.documents = folder / "documents"
        self.documents.mkdir()
        for room in ROOMS:
            self.write(f"{room}.md", f"# {room.title()}\n\nThe {room} is open on weekdays.\n")

    def write(self, name: str, text: str) -> None:
        (self.documents / name).write_text(text)

    def open(self, model: str) -> Opened:
        settings = Settings(state=self.folder, embedding={"model": model})
        return Opened(settings, open_index(settings, self.encoder), self.documents)


class Opened:
    def __init__(self, settings: Settings, index: Index, documents: Path) -> None:
        self.index, self.documents = index, documents
        self.ingestion = Ingestion(index.catalogue, index.vectors, index.embedder, settings.chunks)
        self.retrieve = Retriever(index.catalogue, index.vectors, index.embedder, settings.retrieval)
        self.exchange = index.exchange(self.ingestion.alone, self.use, embedded_text)

    def use(self, *pair: object) -> None:
        self.ingestion.use(*pair)  # type: ignore[arg-type]
        self.retrieve.use(*pair)  # type: ignore[arg-type]

    def ingest(self) -> list[str]:
        return [step.latest.state for step in self.ingestion([self.documents]) if step.latest]

    def found(self) -> tuple[str, float]:
        best = self.retrieve(Search("", ("when may one go into the library?",)), ANYBODY)[0]
        return best.chunk.source, round(best.similarity, 4)

    def exchanged(self, at_each_step: Callable[[int], None] = lambda done: None) -> None:
        assert self.exchange
        for done, _ in self.exchange(threading.Event()):
            at_each_step(done)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, Encoder())


def test_the_vectors_in_use_serve_until_the_others_are_complete(home: Home, shallow: Path) -> None:
    before = home.open(MINILM.name)
    before.ingest()
    found = before.found()
    assert before.exchange is None
    now = home.open(str(shallow))
    assert now.index.catalogue.fact(MODEL) == MINILM.name
    seen = []
    now.exchanged(lambda done: seen.append((done, now.found())))
    assert seen[0] == (0, found)
    assert now.index.catalogue.fact(MODEL).startswith("shallow@")
    assert now.found() != found
    assert now.found()[0] == "library.md"
    assert home.open(str(shallow)).found() == now.found()
    assert home.open(MINILM.name).exchange is not None


def test_what_changes_meanwhile_is_part_of_it(home: Home, shallow: Path) -> None:
    home.open(MINILM.name).ingest()
    now = home.open(str(shallow))
    steps = now.exchange(threading.Event())  # type: ignore[misc]
    next(steps)
    home.write("late.md", "# Late\n\nA late rule about the cellar.\n")
    (home.documents / "attic.md").unlink()
    assert sorted(now.ingest()) == ["added", "removed", *["unchanged"] * 5]
    list(steps)
    assert {id for id, _, _ in now.ingestion.vectors.rows()} == set(_ids(now))
    assert len(_ids(now)) == 6


def test_interrupted_it_goes_on_where_it_was(home: Home, shallow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.index.exchange.BATCH", 2)
    home.open(MINILM.name).ingest()
    stop = threading.Event()
    for done, _ in home.open(str(shallow)).exchange(stop):  # type: ignore[misc]
        if done == 4:
            stop.set()
    again = home.open(str(shallow))
    assert again.index.catalogue.fact(MODEL) == MINILM.name
    steps: list[int] = []
    again.exchanged(steps.append)
    assert steps[0] == 4
    assert again.index.catalogue.fact(MODEL).startswith("shallow@")


def test_where_the_model_in_use_is_gone_the_words_alone_are_searched_until_then(home: Home, shallow: Path) -> None:
    gone = home.folder / "gone"
    shutil.copytree(shallow, gone)
    home.open(str(gone)).ingest()
    shutil.rmtree(gone)
    now = home.open(MINILM.name)
    assert "which is no longer there" in now.index.warning
    assert now.found() == ("library.md", 0.0)
    now.exchanged()
    assert now.found()[1] > 0
    assert home.open(MINILM.name).index.warning == ""


@pytest.mark.parametrize("name", ["pytorch_model.bin", "modeling_own.py"])
def test_a_model_that_could_run_code_is_refused(shallow: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(shallow, tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(b"")
    with pytest.raises(SettingsError, match=f"holds {name}, which could run code"):
        ModelFolder(tmp_path / "model")


def test_a_model_with_modules_of_its_own_is_refused(shallow: Path, tmp_path: Path) -> None:
    shutil.copytree(shallow, tmp_path / "model")
    (tmp_path / "model" / "modules.json").write_text('[{"type": "own.Module"}]')
    with pytest.raises(SettingsError, match="needs code of its own"):
        ModelFolder(tmp_path / "model")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is no folder of a sentence-transformers model"):
        ModelFolder(tmp_path)


def _ids(opened: Opened) -> list[str]:
    return [id for id, _, _ in opened.ingestion.vectors.rows()]
