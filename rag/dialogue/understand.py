"""What a message asks, in the light of the conversation before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.index.keywords import STOP_WORDS, TERM
from rag.types import Message, Search

FEW_WORDS = 3  # content words; with fewer, a message after others rarely makes sense alone
_LEANS = re.compile(
    r"^\W*(and|but|or|also|what about|how about|what if|then|so|why|und|aber|y|et|mais|same|no,)\b"
    r"|\b(it|its|they|them|their|that|this|those|these|he|she|him|her|his|one|ones|instead|else|other|former|latter)\b"
    r"|(?<!\bare )(?<!\bis )(?<!\bwas )(?<!\bwere )\bthere\b",  # "in there", not "are there"
    re.IGNORECASE,
)


def understand(message: str, history: Sequence[Message]) -> Search:
    """What to look up for a message.

    A follow-up ("and for part-timers?") is searched together with the question that it continues, and as it
    stands: where the first is a wrong guess, the second still finds what the words say.
    """
    earlier = [said.content for said in history if said.role == "user"]
    if not earlier or not is_follow_up(message):
        return Search(message, (message,))
    joined = f"{earlier[-1]} {message}"
    if is_follow_up(earlier[-1]) and len(earlier) > 1:
        joined = f"{earlier[-2]} {joined}"
    return Search(joined, (joined, message))


def is_follow_up(message: str) -> bool:
    """Whether a message leans on what was said before it."""
    content = [word for word in TERM.findall(message.casefold()) if word not in STOP_WORDS]
    return len(content) < FEW_WORDS or bool(_LEANS.search(message))
