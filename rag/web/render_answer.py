"""A conversation -> HTML: questions, checked sentences, citations that open, marks, and the notices beneath.

Elements are only ever appended while an answer grows, so that the page can be updated in place: an opened source
stays open, and a screen reader hears each new sentence once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from rag.types import Citation, Mark, Sentence, Verdict
from rag.web import render_foot, words
from rag.web.render import (
    CLOSE,
    FILE,
    INFO,
    PAGE,
    STAND_IN,
    WARN,
    excerpt,
    highlighted,
    notice,
    reflowed,
    safe,
    with_pills,
)
from rag.web.turns import Turn, cited, has_pictures, place

HINTS: Mapping[Verdict, str] = {
    "supports": "The highlighted words support the sentence.",
    "does not support": "Nothing comes nearer to the sentence than the highlighted words; they do not support it.",
    "contradicts": "The highlighted words are about the same, and say otherwise.",
}
NOT = '<span aria-hidden="true">≠ </span>'  # before the number of a passage that is no source
NO_ANSWER = {
    "refused": "The documents do not answer this question.",
    "withheld": "This answer is withheld: it did not pass the checks.",
    "stopped": "Stopped before the first sentence.",
}


def conversation(turns: Sequence[Turn]) -> str:
    articles = "".join(_turn(number, turn) for number, turn in enumerate(turns, start=1))
    return f'<div class="log" role="log" aria-live="polite" aria-label="Conversation">{articles}</div>' if turns else ""


def _turn(number: int, turn: Turn) -> str:
    return (
        f'<article class="turn" aria-label="Question {number}">'
        f'<div class="question"><h2 class="sr">You asked</h2><p dir="auto">{safe(turn.question)}</p></div>'
        f'<div class="answer{" over" if turn.over else ""}"><h2 class="sr">Candor answered</h2>'
        f'<div class="before">{"".join(map(_notice, turn.first))}</div><div class="body">{_body(number, turn)}</div>'
        f'<div class="after">{_after(number, turn) if turn.over else ""}</div>'
        f'<div class="panels">{_panels(number, turn.sentences)}</div>'
        f"{render_foot.form(number, turn)}</div></article>"
    )


def _body(number: int, turn: Turn) -> str:
    if turn.remembered:
        return f'<p class="said remembered" dir="auto">{with_pills(turn.remembered)}</p>'
    parts, quoting = [], False
    for nth, sentence in enumerate(turn.sentences, start=1):
        parts.append(_sentence(f"{number}-{nth}", sentence, first_quote=sentence.quoted and not quoting))
        quoting = sentence.quoted
    return "".join(parts)


def _sentence(where: str, sentence: Sentence, first_quote: bool) -> str:
    words_only = reflowed(sentence.text).rstrip()
    space = sentence.text[len(words_only) :]
    body = _marked(where, words_only, sentence.marks) + _cites(where, sentence)
    if sentence.quoted:
        label = '<span class="quote-label">In the document&rsquo;s own words</span>' if first_quote else ""
        return f'<blockquote class="quoted" dir="auto">{label}{body}</blockquote>'
    return f'<span class="said" dir="auto">{body}{_peek(where, sentence)}</span>{safe(space)}'


def _marked(where: str, text: str, marks: Sequence[Mark]) -> str:
    """The sentence cut at every edge of a mark; a redacted piece reads as a pill, a flagged one is underlined."""
    edges = sorted({0, len(text), *(min(len(text), max(0, e)) for mark in marks for e in (mark.start, mark.end))})
    parts, seen = [], set[int]()
    for start, end in pairwise(edges):
        on = [(n, mark) for n, mark in enumerate(marks) if mark.start <= start and end <= mark.end]
        piece = _piece(where, text[start:end], on, seen)
        seen.update(n for n, _ in on)
        parts.append(piece)
    return "".join(parts)


def _piece(where: str, text: str, on: list[tuple[int, Mark]], seen: set[int]) -> str:
    redacted = next(((n, mark) for n, mark in on if mark.kind == "redacted"), None)
    flagged = next(((n, mark) for n, mark in on if mark.kind == "flagged"), None)
    inner = with_pills(text)
    if redacted:
        number, mark = redacted
        inner = "" if number in seen else _opener(where, number, "pill", _in_place(text, mark), mark)
    if flagged:
        number, mark = flagged
        sign = "" if number in seen else _opener(where, number, "flag-sign", words.unsupported(mark.label), mark)
        inner = f'<span class="flagged">{inner}</span>{sign}'
    return inner


def _in_place(text: str, mark: Mark) -> str:
    """What a redacted piece reads as; the end of an account or card that policy leaves stands in its text."""
    found = STAND_IN.fullmatch(text)
    return words.hidden(mark.label, (found[2] or "") if found else "")


def _opener(where: str, number: int, look: str, label: str, mark: Mark) -> str:
    return (
        f'<button type="button" class="{look}" popovertarget="why-{where}-{number}" title="{safe(mark.reason)}" '
        f'aria-label="{safe(label)}: {safe(mark.reason)}">{safe(label)}</button>'
    )


def _cites(where: str, sentence: Sentence) -> str:
    peek = "" if sentence.quoted else f' aria-describedby="peek-{where}"'
    numbers = "".join(
        f'<button type="button" class="cite {_look(c)}" popovertarget="source-{where}-{c.number}"{peek} '
        f'aria-label="{_name(c)}: {safe(c.title)}">{"" if c.supports else NOT}{c.number}</button>'
        for c in sentence.citations
    )
    return f'<span class="cites">{numbers}</span>' if numbers else ""


def _look(citation: Citation) -> str:
    return citation.verdict.replace(" ", "-")


def _name(citation: Citation) -> str:
    """What a screen reader says for the number."""
    if citation.supports:
        return f"Source {citation.number}"
    return f"Passage {citation.number}, {words.COMPARED[citation.verdict]}"


def _peek(where: str, sentence: Sentence) -> str:
    """The deciding words of the passage that fits best, for whoever points at the sentence or has the focus in it."""
    if not sentence.citations or sentence.quoted:
        return ""
    best = sentence.citations[0]
    return (
        f'<span class="peek" role="tooltip" id="peek-{where}"><span class="peek-card">'
        f'<span class="peek-head"><span class="number {_look(best)}">{best.number}</span>'
        f'<span class="name">{safe(best.title)}</span> <span class="tag {_look(best)}">'
        f"{words.COMPARED[best.verdict]}</span></span>"
        f'<span class="peek-words" dir="auto">{excerpt(reflowed(best.text), best.spans)}</span></span></span>'
    )


def _after(number: int, turn: Turn) -> str:
    return "".join(
        [
            *(_notice(text) for text in [*turn.notices, _missing(turn)] if text),
            notice(turn.problem, "bad"),
            _nearest(turn.done.nearest if turn.done else ()),
            _sources(number, turn),
            render_foot.foot(number, turn) if turn.sentences or turn.remembered or turn.id else "",
        ]
    )


def _notice(text: str) -> str:
    return f'<p class="notice">{INFO}<span>{safe(text)}</span></p>'


def _missing(turn: Turn) -> str:
    """A line for an answer of no sentence, unless the assistant gave one itself."""
    if turn.sentences or turn.first or not turn.done:
        return ""
    return NO_ANSWER.get(turn.done.outcome, "There is no answer to show.")


def _nearest(titles: Sequence[str]) -> str:
    if not titles:
        return ""
    items = "".join(f"<li>{FILE}<span>{safe(title)}</span></li>" for title in titles)
    return f'<section class="nearest"><h3>Nearest documents</h3><ul>{items}</ul></section>'


def _sources(number: int, turn: Turn) -> str:
    found = cited(turn.sentences)
    sources = "".join(_listed(number, c) for c in found if c.supports)
    others = "".join(_listed(number, c) for c in found if not c.supports)
    parts = [f"<h3>Sources</h3><ol>{sources}</ol>"] if sources else []
    parts += [f"<h3>Compared, but no source of this answer</h3><ol>{others}</ol>"] if others else []
    return f'<section class="sources">{"".join(parts)}</section>' if parts else ""


def _listed(number: int, c: Citation) -> str:
    verdict = "" if c.supports else f'<span class="tag {_look(c)}">{c.verdict}</span>'
    return (
        f'<li><details><summary><span class="number {_look(c)}">{c.number}</span>'
        f'<span class="name">{safe(c.title)}</span>{verdict}'
        f'<span class="quiet">{safe(place(c))}</span></summary>{_superseded(c)}'
        f'<p class="passage" dir="auto">{highlighted(reflowed(c.text), c.spans)}</p>'
        f"{_show_page(f'{number}-0-{c.number}', c)}</details></li>"
    )


def _panels(number: int, sentences: Sequence[Sentence]) -> str:
    parts = []
    for nth, sentence in enumerate(sentences, start=1):
        where = f"{number}-{nth}"
        parts += [_source_panel(f"{where}-{c.number}", c) for c in sentence.citations]
        parts += [
            f'<div popover class="why" id="why-{where}-{n}" role="note"><p>{safe(mark.reason)}</p></div>'
            for n, mark in enumerate(sentence.marks)
        ]
    return "".join(parts)


def _source_panel(where: str, citation: Citation) -> str:
    identifier = f"source-{where}"
    return (
        f'<div popover class="source" id="{identifier}" role="dialog" aria-label="{_name(citation)}">'
        f'<div class="source-head"><span class="number {_look(citation)}">{citation.number}</span>'
        f"<h3>{safe(citation.title)}</h3>"
        f'<button type="button" class="icon" popovertarget="{identifier}" popovertargetaction="hide" autofocus '
        f'aria-label="Close source">{CLOSE}</button></div>'
        f'<p class="quiet">{FILE}<span>{safe(place(citation))}</span></p>{_superseded(citation)}'
        f'<p class="passage" dir="auto" tabindex="0">{highlighted(reflowed(citation.text), citation.spans)}</p>'
        f'<p class="quiet hint">{HINTS[citation.verdict]}</p>{_show_page(where, citation)}</div>'
    )


def _show_page(where: str, citation: Citation) -> str:
    """``where``: turn, sentence (0: all of them) and number of the source; see ``Chat.page``."""
    if not has_pictures(citation):
        return ""
    label = f"Show the page: {_name(citation).lower()}"
    return (
        f'<button type="button" class="plain show-page" data-choose="{safe(where)}" aria-label="{safe(label)}" '
        f'aria-haspopup="dialog">{PAGE}<span>Show the page</span></button>'
    )


def _superseded(citation: Citation) -> str:
    if not citation.superseded_by:
        return ""
    return f'<p class="superseded">{WARN}<span>Superseded by “{safe(citation.superseded_by)}”</span></p>'
