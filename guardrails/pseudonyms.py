"""Stand-ins for personal values in what a model outside is told: ``<PERSON_1>``. Kept in memory, never written."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

from guardrails.gate import union
from guardrails.types import Finding

_STAND_IN = re.compile(r"<([A-Z_]+_\d+)>")


class Pseudonyms:
    """The stand-ins of one conversation. The same value has the same stand-in throughout. Safe under threads."""

    def __init__(self) -> None:
        self._by_value: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._changing = threading.Lock()

    def hide(self, text: str, findings: Iterable[Finding]) -> str:
        """The text with each found value replaced by its stand-in."""
        hidden, at = "", 0
        for start, end, label in union(findings):
            hidden += text[at:start] + self._stand_in(label, text[start:end])
            at = end
        return hidden + text[at:]

    def restore(self, text: str) -> str:
        """The text with each known stand-in replaced by its value; unknown ones stay."""
        return _STAND_IN.sub(lambda match: self._values.get(match[1], match[0]), text)

    def _stand_in(self, kind: str, value: str) -> str:
        with self._changing:
            name = self._by_value.get((kind, value))
            if name is None:
                name = f"{kind}_{sum(known == kind for known, _ in self._by_value) + 1}"
                self._by_value[kind, value] = name
                self._values[name] = value
        return f"<{name}>"
