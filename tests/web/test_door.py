"""Who may reach the page, what is served, and what every reply carries."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from rag.errors import CandorError, SettingsError
from rag.owner import Address
from rag.remote import WISHES
from rag.web.app import build_app, listen
from tests.web.scripted import Candor

# Gradio leaves event loops behind that it made while the pages were built.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from starlette.testclient import TestClient

    state = tmp_path_factory.mktemp("state")
    (state / "secret.txt").write_text("a secret of the state folder", encoding="utf-8")
    candor: Any = Candor(state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that are imported here for the first time
        app = build_app(candor, Address(1, "http://127.0.0.1:1", "key"))
        with TestClient(app, base_url="http://127.0.0.1:7860") as made:
            made.state, made.candor = state, candor
            yield made
        asyncio.set_event_loop(None)
        del app, made
        gc.collect()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org", "127.0.0.1.example.org"])  # noqa: S104
def test_any_address_but_a_loopback_one_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="accounts do not exist yet; candor serves loopback addresses only"):
        listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10"])
def test_loopback_addresses_are_served(host: str) -> None:
    listen(host, 0).close()


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CandorError, match=f"^port {port} is in use; choose another with --port$"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("path", ["/", "/sources", "/about", "/review/", "/look/style.css", "/look/page.js"])
def test_pages_are_served_with_their_protections(client: Any, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_policy_lets_nothing_be_loaded_from_elsewhere(client: Any) -> None:
    reply = client.get("/")
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src-attr"] == "'none'"
    assert "unsafe-inline" not in policy["script-src"]
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    nonce = policy["script-src"].split("'nonce-")[1].split("'")[0]
    assert reply.text.count("<script") == reply.text.count(f'<script nonce="{nonce}"')
    assert nonce not in client.get("/").text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""])
def test_another_host_name_is_refused(client: Any, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860"])
def test_loopback_names_are_let_in(client: Any, host: str) -> None:
    assert client.get("/about", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_another_site_cannot_make_the_browser_act(client: Any, headers: dict[str, str]) -> None:
    assert client.post("/gradio_api/queue/join", json={}, headers=headers).status_code == 403


def test_a_link_from_another_site_opens_the_page(client: Any) -> None:
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:22/",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/call/ask",
        "/gradio_api/component_server",
        "/gradio_api/vibe-code/",
        "/gradio_api/deep_link",
        "/gradio_api/runs",
        "/review/gradio_api/file=/etc/passwd",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/static/../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/routes.py",
    ],
)
def test_routes_that_the_page_does_not_need_are_closed(client: Any, path: str) -> None:
    assert client.get(path).status_code in (403, 404)


def test_nothing_of_the_state_folder_is_served(client: Any) -> None:
    for prefix in ("/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/review/gradio_api/file=", "/"):
        reply = client.get(f"{prefix}{client.state}/secret.txt")
        assert reply.status_code in (403, 404), prefix
        assert "a secret of the state folder" not in reply.text


def test_the_owner_is_reached_with_the_key_alone(client: Any) -> None:
    body = {"question": "How much leave?", "conversation": "c"}
    assert client.post("/owner/ask", json=body).status_code == 403
    reply = client.post("/owner/ask", json=body, headers={"authorization": "Bearer key"})
    assert reply.status_code == 200
    assert '"Sentence"' in reply.text


@pytest.mark.parametrize("wish", WISHES)
def test_every_wish_has_its_way_through_the_door_and_none_without_the_key(client: Any, wish: str) -> None:
    body = {"paths": [], "source": "x", "question": "x", "conversation": "c"}
    assert client.post(f"/owner/{wish}", json=body).status_code == 403


def test_the_owner_releases_what_is_set_aside(client: Any) -> None:
    client.candor.library.set_aside("safety/fire-safety.pdf")
    body = {"source": "safety/fire-safety.pdf"}
    assert client.post("/owner/release", json=body).status_code == 403
    assert client.candor.library.held
    reply = client.post("/owner/release", json=body, headers={"authorization": "Bearer key"})
    assert reply.text.splitlines() == ['{"type": "int", "value": 2}']
    assert client.candor.library.held == {}


def test_websockets_are_not_spoken(client: Any) -> None:
    from starlette.testclient import WebSocketDenialResponse
    from starlette.websockets import WebSocketDisconnect

    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        client.websocket_connect("/gradio_api/queue/join"),
    ):
        pass
