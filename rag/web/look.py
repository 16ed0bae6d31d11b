"""The look that every page shares: Gradio's theme reduced to the system's fonts; the rest is in ``style.css``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent
STYLE, SCRIPT = HERE / "style.css", HERE / "page.js"
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
# A click on an element that carries a value tells the server that value.
CHOOSE = """
element.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-choose]");
  if (chosen && element.contains(chosen)) trigger("select", {value: chosen.dataset.choose});
});
"""
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def theme() -> gr.themes.Base:
    return gr.themes.Base(font=list(SANS), font_mono=list(MONO))


def block(value: str = "", *, choose: bool = False, **options: Any) -> gr.HTML:
    """A piece of the page. With ``choose``, a click on one of its ``data-choose`` elements fires ``select``."""
    return gr.HTML(value, apply_default_css=False, js_on_load=CHOOSE if choose else None, **options)


def chosen(event: gr.EventData) -> str:
    """The value of the clicked element: from the browser, so anything may stand in it."""
    return str(event._data.get("value", ""))
