"""The about page: layout only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.web import render, render_about
from rag.web.look import block

if TYPE_CHECKING:
    from rag.settings import Settings


def build(settings: Settings) -> None:
    """Lay the page out in the current Blocks."""
    block(render.header("About"), elem_classes="header")
    block(render_about.page(settings))
