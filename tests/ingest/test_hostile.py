"""A file that is made to break its reader costs that one file, within the limits, and is reported with its reason."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.errors import LoaderFailed, LoadError
from rag.ingest.worker import Worker
from rag.types import Limits
from tests.ingest import hostile

LIMITS = Limits(seconds=20, megabytes=400, characters=1_000_000)
Make = Callable[[], bytes]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(LIMITS) as worker:
        yield worker


def next_file(worker: Worker, folder: Path) -> str:
    path = folder / "next.md"
    path.write_text("# Next\n\nWords.")
    return worker.load(path, folder).title


@pytest.mark.parametrize(("name", "make", "reason"), hostile.REFUSED, ids=[name for name, *_ in hostile.REFUSED])
def test_it_is_refused_with_its_reason(worker: Worker, tmp_path: Path, name: str, make: Make, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    assert path.stat().st_size < 3_000_000
    with pytest.raises(LoadError) as refused:
        worker.load(path, tmp_path)
    assert re.search(reason, refused.value.reason), refused.value.reason
    assert next_file(worker, tmp_path) == "Next"


@pytest.mark.parametrize(("name", "make", "words"), hostile.READ, ids=[name for name, *_ in hostile.READ])
def test_it_is_read_within_the_limits(worker: Worker, tmp_path: Path, name: str, make: Make, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    assert re.search(words, worker.load(path, tmp_path).text)


def test_a_line_of_a_gigabyte_is_refused_unread(worker: Worker, tmp_path: Path) -> None:
    hostile.long_line(tmp_path / "a.txt")
    begun = time.perf_counter()
    with pytest.raises(LoadError, match="it is 1,024 MB of text; that is too much for a limit of 1,000,000 characters"):
        worker.load(tmp_path / "a.txt", tmp_path)
    assert time.perf_counter() - begun < 5


def test_what_takes_too_long_is_ended_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(hostile.message(1, hostile.many_objects(), "a.pdf"))
    with Worker(Limits(seconds=2)) as worker:
        with pytest.raises(LoaderFailed, match=r"not read within 2 s; split it, .* or raise ingest.seconds"):
            worker.load(path, tmp_path)
        assert not worker.folder.exists()
        assert next_file(worker, tmp_path) == "Next"
