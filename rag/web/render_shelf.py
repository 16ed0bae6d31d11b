"""The sources page -> HTML: the table of documents, files that could not be read, and the progress of an upload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from rag.ingest.run import Report
from rag.types import Ingested, Progress, Shelved
from rag.web import words
from rag.web.render import FILE, WARN, notice, reflowed, safe, with_pills
from rag.web.shelf import Listing, Quarantine, Work

MOST_LISTED = 50  # files of an ingestion; the latest
STATES = {
    "added": "added",
    "replaced": "replaced an earlier version",
    "moved": "moved here from another place",
    "unchanged": "unchanged",
    "removed": "removed",
    "failed": "could not be read",
}


def table(listing: Listing) -> str:
    if not listing.all_documents:
        return (
            f'<div class="empty">{FILE}<h2>No documents yet</h2>'
            "<p>Put in the files that answers should rest on. Nothing leaves this machine.</p></div>"
        )
    if not listing.documents:
        return '<div class="empty"><p>No document matches the filter.</p></div>'
    rows = "".join(_row(item) for item in listing.documents)
    shown = len(listing.documents)
    total = words.count(listing.all_documents, "document")
    counted = total if shown == listing.all_documents else f"{shown} of {total}"
    if listing.exchanging:
        done, chunks = listing.exchanging
        counted += f". Another embedding model is being made ready: {done} of {words.count(chunks, 'passage')}"
    return (
        f'<p class="quiet counted" role="status">{counted}</p><table class="shelf"><thead><tr>'
        '<th scope="col">Document</th>'
        '<th scope="col" class="figure">Pages</th><th scope="col" class="figure">Chunks</th><th scope="col">Added</th>'
        '<th scope="col">State</th><th scope="col"><span class="sr">Delete</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(item: Shelved) -> str:
    tags = [
        '<span class="tag">sample</span>' if item.sample else '<span class="tag own">yours</span>',
        f'<span class="tag warn">superseded by {safe(item.superseded_by)}</span>' if item.superseded_by else "",
        _set_aside(item),
    ]
    return (
        f'<tr><th scope="row"><span class="name" dir="auto">{safe(item.title)}</span>'
        f'<span class="quiet path">{safe(item.source)}</span></th>'
        f'<td class="figure" data-label="Pages">{"&ndash;" if item.pages is None else item.pages}</td>'
        f'<td class="figure" data-label="Chunks">{item.chunks}</td>'
        f'<td data-label="Added"><time datetime="{item.ingested_at.isoformat()}">{words.day(item.ingested_at)}</time>'
        "</td>"
        f'<td data-label="State"><span class="tags">{"".join(tags)}</span></td>'
        f'<td class="do"><button type="button" class="plain danger" data-choose="{safe(item.source)}" '
        f'aria-label="Delete {safe(item.title)}">Delete</button></td></tr>'
    )


def _set_aside(item: Shelved) -> str:
    """A tag that opens what is set aside of a document."""
    if not item.quarantined:
        return ""
    told = f"{words.count(item.quarantined, 'passage')} set aside"
    return (
        f'<button type="button" class="tag warn opens" data-choose="{safe(item.source)}" data-wish="set aside" '
        f'aria-haspopup="dialog" aria-label="{told}: show them, {safe(item.title)}">{told}</button>'
    )


def quarantine(held: Quarantine) -> str:
    """The passages of a document that are set aside, each with the reason."""
    item, shown = held.document, len(held.passages)
    more = (
        f'<p class="quiet">The first {shown} of {item.quarantined} are shown.</p>' if shown < item.quarantined else ""
    )
    passages = "".join(
        f'<li><p class="quiet">{f"Page {passage.page} · " if passage.page else ""}{safe(passage.why)}</p>'
        + (
            f'<p class="passage" dir="auto" tabindex="0">{with_pills(reflowed(passage.text))}</p></li>'
            if passage.text
            else "</li>"
        )
        for passage in held.passages
    )
    return (
        f'<div role="dialog" aria-label="Passages set aside"><h2 tabindex="-1">{WARN}'
        f"{words.count(item.quarantined, 'passage')} set aside</h2>"
        f'<p class="name" dir="auto">{safe(item.title)}</p><p class="quiet path">{safe(item.source)}</p>'
        "<p>No answer rests on them. If the document means what it says, and does not try to steer the assistant, "
        f'you can let them be used.</p>{more}<ol class="aside">{passages}</ol></div>'
    )


def release(held: Quarantine) -> str:
    """What is asked before they are used."""
    item = held.document
    return (
        f'<div role="alertdialog" aria-label="Confirm"><h2>Use {words.count(item.quarantined, "passage")} anyway?</h2>'
        f'<p class="path">{safe(item.source)}</p><p class="quiet">Answers may rest on them from now on, and the model '
        "reads them as they are. That you released them is recorded. A new version of the file is looked at afresh."
        "</p></div>"
    )


def failures(failed: Sequence[Ingested]) -> str:
    if not failed:
        return ""
    items = "".join(
        f'<li><span class="name">{safe(item.source)}</span><span class="quiet">{safe(item.reason)}</span></li>'
        for item in failed
    )
    return (
        f'<section class="card failures"><h2>{WARN}{words.count(len(failed), "file")} could not be read</h2>'
        f"<ul>{items}</ul></section>"
    )


def progress(work: Work) -> str:
    """A bar while files are read; afterwards what became of them. Those that failed are then listed by ``failures``."""
    shown = [item for item in work.files if item.state != "unchanged" and (work.running or item.state != "failed")]
    items = "".join(
        f'<li class="{item.state}"><span class="name">{safe(PurePosixPath(item.source).name)}</span>'
        f'<span class="quiet">{_became(item)}</span></li>'
        for item in shown[-MOST_LISTED:]
    )
    more = len(shown) - MOST_LISTED
    before = f'<p class="quiet">Before these, {words.count(more, "more file")}.</p>' if more > 0 else ""
    bar = (
        f'<progress max="{max(1, work.now.total)}" value="{work.now.done}" aria-label="Files read"></progress>'
        if work.running
        else ""
    )
    pace = f'<p class="quiet pace">{_pace(work.now) if work.running else _reported(work.report)}</p>'
    return (
        f'<section class="card upload"><h2 aria-live="polite">{_headline(work)}</h2>{bar}{pace}'
        f"{notice(work.problem, 'bad')}{before}<ul>{items}</ul></section>"
    )


def _headline(work: Work) -> str:
    if work.running and work.now.waiting:
        return "Waiting for another ingestion to end…"
    if work.running:
        return f"Reading {words.count(work.now.total, 'file')}… {work.now.done} done"
    counts = work.report.states
    good = counts["added"] + counts["replaced"] + counts["moved"] + counts["unchanged"]
    parts = [
        f"{words.count(good, 'file')} ready to be asked about" if good else "",
        f"{words.count(counts['removed'], 'document')} removed" if counts["removed"] else "",
        f"{words.count(counts['failed'], 'file')} could not be read" if counts["failed"] else "",
        "cancelled" if work.cancelled else "",
    ]
    return "; ".join(part for part in parts if part) or "Nothing was put in"


def _pace(now: Progress) -> str:
    """How fast it is, and how long it will take."""
    if now.seconds < 1 or now.waiting:
        return ""
    told = [f"{now.chunks / now.seconds:.0f} chunks a second", f"{now.size / 1e6 / now.seconds:.1f} MB/s"]
    told += [] if now.left is None else [f"about {words.duration(now.left)} to go"]
    return " · ".join(told)


def _reported(told: Report) -> str:
    parts = [f"{words.count(told.chunks, 'chunk')} in {words.duration(told.seconds)}" if told.chunks else ""]
    parts += [f"slowest: {safe(file.source)}, {words.duration(file.seconds)}" for file in told.slowest[:1]]
    return " · ".join(part for part in parts if part)


def _became(item: Ingested) -> str:
    if item.state == "failed":
        return f"could not be read: {safe(item.reason)}"
    told = STATES.get(item.state, item.state)
    held = f" · {item.held} set aside" if item.held else ""
    return f"{told} · {words.count(item.chunks, 'chunk')}{held}" if item.chunks else told


def confirmation(source: str) -> str:
    return (
        f'<div role="alertdialog" aria-label="Confirm"><h2>Delete this document?</h2><p class="path">{safe(source)}</p>'
        '<p class="quiet">Answers stop using it at once. Its words are then taken out of every file that Candor keeps, '
        "and out of what the record quotes, unless that is on legal hold. A file of a folder that you ingested stays "
        "where it is.</p></div>"
    )
