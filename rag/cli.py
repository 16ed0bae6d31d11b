"""The command ``candor``: what its words mean. What is printed is in ``cli_print.py``."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag import cli_print
from rag.access import LOCAL_READER
from rag.build import Candor, quiet, samples
from rag.cli_audit import audit
from rag.cli_evaluate import evaluate
from rag.cli_policy import policy
from rag.errors import CandorError, OwnedElsewhere
from rag.owner import Address, Owner, address_of_owner, owning
from rag.settings import Settings
from rag.settings import load as load_settings
from rag.web.faults import told

if TYPE_CHECKING:
    from rag.types import Progress, Shown

app = typer.Typer(
    help="Candor answers from your documents, shows where each sentence comes from, and checks it before you see it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(audit, name="audit")
app.add_typer(policy, name="policy")
app.command()(evaluate)

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="A settings file; see deploy/settings.example.toml.", show_default=False),
]


@app.command()
def run(
    settings: SettingsFile = None,
    port: Annotated[
        int | None, typer.Option(help="Where the page is served; 7860 unless set.", show_default=False)
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Start without the sample documents.")] = False,
) -> None:
    """Serve the web page on this machine, until Ctrl-C. The parts load behind it; the page shows how far they are."""
    from rag.web.app import listen, serve

    values = load_settings(settings, **({"web": {"port": port}} if port else {}))
    with listen(values.web.host, values.web.port) as listening, owning(values.state) as owner:
        url = f"http://{values.web.host}:{values.web.port}"
        candor = Candor(values)
        cli_print.say(f"Candor: {url}   (Ctrl-C ends it)")
        try:
            serve(candor, listening, owner.announce(url), None if empty else samples())
        finally:
            candor.close()


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files and folders. A folder is compared as a whole: what is gone from it is removed.",
            show_default=False,
        ),
    ] = None,
    settings: SettingsFile = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget the whole index first, e.g. after a change of chunk size.")
    ] = False,
    release: Annotated[
        str,
        typer.Option(
            "--release",
            metavar="SOURCE",
            help="Instead: use the passages of this document that were set aside, after having read them in Sources.",
            show_default=False,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per file.")] = False,
) -> None:
    """Bring documents into the index; works while the page runs.

    Passages that read like instructions to the assistant are set aside: nothing rests on them until they are released.
    Exit status 0 when every file was read, 1 when some could not be, 2 when nothing could be done.
    """
    if bool(paths) == bool(release):
        raise CandorError("name files and folders to bring in, or one document with --release SOURCE")
    values = load_settings(settings)
    with _owner_or_self(values) as door:
        if not paths:
            cli_print.released(release, _released(door, release), as_json=as_json)
            return
        progress = _ingesting(door, paths, rebuild=rebuild)
        failed = cli_print.ingestion(progress, as_json=as_json)
    raise typer.Exit(1 if failed else 0)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you would like to know.")],
    settings: SettingsFile = None,
    conversation: Annotated[str, typer.Option(help="Go on with an earlier conversation, by its name.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as one JSON object.")] = False,
) -> None:
    """Ask a question; prints the answer sentence by sentence, with numbered sources and what was flagged.

    Exit status 0 when it was answered, 1 when the documents do not answer it or the answer was withheld.
    """
    values = load_settings(settings)
    with _owner_or_self(values) as door:
        answered = cli_print.answer(_asking(door, question, _id_of(conversation)), as_json=as_json)
    raise typer.Exit(0 if answered else 1)


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the model files with SHA-256 and licence. Exit status 1 when one is missing or altered."""
    from rag.installed import model_files

    files = model_files()
    cli_print.models(files, as_json=as_json)
    raise typer.Exit(0 if all(file.sound for file in files) else 1)


@app.command()
def doctor(settings: SettingsFile = None) -> None:
    """Try every part with an example, and say what to mend. Needs no network. Exit status 1 when a part fails."""
    from rag.doctor import examine

    values = load_settings(settings)
    raise typer.Exit(0 if cli_print.examination(examine(values)) else 1)


def main() -> None:
    """The entry point. What goes wrong is a line on standard error and exit status 2; no traceback, which may quote."""
    quiet()
    try:
        app()
    except CandorError as error:
        cli_print.complain(str(error))
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 - what it says itself may quote a document
        told("the command broke off", error)
        cli_print.complain(f"it broke off with {type(error).__name__}; candor doctor tries every part")
        sys.exit(2)
    except KeyboardInterrupt:
        cli_print.complain("stopped; what was done is kept")
        sys.exit(130)


@contextmanager
def _owner_or_self(settings: Settings) -> Iterator[Address | Candor]:
    """The running assistant of this state folder; without one, its parts in this process.

    Raises:
        OwnedElsewhere: another command is at work there, which takes no wishes.
    """
    from rag.remote import answers

    try:
        owner = Owner(settings.state)
    except OwnedElsewhere:
        address = address_of_owner(settings.state)
        if address is None or not answers(address):
            raise
        yield address
        return
    candor = Candor(settings)
    try:
        with cli_print.waiting("Loading the models…"):
            candor.load()
        yield candor
    finally:
        candor.close()
        owner.release()


def _ingesting(door: Address | Candor, paths: list[Path], *, rebuild: bool) -> Iterator[Progress]:
    from rag.remote import ingest_through

    if isinstance(door, Address):
        yield from ingest_through(door, paths, rebuild=rebuild)
        return
    if rebuild:
        door.library.rebuild(LOCAL_READER)
    yield from door.library.ingest(paths, LOCAL_READER)


def _released(door: Address | Candor, source: str) -> int:
    from rag.remote import release_through

    if isinstance(door, Address):
        return release_through(door, source)
    return door.library.release(source, LOCAL_READER)


def _id_of(conversation: str) -> str:
    """What a conversation is known by: a name that somebody gave it stands in no file."""
    return uuid.uuid5(uuid.NAMESPACE_OID, conversation).hex if conversation else uuid.uuid4().hex


def _asking(door: Address | Candor, question: str, conversation: str) -> Iterator[Shown]:
    from rag.remote import ask_through

    if isinstance(door, Address):
        yield from ask_through(door, question, conversation)
        return
    yield from door.assistant.ask(question, conversation, LOCAL_READER)
