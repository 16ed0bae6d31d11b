"""What a reader can do about an answer -> HTML: copy it, say what they think of it, and why."""

from __future__ import annotations

from rag.feedback import LONGEST_REASON
from rag.web import words
from rag.web.render import COPY, DOWN, UP, safe
from rag.web.turns import Turn, plain

WRONG = "What is wrong with this answer?"
TOLD = {"quoted": "Quotations only: no sentence of the model&rsquo;s own", "stopped": "You stopped this answer"}


def foot(number: int, turn: Turn) -> str:
    """
    Args:
        number: of the turn on the page, from 1: what the browser names it by.
    """
    copy = (
        f'<button type="button" class="plain" data-copy="{safe(plain(turn))}">{COPY}<span>Copy answer</span></button>'
    )
    outcome = turn.done.outcome if turn.done else ""
    return (
        f'<div class="foot">{copy if turn.sentences or turn.remembered else ""}{_thumbs(number, turn)}'
        f'<span class="quiet" role="status">{"Thank you: reviewers will read it" if turn.thanked else ""}</span>'
        f'<span class="quiet">{TOLD.get(outcome, "")}</span></div>'
    )


def _thumbs(number: int, turn: Turn) -> str:
    if not turn.id:
        return ""
    return (
        '<span class="thumbs" role="group" aria-label="What do you think of this answer?">'
        f"{_thumb(number, turn, 'up', 'Good answer', UP)}{_thumb(number, turn, 'down', 'Bad answer', DOWN)}</span>"
    )


def _thumb(number: int, turn: Turn, thumb: str, label: str, icon: str) -> str:
    opens = f' popovertarget="rate-{number}" popovertargetaction="show"' if thumb == "down" else ""
    return (
        f'<button type="button" class="icon thumb" data-does="submit" data-choose="{number}" data-wish="{thumb}"'
        f'{opens} aria-pressed="{str(turn.thumb == thumb).lower()}" aria-label="{label}" title="{label}">{icon}'
        "</button>"
    )


def form(number: int, turn: Turn) -> str:
    """Why an answer is bad; the thumb itself is recorded already when this opens."""
    if not turn.id:
        return ""
    chips = "".join(
        f'<label class="chip"><input type="checkbox" value="{code}"><span>{safe(label)}</span></label>'
        for code, label in words.RATINGS.items()
    )
    return (
        f'<div popover class="rate" id="rate-{number}" role="dialog" data-form '
        f'aria-label="{WRONG}">'
        f"<h3>{WRONG}</h3>"
        f'<div class="chips" role="group" aria-label="Reasons">{chips}</div>'
        f'<label class="words"><span>In your own words (optional)</span><textarea rows="3" dir="auto" '
        f'maxlength="{LONGEST_REASON}"></textarea></label>'
        '<p class="quiet">Reviewers read this. Personal data is removed before it is kept.</p>'
        f'<div class="do"><button type="button" class="plain" popovertarget="rate-{number}" popovertargetaction="hide">'
        f'Close</button><button type="button" class="sm primary" data-does="submit" data-choose="{number}" '
        f'data-wish="why" popovertarget="rate-{number}" popovertargetaction="hide">Send</button></div></div>'
    )
