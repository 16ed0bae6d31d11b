"""The pages of a document that a source stands on -> HTML. The script of the page opens it over everything else."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Citation, PagePicture
from rag.web.render import CLOSE, highlighted, notice, reflowed, safe

WAIT = '<p class="wait" role="status">Drawing the page&hellip;</p>'


def waiting() -> str:
    """What is there before the first page is; the script shows its line whenever a page is on its way."""
    return _framed("", "Page", "", "")


def opened(where: str, citation: Citation | None, pictures: Sequence[PagePicture], problem: str = "") -> str:
    """
    Args:
        where: what was asked for, so that the script can tell it from what was asked for before.
        problem: why there is no picture; the passage is shown in its place.
    """
    title, source = (citation.title, citation.source) if citation else ("Page", "")
    body = notice(problem) + "".join(_sheet(picture, source) for picture in pictures)
    if citation and problem:
        body += f'<p class="passage" dir="auto">{highlighted(reflowed(citation.text), citation.spans)}</p>'
    return _framed(where, title, source, body)


def _framed(where: str, title: str, source: str, body: str) -> str:
    return (
        f'<section class="paper" data-of="{safe(where)}" role="dialog" aria-label="{safe(title)}">'
        f'<div class="source-head"><h3>{safe(title)}</h3><span class="quiet">{safe(source)}</span>'
        f'<button type="button" class="icon" id="leave-page" aria-label="Close page">{CLOSE}</button></div>'
        f'{WAIT}<div class="sheets">{body}</div></section>'
    )


def _sheet(picture: PagePicture, source: str) -> str:
    across, down = picture.begins
    return (
        f'<figure><div class="sheet" data-across="{across}" data-down="{down}"><button type="button" '
        f'aria-label="Enlarge page {picture.page}" aria-pressed="false">'
        f'<img src="data:image/png;base64,{safe(picture.png)}" '
        f'alt="Page {picture.page} of {safe(source)}; the words that support the answer are marked"></button></div>'
        f'<figcaption class="quiet">Page {picture.page}; the marked words support the answer. '
        f"{safe(' '.join(picture.notes))}</figcaption></figure>"
    )
