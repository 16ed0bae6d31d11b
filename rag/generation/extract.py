"""Finds the sentences of the passages that answer a question: for the model to read, or to be quoted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.encoder import Encoder
from guardrails.stream import sentences
from rag.index.keywords import STOP_WORDS, TERM
from rag.types import Passage

OVERLAP_WEIGHT = 0.2  # of shared words beside closeness of meaning; see tests/quality/DECISIONS.md
COLUMN = " | "  # as loaders write tables
RULE = " \t\n|:-"  # what the line below a table's header is made of
RANK_WEIGHT = 0.03  # lost per place of the passage in the ranking
MARGIN = 0.2  # a further sentence is quoted up to so much below the best; likewise
_STATES = re.compile(r"[.!:;…][\"'”’»)\]*_]*\s*$")  # noqa: RUF001 - marks as written


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage: ``passage.chunk.text[start:end]``."""

    passage: int  # place in the list of passages, from 0
    start: int
    end: int
    text: str
    score: float  # comparable within one question
    header: str = ""  # of a table's row: the table's first row, which says what the columns are


def extracts(queries: Sequence[str], passages: Sequence[Passage], encoder: Encoder) -> list[Extract]:
    """Every sentence of the passages, in order of passage and place, scored by how much it tells about the question.

    Args:
        queries: ways to put the question, which count alike: a follow-up as it stands, and with what it continues.
    """
    cut = [(number, *part) for number, passage in enumerate(passages) for part in _cut(passage.chunk.text)]
    if not cut:
        return []
    vectors = encoder.embed([*queries, *(f"{passages[number].chunk.title}\n{text}" for number, _, text, _ in cut)])
    closeness = (vectors[len(queries) :] @ vectors[: len(queries)].T).mean(axis=1)
    wanted = [_words(query) for query in queries]
    return [
        Extract(
            number,
            start,
            start + len(text),
            text,
            float(near) + OVERLAP_WEIGHT * _share(wanted, header + text) - RANK_WEIGHT * number,
            header,
        )
        for (number, start, text, header), near in zip(cut, closeness, strict=True)
    ]


def within(found: Sequence[Extract], characters: int) -> list[Extract]:
    """The best sentences that fit a budget, each with its neighbours while there is room, in order of place.

    A table's row brings the table's first row along, which says what its cells are.
    """
    chosen: set[int] = set()
    room = characters
    headers = {(extract.passage, extract.text): index for index, extract in enumerate(found) if not extract.header}
    for index in sorted(range(len(found)), key=lambda i: -found[i].score):
        header = headers.get((found[index].passage, found[index].header), -1)
        for near in (index, header, index + 1, index - 1):
            if 0 <= near < len(found) and near not in chosen and found[near].passage == found[index].passage:
                if len(found[near].text) > room:
                    continue
                chosen.add(near)
                room -= len(found[near].text)
    return [found[index] for index in sorted(chosen)]


def quotable(found: Sequence[Extract], most: int, margin: float = MARGIN) -> list[Extract]:
    """The sentences worth quoting: the best of all passages, and others nearly as good, in order of passage and place.

    Headings and questions answer nothing; they are quoted only where there is nothing else.
    """
    worded = [
        extract
        for extract in found
        if len(TERM.findall(extract.text)) > 3 and not extract.text.lstrip().startswith("#")
    ]
    proper = [extract for extract in worded if extract.header or _STATES.search(extract.text)] or worded
    if not proper:
        return []
    best = max(extract.score for extract in proper)
    near = sorted((e for e in proper if e.score >= best - margin), key=lambda extract: -extract.score)
    once = {" ".join(extract.text.split()): extract for extract in reversed(near)}  # neighbouring passages overlap
    kept = [extract for extract in near if extract in once.values()][:most]
    headers = {(e.passage, e.header) for e in kept if e.header}
    kept += [e for e in found if not e.header and (e.passage, e.text) in headers and e not in kept]
    return sorted(kept, key=lambda extract: (extract.passage, extract.start))


def _cut(text: str) -> list[tuple[int, str, str]]:
    """(where it begins, sentence, "") of each sentence; of a table each row, with the table's first row."""
    placed, start, header = [], 0, ""
    for sentence in sentences([text]):
        for part in sentence.splitlines(keepends=True) if COLUMN in sentence else [sentence]:
            row = COLUMN in part
            if part.strip():
                placed.append((start, part, header if row else ""))
            if row:
                header = header or part
            elif part.strip(RULE):
                header = ""
            start += len(part)
    return placed


def _words(text: str) -> frozenset[str]:
    """Content words, cut to five letters so that inflections meet."""
    return frozenset(word[:5] for word in TERM.findall(text.casefold()) if word not in STOP_WORDS)


def _share(wanted: Sequence[frozenset[str]], text: str) -> float:
    """The share of the queries' content words that a text holds, averaged over the queries."""
    words = _words(text)
    return sum(len(each & words) / max(1, len(each)) for each in wanted) / len(wanted)
