"""What the grounding guard catches of changed sentences: ``python -m tests.quality.perturbations FOLDER``.

FOLDER holds ``grounding/`` and ``retrieval/``. 500 true sentences are drawn from passages of the ``dev`` parts, each is
judged against its own passage among four others, once as it stands and once changed in every way it allows. Clauses
that are added are not those of the training. Paraphrases are the sentences of supported ``dev`` answers that are no
quotations: less than four fifths of their three-word runs stand in their passages.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from guardrails.encoder import Encoder
from guardrails.grounding.guard import GroundingGuard
from guardrails.stream import sentences
from guardrails.training import changes
from guardrails.training.grounding_rows import Row, labelled, sentences_of
from guardrails.types import Context, Evidence
from rag.evaluation.calibrate import interval

SENTENCES, PASSAGES, LONGEST = 500, 5, 1200
OPEN_TEXT = "begin_wow", "faithdial_audit", "frank", "clapnq"
SUPPORTED = "begin_wow", "begin_cmu", "faithdial_audit", "frank", "clapnq"
CLAUSES = (
    "which nobody had expected", "after a vote of the members", "because the older rules were too strict",
    "as part of a pilot project", "and is paid for by the insurer", "unless the weather is bad",
    "which won a prize in Vienna", "with the approval of the mayor", "in spite of many complaints",
)  # fmt: skip


def passages(folder: Path) -> list[str]:
    found = {text for name in OPEN_TEXT for row in _dev(folder, name) for text in row.contexts}
    return sorted(text[:LONGEST] for text in found if len(text) > 200)


def paraphrases(folder: Path) -> list[tuple[str, Row]]:
    found = []
    for name in SUPPORTED:
        for row in _dev(folder, name):
            known = {run for text in (*row.contexts, row.question) for run in _runs(text)}
            for said in sentences([row.answer]) if not row.ungrounded else ():
                runs = list(_runs(said))
                if len(runs) >= 4 and sum(run in known for run in runs) < 0.8 * len(runs):
                    found.append((said, row))
    return found


def _dev(folder: Path, name: str) -> list[Row]:
    return labelled(folder / "grounding" / f"{name}.dev.jsonl.gz")


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = [word.strip(".,;:!?\"'()").casefold() for word in text.split()]
    return (tuple(words[at : at + 3]) for at in range(len(words) - 2))


def measure(folder: Path, guard: GroundingGuard, seed: int = 1) -> None:
    draw = random.Random(seed)  # noqa: S311 - the same sentences every time
    texts = passages(folder)
    draw.shuffle(texts)
    times: list[float] = []

    def flagged(said: str, question: str, shown: Sequence[str]) -> bool:
        context = Context(question, (), tuple(Evidence(str(place), text) for place, text in enumerate(shown)))
        begun = time.perf_counter()
        found = guard.check(said, context)
        times.append(time.perf_counter() - begun)
        return any(finding.kind == "unsupported" for finding in found)

    caught: dict[str, list[bool]] = {kind: [] for kind in changes.KINDS}
    alarms: list[bool] = []
    while len(alarms) < SENTENCES:
        text = texts[len(alarms) % len(texts)]
        shown = [text, *draw.sample(texts, PASSAGES - 1)]
        draw.shuffle(shown)
        true = draw.choice(sentences_of(text) or [""])
        if not true:
            texts.remove(text)
            continue
        alarms.append(flagged(true, "", shown))
        for kind, change in changes.KINDS.items():
            changed = change(true, text, draw)
            if changed and changed.text != true:
                caught[kind].append(flagged(changed.text, "", shown))
    other = paraphrases(folder)
    draw.shuffle(other)
    told = [flagged(said, row.question, row.contexts) for said, row in other[:SENTENCES]]
    lines = ["| what | sentences | flagged | 95 % |", "| --- | ---: | ---: | --- |"]
    for what, results in {**caught, "unchanged": alarms, "paraphrases": told}.items():
        low, high = interval(sum(results), len(results))
        lines.append(f"| {what} | {len(results)} | {statistics.mean(results):.3f} | {low:.3f} to {high:.3f} |")
    lines += ["", f"median {statistics.median(times[:SENTENCES]) * 1000:.0f} ms a sentence against its passages"]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    changes.CLAUSES = CLAUSES
    measure(parser.parse_args().folder, GroundingGuard(Encoder()))
