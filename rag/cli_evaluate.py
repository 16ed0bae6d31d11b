"""The command ``candor evaluate``: asks for a measurement and prints its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rag import cli_print
from rag.evaluation.run import TASKS, run
from rag.evaluation.trial import OnProgress
from rag.settings import load as load_settings

# One paragraph a task: the \b keeps the lines of each as they are.
HELP = """Measure this installation on labelled data, with the settings and models that a reader would meet.

Your own index and audit log stay untouched. Progress goes to standard error, the figures to standard output.

""" + "\n\n".join(f"\b\n{name}: {task.about}.\n  --data: {task.data}." for name, task in TASKS.items()) + """

Exit status 0 when it measured, 2 when it could not; then one line says why, with the file and line of data that cannot
be used.
"""  # fmt: skip


def evaluate(
    task: Annotated[str, typer.Argument(help=f"What to measure: {', '.join(TASKS)}.", metavar="TASK")],
    data: Annotated[
        Path | None, typer.Option(help="The labelled data, a file or a folder.", show_default=False)
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Measure on so many rows, drawn at random; all unless set.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Which rows are drawn: the same seed draws the same.")] = 0,
    chunkings: Annotated[
        int | None, typer.Option(min=1, help="stream: how many ways of cutting are tried in all.", show_default="1000")
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option(
            help="answers: the folder that is asked, where the questions bring no documents.",
            show_default="those that come with Candor",
        ),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="grounding: do not measure; on these answers, your own reviewed ones for instance, find the threshold "
            "that flags at most the share of supported answers which the policy allows (unsupported.flag_at_most).",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="A settings file; see deploy/settings.example.toml.", show_default=False),
    ] = None,
) -> None:
    values = load_settings(settings)
    with _progress() as on_progress:
        figures = run(task, data, values, limit, seed, on_progress, chunkings, documents, calibrate)
    if as_json:
        cli_print.say(json.dumps(figures, ensure_ascii=False))
    else:
        _print(task, figures)
        if "report_from" in figures:
            cli_print.say(
                f"To use it, write report_from = {figures['report_from']} under [unsupported] in your policy."
            )


evaluate.__doc__ = HELP


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on standard error, one line for each thing that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=cli_print.err, transient=True, disable=not cli_print.err.is_terminal) as bar:
        lines: dict[str, Any] = {}

        def on_progress(doing: str, done: int, total: int) -> None:
            if doing not in lines:
                lines[doing] = bar.add_task(doing)
            bar.update(lines[doing], completed=done, total=total)

        yield on_progress


def _print(task: str, figures: Mapping[str, Any]) -> None:
    """A table of the single figures, then one for each group of them."""
    single = Table("measure", task, title=task, title_justify="left")
    for name, value in figures.items():
        if not isinstance(value, Mapping):
            single.add_row(name, _cell(value))
    cli_print.out.print(single)
    for name, group in figures.items():
        if isinstance(group, Mapping) and group:
            cli_print.out.print(_table(name, group))


def _table(name: str, group: Mapping[str, Any]) -> Table:
    rows = {key: value if isinstance(value, Mapping) else {name: value} for key, value in group.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table("", *columns, title=name, title_justify="left")
    for key, row in rows.items():
        table.add_row(cli_print.plain(key), *(_cell(row.get(column)) for column in columns))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
