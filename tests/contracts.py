"""What every part of a kind has to keep, whoever wrote it: a part's tests inherit the contract of its kind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guardrails.types import Context, Finding, Guard


class GuardContract:
    """Subclass, and give ``guard``, ``bad`` (texts it must report) and ``good`` (near misses)."""

    bad: tuple[str, ...]
    good: tuple[str, ...]
    context: Context = Context()  # for guards that compare

    @pytest.fixture
    def guard(self) -> Guard:
        raise NotImplementedError

    def reported(self, guard: Guard, text: str) -> Sequence[Finding]:
        """What counts against the text: that something supports it does not."""
        return [finding for finding in guard.check(text, self.context) if finding.kind != "supported"]

    def test_reports_every_bad_text(self, guard: Guard) -> None:
        assert [text for text in self.bad if not self.reported(guard, text)] == []

    def test_leaves_near_misses_alone(self, guard: Guard) -> None:
        assert [text for text in self.good if self.reported(guard, text)] == []

    @pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b", "\ud800", "\x00"])
    def test_a_text_without_words_has_nothing_reported(self, guard: Guard, text: str) -> None:
        assert guard.check(text, self.context) == []

    def test_findings_point_into_the_text_in_order(self, guard: Guard) -> None:
        for text in (*self.bad, *self.good):
            findings = list(guard.check(text, self.context))
            assert findings == sorted(findings, key=lambda finding: finding.start)
            for finding in findings:
                assert 0 <= finding.start < finding.end <= len(text)
                assert 0.0 <= finding.threshold <= finding.score <= 1.0

    def test_supporting_words_lie_in_the_evidence(self, guard: Guard) -> None:
        texts = {passage.id: passage.text for passage in self.context.evidence}
        for text in (*self.bad, *self.good):
            for finding in guard.check(text, self.context):
                for span in finding.support:
                    assert 0 <= span.start < span.end <= len(texts[span.evidence_id])

    def test_findings_are_the_guards_own(self, guard: Guard) -> None:
        for text in (*self.bad, *self.good):
            assert {finding.guard for finding in guard.check(text, self.context)} <= {guard.name}

    def test_findings_never_quote_the_text(self, guard: Guard) -> None:
        for text in self.bad:
            for finding in self.reported(guard, text):
                assert text[finding.start : finding.end] not in repr(finding)

    def test_the_same_text_is_judged_the_same_twice(self, guard: Guard) -> None:
        for text in (*self.bad, *self.good):
            assert guard.check(text, self.context) == guard.check(text, self.context)
