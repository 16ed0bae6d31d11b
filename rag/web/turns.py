"""One question and its answer as a page shows it, and the same as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rag.types import Citation, Done, Sentence, Verdict
from rag.web import words
from rag.web.render import in_words, merged

VERDICTS: tuple[Verdict, ...] = ("supports", "contradicts", "does not support")  # the first that a passage got counts


@dataclass(slots=True)
class Turn:
    """One question and as much of its answer as has been released."""

    question: str
    sentences: list[Sentence] = field(default_factory=list)
    first: list[str] = field(default_factory=list)  # notices that came before any sentence
    notices: list[str] = field(default_factory=list)  # and after
    done: Done | None = None
    problem: str = ""  # shown instead of an outcome when the turn broke off
    remembered: str = ""  # the answer of an earlier visit, as plain text; its passages are not kept with it
    thumb: str = ""  # what the reader thinks of it: up or down
    thanked: bool = False  # they said why

    @property
    def id(self) -> str:
        """Its name in the record; "" while there is none."""
        return self.done.turn if self.done else ""

    @property
    def over(self) -> bool:
        return bool(self.done or self.problem or self.remembered)


def cited(sentences: Iterable[Sentence]) -> list[Citation]:
    """Every passage that sentences were compared with, once, in order of number: as a source where one rests on it.

    With all the words that decided for its verdict.
    """
    by_number: dict[int, Citation] = {}
    citations = [c for sentence in sentences for c in sentence.citations]
    for citation in sorted(citations, key=lambda c: VERDICTS.index(c.verdict)):
        known = by_number.get(citation.number)
        if known and known.verdict != citation.verdict:
            continue
        spans = merged([*(known.spans if known else ()), *citation.spans], len(citation.text))
        support = (*(known.support if known else ()), *citation.support)
        by_number[citation.number] = replace(citation, spans=tuple(spans), support=support)
    return [by_number[number] for number in sorted(by_number)]


def has_pictures(citation: Citation) -> bool:
    return bool(citation.chunk) and citation.source.lower().endswith(".pdf")


def place(citation: Citation) -> str:
    return citation.source if citation.page is None else f"{citation.source}, page {citation.page}"


def plain(turn: Turn) -> str:
    """The answer for the clipboard: plain text, numbered, with its sources and the caution."""
    if turn.remembered:
        return in_words(turn.remembered)
    said = "".join(_with_numbers(sentence) for sentence in turn.sentences).strip()
    found = cited(turn.sentences)
    listed = [_in_list(c) for c in found if c.supports]
    others = [f"{_in_list(c)}: {c.verdict}" for c in found if not c.supports]
    parts = [said, *(["", "Sources:", *listed] if listed else [])]
    parts += ["", "Compared, but no source of this answer:", *others] if others else []
    return "\n".join([*parts, "", "Written by an AI; check the sources."])


def _in_list(citation: Citation) -> str:
    return f"[{citation.number}] {citation.title} ({place(citation)})"


def _with_numbers(sentence: Sentence) -> str:
    words_only = sentence.text.rstrip()
    space = sentence.text[len(words_only) :] or " "
    numbers = "".join(f" [{c.number}]" for c in sentence.citations if c.supports)
    told = [words.unsupported(mark.label) for mark in sentence.marks if mark.kind == "flagged"]
    told += [f"[{c.number}] {c.verdict} it" for c in sentence.citations if not c.supports]
    flag = f" ({'; '.join(dict.fromkeys(told))})" if told else ""
    return in_words(words_only) + numbers + flag + space
