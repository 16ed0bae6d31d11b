"""A message is searched with what it continues, and only when it continues something."""

from __future__ import annotations

import pytest

from rag.dialogue.understand import is_follow_up, understand
from rag.types import Message

HISTORY = [Message("user", "How many days of leave do full-time staff have?"), Message("assistant", "28 days.")]


@pytest.mark.parametrize(
    "message",
    [
        "And for part-timers?",
        "and in Spain?",
        "What about contractors?",
        "Can they be carried over?",
        "Why?",
        "Und in Berlin?",
        "Is it paid out there?",
    ],
)
def test_what_leans_on_the_last_question_is_searched_with_it(message: str) -> None:
    assert understand(message, HISTORY).queries == (f"{HISTORY[0].content} {message}", message)


@pytest.mark.parametrize(
    "message",
    [
        "How many desks are there in the Leeds office?",
        "Is there a canteen in the Berlin office?",
        "Which form do contractors use for travel expenses?",
    ],
)
def test_what_stands_alone_is_searched_alone(message: str) -> None:
    assert understand(message, HISTORY).queries == (message,)


def test_a_first_message_stands_alone() -> None:
    assert is_follow_up("And for part-timers?")
    assert understand("And for part-timers?", []).queries == ("And for part-timers?",)


def test_a_follow_up_of_a_follow_up_reaches_the_question() -> None:
    longer = [*HISTORY, Message("user", "And in Spain?"), Message("assistant", "28 days too.")]
    assert HISTORY[0].content in understand("And in Berlin?", longer).question
