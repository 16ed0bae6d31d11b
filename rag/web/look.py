"""The look that every page shares: Gradio's theme reduced to the system's fonts; the rest is in ``style.css``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from rag.errors import CandorError
from rag.web.faults import told
from rag.web.render import safe

HERE = Path(__file__).parent
STYLE, SCRIPT = HERE / "style.css", HERE / "page.js"
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
# A click on an element that carries a value tells the server that value, what is wanted of it, and what was entered
# in the form around it; ``data-does`` names another event than "select".
CHOOSE = """
element.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-choose]");
  if (!chosen || !element.contains(chosen)) return;
  const form = chosen.closest("[data-form]");
  const codes = form ? [...form.querySelectorAll("input:checked")].map((box) => box.value) : [];
  const text = form?.querySelector("textarea, input[type=text]")?.value || "";
  const {choose, does, wish} = chosen.dataset;
  trigger(does || "select", {value: choose, wish: wish || "", text, codes});
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


def wish(event: gr.EventData) -> str:
    """What is wanted of the clicked element's value, where there is more than one thing; likewise."""
    return str(event._data.get("wish", ""))


def entered(event: gr.EventData) -> tuple[str, list[str]]:
    """The words and the choices of the form around the clicked element; likewise."""
    codes = event._data.get("codes", ())
    return str(event._data.get("text", "")), [str(code) for code in codes] if isinstance(codes, list) else []


def safely(function: Callable[..., Any]) -> Callable[..., Any]:
    """A page function whose errors are told, never printed: Gradio would write their messages to the log."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def each(*values: Any) -> Iterator[Any]:
            try:
                yield from function(*values)
            except Exception as error:  # noqa: BLE001 - whatever it was, the page goes on
                raise _shown(function, error) from None

        return each

    @functools.wraps(function)
    def once(*values: Any) -> Any:
        try:
            return function(*values)
        except Exception as error:  # noqa: BLE001 - whatever it was, the page goes on
            raise _shown(function, error) from None

    return once


def _shown(function: Callable[..., Any], error: Exception) -> gr.Error:
    message = str(error) if isinstance(error, CandorError) else told(f"{function.__name__} failed", error)
    return gr.Error(safe(message), print_exception=False)
