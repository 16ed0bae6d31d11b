"""The chat page: layout only. What it does is in ``chat_turn.Chat``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from rag.web import render, render_answer, render_chat, render_page
from rag.web.chat_turn import Chat, Talk, new_identifier
from rag.web.look import QUIET, block, chosen, entered, safely, wish


def build(app: gr.Blocks, chat: Chat) -> None:
    """Lay the page out in ``app``, which is being built."""
    block(render.header("Chat"), elem_classes="header")
    with gr.Column(elem_classes="page chat"):
        identifier = gr.State(new_identifier)
        timer = gr.Timer(0.5)
        with gr.Row(elem_classes="bar"):
            earlier = block(choose=True, elem_classes="earlier")
            new = gr.Button("New conversation", size="sm", elem_classes="plain", visible=False)
        loading = block(elem_classes="starting")
        welcome = block(render_chat.welcome(), choose=True, elem_classes="welcome")
        log = block(choose=True, elem_classes="conversation")
        paper = block(render_page.waiting(), elem_id="paper")
        with gr.Column(elem_classes="composer"):
            status = block(elem_classes="status")
            with gr.Row(elem_classes="entry"):
                box = gr.Textbox(
                    placeholder="Ask about the documents", label="Your question", lines=1, max_lines=6, container=False,
                    show_label=False, elem_id="question", html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                )  # fmt: skip
                send = gr.Button("Send", variant="primary", interactive=False, elem_id="send", min_width=88)
                stop = gr.Button("Stop", visible=False, elem_id="stop", min_width=88)
            block('<p class="caution">An AI answers; check the sources.</p>')

    def view(talk: Talk) -> list[Any]:
        return [
            render_answer.conversation(talk.turns),
            render_chat.status(talk.status),
            gr.update(visible=not talk.turns),
            gr.update(visible=not talk.running),
            gr.update(visible=talk.running),
            gr.update(visible=bool(talk.turns) and not talk.running),
        ]

    shown = [log, status, welcome, send, stop, new]

    @safely
    def ready() -> list[Any]:
        startup = chat.candor.startup
        progress = [(step.name, step.state, step.seconds) for step in startup.steps()]
        return [
            render.notice(startup.warning) if startup.ready else render.steps(progress, startup.failed),
            gr.update(active=not (startup.ready or startup.failed)),
            gr.update(interactive=startup.ready),
            render_chat.welcome(*chat.welcome()),
            render_chat.earlier(chat.earlier()),
        ]

    @safely
    def ask(message: str, talk: str) -> Iterator[list[Any]]:
        for state in chat.ask(message, talk):
            yield ["", *view(state)]

    @safely
    def ask_sample(talk: str, event: gr.EventData) -> Iterator[list[Any]]:
        yield from ask(chosen(event), talk)

    @safely
    def show_page(talk: str, event: gr.EventData) -> str:
        return chat.page(chosen(event), talk)

    @safely
    def rate(talk: str, event: gr.EventData) -> list[Any]:
        text, codes = entered(event)
        return view(chat.rate(chosen(event), talk, wish(event), codes, text))

    @safely
    def halt(talk: str) -> list[Any]:
        return view(chat.stop(talk))

    @safely
    def begin() -> list[Any]:
        talk = new_identifier()
        return [talk, *view(chat.talk(talk)), render_chat.earlier(chat.earlier())]

    @safely
    def reopen(event: gr.EventData) -> list[Any]:
        talk = chat.reopen(chosen(event))
        return [talk.id, *view(talk), render_chat.earlier(chat.earlier())]

    parts = [loading, timer, send, welcome, earlier]
    gr.on([timer.tick, app.load], ready, None, parts, **QUIET)
    many: dict[str, Any] = {**QUIET, "concurrency_limit": 4, "concurrency_id": "ask"}
    gr.on([box.submit, send.click], ask, [box, identifier], [box, *shown], **many)
    welcome.select(ask_sample, identifier, [box, *shown], **many)
    log.select(show_page, identifier, paper, **QUIET, trigger_mode="multiple", concurrency_limit=2)
    log.submit(rate, identifier, shown, **QUIET, trigger_mode="multiple")
    stop.click(halt, identifier, shown, **QUIET)
    new.click(begin, None, [identifier, *shown, earlier], **QUIET)
    earlier.select(reopen, None, [identifier, *shown, earlier], **QUIET)
