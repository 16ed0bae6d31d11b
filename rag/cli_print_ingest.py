"""What ``candor ingest`` prints: how far it is on standard error, what became of it on standard output."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from rag.cli_print import cell, err, out, plain, say
from rag.ingest.run import Report, report
from rag.purge import Purged
from rag.types import Difference, Ingested, Progress, Verified
from rag.web.words import duration

COMES_BACK = "a file in a folder of yours stays there, and comes back when the folder is ingested again"


def ingestion(steps: Iterable[Progress], *, as_json: bool) -> bool:
    """Show an ingestion as it goes, then what became of each file; whether all could be read."""
    seen: list[Ingested] = []
    begun = time.monotonic()
    try:
        _shown(steps, seen, as_json=as_json)
    finally:  # also when it is broken off: what was done is kept
        told = report(seen, time.monotonic() - begun)
        if as_json:
            say(json.dumps({"report": _as_json(told)}, ensure_ascii=False))
        else:
            _table(seen)
            _summary(told)
    return not told.failures


def exchange(steps: Iterable[tuple[int, int]]) -> None:
    """Show how far the vectors of another embedding model are."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Embedding with the model of the settings", total=None)
        for done, total in steps:
            bar.update(task, completed=done, total=total)


def _shown(steps: Iterable[Any], seen: list[Ingested], *, as_json: bool) -> list[Difference | Verified]:
    """Draw the progress; the files go into ``seen``, what is told of a comparison is returned."""
    told: list[Difference | Verified] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    with Bar(*columns, console=err, transient=True) as bar:
        task = bar.add_task("Reading", total=None, pace="")
        for step in steps:
            if not isinstance(step, Progress):
                told.append(step)
                continue
            doing = "Waiting for another ingestion" if step.waiting else "Reading"
            bar.update(task, description=doing, completed=step.done, total=step.total or None, pace=pace(step))
            if step.latest:
                seen.append(step.latest)
                if as_json:
                    say(json.dumps(asdict(step.latest), ensure_ascii=False))
    return told


def pace(step: Progress) -> str:
    """How fast it is, and how long it will take."""
    if step.seconds < 1:
        return ""
    told = f"{step.chunks / step.seconds:.0f} chunks/s, {step.size / 1e6 / step.seconds:.1f} MB/s"
    return told if step.left is None else f"{told}, {duration(step.left)} to go"


def _table(seen: Iterable[Ingested]) -> None:
    table = Table("file", "state", "chunks", "reason")
    for ingested in seen:
        if ingested.state != "unchanged":
            table.add_row(*map(cell, (ingested.source, ingested.state, ingested.chunks or "", ingested.reason)))
    if table.row_count:
        out.print(table)


def _summary(told: Report) -> None:
    if told.slowest and told.seconds > 10:
        say("slowest: " + ", ".join(f"{plain(file.source)} {file.seconds:.0f} s" for file in told.slowest))
    if told.chunks:
        say(
            f"{_chunks(told.chunks)} in {duration(told.seconds)}: {told.chunks_per_second:.1f} a second, "
            f"{told.megabytes_per_second:.2f} MB/s"
        )
    if told.held:
        reads = "it reads" if told.held == 1 else "they read"
        say(f"{_chunks(told.held)} set aside: {reads} like instructions to the assistant; see Sources")
    say(", ".join(f"{count} {state}" for state, count in told.states.items()))


def _as_json(told: Report) -> dict[str, Any]:
    return {
        "states": told.states,
        "chunks": told.chunks,
        "held": told.held,
        "megabytes": round(told.megabytes, 3),
        "seconds": round(told.seconds, 3),
        "chunks_per_second": round(told.chunks_per_second, 2),
        "megabytes_per_second": round(told.megabytes_per_second, 3),
        "slowest": [{"source": file.source, "seconds": round(file.seconds, 2)} for file in told.slowest],
        "failures": [{"source": file.source, "reason": file.reason} for file in told.failures],
    }


def verification(steps: Iterable[Any], *, as_json: bool) -> bool:
    """Show what differs, and whether it was mended; whether all agrees now."""
    told = _shown(steps, [], as_json=False)
    differing = [one for one in told if isinstance(one, Difference)]
    compared = next(one for one in told if isinstance(one, Verified))
    fine = all(one.mended for one in differing)
    if as_json:
        rows = [asdict(one) for one in differing]
        say(json.dumps({"agrees": not rows, "mended": fine, **asdict(compared), "differences": rows}, indent=2))
        return fine
    table = Table("what differs", "where", "count", "state")
    for one in differing:
        table.add_row(*map(cell, (one.what, one.where, one.count, "mended" if one.mended else one.reason)))
    if differing:
        out.print(table)
    say(f"compared {compared.documents} documents, {_chunks(compared.chunks)}, {compared.files} files: " + (
        "all agrees" if not differing else "what differed was mended" if fine else "something could not be mended"
    ))  # fmt: skip
    return fine


def of_document(wish: str, source: str, done: Any, *, as_json: bool) -> bool:
    """What was done with one document; whether that is all that was wanted."""
    if isinstance(done, Purged):
        return _purged(done, as_json=as_json)
    if as_json:
        say(json.dumps({"source": source, f"{wish}d": done}, ensure_ascii=False))
    elif wish == "release":
        them = "it" if done == 1 else "them"
        say(f"{_chunks(done)} of {plain(source)} released: answers may rest on {them} from now on")
    else:
        say(f"{plain(source)} removed: no answer rests on it any more; --purge takes it out of Candor's files too")
        say(COMES_BACK)
    return True


def removed_purged(count: int, *, as_json: bool) -> bool:
    if as_json:
        say(json.dumps({"documents": count}))
    else:
        said = "1 removed document" if count == 1 else f"{count} removed documents"
        say(f"what the record quoted of {said} was erased; the files that held what was removed were written anew")
    return True


def _purged(done: Purged, *, as_json: bool) -> bool:
    if as_json:
        say(json.dumps(asdict(done), ensure_ascii=False))
        return not done.left
    say(f"{plain(done.source)} purged: {_chunks(done.chunks)}; every file was searched for {done.pieces} pieces of it")
    say(COMES_BACK)
    if done.held_since:
        say(f"on legal hold since {done.held_since}: what the record quotes of it is kept until that is lifted")
    if done.elsewhere:
        say(f"other documents say the same in part: {plain(', '.join(done.elsewhere))}")
    if done.left:
        say(f"something of it is left in {', '.join(done.left)}; run it again")
    return not done.left


def _chunks(count: int) -> str:
    return "1 chunk" if count == 1 else f"{count} chunks"
