"""Ingestion: incremental, atomic, and sound however it is interrupted."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.encoder import Encoder
from rag.errors import LoadError
from rag.index.catalogue import Catalogue
from rag.index.store import VectorStore
from rag.ingest.ingest import Ingestion
from rag.settings import Chunks
from rag.types import EVERYONE

EVERYBODY = [EVERYONE]


class Index:
    """An index in one folder, and a folder of documents beside it."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.documents = folder / "documents"
        self.documents.mkdir(exist_ok=True)
        self.catalogue = Catalogue(folder / "index.sqlite")
        self.vectors = VectorStore(folder / "vectors")
        self.ingestion = Ingestion(self.catalogue, self.vectors, encoder, Chunks())

    def write(self, name: str, text: str) -> Path:
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def ingest(self, *paths: Path) -> Counter[str]:
        return Counter(p.latest.state for p in self.ingestion(paths or [self.documents]) if p.latest)

    def sound(self) -> bool:
        """Every chunk has its vector and every vector its chunk."""
        return self.vectors.count() == self.catalogue.count()[1] and not self.catalogue.leftover_ids()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture
def index(tmp_path: Path, encoder: Encoder) -> Iterator[Index]:
    index = Index(tmp_path, encoder)
    for number in range(4):
        index.write(
            f"d{number}.md", f"# Document {number}\n\nThe {number}th rule says that room {number} stays open.\n"
        )
    index.ingest()
    yield index
    index.catalogue.close()


def test_ingesting_twice_changes_nothing(index: Index) -> None:
    before = index.catalogue.shelf(EVERYBODY)
    assert index.ingest() == {"unchanged": 4}
    assert index.catalogue.shelf(EVERYBODY) == before
    assert index.sound()


def test_a_changed_file_replaces_its_old_chunks(index: Index) -> None:
    index.write("d1.md", "# Document 1\n\nEverything is closed now.\n")
    assert index.ingest() == {"unchanged": 3, "replaced": 1}
    assert index.catalogue.keyword_search("1th", EVERYBODY, 5) == []
    assert len(index.catalogue.keyword_search("closed", EVERYBODY, 5)) == 1
    assert index.sound()


def test_a_file_that_is_gone_is_removed(index: Index) -> None:
    (index.documents / "d2.md").unlink()
    assert index.ingest() == {"unchanged": 3, "removed": 1}
    assert "d2.md" not in {shelved.source for shelved in index.catalogue.shelf(EVERYBODY)}
    assert index.sound()


def test_a_side_car_alone_counts_as_a_change(index: Index) -> None:
    index.write("d3.md.meta.toml", 'groups = ["hr"]\n')
    assert index.ingest() == {"unchanged": 3, "replaced": 1}
    assert len(index.catalogue.shelf(EVERYBODY)) == 3
    assert len(index.catalogue.shelf([*EVERYBODY, "hr"])) == 4


def test_a_file_that_breaks_keeps_its_last_readable_version(index: Index) -> None:
    (index.documents / "d0.md").write_bytes(b"%PDF-1.7 cut off")
    assert index.ingest() == {"unchanged": 3, "failed": 1}
    assert [failed.source for failed in index.catalogue.failed().values()] == ["d0.md"]
    assert len(index.catalogue.shelf(EVERYBODY)) == 4
    index.write("d0.md", "# Mended\n\nAll is well again.\n")
    assert index.ingest()["replaced"] == 1
    assert index.catalogue.failed() == {}


def test_what_nobody_can_tell_the_readers_of_is_read_by_nobody(index: Index) -> None:
    rule = index.write("_folder.meta.toml", 'groups = ["hr"]')
    assert index.ingest() == {"replaced": 4}
    assert index.catalogue.shelf(EVERYBODY) == []
    rule.write_text('group = ["everyone"]')
    assert index.ingest() == {"failed": 4}
    assert index.catalogue.count()[0] == 0
    rule.unlink()
    assert index.ingest() == {"added": 4}
    assert index.sound()


def test_two_folders_with_the_same_names_do_not_meet(index: Index, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "d0.md").write_text("# Another\n\nAnother zero.\n", encoding="utf-8")
    assert index.ingest(other) == {"added": 1}
    assert {"d0.md", "other/d0.md"} <= {shelved.source for shelved in index.catalogue.shelf(EVERYBODY)}
    assert index.ingest() == {"unchanged": 4}


def test_a_path_that_does_not_exist_changes_nothing(index: Index) -> None:
    with pytest.raises(LoadError, match="does not exist"):
        index.ingest(index.documents, index.documents / "nowhere")
    assert len(index.catalogue.shelf(EVERYBODY)) == 4


def test_links_out_of_the_folder_and_hidden_files_are_passed_over(index: Index, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# Secret\n\nNot for the index.\n", encoding="utf-8")
    (index.documents / "link.md").symlink_to(secret)
    index.write(".hidden.md", "# Hidden\n\nNot for the index either.\n")
    assert index.ingest() == {"unchanged": 4}


def test_cancelling_keeps_what_is_done(index: Index) -> None:
    for number in range(4, 9):
        index.write(f"d{number}.md", f"# Document {number}\n\nMore of {number}.\n")
    cancelled = threading.Event()
    cancelled.set()
    assert list(index.ingestion([index.documents], cancelled))[-1].done == 0
    assert index.sound()
    assert index.ingest()["added"] == 5


def test_a_removal_while_others_are_stored_leaves_every_vector_in_place(index: Index) -> None:
    index.write("new.md", "# New\n\nA new rule.\n")
    for progress in index.ingestion([index.documents]):
        if progress.latest and progress.latest.state == "unchanged":
            index.ingestion.remove("d3.md")
    assert index.sound()


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_completes_it() -> None:
    """Four moments; ``tests/quality/kill.py`` takes fifty."""
    command = [sys.executable, "-m", "tests.quality.kill", "--moments", "4", "--documents", "10"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same") == 4
