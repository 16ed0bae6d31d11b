"""Makes text safe to keep, and tells text from rubbish. Knows nothing about files or formats.

Loaders clean what they read before they count any offset, so that offsets always refer to ``Document.text``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Controls other than tab and line feed, the byte order mark, soft hyphens and non-characters: invisible, and they
# break searching and JSON readers. Zero-width characters stay: a guard against disguised text wants to see them.
INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\ufeff\ufffe\uffff]")
SURROGATES = re.compile(r"[\ud800-\udfff]")
SPACES = re.compile(r"\s+")
MANY_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")

UNREADABLE_ABOVE = 0.2  # share of characters; sound files measured stay under 0.01, undecodable fonts are near 1


def clean(text: str) -> str:
    """Return ``text`` with line feeds as its only line ends, and without characters that nobody can see."""
    text = LINE_ENDS.sub("\n", text)
    return SURROGATES.sub("\ufffd", INVISIBLE.sub("", text))


def tidy(text: str) -> str:
    """Clean text whose white space carries no meaning: no space at line ends, at most one blank line in a row."""
    lines = "\n".join(line.rstrip() for line in clean(text).split("\n"))
    return MANY_BLANK_LINES.sub("\n\n", lines).strip("\n")


def one_line(text: str) -> str:
    """``text`` cleaned, with every run of white space as one space."""
    return SPACES.sub(" ", clean(text)).strip()


def has_words(text: str) -> bool:
    """Whether anything in ``text`` can be read: one letter or digit is enough."""
    return any(character.isalnum() for character in text)


def unreadable_share(text: str) -> float:
    """Share of the characters, white space apart, that stand for nothing: replaced, private or unassigned ones."""
    counts = Counter(text)
    total = sum(n for character, n in counts.items() if not character.isspace())
    bad = sum(n for character, n in counts.items() if character == "\ufffd" or _means_nothing(character))
    return bad / total if total else 0.0


def _means_nothing(character: str) -> bool:
    return unicodedata.category(character) in {"Co", "Cn"}
