"""The command ``candor``: what its words mean. What is printed is in ``cli_print.py``."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardrails.audit.signing import LogError
from rag import cli_print
from rag.build import Candor, quiet, samples
from rag.cli_audit import audit
from rag.cli_door import door
from rag.cli_evaluate import evaluate
from rag.cli_ingest import ingest
from rag.cli_policy import policy
from rag.errors import CandorError
from rag.owner import owning
from rag.settings import load as load_settings
from rag.web.faults import told

if TYPE_CHECKING:
    pass

app = typer.Typer(
    help="Candor answers from your documents, shows where each sentence comes from, and checks it before you see it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(audit, name="audit")
app.add_typer(policy, name="policy")
app.command()(ingest)
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
def ask(
    question: Annotated[str, typer.Argument(help="What you would like to know.")],
    settings: SettingsFile = None,
    conversation: Annotated[str, typer.Option(help="Go on with an earlier conversation, by its name.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as one JSON object.")] = False,
) -> None:
    """Ask a question; prints the answer sentence by sentence, with numbered sources and what was flagged.

    Exit status 0 when it was answered, 1 when the documents do not answer it or the answer was withheld.
    """
    from rag.remote import wish

    values = load_settings(settings)
    with door(values) as candor:
        told = wish(candor, "ask", question=question, conversation=_id_of(conversation))
        answered = cli_print.answer(told, as_json=as_json)
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
    except (CandorError, LogError) as error:
        cli_print.complain(str(error))
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 - what it says itself may quote a document
        told("the command broke off", error)
        cli_print.complain(f"it broke off with {type(error).__name__}; candor doctor tries every part")
        sys.exit(2)
    except KeyboardInterrupt:
        cli_print.complain("stopped; what was done is kept")
        sys.exit(130)


def _id_of(conversation: str) -> str:
    """What a conversation is known by: a name that somebody gave it stands in no file."""
    return uuid.uuid5(uuid.NAMESPACE_OID, conversation).hex if conversation else uuid.uuid4().hex
