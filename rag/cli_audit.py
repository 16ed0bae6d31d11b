"""``candor audit``: the log, for those who answer for it. Reads the log alone; works while the page runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from guardrails.audit import erase, verifier
from guardrails.audit.log import AuditLog
from guardrails.audit.review import ReviewDesk, ReviewError
from guardrails.audit.signing import LogError
from guardrails.audit.signing import verify as verify_signature
from guardrails.audit.verifier import Report, Unusable, lines_of, public_key, verify_export
from rag import cli_print
from rag.access import LOCAL_READER, actor
from rag.errors import CandorError
from rag.record import log_file, open_log
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
    """Export a signed statement, then every event as one line of JSON. Personal data is redacted.

    What answers and passages quote of documents stays sealed: it is read here, until it is erased.
    """
    with _log(settings) as log, _told():
        if to is None:
            for line in log.export():
                cli_print.say(line)
            return
        try:
            with to.open("w", encoding="utf-8") as file:
                count = sum(1 for line in log.export() if file.write(line + "\n")) - 1
        except OSError as error:
            raise CandorError(f"cannot write {to}: {error.strerror}") from None
    cli_print.say(f"{count} events written to {to}")


@audit.command()
def verify(
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="The file of checkpoints in the second place; as set unless given.", show_default=False),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Verify this export, not the log.", show_default=False)] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="The key that must have signed; that of this installation unless given.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Compare the log, or an export of it, with what was signed, here and in the second place.

    Exit status 0 when all of it holds, 1 when something was changed, moved or removed, or the clock was set back. Turns
    that were begun and not closed are listed; they change no status.
    """
    with _told():
        key = _public_key(public_key) if public_key else None
        if export and key and checkpoints:  # an auditor has no installation
            report = _of_export(export, checkpoints, key)
        else:
            with _log(settings) as log:
                place = checkpoints or log.seals.second_place
                report = _of_export(export, place, key or log.seals.key.public) if export else log.examine(key, place)
    _tell(report)


@audit.command()
def key(settings: SettingsFile = None) -> None:
    """Print the public key that verifies the log. Whoever verifies should have got it early, and not from the log."""
    with _log(settings) as log, _told():
        cli_print.say(log.seals.key.pem().strip())


@audit.command("verifier")
def verifier_(
    to: Annotated[Path, typer.Option("--to", help="A file.")] = Path("verifier.py"),
) -> None:
    """Write the verifier: one file that needs only Python, an export, the checkpoints and the public key."""
    try:
        to.write_text(Path(verifier.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise CandorError(f"cannot write {to}: {error.strerror}") from None
    cli_print.say(f"python {to} EXPORT CHECKPOINTS --public-key KEY")


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


def _public_key(path: Path) -> bytes:
    try:
        return public_key(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CandorError(f"cannot read {path}: {type(error).__name__}") from None


def _of_export(export: Path, checkpoints: Path, key: bytes) -> Report:
    try:
        with export.open(encoding="utf-8", errors="surrogateescape") as lines:
            return verify_export(lines, lines_of(checkpoints), key, verify_signature)
    except OSError as error:
        raise CandorError(f"cannot read {export} or {checkpoints}: {error.strerror}") from None


def _tell(report: Report) -> None:
    for told in report.open_turns:
        cli_print.note(told)
    for fault in report.faults:
        cli_print.complain(fault)
    if report.faults:
        raise typer.Exit(1)
    cli_print.say(f"The log holds: {report.events} events, {report.checkpoints} checkpoints.")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (ReviewError, LogError, Unusable) as error:
        raise CandorError(str(error)) from None


@contextmanager
def _log(settings: Path | None) -> Iterator[AuditLog]:
    chosen = load_settings(settings)
    if not log_file(chosen).exists():
        raise CandorError(f"there is no log at {log_file(chosen)} yet; it begins with the first question")
    log = open_log(chosen)
    try:
        yield log
    finally:
        log.close()
