"""``candor ingest``: what its words mean. What is printed is in ``cli_print_ingest.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag import cli_print, cli_print_ingest
from rag.build import Candor
from rag.cli_door import PATIENCE, door
from rag.errors import CandorError
from rag.settings import load as load_settings

OF_DOCUMENT = {"metavar": "SOURCE", "show_default": False}


def ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files and folders. A folder is compared as a whole: what is gone from it is removed.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="A settings file; see deploy/settings.example.toml.", show_default=False),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget the whole index first, e.g. after a change of chunk size.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on taking over what changes, until Ctrl-C.")] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Instead: compare index and files (all, or PATHS), and mend what differs."),
    ] = False,
    mass_removal: Annotated[
        bool, typer.Option("--allow-mass-removal", help="Remove documents even if most of a folder's are gone.")
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
    remove: Annotated[
        str,
        typer.Option("--remove", metavar="SOURCE", help="Instead: take this document out.", show_default=False),
    ] = "",
    purge: Annotated[
        str,
        typer.Option(
            "--purge",
            metavar="SOURCE",
            help="Instead: take this document out, and every byte of it out of the files that Candor keeps.",
            show_default=False,
        ),
    ] = "",
    purge_removed: Annotated[
        bool,
        typer.Option("--purge-removed", help="Instead: the same for all that was removed so far, by whichever way."),
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="How long to wait for another command to end.")
    ] = PATIENCE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per file, and one at the end.")
    ] = False,
) -> None:
    """Bring documents into the index; works while the page runs.

    Passages that read like instructions to the assistant are set aside: nothing rests on them until they are released.
    Exit status 0 when every file was read, 1 when some could not be, 2 when nothing could be done; with --verify 0 when
    all agrees or was mended, with --purge 0 when nothing is left.
    """
    from rag.remote import wish

    of_document = {"release": release, "remove": remove, "purge": purge}
    named = [name for name, source in of_document.items() if source]
    if len(named) + bool(paths or verify) + purge_removed != 1 or (verify and (rebuild or watch)):
        raise CandorError(
            "name files and folders to bring in; or one of --verify, --release SOURCE, --remove SOURCE, "
            "--purge SOURCE, --purge-removed"
        )
    places = [str(path.expanduser().resolve()) for path in paths or ()]
    if watch:
        raise typer.Exit(_watched([Path(place) for place in places], settings, mass_removal=mass_removal))
    with door(load_settings(settings), wait, answers=False) as candor:
        if named:
            (name,) = named
            (done,) = wish(candor, name, source=of_document[name])
            fine = cli_print_ingest.of_document(name, of_document[name], done, as_json=as_json)
        elif purge_removed:
            (count,) = wish(candor, "purge-removed")
            fine = cli_print_ingest.removed_purged(count, as_json=as_json)
        elif verify:
            told = wish(candor, "verify", paths=places, mass_removal=mass_removal)
            fine = cli_print_ingest.verification(told, as_json=as_json)
        else:
            if isinstance(candor, Candor):  # a page that runs does it by itself
                cli_print_ingest.exchange(candor.exchange())
            steps = wish(candor, "ingest", paths=places, rebuild=rebuild, mass_removal=mass_removal)
            fine = cli_print_ingest.ingestion(steps, as_json=as_json)
    raise typer.Exit(0 if fine else 1)


def _watched(folders: list[Path], settings: Path | None, *, mass_removal: bool) -> int:
    from rag.ingest.watch import command, watch

    options = [
        *(["--settings", str(settings)] if settings else []),
        *(["--allow-mass-removal"] if mass_removal else []),
    ]
    cli_print.say(f"Watching {', '.join(map(str, folders))}   (Ctrl-C ends it)")
    try:
        watch(folders, command(options), complain=cli_print.complain)
    except KeyboardInterrupt:  # the way to end it
        cli_print.note("no longer watching")
    return 0
