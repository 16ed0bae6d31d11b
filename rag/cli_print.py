"""What the command prints: results on standard output, progress and complaints on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from rag.types import Citation, Done, Notice, Sentence, Shown, Status

if TYPE_CHECKING:
    from guardrails.audit.review import QueueItem, Record
    from rag.doctor import Finding
    from rag.installed import ModelFile

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

# Documents and questions may hold what looks like markup, or control characters that a terminal obeys.
_UNSAFE = {code: None for code in [*range(0x20), 0x7F, *range(0x80, 0xA0)] if chr(code) not in "\n\t"}


def plain(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return text.translate(_UNSAFE)


def say(text: str) -> None:
    out.print(text, markup=False)


def complain(text: str) -> None:
    err.print(f"candor: {plain(text)}", markup=False, style="red", soft_wrap=True)


def note(text: str) -> None:
    err.print(f"candor: {plain(text)}", markup=False, soft_wrap=True)


def waiting(text: str) -> AbstractContextManager[Any]:
    """A moving sign while something takes long; nothing where there is no terminal."""
    return err.status(text)


def answer(shown: Iterable[Shown], *, as_json: bool) -> bool:
    """Print an answer as it comes; whether it is one."""
    pieces = list(shown) if as_json else _printed(shown)
    done = next((piece for piece in pieces if isinstance(piece, Done)), None)
    if as_json:
        say(json.dumps(_as_json(pieces, done), ensure_ascii=False, indent=2))
    return done is not None and done.outcome in ("answered", "quoted")


def _printed(shown: Iterable[Shown]) -> list[Shown]:
    pieces: list[Shown] = []
    for piece in shown:
        pieces.append(piece)
        match piece:
            case Status(text):
                err.print(text, style="dim", markup=False)
            case Sentence():
                numbers = "".join(f"[{citation.number}]" for citation in piece.citations if citation.supports)
                flag = _flag(piece) if any(mark.kind == "flagged" for mark in piece.marks) else ""
                quote = "> " if piece.quoted else ""
                say(f"{quote}{plain(piece.text.strip())} {numbers}{flag}".strip())
            case Notice(text):
                say(f"({plain(text)})")
            case Done():
                for title in piece.nearest:
                    say(f"  nearest: {plain(title)}")
    for citation in _compared(pieces):
        page = f", page {citation.page}" if citation.page else ""
        no_source = "" if citation.supports else ": no source of the answer"
        say(f"[{citation.number}] {plain(citation.title)} ({plain(citation.source)}{page}){no_source}")
    return pieces


def _flag(sentence: Sentence) -> str:
    """That a sentence is not supported, and what the nearest passage does instead."""
    nearest = "".join(f"; [{c.number}] {c.verdict}" for c in sentence.citations if not c.supports)
    return f" (flagged: not fully supported{nearest})"


def _compared(pieces: Iterable[Shown]) -> list[Citation]:
    """Each passage once, as the source that it is where it is one."""
    citations = [c for piece in pieces if isinstance(piece, Sentence) for c in piece.citations]
    by_number = {c.number: c for c in sorted(citations, key=lambda c: c.supports)}
    return [by_number[number] for number in sorted(by_number)]


def _as_json(pieces: Sequence[Shown], done: Done | None) -> dict[str, Any]:
    sentences = [piece for piece in pieces if isinstance(piece, Sentence)]
    return {
        "outcome": done.outcome if done else "stopped",
        "turn": done.turn if done else "",
        "answer": "".join(sentence.text for sentence in sentences).strip(),
        "sentences": [
            {
                "text": sentence.text,
                "sources": [citation.number for citation in sentence.citations if citation.supports],
                "compared": [{"number": c.number, "verdict": c.verdict} for c in sentence.citations if not c.supports],
                "quoted": sentence.quoted,
                "marks": [asdict(mark) for mark in sentence.marks],
            }
            for sentence in sentences
        ],
        "notices": [piece.text for piece in pieces if isinstance(piece, Notice)],
        "sources": [asdict(citation) for citation in _compared(pieces) if citation.supports],
        "compared": [asdict(citation) for citation in _compared(pieces) if not citation.supports],
        "nearest": list(done.nearest) if done else [],
    }


def models(files: Sequence[ModelFile], *, as_json: bool) -> None:
    if as_json:
        say(json.dumps([asdict(file) for file in files], indent=2))
        return
    table = Table("model", "used for", "MB", "SHA-256", "licence", "state")
    for file in files:
        table.add_row(
            *map(cell, (file.name, file.use, file.megabytes, file.sha256[:16], file.licence, file.problem or "sound"))
        )
    out.print(table)


def examination(findings: Iterator[Finding]) -> bool:
    """Print each finding as it comes; whether all is fine."""
    fine = True
    for finding in findings:
        say(f"{'ok  ' if finding.fine else 'FAIL'}  {finding.part}: {plain(finding.detail)}")
        fine &= finding.fine
    say("Everything works." if fine else "Something needs mending: see the lines marked FAIL.")
    return fine


def queue(items: Sequence[QueueItem], *, as_json: bool) -> None:
    if as_json:
        say(json.dumps([asdict(item) | {"at": item.at.isoformat()} for item in items], ensure_ascii=False, indent=2))
        return
    table = Table("asked", "turn", "question", "outcome", "flagged for", "verdict")
    for item in items:
        when = item.at.astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(
            *map(
                cell,
                (when, item.turn, item.question[:80], item.outcome, ", ".join(item.reasons), item.verdict or "open"),
            )
        )
    out.print(table if items else "Nothing here.")


def record(found: Record, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps(asdict(found), ensure_ascii=False, indent=2, default=str))
        return
    say(
        f"{found.at.astimezone():%Y-%m-%d %H:%M:%S}  {found.outcome}  "
        f"{found.model}  policy {found.policy}  {found.seconds} s"
    )
    say(f"Question: {plain(found.question)}")
    for passage in found.evidence:
        say(f"Evidence {passage.number}: {plain(passage.title)} ({plain(passage.source)})\n{plain(passage.text)}\n")
    for sentence in found.sentences:
        say(f"{sentence.action}: {plain(sentence.written.strip())}")
        if sentence.repair:
            say(f"    repair: {sentence.repair}, {sentence.outcome}")
        if sentence.replaces:
            say(f"    in place of the sentence before: {sentence.replaces}")
        for finding in sentence.findings:
            say(
                f"    {finding.guard} {finding.label} {finding.score:.2f} "
                f"(threshold {finding.threshold:.2f}): {finding.reason}"
            )
    for notice in found.notices:
        say(f"Said: {notice}")
    for step in found.checks:
        fared = ", ".join(f"{run.guard} {run.status} {run.milliseconds:.0f} ms" for run in step.runs)
        say(f"Guards, {step.step} {step.number}: {fared}")
    for review in found.reviews:
        say(f"Verdict of {review.reviewer}: {review.verdict}: {plain(review.reason)}")


def cell(value: object) -> str:
    from rich.markup import escape

    return escape(plain(str(value)))
