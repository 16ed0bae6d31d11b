"""The web page: two Gradio apps behind one door, on this machine only.

Review is an app of its own: in one Gradio app a visitor of the chat could call the functions of every page.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import shutil
import socket
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import CandorError, SettingsError
from rag.owner import Address
from rag.remote import add_routes

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

    from rag.build import Candor

TITLE = "Candor"
LARGEST_UPLOAD = "100mb"


def build_app(candor: Candor, owner: Address | None = None) -> FastAPI:
    """The page for ``candor``, whose parts may still be loading; with ``owner``, its door for other processes too.

    Uploads pass through the state folder only.
    """
    passing = candor.settings.state / "passing"
    shutil.rmtree(passing, ignore_errors=True)  # left over from an upload that was cut off
    os.environ.update(GRADIO_TEMP_DIR=str(passing), GRADIO_ANALYTICS_ENABLED="False", GRADIO_RUN_HISTORY="False")
    from fastapi import FastAPI
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import RedirectResponse

    from rag.web.door import LOOPBACK, Door

    doors = [Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False), Middleware(Door)]
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None, middleware=doors)
    _serve_look(app)
    if owner:
        add_routes(app, candor, owner.key)  # before the mounts: the one at "/" takes every path that is left
    app.add_api_route("/review", lambda: RedirectResponse("/review/"), include_in_schema=False)
    _mount(app, _review(candor), "/review", candor)
    _mount(app, _main(candor), "/", candor)
    return app


def serve(candor: Candor, listening: socket.socket, owner: Address, first_documents: Path | None) -> None:
    """Serve until interrupted, the pages to readers and the owner's door to other processes of this user.

    The parts begin to load once the page is built: side by side, both would be late.
    """
    import uvicorn

    app = build_app(candor, owner)
    candor.start(first_documents)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address, so that the port is known to be free before anything is loaded."""
    address = _loopback(host)
    listening = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((str(address), port))
        listening.listen()
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise CandorError(f"port {port} is in use; choose another with --port") from None
        raise CandorError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return listening


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise SettingsError(f"host {host!r}: accounts do not exist yet; candor serves loopback addresses only")
    return address


def _main(candor: Candor) -> gr.Blocks:
    import gradio as gr

    from rag.web import about, chat, sources
    from rag.web.chat_turn import Chat
    from rag.web.shelf import Shelf

    app: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as app:
        chat.build(app, Chat(candor))
    with app.route("Sources", "/sources"):
        sources.build(app, Shelf(candor))
    with app.route("About", "/about"):
        about.build(app, candor)
    return app


def _review(candor: Candor) -> gr.Blocks:
    import gradio as gr

    from rag.web import review
    from rag.web.desk import Desk

    app: gr.Blocks
    with gr.Blocks(title=f"{TITLE} · Review", analytics_enabled=False, fill_width=True) as app:
        review.build(app, Desk(candor))
    return app


def _mount(app: FastAPI, blocks: gr.Blocks, path: str, candor: Candor) -> None:
    import gradio as gr

    from rag.web.look import theme

    nothing_more: dict[str, Any] = {"footer_links": [], "run_history": False, "mcp_server": False, "pwa": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "SSR mode is not supported with multi-page apps")  # nobody asked for it
        gr.mount_gradio_app(
            app,
            blocks,
            path,
            theme=theme(),
            server_name="127.0.0.1",
            show_error=False,
            max_file_size=LARGEST_UPLOAD,
            blocked_paths=[str(candor.settings.state)],
            ssr_mode=False,
            enable_monitoring=False,
            **nothing_more,
        )


def _serve_look(app: FastAPI) -> None:
    from fastapi.responses import FileResponse

    from rag.web.look import SCRIPT, STYLE

    no_cache = {"Cache-Control": "no-cache"}

    @app.get("/look/style.css")
    def style() -> FileResponse:
        return FileResponse(STYLE, media_type="text/css", headers=no_cache)

    @app.get("/look/page.js")
    def script() -> FileResponse:
        return FileResponse(SCRIPT, media_type="text/javascript", headers=no_cache)
