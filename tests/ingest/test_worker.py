"""A file can end the process that reads it, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import LoaderFailed, LoadError, NoText, NotUnderstood
from rag.ingest.load import load
from rag.ingest.worker import Worker, from_json, to_json
from rag.types import Document, Limits, Meta

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="pipes as files and signals are POSIX")


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker(Limits(seconds=20)) as worker:
        yield worker


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "rag.ingest.worker" in " ".join(child.cmdline())}


def written(folder: Path, name: str = "a.md", text: str = "# Leave\n\n28 days.\n") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_it_reads_what_load_reads(worker: Worker, tmp_path: Path) -> None:
    text = "---\ngroups: [hr]\ndate: 2025-02-03\n---\n# Grüße \U0001f600\n\nWords."
    path = written(tmp_path, text=text)
    assert worker.load(path, tmp_path) == load(path, tmp_path)
    assert worker.load(path, tmp_path, "hr/a.md") == load(path, tmp_path, "hr/a.md")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.doc", "x", LoadError),
        ("a.md", " ", NoText),
        ("a.md", "---\ngroups: []\n---\n", NotUnderstood),
    ],
)
def test_it_refuses_what_load_refuses(
    worker: Worker, tmp_path: Path, name: str, text: str, kind: type[LoadError]
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(LoadError) as here:
        load(path, tmp_path)
    with pytest.raises(LoadError) as there:
        worker.load(path, tmp_path)
    assert (type(there.value), str(there.value)) == (kind, str(here.value))


def test_one_process_serves_many_files(worker: Worker, tmp_path: Path) -> None:
    worker.load(written(tmp_path), tmp_path)
    first = children()
    worker.load(written(tmp_path, "b.md"), tmp_path)
    assert len(first) == 1
    assert children() == first


def test_it_starts_within_a_second_or_little_more(worker: Worker, tmp_path: Path) -> None:
    path = written(tmp_path)
    begun = time.perf_counter()
    worker.load(path, tmp_path)
    assert time.perf_counter() - begun < 5  # a machine that runs tests is busy; alone it takes 0.3 s


@posix
def test_a_file_that_takes_too_long_costs_only_itself(tmp_path: Path) -> None:
    with Worker(Limits(seconds=1.5)) as worker:
        path = written(tmp_path)
        worker.load(path, tmp_path)
        [child] = children()
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(LoaderFailed, match="it was not read within 2 s"):
            worker.load(path, tmp_path)
        assert not psutil.pid_exists(child)
        assert worker.load(path, tmp_path).title == "Leave"


@posix
def test_a_crash_costs_only_the_file(worker: Worker, tmp_path: Path) -> None:
    path = written(tmp_path)
    worker.load(path, tmp_path)
    [child] = children()
    os.kill(child, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (child, signal.SIGKILL)).start()  # in the middle of the request
    with pytest.raises(LoaderFailed, match=r"it crashed the process that read it \(SIGKILL\)"):
        worker.load(path, tmp_path)
    assert worker.load(path, tmp_path).title == "Leave"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is sure on Linux only")
def test_a_file_that_needs_too_much_memory_costs_only_itself(tmp_path: Path) -> None:
    big = tmp_path / "big.eml"  # no larger than a message may be, but more than it may take
    with big.open("wb") as file:
        file.write(b"From: a\n\n" + b"words " * 1000)
        file.truncate(150 << 20)  # a hole: it takes no room on the disk
    with Worker(Limits(seconds=20, megabytes=400)) as worker:
        with pytest.raises(LoaderFailed, match=r"it needs more than 400 MB of memory; .* or raise ingest\.megabytes"):
            worker.load(big, tmp_path)
        assert worker.load(written(tmp_path), tmp_path).title == "Leave"


def test_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    before = children()
    worker = Worker()
    worker.load(written(tmp_path), tmp_path)
    worker.close()
    assert children() == before


@posix
@pytest.mark.parametrize("busy", [False, True])
def test_it_ends_when_its_parent_is_killed(tmp_path: Path, busy: bool) -> None:
    path = written(tmp_path)
    program = f"""
        import json, os, pathlib, psutil, sys
        from rag.ingest.worker import Worker
        from rag.types import Limits
        worker = Worker(Limits(seconds=30))
        path = pathlib.Path({str(path)!r})
        worker.load(path, path.parent)
        [child] = psutil.Process().children()
        if {busy}:
            child.suspend()
        print(child.pid, flush=True)
        worker.load(path, path.parent) if {busy} else input()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        if busy:
            child.resume()
        psutil.wait_procs([child], timeout=10)
        assert not child.is_running()


def test_it_brings_neither_the_web_nor_models() -> None:
    program = "import sys, json, rag.ingest.worker, rag.ingest.load; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    heavy = {"gradio", "fastapi", "torch", "transformers", "chromadb", "langchain_core", "sqlalchemy", "docx", "pptx"}
    assert heavy.isdisjoint(json.loads(run.stdout))


documents = st.builds(
    Document,
    st.text(),
    st.text(),
    st.text(),
    st.lists(st.integers(0, 9)).map(tuple),
    st.builds(Meta, title=st.text(), date=st.none() | st.dates(), groups=st.frozensets(st.text())),
)


@given(documents)
def test_a_document_comes_back_from_json(document: Document) -> None:
    assert from_json(json.loads(json.dumps(to_json(document)))) == document
