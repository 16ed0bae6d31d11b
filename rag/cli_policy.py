"""``candor policy``: whether a policy is sound, what it says, and what it would do to a text."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from guardrails.gate import CheckFailed
from guardrails.policy import PolicyError, file_of, load
from rag import cli_print, cli_print_policy
from rag.build import Candor
from rag.errors import CandorError, SettingsError
from rag.explain import STAGES, As, document
from rag.explain import explain as explained
from rag.settings import load as load_settings

policy = typer.Typer(
    help="What is done about what the guards find: check a policy, show it, try a text on it.", no_args_is_help=True
)

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="A settings file.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Chosen = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE|PRESET]",
        help="A policy file, or general, health or finance; the one of the settings unless given.",
        show_default=False,
    ),
]


@policy.command()
def check(file: Chosen = None, settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Say what is wrong with a policy file: every mistake, with its line, its key and what is allowed there.

    A running assistant takes a changed file over by itself, but never one with a mistake: check it before you save it.
    Exit status 0 when the policy can be used, 2 when not.
    """
    chosen = _chosen(file, settings)
    try:
        found = load(chosen)
    except PolicyError as error:
        mistakes = str(error).splitlines()
        if as_json:
            cli_print.say(json.dumps({"sound": False, "mistakes": mistakes}, ensure_ascii=False, indent=2))
        else:
            for mistake in mistakes:
                cli_print.complain(mistake)
        raise typer.Exit(2) from None
    cli_print_policy.sound(found, file_of(chosen), datetime.now(UTC), as_json=as_json)


@policy.command()
def show(file: Chosen = None, settings: SettingsFile = None, as_json: AsJson = False) -> None:
    """Show what a policy does: with which personal data, from where, for whom, and with everything else that is found.

    The hash is the one that stands in every record made under this policy.
    """
    chosen = _chosen(file, settings)
    try:
        found = load(chosen)
    except PolicyError as error:
        raise SettingsError(str(error)) from None
    cli_print_policy.policy(found, file_of(chosen), datetime.now(UTC), as_json=as_json)


@policy.command()
def explain(
    text: Annotated[
        str, typer.Argument(help="The text; - reads it from standard input, and keeps it out of histories.")
    ],
    chosen: Annotated[
        Path | None,
        typer.Option(
            "--policy", help="A policy file or preset; the one of the settings unless given.", show_default=False
        ),
    ] = None,
    as_: Annotated[
        As,
        typer.Option(
            "--as",
            help="What the text is: a reader's question; part of an answer; part of an answer that repeats what the "
            "user wrote; a passage of a document.",
        ),
    ] = "answer",
    evidence: Annotated[
        list[Path] | None,
        typer.Option(help="A document that the answer rests on; may be repeated.", show_default=False),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="A role or group of the reader, e.g. reviewer or hr; may be repeated.", show_default=False),
    ] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Try a text: what the guards find in it, what the policy does about that and by which line, and what comes of it.

    The guards are those that an answer meets. Nothing is kept or logged.

    Without --evidence, personal data of an answer counts as made up, and whether documents support it is not judged.

    \b
    Examples:
      candor policy explain "Call 020 7946 0018." --evidence help/desk.md
      candor policy explain --as question --policy health "I was born on 3 May 1984"
      candor policy explain - --role hr < letter.txt
    """
    said = sys.stdin.read() if text == "-" else text
    values = load_settings(settings, **({"guards": {"policy": chosen}} if chosen else {}))
    judged = bool(evidence)
    candor = Candor(values)
    try:
        with cli_print.waiting("Loading the guards…"):
            gate = candor.gate_alone(frozenset() if judged else frozenset({"grounding"}))
            given = [document(path, gate.policy) for path in evidence or ()]
            pieces = explained(gate, said, as_, frozenset(role or ()), given)
    except CheckFailed as error:
        raise CandorError(f"{error}: candor doctor tells which part is broken") from None
    finally:
        candor.close()
    cli_print_policy.explanation(pieces, gate.policy, STAGES[as_], judged=judged, as_json=as_json)


def _chosen(file: Path | None, settings: Path | None) -> Path | None:
    return file or load_settings(settings).guards.policy
