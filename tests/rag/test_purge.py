"""After a purge no file holds what a document said: real files, real Chroma and SQLite, asked about beforehand."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from guardrails.audit import erase
from guardrails.audit.review import ReviewDesk
from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from rag.access import LOCAL_READER
from rag.assistant import Assistant, Parts
from rag.bytescan import LONGEST, ByteScan, pieces
from rag.dialogue.memory import ERASED, Memory
from rag.errors import LoadError, NotAllowed
from rag.index import remains
from rag.index.retrieve import Retriever
from rag.index.store import VectorStore
from rag.ingest.ingest import Ingestion
from rag.purge import Purge
from rag.settings import Settings
from rag.types import Document, Message, Reader
from tests.canaries import Canary, Scanner
from tests.fakes import BrokenGuard, ScriptedModel
from tests.ingest.test_load import word, written_pdf
from tests.rag.house import gate_of
from tests.rag.purging import GONE, STAYS, TEXTS, State, vector

ROOT = Path(__file__).resolve().parents[2]
VAULT = "The combination of the Quendelmoor vault is changed on the first Monday of every quarter."
BRIDGE = "The Farnwassel bridge is closed to heavy lorries between November and the end of March."
ARCHIVE = "The Ostriolenburg archive is open to visitors from seven on every Thursday."
CANTEEN = "The canteen serves warm meals from noon until half past two on every working day."
SAID = {"vault.md": VAULT, "bridge.docx": BRIDGE, "archive.pdf": ARCHIVE, "canteen.md": CANTEEN}
ASKED = {
    "vault.md": "When is the combination of the vault changed?",
    "bridge.docx": "When is the bridge closed to heavy lorries?",
    "archive.pdf": "When is the archive open to visitors?",
    "canteen.md": "When does the canteen serve warm meals?",
}
WITH_VECTORS = {"chroma.sqlite3", "data_level0.bin"}
TELLING = {"vault.md": "Quendelmoor", "bridge.docx": "Farnwassel", "archive.pdf": "Ostriolenburg"}


def scanner(source: str) -> Scanner:
    """Looks for what a document said, and for a word that no other one uses."""
    return Scanner([Canary(source, "text", SAID[source], TELLING[source])])


# --- a whole assistant ----------------------------------------------------------------------------------------------


class House:
    """A state folder with four documents, three of them handed in, and what was asked about them."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.state = State(folder)
        settings = Settings(state=folder)
        moved = partial(erase.moved, self.state.log)
        ingestion = Ingestion(self.state.catalogue, self.state.vectors, encoder, settings.chunks, moved=moved)
        self.ingestion = ingestion
        uploads = folder / "uploads"
        uploads.mkdir()
        (uploads / "vault.md").write_text(f"# Vault\n\n{VAULT}\n")
        (uploads / "canteen.md").write_text(f"# Canteen\n\n{CANTEEN}\n")
        (uploads / "bridge.docx").write_bytes(word("Bridge", BRIDGE))
        (uploads / "archive.pdf").write_bytes(written_pdf([(ARCHIVE, 8, 300)]))
        assert [p.latest.state for p in ingestion([uploads]) if p.latest] == ["added"] * 4
        state = self.state
        self.purge = Purge(folder, state.catalogue, state.vectors, state.log, ingestion.remove)
        self.memory = Memory(folder / "conversations.sqlite", state.log.keys)
        guards = [BrokenGuard("pii", sound=10_000), GroundingGuard(encoder)]
        self.parts = Parts(
            settings, encoder, Retriever(state.catalogue, state.vectors, encoder, settings.retrieval), lambda: None,
            gate_of(guards), state.log, self.memory,
            still_there=lambda passages: remains.still_there(state.catalogue, passages),
        )  # fmt: skip

    def ask(self, question: str, *answers: str) -> str:
        """Ask with a model that answers so; the turn."""
        model = ScriptedModel(" ".join(answers))
        parts = Parts(**{name: getattr(self.parts, name) for name in Parts.__slots__} | {"model": lambda: model})
        list(Assistant(parts).ask(question, _id(question), LOCAL_READER))
        return self.state.log.read(newest=1)[0].turn

    def answer(self, question: str) -> str:
        """As the conversation has it."""
        return self.memory.messages(_id(question), LOCAL_READER)[-1].content


def _id(question: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, question).hex


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> House:
    return House(tmp_path_factory.mktemp("state"), encoder)


def test_nothing_is_left_of_documents_that_were_asked_about(house: House) -> None:
    folder, log = house.state.folder, house.state.log
    turns = {source: house.ask(ASKED[source], text) for source, text in SAID.items()}
    both = house.ask("When is the vault changed, and when does the canteen serve?", VAULT, CANTEEN)
    exported = "".join(log.export())
    (folder / "uploads" / "vault.md").rename(folder / "uploads" / "renamed.md")
    assert {p.latest.state for p in house.ingestion([folder / "uploads"]) if p.latest} == {"moved", "unchanged"}
    for source in TELLING:
        assert [hit for hit in scanner(source).folder(folder) if hit.where.startswith("index.sqlite")]
        purged = house.purge(source.replace("vault", "renamed"), LOCAL_READER)
        assert (purged.left, purged.elsewhere, purged.held_since) == ((), (), "")
        assert purged.chunks
        assert purged.pieces
        assert [str(hit) for hit in scanner(source).folder(folder)] == []
        assert house.answer(ASKED[source]) == ERASED
        record = ReviewDesk(log).record(turns[source], LOCAL_READER)
        assert "was erased with its document on" in next(item.text for item in record.evidence if not item.source)
        assert not [sentence for sentence in record.sentences if TELLING[source] in sentence.written]
        assert [sentence.written[:22] for sentence in record.sentences] == ["These words were erase"]
    assert [hit for source in TELLING for hit in scanner(source).text(exported + "".join(log.export()), "export")] == []
    kept = ReviewDesk(log).record(turns["canteen.md"], LOCAL_READER)
    assert [sentence.written.strip() for sentence in kept.sentences] == [CANTEEN]
    assert house.answer(ASKED["canteen.md"]) == CANTEEN
    of_both = ReviewDesk(log).record(both, LOCAL_READER).sentences
    assert ["erased" in sentence.written for sentence in of_both] == [True, False], "only what the vault was quoted in"
    assert house.state.vectors.count() == house.state.catalogue.count()[1] == 1
    assert log.verify() == []
    assert [event.facts["left"] for event in log.read(kind="purged")] == [0, 0, 0]


def test_an_answer_in_the_making_does_not_outlive_its_document(house: House) -> None:
    """Purged between retrieval and record: it is not shown. Purged between sentences: it is erased as it is written."""
    model = ScriptedModel(f"{CANTEEN} {CANTEEN}")
    parts = Parts(**{name: getattr(house.parts, name) for name in Parts.__slots__} | {"model": lambda: model})
    answer = Assistant(parts).ask(ASKED["canteen.md"], _id("late"), LOCAL_READER)
    next(piece for piece in answer if getattr(piece, "text", "").startswith("Reading"))
    house.purge("canteen.md", LOCAL_READER)
    list(answer)
    assert house.answer("late") == ERASED
    turn = house.state.log.read(newest=1)[0].turn
    assert CANTEEN not in str(ReviewDesk(house.state.log).record(turn, LOCAL_READER))


# --- without a model ------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path)
    state.add(TEXTS)
    yield state
    assert state.log.verify() == []
    state.close()


def lying(state: State, *wanted: bytes) -> set[str]:
    """Files that hold any of these."""
    files = (path for path in state.folder.rglob("*") if path.is_file())
    return {path.name for path in files if any(one in path.read_bytes() for one in wanted)}


def test_no_vector_and_no_word_is_left(state: State) -> None:
    """A vector tells roughly what a passage was about."""
    of_gone = [vector(part).tobytes() for part in TEXTS[GONE].split(". ")]
    id = Document(GONE, GONE, TEXTS[GONE]).id.encode()
    many = [f"other {number}" for number in range(1000)]  # with so many, Chroma writes an index of them
    state.vectors.add(many, np.stack([vector(one) for one in many]), ["other"] * 1000, ["everyone"] * 1000)
    assert lying(state, *of_gone) == WITH_VECTORS
    assert lying(state, b"uendelmoo", b"uartermast") >= {"index.sqlite"}
    state.purge(GONE, LOCAL_READER)
    assert lying(state, *of_gone, id, b"uendelmoo", b"uartermast", b"QUENDELMOO") == set()
    stays = vector(TEXTS[STAYS].split(". ")[0])
    (nearest, cosine), *_ = state.vectors.search(stays, 1)
    assert (lying(state, stays.tobytes()) & WITH_VECTORS != set(), round(cosine, 3)) == (True, 1.0)
    assert nearest in state.catalogue.chunks([nearest], ["everyone"])


def test_what_was_removed_without_care_goes_too(state: State) -> None:
    with closing(sqlite3.connect(state.folder / "index.sqlite")) as connection:
        connection.executescript("PRAGMA secure_delete = OFF; CREATE TABLE old (text)")
        connection.executemany("INSERT INTO old VALUES (?)", [(f"{TEXTS[GONE]} {number}",) for number in range(99)])
        connection.executescript("DROP TABLE old")
    assert state.purge(GONE, LOCAL_READER).left == ()
    assert lying(state, b"uendelmoo") == set()


def test_vectors_are_found_again_after_an_end_between_two_steps(state: State) -> None:
    state.vectors._collection.modify(name=state.vectors._copy)  # as it is when the old ones were deleted
    assert VectorStore(state.folder / "vectors").count() == 4


def test_a_purge_that_left_something_says_where(state: State) -> None:
    (state.folder / "notes.txt").write_text(f"Remember: {TEXTS[GONE]}")
    (state.folder / "notes.bin").write_bytes(b"\0" + TEXTS[GONE].encode("utf-16-be"))
    purged = state.purge(GONE, LOCAL_READER)
    assert (purged.left, purged.elsewhere) == (("notes.bin", "notes.txt"), ())
    assert state.log.read(kind="purged")[0].facts["left"] == 2


def test_words_that_stay_in_the_index_are_told(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remains, "rewrite", lambda catalogue: None)
    assert state.purge(GONE, LOCAL_READER).left[:1] == ("index.sqlite",)


def test_what_another_document_says_too_stays_and_is_told(state: State) -> None:
    state.add({"copy.md": f"{TEXTS[GONE]} And more of it."})
    purged = state.purge(GONE, LOCAL_READER)
    assert (purged.left, purged.elsewhere) == ((), ("copy.md",))
    assert state.purge("copy.md", LOCAL_READER).left == ()
    assert lying(state, b"Quendelmoor") == set()


def test_a_legal_hold_keeps_the_evidence_alone(state: State) -> None:
    state.quote(GONE)
    erase.hold(state.log, GONE, "case 7", "anna")
    memory = Memory(state.folder / "conversations.sqlite", state.log.keys)
    (key,) = state.log.keys_of([GONE]).values()
    memory.add("c", LOCAL_READER, Message("user", "When?"), Message("assistant", TEXTS[GONE], (key.id,)))
    purged = state.purge(GONE, LOCAL_READER)
    assert (purged.held_since != "", purged.left) == (True, ())
    assert state.log.read(kind="sentence")[0].payload == {"quoted": [TEXTS[GONE]]}
    assert [said.content for said in memory.messages("c", LOCAL_READER)] == ["When?", ERASED]
    erase.unhold(state.log, GONE, "anna")
    assert "Quendelmoor" not in str(state.log.read(kind="sentence"))
    memory.close()


def test_a_document_that_was_removed_before_can_be_purged(state: State) -> None:
    state.quote(GONE)
    state.remove(GONE)
    purged = state.purge(GONE, LOCAL_READER)
    assert (purged.chunks, purged.pieces) == (0, 0)
    assert "Quendelmoor" not in str(state.log.read(kind="sentence"))
    assert lying(state, b"uendelmoo") == {GONE}, "the file itself: nobody knows any more that it was this one"


def test_everything_that_was_removed_can_be_purged_at_once(state: State) -> None:
    state.quote(GONE)
    state.quote(STAYS)
    state.remove(GONE)
    assert lying(state, b"uendelmoo") >= {"index.sqlite"}
    assert state.purge.removed(LOCAL_READER) == 1
    assert lying(state, b"uendelmoo") == {GONE}
    assert [STAYS in str(event) or "canteen" in str(event) for event in state.log.read(kind="sentence")] == [
        False,
        True,
    ]


def test_only_an_editor_purges_and_only_what_is_or_was_there(state: State) -> None:
    with pytest.raises(NotAllowed):
        state.purge(GONE, Reader("anna"))
    with pytest.raises(NotAllowed):
        state.purge.removed(Reader("anna"))
    with pytest.raises(LoadError, match=r"never\.md: there is no such document"):
        state.purge("never.md", LOCAL_READER)
    assert state.catalogue.count()[0] == 2


def test_readers_find_what_stays_while_vectors_are_written_anew(state: State) -> None:
    wanted, over = vector(TEXTS[STAYS].split(". ")[0]), threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not over.is_set():
            try:
                wrong.extend(cosine for _, cosine in state.vectors.search(wanted, 1) if cosine < 0.99)
            except Exception as error:  # noqa: BLE001
                wrong.append(error)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(5):
        state.vectors.rewrite()
    over.set()
    for reader in readers:
        reader.join()
    assert wrong == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, to be killed")
def test_killed_anywhere_the_same_call_completes_it(tmp_path: Path) -> None:
    steps = ["note after", "remove after", "delete before", "delete after", "search after"]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.rag.purging", str(tmp_path), *steps],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.stdout.split("\n")[:-1] == [f"{step} {how}" for step in steps for how in (9, 0)], ran.stderr[-2000:]
    for number, step in enumerate(steps):
        state = State(tmp_path / str(number))
        assert lying(state, b"uendelmoo", b"uartermast", b"QUENDEL") == set(), step
        assert "Quendelmoor" not in str(state.log.read(kind="sentence")), step
        assert (state.catalogue.count(), state.vectors.count()) == ((1, 2), 2), step
        assert not (state.folder / "purge.json").exists()
        assert state.log.verify() == []
        state.close()


# --- looking through bytes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("shift", range(5))
def test_a_piece_is_found_wherever_it_begins(encoding: str, shift: int) -> None:
    scan = ByteScan(["Grüße aus Köln", "nothing of it here"])
    assert scan.bytes(b"x" * shift + "Grüße aus Köln".encode(encoding) + b"y") == {"Grüße aus Köln"}
    assert scan.bytes(b"x" * shift + "Grüße aus Kölm".encode(encoding)) == set()
    assert scan.bytes(b"x" * shift) == set()


def test_a_piece_is_found_in_json_in_an_archive_and_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.bytescan.BLOCK", 64)
    (tmp_path / "a.json").write_text(json.dumps("é" * 30 + "Grüße aus Köln"))
    (tmp_path / "b.docx").write_bytes(word("Grüße aus Köln"))
    (tmp_path / "c").write_bytes(b"." * 55 + "Grüße aus Köln".encode())
    assert {path.name for path in ByteScan(["Grüße aus Köln"]).folder(tmp_path)} == {"a.json", "b.docx", "c"}


def test_pieces_are_sentences_or_parts_of_them() -> None:
    assert pieces("One is short. This one is long enough.\nSo is this heading here") == [
        "This one is long enough.",
        "So is this heading here",
    ]
    assert [len(piece) for piece in pieces("".join(map(str, range(100))) + "x" * 10)] == [LONGEST, LONGEST, 40]
    assert pieces(" PIN 47-11 ") == ["PIN 47-11"]
    assert pieces("no") == []
