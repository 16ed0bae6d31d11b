"""The model in the box: a child process that is watched, started again, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from guardrails.weights import Weights
from rag.errors import ModelError, SettingsError
from rag.generation.embedded import SMOLLM2, EmbeddedServer
from rag.generation.models import ChatModel, EmbeddedModel, LangChainModel, chat_model
from rag.generation.turns import Turn
from rag.settings import Generation

ROOT = Path(__file__).resolve().parents[2]
COUNT: list[Turn] = [("human", "Count from one to fifty in words.")]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    server = EmbeddedServer()
    server.endpoint()
    yield server
    server.stop()


@pytest.fixture(params=["embedded", "by hand"])
def model(request: pytest.FixtureRequest, server: EmbeddedServer) -> ChatModel:
    """The same server through both ways: as our child, and as an endpoint that somebody else started."""
    if request.param == "embedded":
        return EmbeddedModel(server, Generation())
    endpoint = server.endpoint()
    by_hand = Generation(model="openai:smollm2", base_url=f"{endpoint.url}/v1", api_key=endpoint.key)
    return chat_model(by_hand)


def test_a_reply_streams(model: ChatModel) -> None:
    pieces = list(model.stream([("system", "You are brief."), ("human", "Say hello.")]))
    assert len(pieces) > 1
    assert "".join(pieces).strip()


def test_closing_stops_the_writing(model: ChatModel, server: EmbeddedServer) -> None:
    pieces = model.stream(COUNT)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    begun = time.perf_counter()
    list(model.stream([("human", "Say hello.")]))
    assert time.perf_counter() - begun < 20


def test_only_the_named_model_outside_counts_as_outside(server: EmbeddedServer) -> None:
    assert EmbeddedModel(server, Generation()).inside
    assert not LangChainModel("openai:x", None).inside


def test_the_server_wants_its_key_and_shows_no_page(server: EmbeddedServer) -> None:
    url = server.endpoint().url
    assert url.startswith("http://127.0.0.1:")
    assert httpx.post(f"{url}/v1/chat/completions", json={"messages": []}).status_code == 401
    for path in ("/", "/slots", "/props", "/metrics"):
        assert httpx.get(f"{url}{path}").status_code != 200, path
    reply = httpx.get(f"{url}/v1/models", headers={"Origin": "https://evil.example"})
    assert reply.headers.get("access-control-allow-origin", "") == ""


def test_killed_in_the_middle_it_breaks_off_and_is_started_again(server: EmbeddedServer) -> None:
    model = EmbeddedModel(server, Generation())
    pieces = model.stream(COUNT)
    next(pieces)
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ModelError):
        list(pieces)
    assert "".join(model.stream([("human", "Say hello.")])).strip()


def test_killing_the_parent_leaves_no_child() -> None:
    program = (
        "import time; from rag.generation.embedded import EmbeddedServer; "
        "s = EmbeddedServer(); s.endpoint(); print(s.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(10)
    assert not child.is_running()


def test_altered_weights_are_refused() -> None:
    altered = Weights(SMOLLM2.name, SMOLLM2.package, SMOLLM2.file, "0" * 64, SMOLLM2.licence)
    with pytest.raises(ModelError, match="SHA-256"):
        EmbeddedServer(altered).endpoint()


@pytest.mark.parametrize(
    ("name", "said"),
    [("smollm", "neither"), ("openai:", "neither"), ("nowhere:model", "nowhere"), ("groq:x", "langchain-groq")],
)
def test_a_wrong_model_name_is_explained(name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        chat_model(Generation(model=name))


def test_an_endpoint_that_is_not_there_is_an_error_that_quotes_nothing() -> None:
    model = chat_model(Generation(model="openai:x", base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(ModelError) as error:
        list(model.stream([("human", "canary words")]))
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None
