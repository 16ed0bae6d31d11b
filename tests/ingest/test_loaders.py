"""The contract of loaders: what holds for every kind of file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rag.errors import LoaderFailed, LoadError
from rag.ingest.clean import clean, has_words
from rag.ingest.load import LOADERS, load
from rag.ingest.outline import read_lines
from rag.types import Document, Limits
from tests.ingest.samples import HAS_NO_HEADINGS, HAS_NO_TABLES, SAMPLES, SENTENCE

PACKAGES = {".docx", ".epub", ".odp", ".ods", ".odt", ".pptx", ".xlsx"}


@pytest.fixture(scope="module", params=sorted(SAMPLES))
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / f"staff-book{request.param}"
    path.write_bytes(SAMPLES[request.param]())
    return path


@pytest.fixture(scope="module")
def document(sample: Path) -> Document:
    return load(sample, sample.parent)


def test_every_kind_has_a_sample() -> None:
    assert set(SAMPLES) == set(LOADERS)


def test_its_words_are_read_clean(document: Document) -> None:
    assert SENTENCE in document.text
    assert clean(document.text) == document.text
    assert has_words(document.title)


def test_its_headings_keep_their_level(sample: Path, document: Document) -> None:
    if sample.suffix in HAS_NO_HEADINGS:
        pytest.skip("files of this kind have no headings")
    lines = [document.text[line.start : line.end] for line in read_lines(document.text) if line.kind == "heading"]
    levels = {line.lstrip("# "): len(line) - len(line.lstrip("#")) for line in lines if line.startswith("#")}
    assert 1 <= levels.get("Leave", levels["Travel"]) <= levels["Travel"] <= 4


def test_its_rows_say_what_they_hold(sample: Path, document: Document) -> None:
    if sample.suffix in HAS_NO_TABLES:
        pytest.skip("files of this kind have no tables")
    lines = document.text.replace("| ", "").split("\n")
    named = "Office: Leeds; Staff: 187" in lines
    assert named or "Office Staff" in " ".join(document.text.replace("|", " ").split())
    assert named or any("Leeds" in line and "187" in line for line in lines)


def test_it_is_read_the_same_twice(sample: Path, document: Document) -> None:
    assert load(sample, sample.parent) == document


def test_its_pages_begin_in_the_text_in_order(document: Document) -> None:
    assert list(document.page_starts) == sorted(document.page_starts)
    assert all(0 <= start <= len(document.text) for start in document.page_starts)


def test_too_much_text_is_refused(sample: Path) -> None:
    with pytest.raises(LoadError, match="too much for a limit of 20 characters"):
        load(sample, sample.parent, limits=Limits(characters=20))


def test_its_folder_says_who_may_read_it(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "_folder.meta.toml").write_text('groups = ["hr"]')
    path = tmp_path / sample.name
    path.write_bytes(sample.read_bytes())
    assert load(path, tmp_path).meta.groups == {"hr"}


def test_cut_off_it_is_refused_or_read_in_part(sample: Path, tmp_path: Path) -> None:
    whole, path = sample.read_bytes(), tmp_path / sample.name
    for part in (0.2, 0.5, 0.8, 0.99):
        path.write_bytes(whole[: int(part * len(whole))])
        reason = refusal(path)
        assert reason or sample.suffix not in PACKAGES


def test_damaged_it_never_breaks_its_reader(sample: Path, tmp_path: Path) -> None:
    chance, path = random.Random(4), tmp_path / sample.name  # noqa: S311 - no secret
    for _ in range(8):
        data = bytearray(sample.read_bytes())
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        refusal(path)


def refusal(path: Path) -> str:
    """Why it is refused, never by a fault of its loader; "" when it is read."""
    try:
        assert has_words(load(path, path.parent).text)
    except LoaderFailed:
        raise
    except LoadError as error:
        return error.reason
    return ""
