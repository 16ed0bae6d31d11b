"""The guard that reports personal data, and where each value comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable

from guardrails.canonical import views
from guardrails.pii.child import ChildDetector
from guardrails.pii.detect import LOWEST, Detector, reading
from guardrails.pii.detection import Detection
from guardrails.types import Context, Finding, Origin, Stage

WHENCE = {
    Origin.USER: "the reader wrote it in this conversation",
    Origin.PUBLIC_DOCUMENT: "it stands in a document whose contacts are meant for every reader",
    Origin.DOCUMENT: "it stands in a document",
    Origin.INVENTION: "it stands neither in the reader's messages nor in the documents",
}
PHONE_TAIL = 8  # digits from the end that tell a number, so that +41 44 555 01 99 equals 044 555 01 99


class PiiGuard:
    """Reports personal values of any language. May be shared by threads."""

    name = "pii"
    stages: frozenset[Stage] = frozenset({"question", "passage", "sentence"})

    def __init__(self, detector: Detector | ChildDetector | None = None) -> None:
        self._detector = detector or Detector()

    def load(self) -> None:
        """Get ready now rather than at the first text."""
        self._detector.load()

    def detect(self, text: str) -> tuple[Detection, ...]:
        """Where personal values stand, whatever their origin: the same for the same text, so it may be kept."""
        return self._detector.detect(text)

    def check(self, text: str, context: Context) -> list[Finding]:
        """Report each personal value with its origin.

        Raises:
            DetectionTimeout: the text could not be looked through.
        """
        around = context.before + text + context.after
        findings = []
        for found in self.detect(around):
            start = max(0, found.start - len(context.before))
            end = min(len(text), found.end - len(context.before))
            if start < end:
                source = origin(found.label, reading(around, found), context)
                findings.append(self._finding(found, start, end, source))
        return findings

    def _finding(self, found: Detection, start: int, end: int, source: Origin) -> Finding:
        reason = f"looks like {found.what}; {WHENCE[source]}"
        return Finding(self.name, "pii", found.label, start, end, found.score, LOWEST, reason, origin=source)


def origin(label: str, value: str, context: Context) -> Origin:
    """Where a value comes from. Spaces, punctuation and case do not count, nor letters around a number, nor a disguise
    in what it is compared with.

    A text with neither question nor evidence to compare with is what the reader wrote.
    """
    if not context.question and not context.evidence:
        return Origin.USER
    same = _same(label, value)
    if _occurs(same, (context.question, *context.history)):
        return Origin.USER
    if _occurs(same, (passage.text for passage in context.evidence if passage.public_contacts)):
        return Origin.PUBLIC_DOCUMENT
    if _occurs(same, (passage.text for passage in context.evidence)):
        return Origin.DOCUMENT
    return Origin.INVENTION


def _occurs(same: re.Pattern[str], texts: Iterable[str]) -> bool:
    return any(same.search(view.text) for text in texts for view in views(text))


def _same(label: str, value: str) -> re.Pattern[str]:
    """An expression for the same value, however it is grouped."""
    signs = [character for character in value if character.isalnum()]
    numbers = [character for character in signs if character.isdecimal()]
    whole = _spaced(signs, r"(?<![^\W_])", r"(?![^\W_])")
    if 2 * len(numbers) <= len(signs):
        return whole
    if label == "PHONE_NUMBER" and len(numbers) > PHONE_TAIL:
        return _spaced(numbers[-PHONE_TAIL:], "", r"(?!\d)")
    alone = _spaced(numbers, r"(?<!\d)", r"(?!\d)")
    return re.compile(f"{alone.pattern}|{whole.pattern}", re.IGNORECASE)  # 12 March 2019: the month stands between


def _spaced(signs: list[str], before: str, after: str) -> re.Pattern[str]:
    return re.compile(before + r"[\W_]{0,3}".join(map(re.escape, signs)) + after, re.IGNORECASE)
