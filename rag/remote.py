"""Asking the process that owns the state folder: what it answers to, and how another process asks it.

Lines of JSON over HTTP on loopback, with the key from the owner's note. Each line is one value of ``rag/types.py``
or a count, named by its type, or an error.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from rag.access import LOCAL_READER
from rag.errors import CandorError
from rag.owner import Address
from rag.types import Done, Ingested, Notice, Progress, Sentence, Shown, Status

if TYPE_CHECKING:
    from fastapi import FastAPI

    from rag.build import Candor

PATH = "/owner"
_TYPES: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Status, Sentence, Notice, Done, Progress, Ingested, int)
}


class IngestRequest(BaseModel):
    paths: list[Path]
    rebuild: bool = False


class ReleaseRequest(BaseModel):
    source: str


class AskRequest(BaseModel):
    question: str
    conversation: str


def add_routes(app: FastAPI, candor: Candor, key: str) -> None:
    """Let other processes of the same user ingest, release and ask, on a page that runs."""
    from fastapi import HTTPException, Request
    from fastapi.responses import StreamingResponse

    def allowed(request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise HTTPException(403)
        candor.startup.wait(120)

    def ingest(request: Request, wanted: IngestRequest) -> StreamingResponse:
        allowed(request)
        return StreamingResponse(_lines(_ingest(candor, wanted)), media_type="application/x-ndjson")

    def release(request: Request, wanted: ReleaseRequest) -> StreamingResponse:
        allowed(request)
        return StreamingResponse(_lines(_release(candor, wanted)), media_type="application/x-ndjson")

    def ask(request: Request, wanted: AskRequest) -> StreamingResponse:
        allowed(request)
        answer = candor.assistant.ask(wanted.question, wanted.conversation, LOCAL_READER)
        return StreamingResponse(_lines(answer), media_type="application/x-ndjson")

    # Request is known only inside this function, where FastAPI cannot find it by its name: it is given before it looks.
    for function in (ingest, release, ask):
        function.__annotations__["request"] = Request
        app.post(f"{PATH}/{function.__name__}")(function)


def ingest_through(owner: Address, paths: Sequence[Path], *, rebuild: bool) -> Iterator[Progress]:
    """Have the owner ingest files and folders."""
    body = {"paths": [str(path.expanduser().resolve()) for path in paths], "rebuild": rebuild}
    yield from _asked(owner, "ingest", body)


def release_through(owner: Address, source: str) -> int:
    """Have the owner release what is set aside of a document; how many passages that were."""
    return sum(_asked(owner, "release", {"source": source}))


def ask_through(owner: Address, question: str, conversation: str) -> Iterator[Shown]:
    """Have the owner answer a question."""
    yield from _asked(owner, "ask", {"question": question, "conversation": conversation})


def answers(owner: Address) -> bool:
    """Whether the owner that left this note is there. A note may outlive a killed process."""
    import httpx

    try:
        return httpx.post(f"{owner.url}{PATH}/ask", timeout=5).status_code in (403, 422)
    except httpx.HTTPError:
        return False


def _ingest(candor: Candor, wanted: IngestRequest) -> Iterator[Progress]:
    if wanted.rebuild:
        candor.library.rebuild(LOCAL_READER)
    yield from candor.library.ingest(wanted.paths, LOCAL_READER)


def _release(candor: Candor, wanted: ReleaseRequest) -> Iterator[int]:
    yield candor.library.release(wanted.source, LOCAL_READER)


def _lines(values: Iterable[Any]) -> Iterator[str]:
    try:
        for value in values:
            kind = type(value).__name__
            yield json.dumps({"type": kind, "value": json.loads(_TYPES[kind].dump_json(value))}) + "\n"
    except CandorError as error:
        yield json.dumps({"type": "error", "value": str(error)}) + "\n"
    except Exception as error:  # noqa: BLE001 - its message may quote: only the type leaves
        yield (
            json.dumps(
                {"type": "error", "value": f"something went wrong ({type(error).__name__}); see the log of the page"}
            )
            + "\n"
        )


def _asked(owner: Address, what: str, body: dict[str, Any]) -> Iterator[Any]:
    import httpx

    headers = {"Authorization": f"Bearer {owner.key}"}
    try:
        with httpx.stream("POST", f"{owner.url}{PATH}/{what}", json=body, headers=headers, timeout=None) as reply:  # noqa: S113 - a file may take long
            if reply.status_code != 200:
                raise CandorError(f"the running assistant refused (HTTP {reply.status_code}); restart it")
            for line in reply.iter_lines():
                row = json.loads(line)
                if row["type"] == "error":
                    raise CandorError(row["value"])
                yield _TYPES[row["type"]].validate_python(row["value"])
    except httpx.HTTPError as error:
        raise CandorError(
            f"the running assistant went away ({type(error).__name__}); what was done is kept, run it again"
        ) from None
