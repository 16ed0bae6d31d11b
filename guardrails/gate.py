"""The gate: the only place that acts on what guards find. Nothing leaves that has not passed it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from guardrails.checks import Checks, failure
from guardrails.listed import by_lists
from guardrails.policy import Policy
from guardrails.types import Action, Checked, Context, Evidence, Finding, GuardRun, Redacted, Stage

PERSONAL_DATA = "pii"  # the guard that every text passes
INJECTION = "injection"  # the guard of what is kept as a document

NOTHING_ELSE = Context()

HEDGE = "Not in the documents: "  # our own words, before a sentence that nothing supports
_LIST_MARK = re.compile(r"\s*(?:[-*•+>#]+\s+|\d{1,3}[.)]\s+)?")

StandIn = Callable[[Finding, str], str]  # what is shown in place of a hidden value


class CheckFailed(Exception):
    """A check that a decision rests on could not be made."""


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
    action: Action  # DROP: quarantined, nothing may rest on it
    runs: tuple[GuardRun, ...] = ()


class Gate:
    """Has the guards look at a text, merges what they find, redacts once and decides by policy."""

    def __init__(self, checks: Checks, policy: Policy) -> None:
        self.checks = checks
        self.policy = policy

    def question(self, text: str, context: Context = NOTHING_ELSE) -> Checked:
        """Check what a reader wrote. It is shown to nobody but the reader; ``kept`` is for the record."""
        return self._check("question", text, replace(context, question=text))

    def sentence(self, text: str, context: Context) -> Checked:
        """Check one sentence of an answer."""
        return self._check("sentence", text, replace(context, report_from=self.policy.unsupported.report_from))

    def hedged(self, text: str, context: Context) -> Checked:
        """Check a sentence that nothing supports, to be shown behind words that say so.

        Lack of support flags it then, where policy hedges it. Whatever else is found acts as in any other sentence.
        """
        # The guards look at it behind these words, not at these words: "not" would be taken for what it claims.
        around = replace(context, before=context.before + HEDGE)
        bare = text[_LIST_MARK.match(text).end() :]  # type: ignore[union-attr] # matches any text
        return _behind(HEDGE, self._check("sentence", bare, around, self.policy.hedges))

    def passage(self, evidence: Evidence, context: Context = NOTHING_ELSE) -> Passage | None:
        """Check one passage that a reader may open. It need not be supported by anything.

        Returns:
            None when the check could not be made: then the passage must not be used.
        """
        own = replace(context, evidence=(evidence,))
        findings, runs = self._look("passage", evidence.text, own)
        action = self._action(findings, own, "passage")
        if action is Action.WITHHOLD:
            return None
        shown, kept = self._redactions(evidence.text, findings, own, "passage")
        personal = tuple(finding for finding in findings if self.policy.is_personal(finding))
        return Passage(shown, kept, personal, action, tuple(runs))

    def quarantines(self, text: str) -> bool:
        """Whether a text that is about to be kept as a document must not be used; also when nobody can tell."""
        findings = self._alone(INJECTION, "passage", text, NOTHING_ELSE) if self.policy.uses(INJECTION) else []
        return self._action(findings, NOTHING_ELSE, "passage") >= Action.DROP

    def personal(self, text: str, context: Context = NOTHING_ELSE) -> list[Finding]:
        """The personal values of a text, whatever is done about them.

        Raises:
            CheckFailed: nobody can tell.
        """
        findings = by_lists(text, self._alone(PERSONAL_DATA, "passage", text, context), self.policy)
        if any(finding.kind == "guard_failed" for finding in findings):
            raise CheckFailed("a text could not be looked through for personal data")
        return [finding for finding in findings if self.policy.is_personal(finding)]

    def parts_a_value(self, text: str, at: int) -> bool:
        """Whether a cut at this character would part a personal value in two.

        Raises:
            CheckFailed: nobody can tell.
        """
        return any(finding.start < at < finding.end for finding in self.personal(text))

    def _check(
        self, stage: Stage, text: str, context: Context, excused: Callable[[Finding], bool] = lambda finding: False
    ) -> Checked:
        findings, runs = self._look(stage, text, context)
        actions = [min(act, Action.FLAG) if excused(f) else act for f, act in self._actions(findings, context, stage)]
        action = max(actions, default=Action.SHOW)
        if any(finding.kind == "guard_failed" and finding.guard == PERSONAL_DATA for finding in findings):
            return Checked(Redacted(""), Redacted("", tuple(findings)), Action.WITHHOLD, tuple(runs))
        shown, kept = self._redactions(text, findings, context, stage)
        visible = _moved(shown, findings) if action < Action.DROP else Redacted("")
        dropping = tuple(f for f, act in zip(findings, actions, strict=True) if act is action is Action.DROP)
        alone = dropping if all(finding.kind == "unsupported" for finding in dropping) else ()
        return Checked(visible, _moved(kept, findings), action, tuple(runs), alone)

    def _alone(self, guard: str, stage: Stage, text: str, context: Context) -> list[Finding]:
        """What one guard finds; a failure when there is no such guard."""
        findings, runs = self.checks.run(stage, text, context, lambda name: name == guard)
        return findings if any(run.guard == guard for run in runs) else [failure(guard)]

    def _look(self, stage: Stage, text: str, context: Context) -> tuple[list[Finding], list[GuardRun]]:
        findings, runs = self.checks.run(stage, text, context, self.policy.uses)
        if not any(run.guard == PERSONAL_DATA and run.status != "skipped" for run in runs):
            findings.append(failure(PERSONAL_DATA))  # a gate without this guard lets nothing through
        return by_lists(text, findings, self.policy), runs

    def _action(self, findings: Iterable[Finding], context: Context, stage: Stage) -> Action:
        return max((act for _, act in self._actions(findings, context, stage)), default=Action.SHOW)

    def _actions(self, findings: Iterable[Finding], context: Context, stage: Stage) -> Iterator[tuple[Finding, Action]]:
        """What each finding asks for."""
        now = datetime.now(UTC)
        for finding in findings:
            opens = finding.kind == "guard_failed" and self.policy.opens(finding.guard, now)
            yield finding, Action.FLAG if opens else self.policy.action(finding, context, stage)

    def _redactions(
        self, text: str, findings: Sequence[Finding], context: Context, stage: Stage
    ) -> tuple[Redaction, Redaction]:
        """The text for the reader, and for the record."""
        hidden = [finding for finding in findings if self.policy.hides(finding, context, stage)]
        personal = [finding for finding in findings if self.policy.is_personal(finding)]
        shown = redact(text, hidden, lambda finding, value: self.policy.stand_in(finding, value, context))
        return shown, redact(text, personal)


def label_alone(finding: Finding, value: str) -> str:
    return f"<{finding.label}>"


def redact(text: str, hidden: Iterable[Finding], stand_in: StandIn = label_alone) -> Redaction:
    """Replace each hidden span by ``<LABEL>``; where spans overlap, their union once, named by the longest.

    Args:
        stand_in: what replaces a span that is one finding and no more, instead.
    """
    hidden = list(hidden)
    single = {(finding.start, finding.end, finding.label): finding for finding in hidden}
    shown = ""
    begins: list[int] = []
    ends: list[int] = []
    for start, end, label in union(hidden):
        offset = len(shown) - len(begins)
        shown += text[len(begins) : start]
        ends += range(len(ends) + offset + 1, start + offset + 1)
        begins += range(len(begins) + offset, start + offset)
        begins += [len(shown)] * (end - start)
        alone = single.get((start, end, label))
        shown += stand_in(alone, text[start:end]) if alone else f"<{label}>"
        ends += [len(shown)] * (end - start)
    offset = len(shown) - len(begins)
    shown += text[len(begins) :]
    ends += range(len(ends) + offset + 1, len(text) + offset + 1)
    begins += range(len(begins) + offset, len(text) + offset)
    return Redaction(shown, tuple(begins), tuple(ends))


def _moved(redaction: Redaction, findings: Iterable[Finding]) -> Redacted:
    """The redacted text with the findings where they are now."""
    moved = []
    for finding in findings:
        start, end = redaction.move(finding.start, finding.end)
        moved.append(replace(finding, start=start, end=end))
    return Redacted(redaction.text, tuple(moved))


def _behind(words: str, checked: Checked) -> Checked:
    """A checked text with our own words before it, where there is any text."""

    def put(text: Redacted) -> Redacted:
        far = len(words)
        findings = (replace(finding, start=finding.start + far, end=finding.end + far) for finding in text.findings)
        return Redacted(words + text.text, tuple(findings)) if text.text else text

    return replace(checked, shown=put(checked.shown), kept=put(checked.kept))


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
