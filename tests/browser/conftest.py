"""A browser, and a page served to it on loopback."""

from __future__ import annotations

import json
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
QUIET = ("quic", "background-networking", "component-update", "sync", "gpu")
FLAGS = ["--no-sandbox", "--no-first-run", *(f"--disable-{part}" for part in QUIET)]
# What the page's own requests say when it is left while they are on their way: no fault of ours.
ABORTED = re.compile(r"AbortError|errored out", re.IGNORECASE)

Opened = Callable[..., AbstractContextManager[Any]]


@contextmanager
def served(candor: Any) -> Iterator[str]:
    """The address of a page for ``candor``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that are imported here for the first time
        import uvicorn

        from rag.web.app import build_app, listen

        listening = listen("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(build_app(candor), log_level="warning", server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(20)
            listening.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; install Debian's chromium, or set CHROMIUM to one")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, request: pytest.FixtureRequest) -> Opened:
    """Opens a page of a size and colour scheme; at its end nothing may have been asked of another host, or failed."""

    @contextmanager
    def open_page(address: str, width: int = 1280, height: int = 860, dark: bool = False) -> Iterator[Any]:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.set_default_timeout(20_000)
        elsewhere: list[str] = []
        faults: list[str] = []
        page.on("request", lambda sent: elsewhere.append(sent.url) if not _here(sent.url, address) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.goto(address)
        yield page
        context.close()
        assert elsewhere == []
        assert [fault for fault in faults if not ABORTED.search(fault)] == []

    return open_page


def _here(url: str, address: str) -> bool:
    host = "/".join(address.split("/")[:3])
    return url.startswith((f"{host}/", "data:", "blob:"))


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Sample questions that the scripted assistant knows."""
    path = tmp_path / "questions.jsonl"
    texts = ["How much leave do I get?", "What was our turnover on the moon?", "hostile", "break", "a", "b"]
    path.write_text("\n".join(json.dumps({"question": text, "sample": True}) for text in texts), encoding="utf-8")
    return path
