"""Markdown, plain text, reStructuredText and Org mode: read as written."""

from __future__ import annotations

import re
from pathlib import Path

from rag.ingest.clean import clean
from rag.ingest.decode import decode
from rag.ingest.meta import read_front_matter
from rag.ingest.titles import best_title, first_heading, opening_line
from rag.types import Document, Limits

ORG_STARS = re.compile(r"^(\*{1,6})(?=\s+\S)", re.MULTILINE)
ORG_TITLE = re.compile(r"^#\+title:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)


def load_text(path: Path, source: str, limits: Limits) -> Document:
    """Read plain text. Its title is its first heading or an opening line that stands alone."""
    text = clean(decode(path, path.read_bytes()))
    return Document(source, best_title(source, opening_line(text), first_heading(text)), text)


def load_markdown(path: Path, source: str, limits: Limits) -> Document:
    """Read Markdown. Front matter goes to ``Document.meta`` and is not part of the text."""
    meta, text = read_front_matter(path, clean(decode(path, path.read_bytes())))
    return Document(source, best_title(source, meta.title, first_heading(text)), text, meta=meta)


def load_org(path: Path, source: str, limits: Limits) -> Document:
    """Read Org mode. The stars of its headings become the signs that headings have in every other text."""
    text = clean(decode(path, path.read_bytes()))
    text = ORG_STARS.sub(lambda stars: "#" * len(stars[1]), text)
    named = ORG_TITLE.search(text)
    return Document(source, best_title(source, named and named[1], first_heading(text)), text)
