"""One turn as it is recorded: each step is on disk before the next is shown."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from guardrails.audit.log import AuditLog
from guardrails.types import Action, Checked, Finding, GuardRun, Origin, Status
from rag.access import actor
from rag.errors import NotRecorded
from rag.screen import Screened, Source
from rag.types import Citation, Mark, Notice, Outcome, Reader, Sentence

BEST_FIRST: tuple[Status, ...] = ("skipped", "ran", "failed", "timed out")
_STAND_IN = re.compile(r"<[A-Z_]+(?: \*{4}\w{1,4})?>")


class Turn:
    """Writes the events of one turn, and numbers the sources that its sentences cite.

    Every method that records raises ``NotRecorded`` when the event is not on disk; nothing may be shown then.
    """

    def __init__(self, log: AuditLog, conversation: str, reader: Reader, *, model: str, policy: str) -> None:
        self.id = uuid.uuid4().hex
        self._log = log
        self.conversation = conversation
        self._actor = actor(reader)
        self._origin = {"model": model, "policy": policy}
        self._begun = time.perf_counter()
        self._numbers: dict[str, int] = {}
        self._reasons: set[str] = set()
        self._unchecked: set[str] = set()  # guards that the reader was told about
        self.sentences: list[str] = []  # shown so far
        self.dropped = 0
        self.closed = False

    def asked(self, checked: Checked) -> None:
        self._flag(checked)
        self._append(
            "asked", _facts(checked), {"question": checked.kept.text, "findings": _rows(checked.kept.findings, {})}
        )

    def searched(self, screened: Screened, relevance: float) -> None:
        if screened.quarantined:
            self._reasons.add("quarantined passage")
        facts = {
            "hits": [_hit(source) for source in screened.sources],
            "quarantined": [_hit(source) for source in screened.quarantined],
            "relevance": round(relevance, 6),
            "guards": [asdict(run) for run in _summed(screened.runs)],
        }
        evidence = [
            {"id": s.evidence.id, "source": s.kept.source, "title": s.kept.title, "text": s.checked.kept.text}
            for s in screened.sources
        ]
        self._append("searched", facts, {"evidence": evidence})

    def wrote(self, checked: Checked, sources: Mapping[str, Source], *, quoted: bool) -> Sentence | None:
        """Record a sentence of the answer; what may be shown of it, or None when it was dropped or withheld."""
        self._flag(checked)
        sentence = None
        if checked.action < Action.DROP:
            citations = self._citations(checked.shown.findings, sources)
            sentence = Sentence(checked.shown.text, citations, tuple(_marks(checked)), quoted)
        facts = _facts(checked) | {
            "quoted": quoted,
            "cited": [c.number for c in sentence.citations] if sentence else [],
        }
        payload = {
            "written": checked.kept.text,
            "shown": checked.kept.text
            if sentence
            else "",  # the reader's own values, which they saw, are left out here
            "findings": _rows(checked.kept.findings, sources),
        }
        self._append("sentence", facts, payload)
        self.dropped += checked.action is Action.DROP
        if sentence:
            self.sentences.append(sentence.text)
        return sentence

    def noticed(self, text: str) -> Notice:
        """Record what the reader is told beside the answer; it may be shown then."""
        self._append("notice", {}, {"text": text})
        return Notice(text)

    def newly_unchecked(self, checked: Checked) -> list[str]:
        """Guards that failed on a sentence and that the policy lets fail for now, each named once in a turn."""
        if checked.action is Action.WITHHOLD:
            return []
        names = [run.guard for run in checked.runs if run.status in {"failed", "timed out"}]
        new = [name for name in names if name not in self._unchecked]
        self._unchecked.update(new)
        return new

    def failed(self, stage: str, kind: str) -> None:
        """Record that a stage broke; the kind of error alone, since its message may quote."""
        self._reasons.add(f"{stage} failure")
        self._append("failed", {"stage": stage, "error": kind}, {})

    def close(self, outcome: Outcome) -> None:
        self.closed = True
        seconds = round(time.perf_counter() - self._begun, 3)
        facts = self._origin | {
            "outcome": outcome,
            "seconds": seconds,
            "reasons": sorted(self._reasons),
            "ai_notice": True,
        }
        self._append("closed", facts, {})

    def _flag(self, checked: Checked) -> None:
        for finding in checked.shown.findings or checked.kept.findings:
            match finding.kind:
                case "unsupported":
                    self._reasons.add("not supported")
                case "guard_failed":
                    self._reasons.add("guard failure")
                case "injection":
                    self._reasons.add("attempt to instruct the assistant")
                case "harm":
                    self._reasons.add("harmful words")
                case "output":
                    self._reasons.add("forbidden link or markup")
                case "pii" if checked.action >= Action.FLAG and finding.origin is Origin.INVENTION:
                    self._reasons.add("invented personal data")

    def _citations(self, findings: Iterable[Finding], sources: Mapping[str, Source]) -> tuple[Citation, ...]:
        spans: dict[str, list[tuple[int, int]]] = {}
        for finding in findings:
            for span in finding.support if finding.kind == "supported" else ():
                spans.setdefault(span.evidence_id, []).append((span.start, span.end))
        return tuple(self._citation(sources[id], found) for id, found in spans.items() if id in sources)

    def _citation(self, source: Source, spans: Iterable[tuple[int, int]]) -> Citation:
        chunk = source.passage.chunk
        number = self._numbers.setdefault(source.evidence.id, len(self._numbers) + 1)
        moved = tuple(source.checked.shown.move(start, end) for start, end in sorted(spans))
        shown = source.shown
        return Citation(number, shown.source, shown.title, chunk.page, source.checked.shown.text, moved, shown.newer)

    def _append(self, kind: str, facts: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
        try:
            self._log.append(
                kind, conversation=self.conversation, turn=self.id, actor=self._actor, facts=facts, payload=payload
            )
        except (SQLAlchemyError, OSError) as error:
            raise NotRecorded(f"nothing more is shown: the record cannot be written ({type(error).__name__})") from None


def _hit(source: Source) -> dict[str, Any]:
    passage = source.passage
    return {
        "id": source.evidence.id,
        "score": round(passage.score, 6),
        "similarity": round(passage.similarity, 6),
    }


def _summed(runs: Iterable[GuardRun]) -> list[GuardRun]:
    """One for each guard: its whole time, and the worst of how it fared."""
    total: dict[str, GuardRun] = {}
    for run in runs:
        known = total.get(run.guard, GuardRun(run.guard, "skipped", 0.0))
        worst = max(known.status, run.status, key=BEST_FIRST.index)
        total[run.guard] = GuardRun(run.guard, worst, round(known.milliseconds + run.milliseconds, 3))
    return list(total.values())


def _facts(checked: Checked) -> dict[str, Any]:
    return {"action": checked.action.name, "guards": [asdict(run) for run in checked.runs]}


def _rows(findings: Iterable[Finding], sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """Findings as the record keeps them: what they point at in the evidence is given in the kept evidence."""
    rows = []
    for finding in findings:
        support = []
        for span in finding.support:
            start, end = sources[span.evidence_id].checked.kept.move(span.start, span.end)
            support.append({"evidence_id": span.evidence_id, "start": start, "end": end})
        origin = finding.origin.value if finding.origin else None
        rows.append(asdict(finding) | {"origin": origin, "support": support})
    return rows


def _marks(checked: Checked) -> Iterable[Mark]:
    for finding in checked.shown.findings:
        if _STAND_IN.fullmatch(checked.shown.text, finding.start, finding.end):
            yield Mark("redacted", finding.start, finding.end, finding.label, _why(finding))
        elif finding.kind == "unsupported":
            yield Mark("flagged", finding.start, finding.end, finding.label, finding.reason)


def _why(finding: Finding) -> str:
    if finding.kind == "output":
        return f"Left out: {finding.reason}."
    if finding.origin is Origin.INVENTION:
        return "The model wrote a personal value that stands neither in your question nor in the documents."
    return "Personal data of a document that is not marked as public."
