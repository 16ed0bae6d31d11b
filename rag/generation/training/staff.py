"""Documents of made-up organisations, and what their staff ask: written by hand, in other words than the documents.

Public sets ask in the words of the text. Staff do not: "my boss orders me in on a Sunday" asks for the supplement on
overtime. So a third of what the writer learns from is ``staff.jsonl``, a line for each document: title, text, and its
questions with answers. An empty answer means that the text does not say, though it looks as if it might.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.generation.training.questions import Question, kept_aside
from rag.types import Document, Message

FILE = Path(__file__).with_name("staff.jsonl")
NAME = "staff"


def staff_documents() -> list[Document]:
    """All of them, those kept aside too."""
    return [Document(f"{NAME}-{place}", one["title"], one["text"]) for place, one in enumerate(_lines())]


def staff_questions(*, aside: bool = False) -> Iterator[Question]:
    """Those to train on, or those kept aside to choose and measure by; by document."""
    for one in _lines():
        if kept_aside({"dataset": NAME, "id": f"{one['title']}-"}) is not aside:
            continue
        for asked in one["questions"]:
            history = tuple(Message(said["role"], said["content"]) for said in asked.get("history") or ())
            answers = (asked["answer"],) if asked["answer"] else ()
            yield Question(NAME, asked["question"], history, (one["text"],), one["title"], answers)


def rows_aside() -> list[dict[str, Any]]:
    """The questions kept aside, as ``candor evaluate answers`` reads them."""
    return [
        {
            "question": one.question,
            "history": [{"role": said.role, "content": said.content} for said in one.history],
            "contexts": list(one.contexts),
            "titles": [one.title],
            "answers": list(one.answers),
            "answerable": bool(one.answers),
        }
        for one in staff_questions(aside=True)
    ]


def _lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").split("\n") if line]
