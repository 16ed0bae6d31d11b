"""Stand-ins for personal values in what a model outside is told: ``<PERSON_417>``. Kept in memory, never written.

What is hidden is restored exactly, character by character. So a value spelled differently has a stand-in of its own:
one for both could be restored as either only.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable

from guardrails.gate import union
from guardrails.types import Finding

MOST_CONVERSATIONS = 1000  # whose stand-ins are kept; the least recently used go first

_LITERAL = "TEXT"  # kind of a stand-in for words that look like a stand-in themselves
_FIRST = 100  # the smallest number drawn
_NUMBER = r"[1-9][0-9]{2,8}"
_A_NUMBER = re.compile(rf"(?<![0-9]){_NUMBER}(?![0-9])")
_BETWEEN = r"(?:\\?_|[ -])"  # the words of a stand-in, as models write them: PHONE_NUMBER, Phone Number, PHONE\_NUMBER
_NOT_A_LETTER = re.compile(r"[^A-Z]+")


class Pseudonyms:
    """The stand-ins of one conversation. The same value has the same stand-in throughout. Safe under threads.

    Numbers are drawn at random, so that neither the order of values nor one value in two conversations can be told
    from them. A number that stands in a text is never drawn afterwards, and a text that spells a stand-in already in
    use is hidden like a value: nothing is restored but what was hidden.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._numbers: dict[str, int] = {}  # of each value
        self._values: dict[int, tuple[str, str]] = {}  # kind and value of each number
        self._taken: set[int] = set()
        self._shape = _shape(frozenset())
        self._kinds: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Pseudonyms({len(self._values)} values)"

    def hide(self, text: str, findings: Iterable[Finding]) -> str:
        """The text with each found value replaced by its stand-in."""
        hidden, at = [], 0
        with self._changing:
            self._taken.update(int(number) for number in _A_NUMBER.findall(text))
            for start, end, label in union(finding for finding in findings if finding.end > finding.start):
                hidden += [self._apart(text[at:start]), self._stand_in(label, text[start:end])]
                at = end
            return "".join([*hidden, self._apart(text[at:])])

    def restore(self, text: str) -> str:
        """The text with each known stand-in replaced by its value, also where a model has changed its looks.

        Case, missing or escaped brackets, spaces within them and escaped underscores do not count. Unknown ones stay.
        """
        return self._shape.sub(self._restored, text)

    def _restored(self, match: re.Match[str]) -> str:
        kind, value = self._values.get(int(match["number"]), ("", ""))
        return value if kind == _kind(match["kind"]) else match[0]

    def _apart(self, text: str) -> str:
        """Words of a text that would be taken for a stand-in, hidden as if they were a value."""
        return self._shape.sub(
            lambda match: match[0] if self._restored(match) == match[0] else self._stand_in(_LITERAL, match[0]), text
        )

    def _stand_in(self, label: str, value: str) -> str:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = self._drawn()
            self._values[number] = (kind := _kind(label)), value
            if kind not in self._kinds:
                self._kinds |= {kind}
                self._shape = _shape(self._kinds)
        return f"<{self._values[number][0]}_{number}>"

    def _drawn(self) -> int:
        beyond = 1000
        while 2 * len(self._taken) > beyond:
            beyond *= 10
        while (number := _FIRST + secrets.randbelow(beyond - _FIRST)) in self._taken:
            pass
        self._taken.add(number)
        return number


class Conversations:
    """The stand-ins of each conversation, of the most recently used ones alone. Safe under threads."""

    def __init__(self, most: int = MOST_CONVERSATIONS) -> None:
        self._most = most
        self._changing = threading.Lock()
        self._known: OrderedDict[str, Pseudonyms] = OrderedDict()

    def __repr__(self) -> str:
        return f"Conversations({len(self._known)})"

    def of(self, conversation: str) -> Pseudonyms:
        """The stand-ins of this conversation; new ones when it is new, or was forgotten."""
        with self._changing:
            names = self._known.setdefault(conversation, Pseudonyms())
            self._known.move_to_end(conversation)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return names


def _kind(label: str) -> str:
    """A label as it stands in a stand-in: capitals, with one underscore between words."""
    return _NOT_A_LETTER.sub("_", label.upper()).strip("_") or "VALUE"


def _shape(kinds: frozenset[str]) -> re.Pattern[str]:
    """What may be a stand-in of these kinds.

    A backslash before it counts only where the closing bracket has one too: the text's own may stand there.
    """
    words = "|".join(_BETWEEN.join(kind.split("_")) for kind in sorted(kinds, key=len, reverse=True)) or "(?!)"
    return re.compile(
        rf"(?P<escaped>\\)?(?P<open>(?:<|&lt;)\s*)?(?<!\w)(?P<kind>{words}){_BETWEEN}(?P<number>{_NUMBER})(?!\w)"
        r"(?(escaped)\s*\\(?:>|&gt;)|(?(open)(?:\s*(?:>|&gt;))?|>?))",
        re.IGNORECASE | re.ASCII,
    )
