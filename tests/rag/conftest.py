"""What tests of the assistant work with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.audit.log import AuditLog
from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from guardrails.pii.guard import PiiGuard
from rag.assistant import Parts
from rag.dialogue.memory import Memory
from rag.index.catalogue import Catalogue
from rag.index.retrieve import Retriever
from rag.index.store import VectorStore
from rag.index.whole import WholeDocuments
from rag.ingest.ingest import Ingestion
from rag.settings import Settings
from tests.rag.house import DOCUMENTS, House, gate_of


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[tuple[Catalogue, VectorStore]]:
    folder = tmp_path_factory.mktemp("state")
    (folder / "documents").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "documents" / name).write_text(text, encoding="utf-8")
    catalogue, vectors = Catalogue(folder / "index.sqlite"), VectorStore(folder / "vectors")
    settings = Settings(state=folder)
    states = [
        p.latest.state
        for p in Ingestion(catalogue, vectors, encoder, settings.chunks)([folder / "documents"])
        if p.latest
    ]
    assert states == ["added"] * len(DOCUMENTS)
    yield catalogue, vectors
    catalogue.close()


@pytest.fixture(scope="module")
def guards(encoder: Encoder) -> tuple[PiiGuard, GroundingGuard]:
    guards = PiiGuard(), GroundingGuard(encoder)
    for guard in guards:
        guard.load()
    return guards


@pytest.fixture
def house(
    tmp_path: Path, index: tuple[Catalogue, VectorStore], encoder: Encoder, guards: tuple[PiiGuard, GroundingGuard]
) -> Iterator[House]:
    settings = Settings(state=tmp_path)
    log = AuditLog(tmp_path / "audit.sqlite")
    memory = Memory(tmp_path / "conversations.sqlite", log.keys)
    retrieve = Retriever(*index, encoder, settings.retrieval)
    parts = Parts(
        settings, encoder, retrieve, lambda: None, gate_of(guards), log, memory, whole=WholeDocuments(index[0])
    )
    yield House(parts, log)
    assert log.verify() == []
    log.close()
    memory.close()
