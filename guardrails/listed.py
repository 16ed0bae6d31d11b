"""What the policy's lists say about the words of a text, over what the guards found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from guardrails.policy import DENIED, Policy
from guardrails.policy_tables import bare
from guardrails.types import Finding, Origin


def by_lists(text: str, findings: Iterable[Finding], policy: Policy) -> list[Finding]:
    """The findings without what is never personal, with what always is; contacts that the policy lists are public."""
    ruled = [*filter(None, (_ruled(text, finding, policy) for finding in findings)), *_denied(text, policy)]
    return sorted(ruled, key=lambda finding: finding.start)


def _ruled(text: str, finding: Finding, policy: Policy) -> Finding | None:
    if finding.kind != "pii":
        return finding
    value = text[finding.start : finding.end]
    if policy.listed(value):
        return None
    if finding.origin is not Origin.USER and policy.is_public_value(value):
        return replace(finding, origin=Origin.PUBLIC_DOCUMENT, reason="the policy lists it as a public contact")
    return finding


def _denied(text: str, policy: Policy) -> Iterator[Finding]:
    for value in policy.denied:
        for match in _shape(value).finditer(text):
            yield Finding("policy", "pii", DENIED, *match.span(), 1.0, 1.0, "the policy lists it", Origin.DOCUMENT)


@lru_cache(maxsize=1024)
def _shape(value: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)" + r"[\W_]*".join(map(re.escape, bare(value))) + r"(?!\w)", re.IGNORECASE)
