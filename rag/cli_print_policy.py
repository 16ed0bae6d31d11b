"""What ``candor policy`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rich.table import Table

from guardrails.gate import HEDGE
from guardrails.policy import Policy, Ruling
from guardrails.types import Action, Finding, Origin, Repair, Stage
from rag.cli_print import cell, out, plain, say

if TYPE_CHECKING:
    from rag.explain import Explained

ORIGINS: Mapping[Origin, str] = {
    Origin.USER: "the reader's own",
    Origin.PUBLIC_DOCUMENT: "public document",
    Origin.DOCUMENT: "other document",
    Origin.INVENTION: "made up",
}
DONE: Mapping[Stage, Mapping[Action, str]] = {
    "question": {
        Action.SHOW: "goes on as it is",
        Action.REDACT: "goes on, shown back with stand-ins",
        Action.FLAG: "goes on, and to review",
        Action.DROP: "reaches no model: answered by quotations, and reviewed",
        Action.WITHHOLD: "refused",
    },
    "sentence": {
        Action.SHOW: "shown as it is",
        Action.REDACT: "shown with stand-ins",
        Action.FLAG: "shown with a mark, and goes to review",
        Action.DROP: "left out, and goes to review",
        Action.WITHHOLD: "withheld: nothing more of the answer is shown",
    },
    "passage": {
        Action.SHOW: "used, shown as it is",
        Action.REDACT: "used, shown with stand-ins",
        Action.FLAG: "used, and goes to review",
        Action.DROP: "quarantined: shown in Sources, nothing rests on it",
        Action.WITHHOLD: "not used: it could not be checked",
    },
}


def sound(found: Policy, file: Path, now: datetime, *, as_json: bool) -> None:
    notes = list(_notes(found, now))
    if as_json:
        facts = {"sound": True, "mistakes": [], "notes": notes, "name": found.name, "hash": found.hash}
        say(json.dumps(facts | {"file": str(file)}, ensure_ascii=False, indent=2))
        return
    say(f"{plain(str(file))}: sound (policy {plain(found.name)}, {found.hash})")
    for note in notes:
        say(f"note: {plain(note)}")


def _notes(found: Policy, now: datetime) -> Iterable[str]:
    """What is no mistake, but may surprise."""
    if found.personal_data.models_outside_see_it:
        yield "models outside see personal data (personal_data.models_outside_see_it)"
    for guard in ("injection", "harm"):
        if not found.uses(guard):
            yield f"the {guard} guard is off"
    if found.fail_open:
        named = ", ".join(sorted(found.fail_open.guards))
        until = f"{found.fail_open.until:%Y-%m-%d %H:%M} UTC"
        if now < found.fail_open.until:
            yield f"texts that {named} cannot check are let through until {until}: {found.fail_open.reason}"
        else:
            yield f"fail_open is over since {until} and has no effect; take it out"


def policy(found: Policy, file: Path, now: datetime, *, as_json: bool) -> None:
    if as_json:
        facts = {"file": str(file), "hash": found.hash, "policy": found.model_dump(mode="json")}
        say(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    say(f"Policy {plain(found.name)}, {found.hash} ({plain(str(file))})")
    out.print(_personal_data(found))
    about = found.personal_data
    outside = "the original words" if about.models_outside_see_it else "stand-ins such as <PERSON_1>"
    say("  show: as it is. mask: an account keeps its last four characters. redact: replaced by its kind.")
    say("  flag: replaced, and the answer goes to review. The first line that fits decides.")
    say(f"Not treated as personal: {_listed(about.shown)}")
    say(f"A model outside is told: {outside}")
    say(f"Documents with public contacts: those that say so, and {_listed(about.public_sources)}")
    say(f"Public contacts wherever they stand: {_listed(about.public_values)}")
    say(f"Never personal: {_listed(about.allow)}. Always personal: {_listed(about.deny)}")
    out.print(_others(found))
    say(f"A sentence left out because the documents do not support it: {REPAIRS[found.unsupported.repair]}.")
    hosts = f", and those of {_listed(found.output.allowed_hosts)}" if found.output.allowed_hosts else ""
    say(f"Links that may be shown: {LINKS[found.output.links]}{hosts}. Images from elsewhere and markup: none.")
    say("A guard that fails: nothing unchecked is shown.")
    for note in _notes(found, now):
        say(f"note: {plain(note)}")


REPAIRS: Mapping[Repair, str] = {
    "drop": "nothing is put in its place",
    "hedge": f'shown behind the words "{HEDGE.strip()}", unless it has a number wrong or says the opposite',
    "quote": "replaced by the source's sentence that fits best, if one does",
    "ask": "the model writes it once more, and what it writes is checked",
}
LINKS = {
    "any": "all",
    "documents": "those of the documents used, and of the reader",
    "allowed": "those of the reader",
}


def _personal_data(found: Policy) -> Table:
    table = Table("personal data", *ORIGINS.values(), "for whom")
    for number, rule in enumerate(found.personal_data.rules, 1):
        words = [rule.action if not rule.origins or origin.value in rule.origins else "" for origin in ORIGINS]
        what = ", ".join(sorted(rule.entities)) or "all kinds"
        table.add_row(*map(cell, (f"{number}. {what}", *words, ", ".join(sorted(rule.audience)) or "everybody")))
    by_origin = found.personal_data.by_origin
    words = [getattr(by_origin, origin.value) for origin in ORIGINS]
    table.add_row("everything else" if found.personal_data.rules else "all kinds", *words, "everybody")
    return table


def _others(found: Policy) -> Table:
    """What is done at each stage, asked of the policy itself."""
    table = Table("what else is found", "in a question", "in a passage", "in an answer")
    drop = found.unsupported.drop_from
    marked = f"below {drop:g}: {DONE['sentence'][Action.FLAG]}; from there: " if drop else ""
    table.add_row("not supported by the documents", "", "", f"{marked}{DONE['sentence'][Action.DROP]}")
    for guard, name, stages in (
        ("injection", "instructions to the model", ("question", "passage")),
        ("harm", "hate, threats, sexual content, self-harm", ("question", "sentence")),
    ):
        table.add_row(name, *(_done(found, guard, stage) if stage in stages else "" for stage in get_args(Stage)))
    return table


def _done(found: Policy, guard: Any, stage: Stage) -> str:
    if not found.uses(guard):
        return "not looked for"
    return DONE[stage][found.action(Finding(guard, guard, "", 0, 0, 1.0, 1.0, ""), stage=stage)]


def _listed(names: Iterable[str]) -> str:
    return plain(", ".join(sorted(names))) or "none"


def explanation(pieces: Sequence[Explained], found: Policy, stage: Stage, *, judged: bool, as_json: bool) -> None:
    """Print what becomes of each piece of a text.

    Args:
        judged: whether there was evidence, without which support is not judged.
    """
    if as_json:
        facts = {"policy": found.name, "hash": found.hash, "pieces": [_as_json(piece) for piece in pieces]}
        say(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    say(f"Policy {plain(found.name)}, {found.hash}")
    for piece in pieces:
        say(f"\n{plain(piece.text.strip())}")
        for finding, ruling in piece.findings:
            say(f"  {plain(_line(finding, ruling))}")
            say(f"      {plain(finding.reason)}")
        if not piece.findings:
            say("  nothing found")
        say(f"  => {DONE[stage][piece.action]}")
        if piece.repair != "drop":
            say(f'  then, by unsupported.repair = "{found.unsupported.repair}": {REPAIRS[piece.repair]}')
        say(f"  reader:  {plain(piece.reader.strip()) or '(nothing)'}")
        say(f"  auditor: {plain(piece.record.strip()) or '(nothing)'}")
        for run in piece.runs:
            if run.status != "ran":
                say(f"  the {run.guard} guard {run.status if run.status != 'skipped' else 'is off'}")
    if stage == "sentence" and not judged:
        say("\nWithout --evidence, whether documents support this was not judged.")


def _line(finding: Finding, ruling: Ruling) -> str:
    origin = f", {ORIGINS[finding.origin]}" if finding.origin else ""
    by = f'{ruling.key} = "{ruling.word}"' if ruling.key else "every policy"
    what = f"{finding.guard}: {finding.label}, characters {finding.start} to {finding.end}{origin}"
    score = f"{finding.score:.2f} (reported from {finding.threshold:.2f})"
    return f"{what}, {score}" + (f": {ruling.action.name} by {by}" if finding.kind != "supported" else "")


def _as_json(piece: Explained) -> dict[str, Any]:
    return {
        "action": piece.action.name,
        "repair": piece.repair,
        "reader": piece.reader,
        "auditor": piece.record,
        "findings": [
            {
                "guard": finding.guard,
                "kind": finding.kind,
                "label": finding.label,
                "start": finding.start,
                "end": finding.end,
                "score": finding.score,
                "threshold": finding.threshold,
                "origin": finding.origin.value if finding.origin else None,
                "action": ruling.action.name,
                "rule": ruling.key,
                "word": ruling.word,
                "reason": finding.reason,
            }
            for finding, ruling in piece.findings
        ],
        "guards": [{"guard": run.guard, "status": run.status, "milliseconds": run.milliseconds} for run in piece.runs],
    }
