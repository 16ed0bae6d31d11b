"""The review app: layout only. What it does is in ``desk.Desk``."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.errors import CandorError
from rag.web import render, render_review, words
from rag.web.desk import STATES, Desk
from rag.web.look import QUIET, block, chosen, safely


def build(app: gr.Blocks, desk: Desk) -> None:
    """Lay the page out in ``app``, which is being built."""
    block(render.header("Review"), elem_classes="header")
    with gr.Column(elem_classes="page review"):
        block('<h1>Review</h1><p class="lead">Answers that a guard flagged, and what people made of them.</p>')
        timer = gr.Timer(0.5)
        loading = block(elem_classes="starting")
        alarms = block(elem_classes="alarm")
        opened = gr.State("")
        with gr.Row(elem_classes="desk"):
            with gr.Column(elem_classes="left", scale=1, min_width=280):
                state = gr.Radio(
                    [(name.capitalize(), name) for name in STATES], value="open", label="Show", show_label=False,
                    container=False, elem_id="state",
                )  # fmt: skip
                queue = block(choose=True, elem_classes="queue-list")
            with gr.Column(elem_classes="right", scale=2, min_width=320):
                told = block(elem_classes="told")
                record = block('<div class="empty"><p>Choose an answer on the left.</p></div>', elem_classes="opened")
                with gr.Column(visible=False, elem_classes="card verdict") as form:
                    block("<h2>Your verdict</h2>")
                    choices = [(text, name) for name, text in words.VERDICTS.items()]
                    verdict = gr.Radio(choices, label="Verdict", container=False, show_label=False, elem_id="verdict")
                    reason = gr.Textbox(
                        label="Reason", placeholder="Why, in one or two sentences", lines=2, elem_id="reason"
                    )
                    judge = gr.Button("Save verdict and go on", variant="primary", elem_id="judge")

    @safely
    def listed(which: str, turn: str) -> str:
        return render_review.queue(desk.queue(which), which, turn)

    @safely
    def ready(which: str, turn: str) -> list[Any]:
        startup = desk.candor.startup
        steps = [(step.name, step.state, step.seconds) for step in startup.steps()]
        waiting = "" if startup.ready else render.steps(steps, startup.failed)
        active = not (startup.ready or startup.failed)
        told = render_review.alarms(desk.alarms())
        return [waiting, gr.update(active=active), told, listed(which, turn) if startup.ready else ""]

    def show(turn: str, which: str) -> list[Any]:
        """The record of ``turn``; "" closes it."""
        page = render_review.record(desk.record(turn)) if turn else render_review.queue([], "open")
        return [turn, page, gr.update(visible=bool(turn)), listed(which, turn), None, ""]

    @safely
    def choose(which: str, event: gr.EventData) -> list[Any]:
        try:
            return ["", *show(chosen(event), which)]
        except CandorError as error:
            return [render.notice(str(error), "bad"), *(gr.update() for _ in range(6))]

    @safely
    def decide(turn: str, choice: str | None, why: str, which: str) -> list[Any]:
        try:
            following = desk.judge(turn, choice or "", why)
        except CandorError as error:
            return [render.notice(str(error), "bad"), *(gr.update() for _ in range(6))]
        return [render.notice("The verdict is recorded.", "good"), *show(following, which)]

    page = [opened, record, form, queue, verdict, reason]
    gr.on([timer.tick, app.load], ready, [state, opened], [loading, timer, alarms, queue], **QUIET)
    state.input(listed, [state, opened], queue, **QUIET)
    queue.select(choose, state, [told, *page], **QUIET)
    judge.click(decide, [opened, verdict, reason, state], [told, *page], **QUIET)
