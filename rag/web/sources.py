"""The sources page: layout only. What it does is in ``shelf.Shelf``."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.errors import CandorError
from rag.ingest.load import KINDS
from rag.web import render, render_shelf
from rag.web.look import QUIET, block, chosen, safely, wish
from rag.web.shelf import Shelf, Work

LOOK_EVERY = 1.0  # seconds
# What has just opened takes the focus; page.js gives it back to what opened it.
FOCUS = "() => {{ [...document.querySelectorAll('{}')].find((part) => part.checkVisibility())?.focus(); }}"


def hide() -> Any:
    return gr.update(visible=False)


def build(app: gr.Blocks, shelf: Shelf) -> None:
    """Lay the page out in ``app``, which is being built."""
    block(render.header("Sources"), elem_classes="header")
    with gr.Column(elem_classes="page sources"):
        block('<h1>Sources</h1><p class="lead">The documents that answers rest on. They stay on this machine.</p>')
        timer, looking = gr.Timer(0.5), gr.Timer(LOOK_EVERY)
        loading = block(elem_classes="starting")
        drop = gr.File(
            file_count="multiple",
            show_label=False,
            label="Put files in",
            elem_id="upload",
            height=150,
            interactive=False,
        )
        block(f'<p class="quiet kinds">{", ".join(KINDS)}</p>')
        with gr.Column(visible=False, elem_classes="uploading") as uploading:
            progress = block()
            cancel = gr.Button("Cancel", size="sm", elem_id="cancel")
        with gr.Column(visible=False, elem_classes="card offer") as offer:
            block("<h2>Remove the samples?</h2><p>Your own documents are in. The sample documents can go now.</p>")
            clear = gr.Button("Remove the samples", size="sm", elem_id="clear")
        told = block(elem_classes="told")
        failures = block()
        with gr.Column(visible=False, elem_classes="card confirm") as confirm:
            asked = block()
            with gr.Row():
                sure = gr.Button("Delete", variant="stop", size="sm", elem_id="sure")
                keep = gr.Button("Keep it", size="sm", elem_id="keep")
        with gr.Column(visible=False, elem_classes="card set-aside") as held:
            passages = block()
            with gr.Row():
                use = gr.Button("Use them anyway", size="sm", elem_id="use")
                close = gr.Button("Close", size="sm", elem_id="close")
        with gr.Column(visible=False, elem_classes="card confirm above") as confirm_use:
            asked_use = block()
            with gr.Row():
                sure_use = gr.Button("Use them", variant="stop", size="sm", elem_id="sure-use")
                keep_aside = gr.Button("Leave them aside", size="sm", elem_id="keep-aside")
        wanted = gr.Textbox(
            placeholder="Filter by title or file", label="Filter", container=False, show_label=False, elem_id="filter"
        )
        table = block(choose=True, elem_classes="table")
        source, following = gr.State(""), gr.State(False)

    @safely
    def view(text: str) -> list[Any]:
        listing = shelf.listing(text)
        return [
            render_shelf.table(listing),
            render_shelf.failures(listing.failures),
            gr.update(visible=listing.offer_removal),
        ]

    listed = [table, failures, offer]

    @safely
    def ready(text: str) -> list[Any]:
        startup = shelf.candor.startup
        steps = [(step.name, step.state, step.seconds) for step in startup.steps()]
        waiting = render.steps(steps, startup.failed)
        shown = view(text) if startup.ready else ["", "", gr.update()]
        active = not (startup.ready or startup.failed)
        return [
            "" if startup.ready else waiting,
            gr.update(active=active),
            gr.update(interactive=startup.ready),
            *shown,
        ]

    def drawn(work: Work | None) -> list[Any]:
        if work is None:
            return [gr.update()] * 4
        return [render_shelf.progress(work), gr.update(visible=True), gr.update(visible=work.running), work.running]

    @safely
    def put_in(files: list[str]) -> list[Any]:
        work = shelf.upload(files)
        return [*drawn(work)[:3], not work.problem, None]

    @safely
    def look(was_running: bool, text: str) -> list[Any]:
        """What is at work, wherever it was asked for; when it has ended, that and the documents once more."""
        work = shelf.work()
        if work is None or not (work.running or was_running):
            return [gr.update()] * 7
        rest = [gr.update()] * 3 if work.running else view(text)
        return [*drawn(work), *rest]

    @safely
    def choose(event: gr.EventData) -> list[Any]:
        """Open what was asked for, and close the rest."""
        document, same, shown = chosen(event), gr.update(), gr.update(visible=True)
        if wish(event) == "set aside":
            return [document, same, hide(), render_shelf.quarantine(shelf.quarantine(document)), shown, hide()]
        return [document, render_shelf.confirmation(document), shown, same, hide(), hide()]

    @safely
    def ask_use(document: str) -> list[Any]:
        return [render_shelf.release(shelf.quarantine(document)), gr.update(visible=True)]

    @safely
    def release(document: str, text: str) -> list[Any]:
        try:
            line = render.notice(shelf.release(document), "good")
        except CandorError as error:
            line = render.notice(str(error), "bad")
        return [line, hide(), hide(), *view(text)]

    @safely
    def remove(document: str, text: str) -> list[Any]:
        try:
            line = render.notice(shelf.remove(document), "good")
        except CandorError as error:
            line = render.notice(str(error), "bad")
        return [line, hide(), *view(text)]

    @safely
    def remove_samples(text: str) -> list[Any]:
        return [render.notice(shelf.remove_samples(), "good"), *view(text)]

    gr.on([timer.tick, app.load], ready, wanted, [loading, timer, drop, *listed], **QUIET)
    at_work = [progress, uploading, cancel, following]
    drop.upload(put_in, drop, [*at_work, drop], **QUIET)
    looking.tick(look, [following, wanted], [*at_work, *listed], **QUIET)
    cancel.click(safely(lambda: shelf.cancel()), None, None, **QUIET)
    wanted.change(view, wanted, listed, trigger_mode="always_last", **QUIET)
    opened = [source, asked, confirm, passages, held, confirm_use]
    table.select(choose, None, opened, **QUIET).then(None, js=FOCUS.format(".set-aside h2, #keep"))
    use.click(ask_use, source, [asked_use, confirm_use], **QUIET).then(None, js=FOCUS.format("#keep-aside"))
    keep.click(hide, None, confirm, **QUIET)
    close.click(lambda: [hide(), hide()], None, [held, confirm_use], **QUIET)
    keep_aside.click(hide, None, confirm_use, **QUIET)
    sure_use.click(release, [source, wanted], [told, held, confirm_use, *listed], **QUIET)
    sure.click(remove, [source, wanted], [told, confirm, *listed], **QUIET)
    clear.click(remove_samples, wanted, [told, *listed], **QUIET)
