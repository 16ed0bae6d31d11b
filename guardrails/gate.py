"""The gate: the only place that acts on what guards find. Nothing leaves that has not passed it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from guardrails.policy import Policy
from guardrails.types import Action, Checked, Context, Evidence, Finding, Guard, GuardRun, Redacted, Status

logger = logging.getLogger(__name__)

PERSONAL_DATA = "pii"  # the guard that every text passes


@dataclass(frozen=True, slots=True)
class Redaction:
    """A redacted text that remembers where each character of the original went."""

    text: str
    begins: tuple[int, ...]  # begins[i]: where character i of the original begins in text
    ends: tuple[int, ...]  # and where it ends; inside a hidden span, both are the label's

    def move(self, start: int, end: int) -> tuple[int, int]:
        """A span of the original as a span of the redacted text. Empty spans stay empty, at the same place."""
        if end > start:
            return self.begins[start], self.ends[end - 1]
        at = self.begins[start] if start < len(self.begins) else len(self.text)
        return at, at


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the gate has seen."""

    shown: Redaction  # for the reader, as policy says
    kept: Redaction  # for the record: all personal data redacted
    personal: tuple[Finding, ...]  # characters of the original


class Gate:
    """Runs the guards over a text, merges what they find, redacts once and decides by policy."""

    def __init__(self, guards: Sequence[Guard], policy: Policy) -> None:
        self.guards = tuple(guards)
        self.policy = policy

    def question(self, text: str, history: tuple[str, ...] = ()) -> Checked:
        """Check what a reader wrote. It is shown to nobody but the reader; ``kept`` is for the record."""
        return self._check(self._personal_data_guards(), text, Context(question=text, history=history))

    def sentence(self, text: str, context: Context) -> Checked:
        """Check one sentence of an answer with every guard."""
        return self._check(self.guards, text, context)

    def passage(self, evidence: Evidence, context: Context) -> Passage | None:
        """Check one passage that a reader may open. It need not be supported by anything: only personal data counts.

        Returns:
            None when the check could not be made: then the passage must not be used.
        """
        own = replace(context, evidence=(evidence,))
        findings, _ = self._look(self._personal_data_guards(), evidence.text, own)
        if any(finding.kind == "guard_failed" for finding in findings):
            return None
        personal = tuple(finding for finding in findings if self._is_personal(finding))
        hidden = [finding for finding in personal if self.policy.hides(finding)]
        return Passage(redact(evidence.text, hidden), redact(evidence.text, personal), personal)

    def _personal_data_guards(self) -> tuple[Guard, ...]:
        return tuple(guard for guard in self.guards if guard.name == PERSONAL_DATA)

    def _check(self, guards: Sequence[Guard], text: str, context: Context) -> Checked:
        findings, runs = self._look(guards, text, context)
        return self._decide(text, findings, runs)

    def _look(self, guards: Sequence[Guard], text: str, context: Context) -> tuple[list[Finding], list[GuardRun]]:
        findings: list[Finding] = []
        runs: list[GuardRun] = []
        for guard in guards:
            begun = time.perf_counter()
            status: Status = "ran"
            try:
                findings += _sound(guard, guard.check(text, context), text)
            except Exception as error:  # noqa: BLE001 - whatever a guard raises, the text is not shown
                # The error's own message may quote the text: log its type alone.
                logger.error("guard %s failed with %s", guard.name, type(error).__name__)
                status = "failed"
                findings.append(_failure(guard.name))
            runs.append(GuardRun(guard.name, status, round((time.perf_counter() - begun) * 1000, 3)))
        if not any(guard.name == PERSONAL_DATA for guard in guards):
            findings.append(_failure(PERSONAL_DATA))  # a gate without this guard lets nothing through
        return findings, runs

    def _decide(self, text: str, findings: Sequence[Finding], runs: Sequence[GuardRun]) -> Checked:
        action = max((self.policy.action(finding) for finding in findings), default=Action.SHOW)
        if any(finding.kind == "guard_failed" for finding in findings):
            failed = tuple(finding for finding in findings if finding.kind == "guard_failed")
            return Checked(Redacted(""), Redacted("", failed), action, tuple(runs))
        shown = (
            Redacted("") if action >= Action.DROP else _redacted(text, findings, filter(self.policy.hides, findings))
        )
        kept = _redacted(text, findings, filter(self._is_personal, findings))
        return Checked(shown, kept, action, tuple(runs))

    def _is_personal(self, finding: Finding) -> bool:
        return finding.kind == "pii" and finding.label not in self.policy.personal_data.shown


def redact(text: str, hidden: Iterable[Finding]) -> Redaction:
    """Replace each hidden span by ``<LABEL>``; where spans overlap, their union once, named by the longest."""
    shown = ""
    begins: list[int] = []
    ends: list[int] = []
    for start, end, label in union(hidden):
        offset = len(shown) - len(begins)
        shown += text[len(begins) : start]
        ends += range(len(ends) + offset + 1, start + offset + 1)
        begins += range(len(begins) + offset, start + offset)
        begins += [len(shown)] * (end - start)
        shown += f"<{label}>"
        ends += [len(shown)] * (end - start)
    offset = len(shown) - len(begins)
    shown += text[len(begins) :]
    ends += range(len(ends) + offset + 1, len(text) + offset + 1)
    begins += range(len(begins) + offset, len(text) + offset)
    return Redaction(shown, tuple(begins), tuple(ends))


def _redacted(text: str, findings: Sequence[Finding], hidden: Iterable[Finding]) -> Redacted:
    redaction = redact(text, hidden)
    moved = []
    for finding in findings:
        start, end = redaction.move(finding.start, finding.end)
        moved.append(replace(finding, start=start, end=end))
    return Redacted(redaction.text, tuple(moved))


def union(findings: Iterable[Finding]) -> list[tuple[int, int, str]]:
    """Overlapping spans as one, in order. The label of the longest wins."""
    merged: list[tuple[int, int, str, int]] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        length = finding.end - finding.start
        if merged and finding.start < merged[-1][1]:
            start, end, label, longest = merged[-1]
            label = finding.label if length > longest else label
            merged[-1] = (start, max(end, finding.end), label, max(length, longest))
        else:
            merged.append((finding.start, finding.end, finding.label, length))
    return [(start, end, label) for start, end, label, _ in merged]


def _sound(guard: Guard, findings: Sequence[Finding], text: str) -> list[Finding]:
    """The findings, if every one can be acted on.

    Raises:
        ValueError: a finding lies outside the text. A guard that reports nonsense counts as failed.
    """
    for finding in findings:
        if not 0 <= finding.start <= finding.end <= len(text):
            raise ValueError(f"guard {guard.name} reported a span outside the text")
    return list(findings)


def _failure(guard: str) -> Finding:
    return Finding(guard, "guard_failed", "failed", 0, 0, 1.0, 0.0, f"the {guard} check could not be made")
