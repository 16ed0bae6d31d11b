"""The review page -> HTML: the queue, and one record as the model saw it, wrote it and the reader got it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.web import words
from rag.web.render import highlighted, reflowed, safe, with_pills

if TYPE_CHECKING:
    from guardrails.audit.review import QueueItem, Record, SeenSentence
    from guardrails.types import Finding

EMPTY = {
    "open": ("Nothing waits for a verdict", "Answers that a guard flagged appear here by themselves."),
    "judged": ("No verdicts yet", "Answers that have been judged are listed here."),
    "all": ("Nothing was flagged yet", "Answers that a guard flagged appear here by themselves."),
}


def queue(items: Sequence[QueueItem], state: str, opened: str = "") -> str:
    if not items:
        title, text = EMPTY.get(state, EMPTY["all"])
        return f'<div class="empty"><h2>{title}</h2><p>{text}</p></div>'
    rows = "".join(_queued(item, item.turn == opened) for item in items)
    return (
        f'<p class="quiet counted" role="status">{words.count(len(items), "answer")}</p><ol class="queue">{rows}</ol>'
    )


def _queued(item: QueueItem, opened: bool) -> str:
    reasons = "".join(f'<span class="tag warn">{safe(reason)}</span>' for reason in item.reasons)
    verdict = f'<span class="tag {safe(item.verdict)}">{words.VERDICTS.get(item.verdict, "open")}</span>'
    return (
        f'<li><button type="button" data-choose="{safe(item.turn)}"{" aria-current=true" if opened else ""}>'
        f'<span class="name" dir="auto">{with_pills(item.question)}</span><span class="tags">{reasons}</span>'
        f'<span class="quiet">{words.age(item.at)} · {safe(_outcome(item.outcome))}</span>{verdict}</button></li>'
    )


def _outcome(outcome: str) -> str:
    return words.OUTCOMES.get(outcome, outcome)


def record(seen: Record) -> str:
    numbers = {item.id: item.number for item in seen.evidence}
    sentences = "".join(_sentence(number, sentence, numbers) for number, sentence in enumerate(seen.sentences, start=1))
    return (
        f'<article class="record"><p class="quiet">{words.age(seen.at)} · <time datetime="{seen.at.isoformat()}">'
        f"{seen.at:%d %b %Y %H:%M:%S} {seen.at.tzname() or 'UTC'}</time></p>"
        f'<h2 dir="auto" tabindex="-1">{with_pills(seen.question)}</h2>'
        f'<p><span class="tag">{safe(_outcome(seen.outcome))}</span></p>'
        f"<section><h3>Answer, sentence by sentence</h3>{sentences or _none('No sentence was written.')}</section>"
        f"<section><h3>What the reader saw</h3>{_shown(seen)}</section>"
        f"<section><h3>Evidence, as the model saw it</h3>{_evidence(seen) or _none('No passage was given.')}</section>"
        f"{_reviews(seen)}{_facts(seen)}</article>"
    )


def _none(text: str) -> str:
    return f'<p class="quiet">{text}</p>'


def _sentence(number: int, sentence: SeenSentence, numbers: Mapping[str, int]) -> str:
    """``numbers``: of the passages as listed in the record; the reader's numbers count only those that were cited."""
    wrong = [finding for finding in sentence.findings if finding.kind != "supported"]
    support = {
        numbers[span.evidence_id] for f in sentence.findings for span in f.support if span.evidence_id in numbers
    }
    cited = "".join(f'<span class="number">{n}</span>' for n in sorted(support) if sentence.cited)
    same = sentence.shown.strip() == sentence.written.strip()
    shown = (
        "the same"
        if same
        else f'<span dir="auto">{with_pills(sentence.shown)}</span>'
        if sentence.shown.strip()
        else "nothing"
    )
    name = f"Sentence {number}{' · quotation' if sentence.quoted else ''}"
    return (
        f'<div class="seen"><div class="seen-head"><span class="quiet">{name}</span>'
        f'<span class="tag {"warn" if wrong else "good"}">{safe(words.action(sentence.action))}</span></div>'
        f'<dl><dt>As written</dt><dd dir="auto">{highlighted(sentence.written, ((f.start, f.end) for f in wrong))}</dd>'
        f"<dt>As shown</dt><dd>{shown} {cited}</dd></dl>"
        f"{''.join(_finding(finding, sentence.written) for finding in sentence.findings)}</div>"
    )


def _finding(finding: Finding, written: str) -> str:
    where = written[max(0, finding.start) : finding.end]
    part = "" if where.strip() == written.strip() or not where else f'<q dir="auto">{with_pills(where)}</q>'
    origin = f", origin: {finding.origin.value.replace('_', ' ')}" if finding.origin else ""
    return (
        f'<div class="finding {"good" if finding.kind == "supported" else "warn"}"><strong>'
        f"{safe(words.GUARDS.get(finding.guard, finding.guard))}</strong>"
        f"<span>{safe(words.KINDS.get(finding.kind, finding.kind))} · {safe(_label(finding))}</span>{part}"
        f'<span class="quiet">score {finding.score:.2f}, threshold {finding.threshold:.2f}{origin}</span>'
        f"<p>{safe(finding.reason)}</p></div>"
    )


def _label(finding: Finding) -> str:
    return words.personal(finding.label) if finding.kind == "pii" else finding.label


def _shown(seen: Record) -> str:
    text = "".join(
        sentence.shown if sentence.shown[-1:].isspace() else f"{sentence.shown} " for sentence in seen.sentences
    )
    notices = "".join(f'<p class="notice"><span>{safe(line)}</span></p>' for line in seen.notices)
    said = f'<p class="passage" dir="auto">{with_pills(text.strip())}</p>' if text.strip() else _none("No sentence.")
    return said + notices


def _evidence(seen: Record) -> str:
    spans: dict[str, list[tuple[int, int]]] = {}
    for sentence in seen.sentences:
        for finding in sentence.findings:
            for span in finding.support:
                spans.setdefault(span.evidence_id, []).append((span.start, span.end))
    return "".join(
        f'<details class="evidence"{" open" if item.id in spans else ""}><summary>'
        f'<span class="number">{item.number}</span><span class="name">{safe(item.title)}</span>'
        f'<span class="quiet">{safe(item.source)}</span></summary>'
        '<p class="passage" dir="auto" tabindex="0">'
        f"{highlighted(reflowed(item.text), spans.get(item.id, ()))}</p></details>"
        for item in seen.evidence
    )


def _reviews(seen: Record) -> str:
    if not seen.reviews:
        return ""
    items = "".join(
        f'<li><span class="tag {safe(review.verdict)}">{words.VERDICTS.get(review.verdict, review.verdict)}</span>'
        f'<p dir="auto">{safe(review.reason)}</p>'
        f'<span class="quiet">{safe(review.reviewer)} · {words.age(review.at)}</span></li>'
        for review in seen.reviews
    )
    return f'<section><h3>Verdicts</h3><ul class="verdicts">{items}</ul></section>'


def _facts(seen: Record) -> str:
    facts = [("Model", seen.model), ("Policy", seen.policy), ("Took", f"{seen.seconds:.1f} s"), ("Record", seen.turn)]
    rows = "".join(f"<dt>{name}</dt><dd><code>{safe(value)}</code></dd>" for name, value in facts)
    return f'<section><h3>How it was made</h3><dl class="facts">{rows}</dl></section>'
