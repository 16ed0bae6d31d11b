"""A walk over every route with planted canaries: what was given out, logged, printed, warned of and removed.

Real parts and a real state folder. Only the writing model is scripted: a server on loopback that speaks as models do.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.policy import PRESETS
from rag import cli
from rag.assistant import Assistant, Parts
from rag.build import QUIET, Candor
from rag.generation.embedded import Endpoint
from rag.generation.models import ChatModel, EmbeddedModel
from rag.generation.prompt import RULES
from rag.generation.turns import Turn
from rag.owner import Owner
from rag.remote import add_routes
from rag.settings import load as load_settings
from rag.types import Done
from rag.web import render_answer, render_chat, render_review, render_shelf, turns
from rag.web.chat_turn import Chat
from rag.web.desk import Desk
from rag.web.shelf import Shelf, Work
from tests.canaries import Identity, identities
from tests.fakes import BrokenGuard

ROOT = Path(__file__).resolve().parents[1]
PLACES = (
    "question",
    "history",
    "private document",
    "title of a private document",
    "public document",
    "failing file",
    "file name",
    "name of a failing file",
    "upload",
    "name of an upload",
    "invention",
    "review",
    "API key",
    "settings",
    "policy",
    "error",
)
LEAVE = "How many days of paid annual leave do full-time staff have?"
GOOD = "Full-time staff have 28 days of paid annual leave a year."


class Server(ThreadingHTTPServer):
    """Speaks as an OpenAI-compatible endpoint does, and keeps what it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = GOOD
        self.refuses = False  # with an error that quotes what it was told
        self.told: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.told.append(body)
        self.send_response(400 if self.server.refuses else 200)
        self.send_header("content-type", "application/json" if self.server.refuses else "text/event-stream")
        self.end_headers()
        self.wfile.write(self._refusal(body) if self.server.refuses else self._written())

    def _refusal(self, body: str) -> bytes:
        return json.dumps({"error": {"message": f"cannot work with {body}", "type": "invalid_request_error"}}).encode()

    def _written(self) -> bytes:
        pieces = [{"content": word} for word in self.server.reply.split(" ")]
        pieces = [pieces[0], *({"content": f" {piece['content']}"} for piece in pieces[1:])]
        rows = [{"index": 0, "delta": piece, "finish_reason": None} for piece in pieces]
        rows.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
        lines = [f"data: {json.dumps(whole | {'choices': [row]})}\n\n" for row in rows]
        return "".join([*lines, "data: [DONE]\n\n"]).encode()

    def log_message(self, format: str, *arguments: object) -> None:
        return None


class Inside:
    """In place of the embedded model's own server."""

    name, trained = "SmolLM2", True

    def __init__(self, server: Server) -> None:
        self._server = server

    def endpoint(self) -> Endpoint:
        return Endpoint(self._server.url, "key")

    def doubt(self) -> None:
        return None

    def stop(self) -> None:
        return None


class Breaking:
    """A model that raises what it was told."""

    name, inside, rules, worded_from = "breaking:test", True, RULES, 0.0

    def __init__(self, words: str) -> None:
        self._words = words

    def stream(self, turns: Sequence[Turn], relevance: float = 1.0) -> Iterator[str]:
        yield f"{GOOD} "
        raise RuntimeError(f"{self._words} {turns}")

    def close(self) -> None:
        return None


@dataclass
class Walk:
    """What was seen on the way."""

    folder: Path
    server: Server
    people: dict[str, Identity] = field(default_factory=lambda: identities(*PLACES))
    given: dict[str, list[str]] = field(default_factory=dict)  # by route
    outcomes: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    removed: list[tuple[str, bytes]] = field(default_factory=list)  # temporary files, as they were when they went
    running: dict[str, bytes] = field(default_factory=dict)  # files of the state folder in the middle of it all
    log: str = ""
    printed: str = ""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    @property
    def temp(self) -> Path:
        return self.folder / "temp"

    def says(self, place: str) -> str:
        return self.people[place].sentences()

    def give(self, route: str, *texts: object) -> None:
        self.given.setdefault(route, []).extend(map(str, texts))

    def command(self, route: str, *words: str) -> str:
        """Run the command in this process; what it printed, and what Python would print of an error nobody caught."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["candor", *words])
            try:
                cli.main()
            except SystemExit as exit:
                print(exit.code, file=err)
            except Exception:  # noqa: BLE001
                traceback.print_exc(file=err)
        self.give(route, out.getvalue(), err.getvalue())
        return out.getvalue()


@contextmanager
def walked(folder: Path) -> Iterator[Walk]:
    """Walk every route once."""
    server = Server()
    walk = Walk(folder, server)
    for made in (walk.documents, walk.temp):
        made.mkdir()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with _watched(walk):
            _plant(walk)
            _while_it_runs(walk)
            _alone(walk)
            _misconfigured(walk)
        yield walk
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _watched(walk: Walk) -> Iterator[None]:
    """Keep all that is logged at DEBUG, printed, warned of, and removed from the folder of temporary files."""
    log, printed = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        seen = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        for name, value in (QUIET | _environment(walk)).items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", str(walk.temp))
        stack.enter_context(_everything_logged(log))
        stack.enter_context(_printed_below(walk.folder / "below"))
        stack.enter_context(redirect_stdout(printed))
        stack.enter_context(redirect_stderr(printed))
        stack.enter_context(_removals(walk))
        yield
    walk.warnings = [str(warning.message) for warning in seen]
    walk.log = log.getvalue()
    walk.printed = printed.getvalue() + (walk.folder / "below").read_text(errors="replace")


def _environment(walk: Walk) -> dict[str, str]:
    return {
        "TMPDIR": str(walk.temp),
        "CANDOR_STATE": str(walk.state),
        "CANDOR_GENERATION__MODEL": "openai:scripted",
        "CANDOR_GENERATION__BASE_URL": f"{walk.server.url}/v1",
        "CANDOR_GENERATION__API_KEY": f"sk-{walk.people['API key'].email.value}",
        "CANDOR_RETRIEVAL__RELEVANT_FROM": "0.05",
        "CANDOR_GUARDS__POLICY": str(_policy(walk)),
    }


def _policy(walk: Walk) -> Path:
    """The general preset, but that names are hidden too, and that what judges a text as a whole flags alone.

    Planted texts must get far.
    """
    general = (PRESETS / "general.toml").read_text(encoding="utf-8")
    file = walk.folder / "general.toml"
    for line in ('passage = "quarantine"', 'answer = "drop"'):
        assert line in general
        general = general.replace(line, f'{line.partition(" = ")[0]} = "flag"')
    general = general.replace('origins = ["document"]\naction = "show"', 'origins = ["document"]\naction = "redact"', 1)
    file.write_text(general, encoding="utf-8")
    return file


@contextmanager
def _everything_logged(stream: io.StringIO) -> Iterator[None]:
    root = logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(threadName)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@contextmanager
def _printed_below(file: Path) -> Iterator[None]:
    """Keep what is written to standard output and error below Python, by libraries in C and by child processes."""
    kept = [(number, os.dup(number)) for number in (1, 2)]
    with file.open("wb") as below:
        for number, _ in kept:
            os.dup2(below.fileno(), number)
        try:
            yield
        finally:
            for number, before in kept:
                os.dup2(before, number)
                os.close(before)


@contextmanager
def _removals(walk: Walk) -> Iterator[None]:
    """Read each temporary file before it is removed."""
    watching = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching[0] and event == "os.remove":
            name, directory = Path(os.fsdecode(arguments[0])), arguments[1]
            path = Path(os.readlink(f"/proc/self/fd/{directory}"), name) if directory not in (-1, None) else name
            if path.is_relative_to(walk.temp) and path.is_file():
                walk.removed.append((path.name, path.read_bytes()))

    sys.addaudithook(hook)  # cannot be taken back, only told to sleep
    try:
        yield
    finally:
        watching[0] = False


def _plant(walk: Walk) -> None:
    people = walk.people

    def write(name: str, text: str) -> None:
        (walk.documents / name).write_text(text, encoding="utf-8")

    write("leave.md", f"# Annual leave\n\n{GOOD} They lapse on 31 March.\n")
    private, public = people["private document"], people["public document"]
    titled = people["title of a private document"]
    head = f"# Field team of {titled.name.value} {titled.email.value}"
    write("team.md", f"{head}\n\nThe field team is led from Leeds. {private.sentences()}\n")
    head = f"---\ncontacts: public\ntitle: Help desk {public.phone.value}\n---\n"
    write("desk.md", f"{head}The help desk answers on weekdays. {public.sentences()}\n")
    named = people["file name"]
    write(
        f"Parking {named.name.value} {named.email.value} {named.phone.value}.md",
        "# Parking\n\nThe car park opens at 6:30.\n",
    )
    failing, its_name = people["failing file"], people["name of a failing file"]
    write(f"{its_name.name.value} {its_name.email.value}.pdf", f"%PDF-1.7 {failing.sentences()}")
    write("front.md", f"---\ngroups: {{{failing.email.value}: [\n{failing.sentences()}\n---\n\nText.\n")
    write("wrong.md", f"---\ndate: {failing.phone.value}\n---\n\nText.\n")
    write("data.docx", failing.sentences())


def _while_it_runs(walk: Walk) -> None:
    """Everything that is possible while one process owns the state folder: pages, door, commands through the door."""
    settings = load_settings(None)
    owner, candor = Owner(settings.state), Candor(settings)
    try:
        candor.load()
        with _door(candor, owner):
            walk.command("command: ingest", "ingest", str(walk.documents))
            walk.command("command: ingest", "ingest", str(walk.documents), "--json")
            walk.command("command: ingest", "ingest", str(walk.folder / walk.people["file name"].email.value))
            _upload(walk, candor)
            _ask(walk, candor)
            _things_break(walk, candor)
            _judge(walk, candor)
            _list(walk, candor)
            _audit(walk)
            walk.running = {
                path.relative_to(walk.state).as_posix(): path.read_bytes()
                for path in walk.state.rglob("*")
                if path.is_file()
            }
    finally:
        candor.close()
        owner.release()


@contextmanager
def _door(candor: Candor, owner: Owner) -> Iterator[None]:
    """The owner's door, open to commands."""
    import uvicorn
    from fastapi import FastAPI

    with closing(cli_listen()) as listening:
        app = FastAPI()
        port = listening.getsockname()[1]
        add_routes(app, candor, owner.announce(f"http://127.0.0.1:{port}").key)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        serving.start()
        try:
            yield
        finally:
            server.should_exit = True
            serving.join(10)


def cli_listen() -> Any:
    from rag.web.app import listen

    return listen("127.0.0.1", 0)


def _upload(walk: Walk, candor: Candor) -> None:
    named = walk.people["name of an upload"]
    folder = walk.state / "passing" / "1"
    folder.mkdir(parents=True)
    file = folder / f"{named.name.value} {named.email.value}.md"
    file.write_text(f"# Visitors\n\nVisitors are met at the gate. {walk.says('upload')}\n", encoding="utf-8")
    _put_in(walk, candor, file)


def _put_in(walk: Walk, candor: Candor, file: Path) -> None:
    shelf = Shelf(candor)
    work: Work | None = shelf.upload([str(file)])
    while work is not None and work.running:
        walk.give("page: sources", render_shelf.progress(work))
        time.sleep(0.05)
        work = shelf.work()
    if work is not None:
        walk.give("page: sources", render_shelf.progress(work))


def _questions(walk: Walk) -> list[tuple[str, str]]:
    """What is asked in one conversation, and what a model inside writes to it."""
    everything = " ".join(walk.says(p) for p in ("private document", "public document", "upload", "invention"))
    return [
        (f"{walk.says('history')} {LEAVE}", GOOD),
        (f"{walk.says('question')} {LEAVE}", f"{GOOD} {walk.says('question')} {walk.says('invention')}"),
        ("Who leads the field team, and how do I reach them?", f"The field team is led from Leeds. {everything}"),
        ("On which number does the help desk answer?", f"The help desk answers on weekdays. {everything}"),
        ("Where are visitors met?", f"Visitors are met at the gate. {walk.says('upload')}"),
        ("When does the car park open?", "The car park opens at 6:30."),
        ("And who then?", f"Ask {walk.people['history'].name.value}. {walk.says('history')}"),
        ("?!", ""),
    ]


def _ask(walk: Walk, candor: Candor) -> None:
    """By the page and by the command; the model inside, outside, and none."""
    parts = candor.assistant.parts
    inside = EmbeddedModel(cast("Any", Inside(walk.server)), candor.settings.generation)
    outside = candor.model()
    models: list[tuple[str, ChatModel | None, int]] = [
        ("inside", inside, 8),
        ("outside", outside, 4),
        ("none", None, 2),
    ]
    for where, model, questions in models:
        before = len(walk.server.told)
        chat = _chat(candor, replace(parts, model=lambda model=model: model))
        for question, reply in _questions(walk)[:questions]:
            walk.server.reply = reply
            _ask_page(walk, chat, question, f"page {where}")
        if model:
            walk.give(f"model {where}", *walk.server.told[before:])
        walk.give("page: earlier conversations", render_chat.earlier(chat.earlier()))
        fresh = Chat(candor).reopen(f"page {where}")
        walk.give("page: answer", render_answer.conversation(fresh.turns))
    before = len(walk.server.told)
    for question, reply in _questions(walk)[1:4]:
        walk.server.reply = reply
        walk.command("command: ask", "ask", question, "--conversation", "command")
    walk.command("command: ask", "ask", f"{walk.says('question')} {LEAVE}", "--json")
    walk.give("model outside", *walk.server.told[before:])


def _chat(candor: Candor, parts: Parts) -> Chat:
    changed = SimpleNamespace(assistant=Assistant(parts), memory=candor.memory, library=candor.library,
                              startup=candor.startup, settings=candor.settings)  # fmt: skip
    return Chat(cast("Candor", changed))


def _ask_page(walk: Walk, chat: Chat, question: str, conversation: str) -> None:
    for talk in chat.ask(question, conversation):
        walk.give("page: answer", render_answer.conversation(talk.turns[-1:]), render_chat.status(talk.status))
    turn = talk.turns[-1]
    walk.give("page: answer", turns.plain(turn))
    if isinstance(turn.done, Done):
        walk.outcomes.add(turn.done.outcome)


def _things_break(walk: Walk, candor: Candor) -> None:
    """Each part in turn, with an error that quotes."""
    parts = candor.assistant.parts
    words = walk.says("error")
    question = f"{walk.says('question')} {LEAVE}"

    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError(f"{words} {question}")

    def refusing() -> ChatModel | None:
        walk.server.refuses = True
        return candor.model()

    def without(guard: str) -> Callable[[], Gate]:
        gate = parts.gate()
        others = [other for other in gate.checks.guards if other.name != guard]
        return lambda: Gate(Checks([BrokenGuard(guard), *others]), gate.policy)

    breaking = Breaking(words)
    walk.server.reply = f"{GOOD} {walk.says('invention')}"
    faults: list[dict[str, Any]] = [
        *({"gate": without(guard.name)} for guard in parts.gate().checks.guards),
        {"model": refusing},
        {"model": lambda: breaking},
        {"model": broken},
        {"retrieve": broken},
        {"gate": broken},
        {"memory": SimpleNamespace(messages=broken, add=broken)},
        {"encoder": SimpleNamespace(embed=broken, tokens=broken)},
        {"log": SimpleNamespace(append=broken)},
    ]
    for number, fault in enumerate(faults):
        _ask_page(walk, _chat(candor, replace(parts, **fault)), question, f"broken {number}")
        walk.server.refuses = False
    for database, table in (("audit", "events"), ("conversations", "messages"), ("index", "documents")):
        with _full(walk.state / f"{database}.sqlite", table):
            _ask_page(walk, Chat(candor), question, f"broken {table}")
            walk.command("command: ask", "ask", question)
            _write_anew(walk, table)
            walk.command("command: ingest", "ingest", str(walk.documents))
            _upload_again(walk, candor)


def _write_anew(walk: Walk, title: str) -> None:
    text = f"# New for {title}\n\nText. {walk.says('private document')}"
    (walk.documents / "new.md").write_text(text, encoding="utf-8")


def _upload_again(walk: Walk, candor: Candor) -> None:
    folder = walk.state / "passing" / "2"
    folder.mkdir(parents=True)
    (folder / "again.md").write_text(walk.says("upload"), encoding="utf-8")
    _put_in(walk, candor, folder / "again.md")


@contextmanager
def _full(path: Path, table: str) -> Iterator[None]:
    """A table that takes no more rows. The error that SQLAlchemy makes of it quotes the row."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER full")


def _judge(walk: Walk, candor: Candor) -> None:
    desk = Desk(candor)
    for item in desk.queue("all")[:3]:
        desk.judge(item.turn, "wrong", f"The reader meant {walk.says('review')}")
    for item in desk.queue("all"):
        walk.give("page: review", render_review.record(desk.record(item.turn)))
    walk.give("page: review", *(render_review.queue(desk.queue(state), state) for state in ("open", "judged", "all")))


def _list(walk: Walk, candor: Candor) -> None:
    listing = Shelf(candor).listing()
    walk.give("page: sources", render_shelf.table(listing), render_shelf.failures(listing.failures))


def _audit(walk: Walk) -> None:
    turns = json.loads(walk.command("command: audit", "audit", "list", "--every", "--json"))
    walk.command("command: audit", "audit", "list", "--every")
    walk.command("command: audit", "audit", "verify")
    for turn in turns[::4]:
        walk.command("command: audit", "audit", "show", turn["turn"])
    walk.command("command: audit", "audit", "show", turns[0]["turn"], "--json")
    walk.command("command: audit", "audit", "export")
    walk.command("command: audit", "audit", "export", "--to", str(walk.folder / "exported.jsonl"))
    walk.give("command: audit", (walk.folder / "exported.jsonl").read_text(encoding="utf-8"))


def _alone(walk: Walk) -> None:
    """Commands that load the parts themselves: in this process, and as a user starts them."""
    walk.command("command: doctor", "doctor")
    with _full(walk.state / "index.sqlite", "chunks"):
        _write_anew(walk, "alone")
        walk.command("command: ingest", "ingest", str(walk.documents))
    question = f"{walk.says('question')} {LEAVE}"
    command = [sys.executable, "-c", "from rag.cli import main; main()", "ask", question]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CANDOR_GENERATION__MODEL": "none"}
    done = subprocess.run(command, env=environment, cwd=walk.documents, capture_output=True, text=True, check=False)
    walk.give("command: ask", done.stdout, done.stderr)


def _misconfigured(walk: Walk) -> None:
    """Files of the operator with values where they do not belong."""
    del os.environ["CANDOR_GUARDS__POLICY"]  # a variable would win over the file
    settings, policy = walk.folder / "settings.toml", walk.folder / "policy.toml"
    said, ruled = walk.people["settings"], walk.people["policy"]
    for text in (
        f'[web]\nport = "{said.phone.value}"\n',
        f'[retrieval]\npassages = ["{said.iban.value}"]\n',
        f'[generation]\napi_key = "{said.iban.value}\n',
        f'[generation\n{said.email.value} = {said.card.value}',
        f'[guards]\npolicy = "{walk.folder}"\n',
    ):  # fmt: skip
        settings.write_text(text, encoding="utf-8")
        walk.command("command: misconfigured", "ask", LEAVE, "--settings", str(settings))
    settings.write_text(f'[guards]\npolicy = "{policy}"\n', encoding="utf-8")
    for text in (
        f'name = "{ruled.email.value}',
        f'name = "general"\n[personal_data]\nshown = "{ruled.phone.value}"\npublic_values = 7\n',
        f'name = "general"\n[personal_data]\ndeny = ["{ruled.card.value}"]\npublic_values = ["{ruled.email.value}"]\n',
    ):
        policy.write_text(text, encoding="utf-8")
        walk.command("command: misconfigured", "ask", LEAVE, "--settings", str(settings))
