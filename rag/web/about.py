"""The about page: layout only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.access import LOCAL_READER, require
from rag.types import Reader
from rag.web import render, render_about
from rag.web.look import QUIET, block, safely

if TYPE_CHECKING:
    import gradio as gr

    from rag.build import Candor


def build(app: gr.Blocks, candor: Candor) -> None:
    """Lay the page out in ``app``, which is being built."""
    block(render.header("About"), elem_classes="header")
    page = block(render_about.page(candor.settings))

    @safely
    def shown() -> str:
        return render_about.page(candor.settings, in_force(candor))

    app.load(shown, None, page, **QUIET)


def in_force(candor: Candor, reader: Reader = LOCAL_READER) -> render_about.InForce | None:
    """The guards and the policy that check answers now; None while they are being loaded."""
    require(reader, "user")
    if not candor.startup.ready:
        return None
    return render_about.InForce(candor.guards, candor.policies.current())
