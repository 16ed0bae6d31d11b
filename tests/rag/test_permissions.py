"""What a reader may not read is not found, cited or hinted at, also while many ask and documents change hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from guardrails.audit.log import AuditLog
from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from guardrails.pii.guard import PiiGuard
from rag.access import LOCAL_READER
from rag.assistant import Assistant, Parts
from rag.dialogue.memory import Memory
from rag.index.catalogue import Catalogue
from rag.index.retrieve import Retriever
from rag.index.store import VectorStore
from rag.ingest.ingest import Ingestion
from rag.library import Library
from rag.purge import Purge
from rag.settings import Settings
from rag.types import Reader
from tests.fakes import ScriptedModel
from tests.rag.house import gate_of

GROUPS = ("hr", "finance")
ROUNDS = 6  # questions of each reader, each on two ways: told by a model, quoted
QUESTIONS = ("What is the bonus this year?", "Who decides about the bonus?", "What replaced the bonus rules?")


def canary(group: str) -> str:
    """A word that stands only in what ``group`` alone may read."""
    return f"{group}only"


def reader(group: str) -> Reader:
    return replace(LOCAL_READER, id=group, groups=LOCAL_READER.groups | {group})


class Office:
    """Two readers, documents of each, one document that keeps changing hands, and rules whose successor is hidden."""

    def __init__(self, folder: Path, encoder: Encoder, guards: tuple[PiiGuard, GroundingGuard]) -> None:
        self.folder = folder / "documents"
        self.folder.mkdir()
        self.catalogue, self.vectors = Catalogue(folder / "index.sqlite"), VectorStore(folder / "vectors")
        settings = Settings(state=folder)
        self.ingestion = Ingestion(self.catalogue, self.vectors, encoder, settings.chunks)
        self.log, self.memory = AuditLog(folder / "audit.sqlite"), Memory(folder / "conversations.sqlite")
        retrieve = Retriever(self.catalogue, self.vectors, encoder, settings.retrieval)
        self.parts = Parts(settings, encoder, retrieve, lambda: None, gate_of(guards), self.log, self.memory)
        purge = Purge(folder, self.catalogue, self.vectors, self.log, self.ingestion.remove)
        self.library = Library(self.catalogue, self.ingestion, self.log, folder / "uploads", gate_of(guards), purge)
        for group in GROUPS:
            self.write(f"{group}.md", group, f"The bonus of {canary(group)} staff is four per cent this year.")
            self.write(f"{group}-rules.md", group, f"New rules decide about the bonus, says {canary(group)}.")
            self.write(
                f"old-{group}.md",
                "everyone",
                "The bonus is decided by the board.",
                more=f"superseded_by: {group}-rules.md\n",
            )
        self.pass_on("hr")

    def write(self, name: str, group: str, text: str, more: str = "") -> None:
        title = f"Bonus {canary(group)}" if group in GROUPS else "Bonus"
        front = f"---\ntitle: {title}\ngroups: [{group}]\n{more}---\n"
        (self.folder / name).write_text(f"{front}# Bonus\n\n{text}\n", encoding="utf-8")

    def pass_on(self, group: str) -> None:
        """The same file, now of another group and with other words."""
        self.write("shared.md", group, f"The bonus is paid in May, {canary(group)} staff first.")
        for _ in self.ingestion([self.folder]):
            pass

    def everything_shown(self, to: Reader, question: str, model: ScriptedModel | None) -> str:
        assistant = Assistant(replace(self.parts, model=lambda: model))
        shown = list(assistant.ask(question, f"conversation of {to.id}", to))
        return repr([shown, model.told if model else "", self.library.shelf(to)])


@pytest.fixture
def office(tmp_path: Path, encoder: Encoder, guards: tuple[PiiGuard, GroundingGuard]) -> Iterator[Office]:
    office = Office(tmp_path, encoder, guards)
    yield office
    for part in (office.catalogue, office.log, office.memory):
        part.close()


def test_under_load_nobody_sees_a_word_of_what_they_may_not_read(office: Office) -> None:
    over = threading.Event()

    def change_hands() -> None:
        while not over.is_set():
            for group in GROUPS:
                office.pass_on(group)

    def ask(group: str) -> str:
        seen = ""
        for number in range(ROUNDS):
            question = QUESTIONS[number % len(QUESTIONS)]
            model = ScriptedModel("The bonus is four per cent this year.") if number % 2 else None
            seen += office.everything_shown(reader(group), question, model)
        return seen

    with ThreadPoolExecutor(5) as pool:
        changing = pool.submit(change_hands)
        asking = {group: [pool.submit(ask, group) for _ in range(2)] for group in GROUPS}
        seen = {group: "".join(one.result() for one in several) for group, several in asking.items()}
        over.set()
        changing.result()
    for mine, other in (GROUPS, GROUPS[::-1]):
        assert canary(mine) in seen[mine]
        assert canary(other) not in seen[mine]


@pytest.mark.parametrize("look", [Catalogue.shelf, lambda *of: Catalogue.chunks(of[0], ids(of[0]), of[1]).values()])
def test_a_newer_document_is_not_named_to_those_who_may_not_read_it(
    office: Office, look: Callable[..., object]
) -> None:
    audiences, _ = office.catalogue.audiences(reader("hr").groups)
    seen = repr(look(office.catalogue, audiences))
    assert canary("hr") in seen
    assert canary("finance") not in seen


def ids(catalogue: Catalogue) -> list[str]:
    return [id for id, _ in catalogue.keyword_search("bonus board", ["everyone", *GROUPS], 50)]
