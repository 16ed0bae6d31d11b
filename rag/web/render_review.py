"""The review page -> HTML: the queue, and one record as the model saw it, wrote it and the reader got it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.web import words
from rag.web.render import WARN, highlighted, reflowed, safe, with_pills

if TYPE_CHECKING:
    from guardrails.audit.review import QueueItem, Record, SeenChecks, SeenSentence
    from guardrails.types import Finding, GuardRun

EMPTY = {
    "open": ("Nothing waits for a verdict", "Answers that a guard flagged appear here by themselves."),
    "judged": ("No verdicts yet", "Answers that have been judged are listed here."),
    "all": ("Nothing was flagged yet", "Answers that a guard flagged appear here by themselves."),
}


def alarms(told: Sequence[str]) -> str:
    """What whoever runs this installation must know first; nothing when all is well."""
    if not told:
        return ""
    items = "".join(f"<li>{safe(line)}</li>" for line in told)
    return (
        f'<section class="card alarms" role="alert"><h2>{WARN}The guards need attention</h2><ul>{items}</ul>'
        '<p class="quiet">What could not be checked was withheld, unless the policy let it through. '
        "<code>candor doctor</code> says what to mend.</p></section>"
    )


def queue(items: Sequence[QueueItem], state: str, opened: str = "") -> str:
    if not items:
        title, text = EMPTY.get(state, EMPTY["all"])
        return f'<div class="empty"><h2>{title}</h2><p>{text}</p></div>'
    rows = "".join(_queued(item, item.turn == opened) for item in items)
    return (
        f'<p class="quiet counted" role="status">{words.count(len(items), "answer")}</p><ol class="queue">{rows}</ol>'
    )


def _queued(item: QueueItem, opened: bool) -> str:
    verdict = f'<span class="tag {safe(item.verdict)}">{words.VERDICTS.get(item.verdict, "open")}</span>'
    return (
        f'<li><button type="button" data-choose="{safe(item.turn)}"{" aria-current=true" if opened else ""}>'
        f'<span class="name" dir="auto">{with_pills(item.question)}</span>'
        f'<span class="tags">{_reasons(item.reasons)}</span>'
        f'<span class="quiet">{words.age(item.at)} · {safe(_outcome(item.outcome))}</span>{verdict}</button></li>'
    )


def _reasons(reasons: Sequence[str]) -> str:
    return "".join(f'<span class="tag warn">{safe(words.REASONS.get(reason, reason))}</span>' for reason in reasons)


def _outcome(outcome: str) -> str:
    return words.OUTCOMES.get(outcome, outcome)


def record(seen: Record) -> str:
    numbers = {item.id: item.number for item in seen.evidence}
    sentences = "".join(_sentence(number, sentence, numbers) for number, sentence in enumerate(seen.sentences, start=1))
    return (
        f'<article class="record"><p class="quiet">{words.age(seen.at)} · <time datetime="{seen.at.isoformat()}">'
        f"{seen.at:%d %b %Y %H:%M:%S} {seen.at.tzname() or 'UTC'}</time></p>"
        f'<h2 dir="auto" tabindex="-1">{with_pills(seen.question)}</h2>'
        f'<p class="reasons"><span class="tag">{safe(_outcome(seen.outcome))}</span>{_reasons(seen.reasons)}</p>'
        f"{_question(seen)}"
        f"<section><h3>Answer, sentence by sentence</h3>{sentences or _none('No sentence was written.')}</section>"
        f"<section><h3>What the reader saw</h3>{_shown(seen)}</section>"
        f"<section><h3>Evidence, as the model saw it</h3>{_evidence(seen) or _none('No passage was given.')}</section>"
        f"{_ratings(seen)}{_reviews(seen)}{checks(seen.checks)}{_facts(seen)}</article>"
    )


def _question(seen: Record) -> str:
    """What a guard has against the question. Personal data in it is the reader's own, and no reason for review."""
    found = [finding for finding in seen.question_findings if finding.kind != "pii"]
    items = "".join(_finding(finding, seen.question) for finding in found)
    return f"<section><h3>Found in the question</h3>{items}</section>" if items else ""


def _none(text: str) -> str:
    return f'<p class="quiet">{text}</p>'


def _sentence(number: int, sentence: SeenSentence, numbers: Mapping[str, int]) -> str:
    """``numbers``: of the passages as listed in the record; the reader's count those of the answer alone."""
    wrong = [finding for finding in sentence.findings if finding.kind != "supported"]
    same = sentence.shown.strip() == sentence.written.strip()
    shown = (
        "the same"
        if same
        else f'<span dir="auto">{with_pills(sentence.shown)}</span>'
        if sentence.shown.strip()
        else "nothing"
    )
    about = [f"Sentence {number}", *(["quotation"] if sentence.quoted else [])]
    if sentence.replaces:
        about.append(f"in place of the one before: {words.REPAIRS.get(sentence.replaces, sentence.replaces)}")
    return (
        f'<div class="seen"><div class="seen-head"><span class="quiet">{safe(" · ".join(about))}</span>'
        f'<span class="tag {"warn" if wrong else "good"}">{safe(words.action(sentence.action))}</span></div>'
        f'<dl><dt>As written</dt><dd dir="auto">{highlighted(sentence.written, ((f.start, f.end) for f in wrong))}</dd>'
        f"<dt>As shown</dt><dd>{shown}</dd>{_compared(sentence, numbers)}{_repair(sentence)}</dl>"
        f"{''.join(_finding(finding, sentence.written) for finding in sentence.findings)}</div>"
    )


def _compared(sentence: SeenSentence, numbers: Mapping[str, int]) -> str:
    """What each passage that decided about the sentence does to it."""
    verdicts = {
        (numbers[span.evidence_id], span.verdict)
        for finding in sentence.findings
        for span in finding.support
        if span.evidence_id in numbers
    }
    items = ", ".join(
        f'<span class="number {verdict.replace(" ", "-")}">{number}</span> {words.COMPARED[verdict]}'
        for number, verdict in sorted(verdicts)
    )
    return f"<dt>Passages</dt><dd>{items}</dd>" if items else ""


def _repair(sentence: SeenSentence) -> str:
    if not sentence.repair:
        return ""
    tried = words.REPAIRS.get(sentence.repair, sentence.repair)
    outcome = words.REPAIRED.get(sentence.outcome, sentence.outcome)
    return f"<dt>Repair</dt><dd>{safe(tried)} · {safe(outcome)}</dd>"


def _finding(finding: Finding, written: str) -> str:
    where = written[max(0, finding.start) : finding.end]
    part = "" if where.strip() == written.strip() or not where else f'<q dir="auto">{with_pills(where)}</q>'
    origin = f", origin: {finding.origin.value.replace('_', ' ')}" if finding.origin else ""
    return (
        f'<div class="finding {"good" if finding.kind == "supported" else "warn"}"><strong>'
        f"{safe(words.guard(finding.guard))}</strong>"
        f"<span>{safe(words.KINDS.get(finding.kind, finding.kind))} · {safe(_label(finding))}</span>{part}"
        f'<span class="quiet">score {finding.score:.2f}, threshold {finding.threshold:.2f}{origin}</span>'
        f"<p>{safe(finding.reason)}</p></div>"
    )


def _label(finding: Finding) -> str:
    if finding.kind == "pii":
        return words.personal(finding.label)
    if finding.kind == "unsupported":
        return words.unsupported(finding.label)
    return words.FORBIDDEN.get(finding.label, finding.label)


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


def _ratings(seen: Record) -> str:
    """What the reader said of the answer, newest last."""
    if not seen.ratings:
        return ""
    items = "".join(
        f'<li><span class="tag {"good" if rating.thumb == "up" else "warn"}">Thumb {safe(rating.thumb)}</span>'
        f"<span>{safe('; '.join(words.RATINGS.get(code, code) for code in rating.codes))}</span>"
        f'<p dir="auto">{with_pills(rating.reason)}</p><span class="quiet">{words.age(rating.at)}</span></li>'
        for rating in seen.ratings
    )
    return f'<section><h3>What its reader says</h3><ul class="verdicts">{items}</ul></section>'


def _facts(seen: Record) -> str:
    facts = [("Model", seen.model), ("Policy", seen.policy), ("Took", f"{seen.seconds:.1f} s"), ("Record", seen.turn)]
    rows = "".join(f"<dt>{name}</dt><dd><code>{safe(value)}</code></dd>" for name, value in facts)
    return f'<section><h3>How it was made</h3><dl class="facts">{rows}</dl></section>'


def checks(steps: Sequence[SeenChecks]) -> str:
    """How each guard fared on each text, and how long it took: one row for each text, one column for each guard."""
    guards = list(dict.fromkeys(run.guard for step in steps for run in step.runs))
    if not guards:
        return ""
    heads = "".join(f'<th scope="col">{safe(words.guard(name))}</th>' for name in guards)
    rows = "".join(_checked(step, guards) for step in steps)
    sums = "".join(_whole(name, [run for step in steps for run in step.runs if run.guard == name]) for name in guards)
    return (
        '<section><h3>How each guard fared</h3><div class="wide-table" tabindex="0"><table class="shelf checks">'
        f'<thead><tr><th scope="col">Text</th>{heads}</tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><th scope="row">Together</th>{sums}</tr></tfoot></table>'
        "</div></section>"
    )


def _checked(step: SeenChecks, guards: Sequence[str]) -> str:
    of_guard = {run.guard: run for run in step.runs}
    name = words.STEPS.get(step.step, step.step) + (f" {step.number}" if step.step == "sentence" else "")
    cells = "".join(_fared(guard, of_guard.get(guard)) for guard in guards)
    return f'<tr><th scope="row">{safe(name)}</th>{cells}</tr>'


def _fared(guard: str, run: GuardRun | None) -> str:
    label = f'data-label="{safe(words.guard(guard))}"'
    if run is None:  # it does not look at texts of this kind
        return f'<td class="none" {label}>&ndash;</td>'
    told = safe(words.STATUSES.get(run.status, run.status))
    if run.status == "skipped":
        return f'<td {label}><span class="quiet">{told}</span></td>'
    look = "bad" if run.status in ("failed", "timed out") else "good"
    return f'<td {label}><span class="{look}">{told}</span> · {_milliseconds(run.milliseconds)}</td>'


def _whole(guard: str, runs: Sequence[GuardRun]) -> str:
    return f'<td data-label="{safe(words.guard(guard))}">{_milliseconds(sum(run.milliseconds for run in runs))}</td>'


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
