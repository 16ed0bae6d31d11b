"""Values -> HTML that is safe to put into the page.

Documents, questions and the model's text are hostile: everything passes ``safe``, and nothing is read as Markdown.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

from guardrails.pii.labels import KNOWN
from rag.web import words

PAGES = (("Chat", "/"), ("Sources", "/sources"), ("Review", "/review/"), ("About", "/about"))
LABELS = sorted(KNOWN | words.PERSONAL_DATA.keys() | words.FORBIDDEN.keys(), key=len, reverse=True)
# Also numbered, as a model outside is given them, or with the end of an account or card.
STAND_IN = re.compile(rf"<({'|'.join(LABELS)})(?:_\d+| \*{{4}}(\w{{1,4}}))?>")
LOCAL_TAG = "Local reader · all roles"
WRAPPED = re.compile(r"(?<=[^\n]{50})\n(?=[^\W\d_])")  # after a long line, before a letter: no list, table or heading
AROUND = 60  # characters shown on either side of the words that an excerpt is about
LONGEST_EXCERPT = 280
Spans = Iterable[tuple[int, int]]


def safe(text: object) -> str:
    """Escaped, without control characters and without the marks that turn the reading direction."""
    return html.escape("".join(character for character in str(text) if _visible(character)), quote=True)


def _visible(character: str) -> bool:
    return character in "\n\t" or (
        unicodedata.category(character) not in {"Cc", "Cs"}
        and not 0x202A <= ord(character) <= 0x202E
        and not 0x2066 <= ord(character) <= 0x2069
    )


def with_pills(text: str) -> str:
    """Safe text in which a stand-in such as ``<PHONE_NUMBER>`` or ``<CREDIT_CARD ****4242>`` reads as words."""
    parts, end = [], 0
    for found in STAND_IN.finditer(text):
        pill = f'<span class="pill">{safe(words.hidden(found[1], found[2] or ""))}</span>'
        parts += [safe(text[end : found.start()]), pill]
        end = found.end()
    return "".join([*parts, safe(text[end:])])


def reflowed(text: str) -> str:
    """The text without the line breaks of an editor that wrapped it, so that it fits the page; every place stays."""
    return WRAPPED.sub(" ", text)


def in_words(text: str) -> str:
    """Plain text in which a stand-in reads as words."""
    return STAND_IN.sub(lambda found: f"[{words.hidden(found[1], found[2] or '')}]", text)


def highlighted(text: str, spans: Spans) -> str:
    """Safe text with ``spans`` (characters, end exclusive; may overlap, may lie outside) in <mark>."""
    parts, end = [], 0
    for start, stop in merged(spans, len(text)):
        parts += [with_pills(text[end:start]), f"<mark>{with_pills(text[start:stop])}</mark>"]
        end = stop
    return "".join([*parts, with_pills(text[end:])])


def excerpt(text: str, spans: Spans) -> str:
    """The words at ``spans`` and a little around them, as ``highlighted``; what is left out is marked."""
    wanted = merged(spans, len(text))
    first, last = (wanted[0][0], wanted[-1][1]) if wanted else (0, 0)
    start = text.rfind(" ", 0, max(0, first - AROUND)) + 1 if first > AROUND else 0
    space = text.find(" ", min(last, start + LONGEST_EXCERPT) + AROUND)
    end = len(text) if space < 0 else space
    inside = highlighted(text[start:end], ((a - start, b - start) for a, b in wanted))
    return f"{'… ' if start else ''}{inside}{' …' if end < len(text) else ''}"


def merged(spans: Spans, length: int) -> list[tuple[int, int]]:
    """Spans cut to the text, in order, those that touch joined, empty ones left out."""
    result: list[tuple[int, int]] = []
    for start, stop in sorted((max(0, start), min(length, stop)) for start, stop in spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        elif start < stop:
            result.append((start, stop))
    return result


def header(here: str) -> str:
    """The top of every page: where one is, where one can go, and who one is taken for."""
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if name == here else ""}>{name}</a>' for name, path in PAGES
    )
    return (
        f'<div class="top"><a class="brand" href="/">{LOGO}<span>Candor</span></a>'
        f'<nav aria-label="Pages">{links}</nav>'
        f'<span class="who" title="Accounts do not exist yet: whoever opens this page may do all">{LOCAL_TAG}</span>'
        f'<button type="button" class="icon" data-theme-toggle aria-label="Switch between dark and light">{MOON}'
        "</button>"
        "</div>"
    )


def steps(progress: Sequence[tuple[str, str, float]], failed: str = "") -> str:
    """What is being loaded: (name, state, seconds) each. ``failed`` is the operator's one line."""
    rows = "".join(
        f'<li class="step {safe(state)}"><span class="dot" aria-hidden="true"></span><span>{safe(name)}</span>'
        f'<span class="quiet">{_step(state, seconds)}</span></li>'
        for name, state, seconds in progress
    )
    if failed:
        return (
            f'<section class="card loading failed" role="alert"><h2>Candor could not start</h2><p>{safe(failed)}</p>'
            f"<ul>{rows}</ul></section>"
        )
    return (
        '<section class="card loading" role="status"><h2>Getting ready</h2>'
        '<p class="quiet">The page is open already; the parts that read and check are still being loaded.</p>'
        f"<ul>{rows}</ul></section>"
    )


def _step(state: str, seconds: float) -> str:
    if state == "waiting":
        return "waiting"
    return f"{safe(state)} · {seconds:.1f} s" if seconds >= 0.05 else safe(state)


def notice(text: str, kind: str = "plain") -> str:
    """One line for the reader; ``kind``: plain, good, bad. An empty text gives nothing."""
    role = "alert" if kind == "bad" else "status"
    return f'<p class="line {kind}" role="{role}">{safe(text)}</p>' if text else ""


def icon(paths: str) -> str:
    return (
        '<svg viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.8" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{paths}</svg>'
    )


MOON = icon('<path d="M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9z"/>')
COPY = icon('<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5 15V6a2 2 0 0 1 2-2h9"/>')
FILE = icon('<path d="M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8z"/><path d="M14 3v5h5"/>')
PAGE = icon('<rect x="5" y="3" width="14" height="18" rx="2"/><path d="M8.5 8h7M8.5 12h7M8.5 16h4"/>')
CLOSE = icon('<path d="M6 6l12 12M18 6L6 18"/>')
UP = icon('<path d="M7 11v9M7 11l4-8a2.5 2.5 0 0 1 2.5 2.5V9h5.2a2 2 0 0 1 2 2.3l-1.1 7a2 2 0 0 1-2 1.7H3v-9z"/>')
DOWN = icon('<path d="M17 13V4M17 13l-4 8a2.5 2.5 0 0 1-2.5-2.5V15H5.3a2 2 0 0 1-2-2.3l1.1-7a2 2 0 0 1 2-1.7H21v9z"/>')
INFO = icon('<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 8v.01"/>')
WARN = icon('<path d="M12 4l9 16H3z"/><path d="M12 10v4M12 17v.01"/>')
LOGO = (
    '<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><rect width="32" height="32" rx="9" '
    'fill="var(--accent)"/><path d="M21.5 11.6a7 7 0 1 0 0 8.8" fill="none" stroke="var(--on-accent)" '
    'stroke-width="2.6" stroke-linecap="round"/><circle cx="22.4" cy="16" r="1.9" fill="var(--on-accent)"/></svg>'
)
