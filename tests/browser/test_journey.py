"""The page on the real parts: search, guards, record and review. Only the writing is scripted, behind the same
OpenAI-compatible door as any model, so that what the guards must catch is written every time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rag.settings import load
from tests.browser.conftest import Opened, served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore"),  # the server runs in this process: Gradio's own warnings would be its errors
]

DOCUMENTS = {
    "leave.md": "# Annual leave\n\nFull-time staff are entitled to 28 days of paid leave in each calendar year.\n\n"
    "Up to five days of leave may be carried over until the end of March.\n",
    "canteen.md": "# The canteen\n\nThe canteen serves lunch from noon until two o'clock. Soup costs 3 euros.\n",
}
BICYCLES = "# Bicycle leasing\n\nA bicycle may be leased for 36 months. The employer pays for its insurance.\n"
REPLIES = {
    "bicycle": "A bicycle may be leased for 36 months.",
    "leave": "Full-time staff are entitled to 28 days of paid leave in each calendar year. "
    "Unused days are paid out to the staff of the Paris office after 17 months.",
}


class Writer(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that writes by the first word it knows in the question."""

    replies: ClassVar[dict[str, str]] = REPLIES

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = body["messages"][-1]["content"].rpartition("Question:")[2].lower()
        text = next((reply for word, reply in self.replies.items() if word in question), "NOT IN THE SOURCES")
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for piece in [*text.split(" "), None]:
            delta = {"role": "assistant", "content": f"{piece} "} if piece else {}
            choice = {"index": 0, "delta": delta, "finish_reason": None if piece else "stop"}
            line = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "w", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(line)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from rag.build import Candor, quiet

    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    writer = ThreadingHTTPServer(("127.0.0.1", 0), Writer)
    threading.Thread(target=writer.serve_forever, daemon=True).start()
    quiet()
    model = {
        "model": "openai:writer",
        "base_url": f"http://127.0.0.1:{writer.server_address[1]}/v1",
        "api_key": "none",
    }
    candor = Candor(load(state=str(tmp_path_factory.mktemp("state")), generation=model))
    candor.start(folder)
    with served(candor) as address:
        assert candor.startup.wait(240), candor.startup.failed
        yield address
    candor.close()
    writer.shutdown()
    writer.server_close()


def ask(page: Any, question: str) -> str:
    page.wait_for_selector("#send:enabled", timeout=120_000)
    before = page.locator(".turn").count()
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    page.wait_for_selector(f".turn:nth-child({before + 1}) .answer.over", timeout=120_000)
    return str(page.locator(".turn").last.locator(".answer").inner_text())


def test_a_file_is_asked_about_until_it_is_deleted(opened: Opened, address: str, tmp_path: Path) -> None:
    file = tmp_path / "bicycles.md"
    file.write_text(BICYCLES, encoding="utf-8")
    question = "For how many months may a bicycle be leased?"
    with opened(f"{address}/sources") as page:
        page.wait_for_selector(".shelf", timeout=120_000)
        page.set_input_files("#upload input[type=file]", file)
        page.wait_for_selector("text=1 file ready to be asked about", timeout=60_000)
        page.goto(address)
        assert "36 months" in ask(page, question)
        page.click(".body .cite")
        source = page.locator(".source:popover-open")
        assert "Bicycle leasing" in source.inner_text()
        assert "36 months" in " ".join(source.locator("mark").all_inner_texts())
        page.goto(f"{address}/sources")
        page.wait_for_selector(".shelf", timeout=120_000)  # before that the page does not hear what is typed
        page.fill("#filter textarea", "bicycle")
        page.wait_for_selector("text=1 of 3 documents")
        page.click(".shelf [data-choose]")
        page.click("#sure")
        page.wait_for_selector("text=was removed")
        page.goto(address)
        assert "36" not in ask(page, question)


def test_what_no_document_says_is_held_back_and_judged(opened: Opened, address: str) -> None:
    question = "How many days of paid leave do full-time staff have?"
    with opened(address) as page:
        said = ask(page, question)
        assert "28 days" in said
        assert "17 months" not in said or page.locator(".flagged").count() == 1
        assert page.locator(".flagged, .notice").count() == 1  # marked, or left out and said so
        page.goto(f"{address}/review/")
        page.click(f".queue button:has-text('{question}')")
        page.wait_for_selector(".record h2")
        record = page.locator(".record").inner_text()
        assert "17 months" in record
        assert "not supported" in record
        assert "openai:writer" in record
        page.click("#verdict label >> nth=0")
        page.fill("#reason textarea", "No document speaks of Paris.")
        page.click("#judge")
        page.wait_for_selector("text=The verdict is recorded.")
        page.click("#state label:has-text('Judged')")
        page.wait_for_selector(f".queue button:has-text('{question}')")
