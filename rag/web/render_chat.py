"""What stands around a conversation -> HTML: the welcome, the status line, the list of earlier conversations."""

from __future__ import annotations

from collections.abc import Sequence

from rag.web import words
from rag.web.render import safe


def welcome(questions: Sequence[str] = (), documents: int | None = None) -> str:
    """The empty page. ``documents``: how many there are; None while the index is being opened."""
    intro = (
        '<div class="intro"><h1>Ask your documents</h1><p>Candor answers from the documents that were put in, shows '
        "where each sentence comes from, and leaves out what they do not support.</p></div>"
    )
    if questions:
        cards = "".join(
            f'<li><button type="button" data-choose="{safe(text)}"><span dir="auto">{safe(text)}</span></button></li>'
            for text in questions
        )
        return f'{intro}<h2 class="quiet">Try one of these</h2><ul class="samples">{cards}</ul>'
    if documents is None:
        return intro
    if documents:
        return f'{intro}<p class="hint">{words.count(documents, "document")} can be asked about.</p>'
    link = '<a class="button" href="/sources">Add documents</a>'
    return f'{intro}<p class="hint">{link}There is nothing to answer from yet.</p>'


def status(text: str) -> str:
    return (
        f'<p class="doing" role="status"><span class="pulse" aria-hidden="true"></span>{safe(text)}</p>' if text else ""
    )


def earlier(conversations: Sequence[tuple[str, str, str]]) -> str:
    """(id, title, age) each, newest first."""
    if not conversations:
        return ""
    items = "".join(
        f'<li><button type="button" data-choose="{safe(identifier)}"><span class="name" dir="auto">{safe(title)}</span>'
        f'<span class="quiet">{age}</span></button></li>'
        for identifier, title, age in conversations
    )
    return (
        '<button type="button" class="plain" popovertarget="earlier">Earlier conversations</button>'
        f'<div popover id="earlier" class="source history"><h3>Earlier conversations</h3><ul>{items}</ul></div>'
    )
