"""What the browser may ask for when it asks for a page, and what it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rag.access import LOCAL_READER
from rag.errors import NotAllowed
from rag.types import Citation, PagePicture, Reader
from rag.web.chat_turn import Chat
from rag.web.render_page import opened
from tests.web.scripted import PAYLOADS, Candor


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    chat = Chat(Candor(tmp_path))
    list(chat.ask("hotel", "talk"))
    return chat


@pytest.mark.parametrize("where", ["1-1-1", "1-0-1"])
def test_a_source_of_the_conversation_opens_its_page(chat: Chat, where: str) -> None:
    page = chat.page(where, "talk")
    assert f'data-of="{where}"' in page
    assert page.count("data:image/png;base64,") == 1
    assert "Black places hold personal data." in page
    assert chat.candor.pages.asked == [("travel:0", ((0, 38),))]


@pytest.mark.parametrize(
    "where",
    ["", "1", "1-1", "1-1-1-1", "2-1-1", "0-1-1", "1-9-1", "1-1-2", "-1-1-1", "1-1-²", "travel:0", *PAYLOADS],
)
def test_nothing_else_opens_one(chat: Chat, where: str) -> None:
    page = chat.page(where, "talk")
    assert "This source is no longer open here" in page
    assert "<script" not in page
    assert chat.candor.pages.asked == []


def test_the_source_of_another_conversation_opens_none(chat: Chat) -> None:
    assert "This source is no longer open here" in chat.page("1-1-1", "other")
    list(chat.ask("leave", "talk"))
    assert "This source is no longer open here" in chat.page("2-1-1", "talk")  # its source is no PDF


def test_who_may_not_ask_gets_no_page(chat: Chat) -> None:
    with pytest.raises(NotAllowed):
        chat.page("1-1-1", "talk", Reader("nobody", roles=frozenset()))


def test_a_fault_is_told_without_its_words(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> list[PagePicture]:
        raise RuntimeError("secret words of a document")

    monkeypatch.setattr(chat.candor.pages, "pictures", broken)
    page = chat.page("1-1-1", "talk", LOCAL_READER)
    assert "secret" not in page
    assert 'class="line plain" role="status"' in page


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_names_and_passages_stay_text(payload: str) -> None:
    citation = Citation(1, payload, payload, 1, payload, ((0, 3),), chunk="a:0")
    page = opened(payload, citation, [PagePicture(1, payload, (0, 0), (payload,))], payload)
    assert "<script" not in page
    assert "<iframe" not in page
    assert page.count("<img") == 1
    assert page.count("<svg") == 1  # the cross that closes it
