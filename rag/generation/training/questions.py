"""Labelled questions to train the writer on, and those that are kept aside to choose and to measure by."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.types import Document, Message

SETS = ("clapnq", "mtrag", "xquad_en", "pubmedqa", "qmsum", "contoso")
ASIDE = 5  # one group in so many is kept aside
ARTICLE = "-"  # between article and paragraph in the ids of xquad_en, between conversation and turn in those of mtrag


@dataclass(frozen=True, slots=True)
class Question:
    """One labelled row."""

    dataset: str
    question: str
    history: tuple[Message, ...]
    contexts: tuple[str, ...]
    title: str
    answers: tuple[str, ...]  # none: the contexts do not answer


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a file of ``qa/`` or ``grounding/``. Some texts hold other line separators: lines end at \\n only."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file if line.strip()]


def group(row: Mapping[str, Any]) -> str:
    """What must not be in both parts: the article, conversation, meeting or file that a row is about."""
    ids = row.get("context_ids") or []
    first = ids[0] if ids and ids[0] else ""
    match row["dataset"]:
        case "clapnq":
            return str((row.get("titles") or [row["question"]])[0])
        case "xquad_en":
            return str(first.rpartition(ARTICLE)[0])
        case "qmsum":
            return str(first)
        case "contoso" | "pubmedqa":
            return str(row["id"])
    return str(row["id"]).rpartition(ARTICLE)[0]  # mtrag, of both parts


def kept_aside(row: Mapping[str, Any]) -> bool:
    """Whether a row serves to choose and to measure; nothing of its group is trained on."""
    name = f"{row['dataset'].partition('-')[0]}/{group(row)}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest()) % ASIDE == 0


def questions(data: Path) -> Iterator[Question]:
    """The rows to train on. Of mtrag a counter-question is trained as a refusal: it says what the sources lack."""
    for name in SETS:
        for row in read(data / "qa" / f"{name}.jsonl.gz"):
            if not kept_aside(row):
                yield _question(name, row)
    aside = {row["question"] for row in read(data / "qa" / "clapnq.jsonl.gz")}
    for row in read(data / "grounding" / "clapnq.train.jsonl.gz"):
        if row["question"] not in aside:  # those of qa/ are in one of its two parts already
            yield _question("clapnq", row | {"answers": [row["answer"]], "answerable": True})


def documents(name: str, data: Path) -> list[Document]:
    """All contexts of a set, those of the rows kept aside too: a reader's documents are there, whatever is asked."""
    found: dict[str, Document] = {}
    for row in read(data / "qa" / f"{name}.jsonl.gz"):
        titles = row.get("titles") or []
        for place, text in enumerate(row["contexts"]):
            title = titles[place] if place < len(titles) else ""
            found.setdefault(text, Document(f"{name}-{len(found)}", title or "", text))
    return list(found.values())


def _question(name: str, row: Mapping[str, Any]) -> Question:
    history = tuple(Message(said["role"], said["content"]) for said in row.get("history") or [])
    answers = tuple(row["answers"]) if row["answerable"] else ()
    title = (row.get("titles") or [""])[0]
    return Question(name, row["question"], history, tuple(row["contexts"]), title, answers)


def main() -> None:
    """Write the rows that were kept aside, to be measured with ``candor evaluate answers``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds qa/")
    parser.add_argument("--out", type=Path, required=True, help="a folder for one file of each set")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        kept = [row for row in read(arguments.data / "qa" / f"{name}.jsonl.gz") if kept_aside(row)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
        (arguments.out / f"{name}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
