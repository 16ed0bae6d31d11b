"""The door of the web page: which requests come in, and what every reply carries.

Gradio brings routes that this page does not use (serving files by path, a proxy, an API listing). Only what the page
needs is let through, only from this machine, and only from the page's own origin. Every HTML page gets a policy under
which the browser loads nothing from elsewhere and runs no script but the ones served here.
"""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ["127.0.0.1", "localhost", "::1", "[::1]"]
OPEN_PATHS = re.compile(
    r"(?:/review)?(?:"
    r"/|/sources/?|/about/?|/config/?|/theme\.css|/favicon\.ico|/assets/.*|/static/.*"
    r"|/gradio_api/(?:startup-events|heartbeat/\w+|queue/(?:join|data)/?|cancel|reset/?|upload|upload_progress|theme\.css)"
    r")|/review|/look/(?:style\.css|page\.js)|/owner/(?:ask|ingest|purge|purge-removed|release|remove|verify)"
)
SCRIPT = re.compile(rb"<script\b(?![^>]*\bnonce=)")
UNUSED_META = re.compile(
    rb"\s*<(?:meta\s+(?:property|name)=\"(?:og|twitter):|link rel=\"manifest\")[^>]*/?>", re.DOTALL
)
LOOK = b'<link rel="stylesheet" href="/look/style.css"><script src="/look/page.js" defer></script></head>'
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def policy(nonce: str) -> str:
    """Gradio compiles its templates in the browser (hence 'unsafe-eval') and writes style attributes."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


class Door:
    """ASGI middleware; the host is checked by starlette's TrustedHostMiddleware before this one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # no part of the page speaks over a websocket
        headers = Headers(scope=scope)
        if not OPEN_PATHS.fullmatch(scope["path"]):
            await PlainTextResponse("Not found", 404, HEADERS)(scope, receive, send)
        elif not _own_origin(headers):
            await PlainTextResponse("Requests from other sites are refused", 403, HEADERS)(scope, receive, send)
        else:
            scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]}
            await self.app(scope, receive, _Reply(send))


def _own_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return headers.get("sec-fetch-mode") == "navigate" and origin is None  # a plain link from another page
    return origin is None or origin.partition("://")[2] == headers.get("host")


class _Reply:
    """Adds the headers; an HTML page is held until complete, to give its scripts the nonce."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if "server" in headers:
                del headers["server"]
            if headers.get("content-type", "").startswith("text/html"):
                self.start = message
                return
        elif self.start is not None:
            self.body += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._send_page(self.start)
            return
        await self.send(message)

    async def _send_page(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(16)
        page = UNUSED_META.sub(b"", self.body).replace(b"</head>", LOOK, 1)
        page = SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', page)
        headers = MutableHeaders(scope=start)
        headers["Content-Security-Policy"] = policy(nonce)
        headers["Content-Length"] = str(len(page))
        headers["Cache-Control"] = "no-store"
        await self.send(start)
        await self.send({"type": "http.response.body", "body": page})
