"""A title for a document that has one somewhere, or none at all."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from rag.ingest.clean import has_words, one_line
from rag.ingest.outline import heading_text, read_lines

LONGEST = 120  # characters; a longer first line is a sentence, not a title
# What programs write when nobody gave a title.
MEANINGLESS = re.compile(
    r"(?i)\(?(anonymous|unspecified|untitled|no title|title|document\d*|presentation\d*|word document"
    r"|powerpoint presentation|book\d+|sheet\d+|slide \d+)\)?"
)
FILE_NAME = re.compile(
    r"(?i)(microsoft (word|powerpoint|excel) - .*|.*\.(docx?|odt|tex|indd|pptx?|xlsx?|jpe?g|png|pdf|dvi))"
)


def best_title(source: str, *candidates: str | None) -> str:
    """The first candidate that says something; else the file's name in words."""
    for candidate in candidates:
        title = one_line(candidate or "")
        if (
            has_words(title)
            and len(title) <= LONGEST
            and not MEANINGLESS.fullmatch(title)
            and not FILE_NAME.fullmatch(title)
        ):
            return title
    return from_name(source)


def from_name(source: str) -> str:
    """``hr/annual-leave_2025.pdf`` as "Annual leave 2025"."""
    stem = PurePosixPath(source).name.partition(".")[0] or source
    words = one_line(re.sub(r"[-_+]+", " ", stem)) or stem
    return words[:1].upper() + words[1:]


def first_heading(text: str) -> str | None:
    """The first heading of ``text``, without its marks; None where there is none."""
    for line in read_lines(text):
        if line.kind == "heading":
            words = heading_text(text[line.start : line.end])
            if has_words(words):
                return words
    return None


def opening_line(text: str) -> str | None:
    """The first line, when it stands alone like a title and does not read like a sentence."""
    line, _, rest = text.strip().partition("\n")
    alone = not rest.split("\n", 1)[0].strip()
    return line if alone and not re.search(r"[.,;:!?]\s*$", line) else None
