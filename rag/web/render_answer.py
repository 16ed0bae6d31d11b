"""A conversation -> HTML: questions, checked sentences, citations that open, marks, and the notices beneath.

Elements are only ever appended while an answer grows, so that the page can be updated in place: an opened source
stays open, and a screen reader hears each new sentence once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from rag.types import Citation, Done, Mark, Sentence
from rag.web import words
from rag.web.render import (
    CLOSE,
    COPY,
    FILE,
    INFO,
    PAGE,
    STAND_IN,
    WARN,
    highlighted,
    in_words,
    merged,
    notice,
    reflowed,
    safe,
    with_pills,
)

NO_ANSWER = {
    "refused": "The documents do not answer this question.",
    "withheld": "This answer is withheld: it did not pass the checks.",
    "stopped": "Stopped before the first sentence.",
}


@dataclass(slots=True)
class Turn:
    """One question and as much of its answer as has been released."""

    question: str
    sentences: list[Sentence] = field(default_factory=list)
    first: list[str] = field(default_factory=list)  # notices that came before any sentence
    notices: list[str] = field(default_factory=list)  # and after
    done: Done | None = None
    problem: str = ""  # shown instead of an outcome when the turn broke off
    remembered: str = ""  # the answer of an earlier visit, as plain text; its passages are not kept with it

    @property
    def over(self) -> bool:
        return bool(self.done or self.problem or self.remembered)


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
        "</div></article>"
    )


def _body(number: int, turn: Turn) -> str:
    if turn.remembered:
        return f'<p class="said remembered" dir="auto">{with_pills(turn.remembered)}</p>'
    parts, quoting = [], False
    for place, sentence in enumerate(turn.sentences, start=1):
        parts.append(_sentence(f"{number}-{place}", sentence, first_quote=sentence.quoted and not quoting))
        quoting = sentence.quoted
    return "".join(parts)


def _sentence(where: str, sentence: Sentence, first_quote: bool) -> str:
    words_only = reflowed(sentence.text).rstrip()
    space = sentence.text[len(words_only) :]
    body = _marked(where, words_only, sentence.marks) + _cites(where, sentence.citations)
    if sentence.quoted:
        label = '<span class="quote-label">In the document&rsquo;s own words</span>' if first_quote else ""
        return f'<blockquote class="quoted" dir="auto">{label}{body}</blockquote>'
    return f'<span class="said" dir="auto">{body}</span>{safe(space)}'


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
        sign = "" if number in seen else _opener(where, number, "flag-sign", "!", mark)
        inner = f'<span class="flagged">{inner}</span>{sign}'
    return inner


def _in_place(text: str, mark: Mark) -> str:
    """What a redacted piece reads as; the end of an account or card that policy leaves stands in its text."""
    found = STAND_IN.fullmatch(text)
    return words.hidden(mark.label, (found[2] or "") if found else "")


def _opener(where: str, number: int, look: str, label: str, mark: Mark) -> str:
    spoken = label if look == "pill" else "flagged"
    return (
        f'<button type="button" class="{look}" popovertarget="why-{where}-{number}" title="{safe(mark.reason)}" '
        f'aria-label="{safe(spoken)}: {safe(mark.reason)}">{safe(label)}</button>'
    )


def _cites(where: str, citations: Sequence[Citation]) -> str:
    numbers = "".join(
        f'<button type="button" class="cite" popovertarget="source-{where}-{c.number}" '
        f'aria-label="Source {c.number}: {safe(c.title)}">{c.number}</button>'
        for c in citations
    )
    return f'<span class="cites">{numbers}</span>' if numbers else ""


def _after(number: int, turn: Turn) -> str:
    return "".join(
        [
            *(_notice(text) for text in [*turn.notices, _missing(turn)] if text),
            notice(turn.problem, "bad"),
            _nearest(turn.done.nearest if turn.done else ()),
            _sources(number, turn),
            _foot(turn) if turn.sentences or turn.remembered else "",
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


def cited(sentences: Iterable[Sentence]) -> list[Citation]:
    """Every passage that the answer rests on, once, with all its supporting words, in order of number."""
    by_number: dict[int, Citation] = {}
    for citation in (c for sentence in sentences for c in sentence.citations):
        known = by_number.get(citation.number)
        spans = merged([*(known.spans if known else ()), *citation.spans], len(citation.text))
        support = (*(known.support if known else ()), *citation.support)
        by_number[citation.number] = replace(citation, spans=tuple(spans), support=support)
    return [by_number[number] for number in sorted(by_number)]


def _sources(number: int, turn: Turn) -> str:
    items = "".join(
        f'<li><details><summary><span class="number">{c.number}</span><span class="name">{safe(c.title)}</span>'
        f'<span class="quiet">{safe(place(c))}</span></summary>{_superseded(c)}'
        f'<p class="passage" dir="auto">{highlighted(reflowed(c.text), c.spans)}</p>'
        f"{_show_page(f'{number}-0-{c.number}', c)}</details></li>"
        for c in cited(turn.sentences)
    )
    return f'<section class="sources"><h3>Sources</h3><ol>{items}</ol></section>' if items else ""


def _foot(turn: Turn) -> str:
    outcome = turn.done.outcome if turn.done else ""
    told = {"quoted": "Quotations only: no sentence of the model&rsquo;s own", "stopped": "You stopped this answer"}
    return (
        f'<div class="foot"><button type="button" class="plain" data-copy="{safe(plain(turn))}">{COPY}'
        f'<span>Copy answer</span></button><span class="quiet">{told.get(outcome, "")}</span></div>'
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
        f'<div popover class="source" id="{identifier}" role="dialog" aria-label="Source {citation.number}">'
        f'<div class="source-head"><span class="number">{citation.number}</span><h3>{safe(citation.title)}</h3>'
        f'<button type="button" class="icon" popovertarget="{identifier}" popovertargetaction="hide" autofocus '
        f'aria-label="Close source">{CLOSE}</button></div>'
        f'<p class="quiet">{FILE}<span>{safe(place(citation))}</span></p>{_superseded(citation)}'
        f'<p class="passage" dir="auto" tabindex="0">{highlighted(reflowed(citation.text), citation.spans)}</p>'
        f'<p class="quiet hint">The highlighted words support the sentence.</p>{_show_page(where, citation)}</div>'
    )


def _show_page(where: str, citation: Citation) -> str:
    """``where``: turn, sentence (0: all of them) and number of the source; see ``Chat.page``."""
    if not has_pictures(citation):
        return ""
    label = f"Show the page: source {citation.number}"
    return (
        f'<button type="button" class="plain show-page" data-choose="{safe(where)}" aria-label="{safe(label)}" '
        f'aria-haspopup="dialog">{PAGE}<span>Show the page</span></button>'
    )


def has_pictures(citation: Citation) -> bool:
    return bool(citation.chunk) and citation.source.lower().endswith(".pdf")


def _superseded(citation: Citation) -> str:
    if not citation.superseded_by:
        return ""
    return f'<p class="superseded">{WARN}<span>Superseded by “{safe(citation.superseded_by)}”</span></p>'


def place(citation: Citation) -> str:
    return citation.source if citation.page is None else f"{citation.source}, page {citation.page}"


def plain(turn: Turn) -> str:
    """The answer for the clipboard: plain text, numbered, with its sources and the caution."""
    if turn.remembered:
        return in_words(turn.remembered)
    said = "".join(_with_numbers(sentence) for sentence in turn.sentences).strip()
    listed = [f"[{c.number}] {c.title} ({place(c)})" for c in cited(turn.sentences)]
    return "\n".join([said, *(["", "Sources:", *listed] if listed else []), "", "Written by an AI; check the sources."])


def _with_numbers(sentence: Sentence) -> str:
    words_only = sentence.text.rstrip()
    space = sentence.text[len(words_only) :] or " "
    return in_words(words_only) + "".join(f" [{c.number}]" for c in sentence.citations) + space
