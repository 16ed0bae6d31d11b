"""``candor audit``: the log, for those who answer for it. Reads the log alone; works while the page runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from guardrails.audit import erase
from guardrails.audit.log import AuditLog
from guardrails.audit.review import ReviewDesk, ReviewError
from rag import cli_print
from rag.access import LOCAL_READER, actor
from rag.errors import CandorError
from rag.settings import load as load_settings

audit = typer.Typer(help="Read, export and verify the record of what was asked, found and shown.", no_args_is_help=True)

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="A settings file.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@audit.command("list")
def list_(
    state: Annotated[Literal["open", "judged", "all"], typer.Option(help="Which flagged answers.")] = "open",
    every: Annotated[bool, typer.Option("--every", help="All answers, not only the flagged.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """List the flagged answers, newest first."""
    with _log(settings) as log:
        desk = ReviewDesk(log)
        items = desk.turns(LOCAL_READER, limit) if every else desk.queue(LOCAL_READER, state, limit)
    cli_print.queue(items, as_json=as_json)


@audit.command()
def show(
    turn: Annotated[str, typer.Argument(help="As listed by candor audit list.")],
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one answer: question, evidence, sentences with findings, verdicts. Personal data is redacted."""
    with _log(settings) as log, _told():
        record = ReviewDesk(log).record(turn, LOCAL_READER)
    cli_print.record(record, as_json=as_json)


@audit.command()
def export(
    to: Annotated[
        Path | None, typer.Option("--to", help="A file; standard output unless given.", show_default=False)
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Export every event as one line of JSON, with the hashes that prove it. Personal data is redacted.

    What answers and passages quote of documents stays sealed: it is read here, until it is erased.
    """
    with _log(settings) as log:
        if to is None:
            for line in log.export():
                cli_print.say(line)
            return
        try:
            with to.open("w", encoding="utf-8") as file:
                count = sum(1 for line in log.export() if file.write(line + "\n"))
        except OSError as error:
            raise CandorError(f"cannot write {to}: {error.strerror}") from None
    cli_print.say(f"{count} events written to {to}")


@audit.command()
def verify(settings: SettingsFile = None) -> None:
    """Check the chain of events. Exit status 0 when it holds, 1 when something was changed, moved or removed."""
    with _log(settings) as log:
        wrong, count = log.verify(), log.count()
    for fault in wrong:
        cli_print.complain(fault)
    if wrong:
        raise typer.Exit(1)
    cli_print.say(f"The chain of {count} events holds. (Removal of the newest events alone would not show.)")


@audit.command()
def hold(
    source: Annotated[str, typer.Argument(help="A document, as listed in Sources; also one that was removed.")],
    reason: Annotated[str, typer.Option(help="Why, for instance the number of a case. Name nobody: it is kept.")],
    settings: SettingsFile = None,
) -> None:
    """Put a document on legal hold: what the record quotes of it is kept, also when the document is purged."""
    with _log(settings) as log, _told():
        quoted = erase.hold(log, source, reason, actor(LOCAL_READER))
    told = "What answers quote of it is" if quoted else f"No answer quotes {source} yet; what will be quoted is"
    cli_print.say(f"{source} is on legal hold. {told} kept until the hold is lifted.")


@audit.command()
def unhold(
    source: Annotated[str, typer.Argument(help="A document on legal hold.")], settings: SettingsFile = None
) -> None:
    """Lift a legal hold. What a purge would have erased meanwhile is erased now."""
    with _log(settings) as log, _told():
        done = erase.unhold(log, source, actor(LOCAL_READER))
    what = "what the record quotes of it was erased now" if done else "nothing was waiting to be erased"
    cli_print.say(f"{source} is on legal hold no longer; {what}.")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ReviewError as error:
        raise CandorError(str(error)) from None


@contextmanager
def _log(settings: Path | None) -> Iterator[AuditLog]:
    path = load_settings(settings).state / "audit.sqlite"
    if not path.exists():
        raise CandorError(f"there is no log at {path} yet; it begins with the first question")
    log = AuditLog(path)
    try:
        yield log
    finally:
        log.close()
