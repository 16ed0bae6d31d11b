"""One turn as it is recorded: each step is on disk before the next is shown."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from guardrails.audit.keys import DocumentKey, Quoted
from guardrails.audit.log import AuditLog
from guardrails.audit.signing import LogError
from guardrails.types import Action, Checked, Finding, GuardRun, Origin, Repair, Span, Status
from rag.access import actor
from rag.errors import NotRecorded
from rag.repair import Part, Repaired
from rag.screen import Screened, Source
from rag.types import Citation, Mark, Message, Notice, Outcome, Passage, Reader, Sentence

BEST_FIRST: tuple[Status, ...] = ("skipped", "ran", "failed", "timed out")
RUN = 5  # words; who shares so many in a row with a document, quotes it
_WORD = re.compile(r"\w+")
_STAND_IN = re.compile(r"<[A-Z_]+(?: \*{4}\w{1,4})?>")


class Turn:
    """Writes the events of one turn, and numbers the passages that its sentences were compared with.

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
        self._keys: dict[str, DocumentKey] = {}  # by source
        self._quotable: list[tuple[str, tuple[DocumentKey, ...]]] = []  # what a sentence may quote, in bare words
        self.rests_on: set[DocumentKey] = set()  # keys of the documents that what was shown so far quotes
        self.worded = 0  # of them, those in the model's words
        self.repairs: Counter[Repair] = (
            Counter()
        )  # sentences that were left out, or something else shown in their place
        self.closed = False

    def asked(self, checked: Checked) -> None:
        self._flag(checked)
        self._append(
            "asked", _facts(checked), {"question": checked.kept.text, "findings": _rows(checked.kept.findings, {})}
        )

    def found(self, passages: Sequence[Passage], history: Sequence[Message]) -> None:
        """Fetch the keys that quotations are sealed with. One that is destroyed from now on erases what is yet to come.

        Args:
            history: what the model may be told of the conversation before; it quotes documents as well.
        """
        said = [message for message in history if message.rests_on]
        try:
            self._keys = self._log.keys_of(passage.chunk.source for passage in passages)
            known = self._log.keys({id for message in said for id in message.rests_on})
        except (SQLAlchemyError, LogError) as error:
            raise NotRecorded(f"nothing is shown: keys cannot be written ({type(error).__name__})") from None
        self._quotable = [(_bare(p.chunk.text), (self._keys[p.chunk.source],)) for p in passages]
        self._quotable += [(_bare(m.content), tuple(known[id] for id in m.rests_on)) for m in said]

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
            {
                "id": s.evidence.id,
                "quoted": Quoted(
                    {"source": s.kept.source, "title": s.kept.title, "text": s.checked.kept.text},
                    (self._keys[s.passage.chunk.source],),
                ),
            }
            for s in screened.sources
        ]
        self._append("searched", facts, {"evidence": evidence})

    def wrote(self, part: Part, sources: Mapping[str, Source], repaired: Repaired | None = None) -> Sentence | None:
        """Record a sentence of the answer; what may be shown of it, or None when it was dropped or withheld.

        Args:
            repaired: what was done about it, where that is more than leaving it out.
        """
        checked = part.checked
        self._flag(checked)
        sentence = None
        if checked.action < Action.DROP:
            citations = self._citations(checked.shown.findings, sources)
            sentence = Sentence(checked.shown.text, citations, tuple(_marks(checked)), part.quoted)
        facts = _facts(checked) | {
            "quoted": part.quoted,
            "cited": [c.number for c in sentence.citations if c.supports] if sentence else [],
            "compared": [[c.number, c.verdict] for c in sentence.citations if not c.supports] if sentence else [],
        }
        if repaired:
            facts["repair"] = {"kind": repaired.kind, "outcome": repaired.outcome}
        if part.replaces:
            facts["replaces"] = part.replaces
        words = checked.kept.text  # the reader's own values, which they saw, are left out here
        rests_on = self._rests_on(checked, sources)
        payload = {
            "quoted": Quoted({"written": words, "shown": words if sentence else ""}, rests_on),
            "findings": _rows(checked.kept.findings, sources),
        }
        self._append("sentence", facts, payload)
        if checked.action is Action.DROP and not part.replaces:
            self.repairs[repaired.kind if repaired and repaired.outcome == "passed" else "drop"] += 1
        if sentence:
            self.worded += not part.quoted
            self.sentences.append(sentence.text)
            self.rests_on.update(rests_on)
        return sentence

    @property
    def repaired(self) -> bool:
        """Whether anything stands in place of a sentence."""
        return any(kind != "drop" for kind in self.repairs)

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

    def _rests_on(self, checked: Checked, sources: Mapping[str, Source]) -> tuple[DocumentKey, ...]:
        """The keys of the documents that a sentence is supported by or quotes; of all it may quote when there are none.

        Words that nothing supports may be a document's all the same.
        """
        spans = [span for finding in checked.kept.findings for span in finding.support]
        ids = {span.evidence_id for span in spans if span.verdict == "supports"}
        found = {self._keys[sources[id].passage.chunk.source] for id in ids if id in sources}
        runs = _runs(checked.kept.text)
        for words, keys in self._quotable:
            if any(run in words for run in runs):
                found.update(keys)
        return tuple(found or {key for _, keys in self._quotable for key in keys})

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
        """One for each passage; each of the findings about an unsupported sentence names the same."""
        found: dict[str, list[Span]] = {}
        for span in dict.fromkeys(span for finding in findings for span in finding.support):
            found.setdefault(span.evidence_id, []).append(span)
        return tuple(self._citation(sources[id], spans) for id, spans in found.items() if id in sources)

    def _citation(self, source: Source, found: Sequence[Span]) -> Citation:
        spans = sorted((span.start, span.end) for span in found)
        chunk = source.passage.chunk
        number = self._numbers.setdefault(source.evidence.id, len(self._numbers) + 1)
        moved = tuple(source.checked.shown.move(start, end) for start, end in spans)
        shown = source.shown
        return Citation(
            number,
            shown.source,
            shown.title,
            chunk.page,
            source.checked.shown.text,
            moved,
            shown.newer,
            chunk.id,
            tuple(spans),
            found[0].verdict,
        )

    def _append(self, kind: str, facts: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
        try:
            self._log.append(
                kind, conversation=self.conversation, turn=self.id, actor=self._actor, facts=facts, payload=payload
            )
        except (SQLAlchemyError, OSError, LogError) as error:
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


def _bare(text: str) -> str:
    """The words alone, a blank between and around them."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _runs(text: str) -> list[str]:
    words = _WORD.findall(text.casefold())
    return [f" {' '.join(words[at : at + RUN])} " for at in range(len(words) - RUN + 1)]


def _facts(checked: Checked) -> dict[str, Any]:
    return {"action": checked.action.name, "guards": [asdict(run) for run in checked.runs]}


def _rows(findings: Iterable[Finding], sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """Findings as the record keeps them: what they point at in the evidence is given in the kept evidence."""
    rows = []
    for finding in findings:
        support = []
        for span in finding.support:
            start, end = sources[span.evidence_id].checked.kept.move(span.start, span.end)
            support.append(asdict(replace(span, start=start, end=end)))
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
