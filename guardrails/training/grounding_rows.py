"""What the head of the grounding guard is trained on: labelled answers, and true sentences made untrue."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails.stream import sentences
from guardrails.training.changes import KINDS

# q2_wow is left out: its labels contradict its texts (AUROC of every feature below 0.5).
SETS = "begin_wow", "begin_cmu", "faithdial_audit", "frank", "halueval_qa", "clapnq", "wice", "wice_spans"
TEXTS = "begin_wow", "faithdial_audit", "frank", "clapnq", "halueval_qa"  # whose passages are read for true sentences
POOLS = "clapnq_pool", "mtrag_pool", "xquad_en", "contoso_pages"  # and further open text
LONGEST = 4500  # characters of a passage
PASSAGES = 4000  # that serve as further passages, and for sentences that belong elsewhere
LEADS = "", "", "", "", "According to the text, ", "It says that ", "Yes, "
_BRACKETS = re.compile(r"\s*\([^)]*\)")
_ASIDE = re.compile(r", (?:which|who|where|including|such as|although|while|and|but) [^,]*(?=[.,])")
_OPENING = re.compile(r"(?:In|On|At|During|After|Before|However|Also|Later|By) [^,]{3,60}, (\w)")
_CLAUSE = re.compile(r"\b(?:and|but|which|because|while|when|after)\b[^.]*")


@dataclass(frozen=True, slots=True)
class Row:
    """An answer, and whether its passages say it."""

    question: str
    contexts: tuple[str, ...]
    answer: str
    ungrounded: bool
    spans: tuple[tuple[int, int], ...] = ()  # wrong characters of the answer, where they are known


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def labelled(path: Path) -> list[Row]:
    """The rows of one file of ``shared/data/grounding``."""
    return [
        Row(
            row["question"],
            tuple(row["contexts"]),
            row["answer"],
            row["label"] == "ungrounded",
            tuple((span["start"], span["end"]) for span in row.get("spans") or ()),
        )
        for row in lines(path)
    ]


def good_answers(path: Path) -> list[Row]:
    """The reference answers of one file of ``shared/data/qa``, to its answerable questions; taken as grounded."""
    return [
        Row(row["question"], tuple(row["contexts"]), row["answers"][0], ungrounded=False)
        for row in lines(path)
        if row["answerable"] and row["contexts"] and row["answers"]
    ]


def made(data: Path, number: int, seed: int = 1) -> list[Row]:
    """True sentences of open text, some shortened, and the same made untrue in one of several ways.

    Args:
        data: the folder that holds grounding/ and retrieval/.
    """
    draw = random.Random(seed)  # noqa: S311 - the same rows every time
    passages = _passages(data)
    draw.shuffle(passages)
    rows: list[Row] = []
    used: Counter[str] = Counter()
    for passage in passages * 3:
        if len(rows) >= number:
            break
        rows += _of_passage(passage[:LONGEST], passages[:PASSAGES], used, draw)
    return rows


def _passages(data: Path) -> list[str]:
    found = {
        text
        for name in TEXTS
        for row in lines(data / "grounding" / f"{name}.train.jsonl.gz")
        for text in row["contexts"][:2]
    }
    found |= {row["text"] for name in POOLS for row in lines(data / "retrieval" / name / "corpus.jsonl.gz")}
    return sorted(found)


def _of_passage(passage: str, others: Sequence[str], used: Counter[str], draw: random.Random) -> Iterator[Row]:
    own = sentences_of(passage)
    if len(own) < 2:
        return
    first = draw.choice(own)
    true = _shortened(first, draw)
    contexts = [passage, *([draw.choice(others)[:1500]] if draw.random() < 0.5 else [])]
    draw.shuffle(contexts)
    lead = draw.choice(LEADS)
    if draw.random() < 0.5:
        second = draw.choice(own) if draw.random() < 0.3 else first
        said = true if second == first else f"{true} {_shortened(second, draw)}"
        yield Row("", tuple(contexts), lead + said, ungrounded=False)
    yield from _untrue(true, passage, tuple(contexts), lead, used, draw)
    foreign = draw.choice(sentences_of(draw.choice(others)) or [""])
    if foreign and draw.random() < 0.15:
        yield Row("", tuple(contexts), foreign, ungrounded=True)
    elif (clause := _CLAUSE.search(foreign)) and len(clause[0]) < 120 and draw.random() < 0.2:
        body = true.rstrip(". ")
        yield Row("", tuple(contexts), f"{body} {clause[0]}.", True, ((len(body), len(body) + 1 + len(clause[0])),))


def _untrue(
    true: str, passage: str, contexts: tuple[str, ...], lead: str, used: Counter[str], draw: random.Random
) -> Iterator[Row]:
    """The sentence changed in a way that was seldom used so far."""
    for kind in sorted(KINDS, key=lambda kind: used[kind] * draw.uniform(0.5, 1.5)):
        changed = KINDS[kind](true, passage, draw)
        if changed and changed.text != true:
            used[kind] += 1
            span = changed.start + len(lead), changed.end + len(lead)
            yield Row("", contexts, lead + changed.text, True, (span,))
            return


def sentences_of(text: str) -> list[str]:
    """Those long enough to say something, and no longer than an answer's."""
    found = (sentence.strip() for sentence in sentences([text]))
    return [sentence for sentence in found if 40 <= len(sentence) <= 260 and len(sentence.split()) >= 7]


def _shortened(sentence: str, draw: random.Random) -> str:
    """Without its brackets; sometimes without an aside or its opening. Still true."""
    short = _BRACKETS.sub("", sentence)
    chance = draw.random()
    aside, opening = _ASIDE.search(short), _OPENING.match(short)
    if chance < 0.35 and aside and len(short) - len(aside[0]) > 40:
        return short[: aside.start()] + short[aside.end() :]
    if 0.35 <= chance < 0.55 and opening:
        return opening[1].upper() + short[opening.end() :]
    return short
