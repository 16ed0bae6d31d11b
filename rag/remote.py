"""Asking the process that owns the state folder: what it answers to, and how another process asks it.

Lines of JSON over HTTP on loopback, with the key from the owner's note. Each line is one value of ``rag/types.py``
or a count, named by its type, or an error.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, TypeAdapter

from rag.access import LOCAL_READER
from rag.errors import CandorError
from rag.owner import Address
from rag.purge import Purged
from rag.types import Difference, Done, Notice, Progress, Sentence, Shown, Status, Verified

if TYPE_CHECKING:
    from fastapi import FastAPI

    from rag.build import Candor

PATH = "/owner"
_TYPES: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (Status, Sentence, Notice, Done, Progress, Difference, Verified, Purged, int)
}


class Ingest(BaseModel):
    paths: list[Path]
    rebuild: bool = False
    mass_removal: bool = False


class Verify(BaseModel):
    paths: list[Path]
    mass_removal: bool = False


class OfDocument(BaseModel):
    source: str


class Nothing(BaseModel):
    pass


class Ask(BaseModel):
    question: str
    conversation: str


def _ingest(candor: Candor, wanted: Ingest) -> Iterator[Progress]:
    if wanted.rebuild:
        candor.library.rebuild(LOCAL_READER)
    yield from candor.library.ingest(wanted.paths, LOCAL_READER, mass_removal=wanted.mass_removal)


def _verify(candor: Candor, wanted: Verify) -> Iterator[Difference | Progress | Verified]:
    yield from candor.library.verify(wanted.paths, LOCAL_READER, mass_removal=wanted.mass_removal)


def _release(candor: Candor, wanted: OfDocument) -> Iterator[int]:
    yield candor.library.release(wanted.source, LOCAL_READER)


def _remove(candor: Candor, wanted: OfDocument) -> Iterator[int]:
    candor.library.remove(wanted.source, LOCAL_READER)
    yield 1


def _purge(candor: Candor, wanted: OfDocument) -> Iterator[Purged]:
    yield candor.library.purge(wanted.source, LOCAL_READER)


def _purge_removed(candor: Candor, wanted: Nothing) -> Iterator[int]:
    yield candor.library.purge_removed(LOCAL_READER)


def _ask(candor: Candor, wanted: Ask) -> Iterator[Shown]:
    yield from candor.assistant.ask(wanted.question, wanted.conversation, LOCAL_READER)


# What may be asked of the process that owns the state folder: what is to be said with it, and what does it.
WISHES: dict[str, tuple[type[BaseModel], Callable[[Candor, Any], Iterator[Any]]]] = {
    "ingest": (Ingest, _ingest),
    "verify": (Verify, _verify),
    "release": (OfDocument, _release),
    "remove": (OfDocument, _remove),
    "purge": (OfDocument, _purge),
    "purge-removed": (Nothing, _purge_removed),
    "ask": (Ask, _ask),
}


def wish(door: Address | Candor, name: str, **values: Any) -> Iterator[Any]:
    """Have something done by the owner of the state folder, which may be this process.

    Args:
        values: the fields of what ``WISHES`` names.

    Raises:
        CandorError: as whatever does it raises.
    """
    model, do = WISHES[name]
    wanted = model(**values)
    return _asked(door, name, wanted) if isinstance(door, Address) else do(door, wanted)


def add_routes(app: FastAPI, candor: Candor, key: str) -> None:
    """Let other processes of the same user have their wishes, on a page that runs. Who goes away ends theirs."""
    from fastapi import Body, HTTPException, Request
    from fastapi.responses import StreamingResponse

    def route(model: type[BaseModel], do: Callable[[Candor, Any], Iterator[Any]]) -> Callable[..., StreamingResponse]:
        def answer(request: Any, wanted: Any) -> StreamingResponse:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), key.encode()):
                raise HTTPException(403)
            candor.startup.wait(120)
            return StreamingResponse(_lines(do(candor, wanted)), media_type="application/x-ndjson")

        # Known only inside these functions, where FastAPI cannot find them by their names: given before it looks.
        answer.__annotations__ |= {"request": Request, "wanted": Annotated[model, Body()]}
        return answer

    for name, (model, do) in WISHES.items():
        app.post(f"{PATH}/{name}")(route(model, do))


def answers(owner: Address) -> bool:
    """Whether the owner that left this note is there. A note may outlive a killed process."""
    import httpx

    try:
        return httpx.post(f"{owner.url}{PATH}/ask", timeout=5).status_code in (403, 422)
    except httpx.HTTPError:
        return False


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


def _asked(owner: Address, what: str, wanted: BaseModel) -> Iterator[Any]:
    import httpx

    headers, body = {"Authorization": f"Bearer {owner.key}"}, wanted.model_dump(mode="json")
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
