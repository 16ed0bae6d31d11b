"""Fits the heads of the harm guard: ``python -m guardrails.training.harm --data FOLDER``.

FOLDER holds the sets as `shared/data` has them: ``toxicity/*.train.jsonl.gz``, and as harmless requests
``injection/benign_queries`` and ``cyberseceval_frr`` (train) and one half of the questions of ``retrieval``. Beside
them stand sentences written for this project (``harm.toml``): requests for help with harm, near misses of an office,
and plain sentences about many groups, so that the name of a group is no sign of harm.

A row that does not say whether a label holds is left out for that label. The operating point is the score that so few
harmless texts reach (``ALARMS``) when models judge that have not seen them. Takes some minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.encoder import Encoder
from guardrails.harm import LABELS
from guardrails.heads import MODELS, as_json, buckets, in_english
from guardrails.training.fit import Sentences, Text, design, fitted, flat, head, our_half, reached, rows, unseen

logger = logging.getLogger(__name__)

OWN = Path(__file__).with_suffix(".toml")
OFFENSIVE = 4000  # of davidson's 13 396 tweets with that label: they say little else
TIMES = {"hate": 12, "toxicity": 12, "groups": 12}  # fillings of a sentence of ours; of others, six
ALARMS = 0.02  # share of harmless texts, each set counting alike, that may be reported
# How far the heads are moved towards reporting alike. Not at all: what is rare in the training data is hardly ever
# found. All the way: the heads with few examples add their noise to the others' (AUROC on wiki_comments dev 0.81).
EVEN = 0.5
COUNTS = {"davidson": 0.3, "openai_moderation": 2.0, "own": 0.7}  # weights of rows; those of other sets 1
# What a category of openai_moderation is to us. Missing categories are unknown.
CATEGORIES = {
    "toxicity": ("harassment", "hate", "hate_threatening"),
    "hate": ("hate", "hate_threatening"),
    "sexual": ("sexual", "sexual_minors"),
    "self-harm": ("self_harm",),
    "violence": ("violence", "violence_graphic"),
}

Known = Mapping[str, bool]  # labels that a row says something about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=MODELS / "harm.json")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    values = made(list(examples(arguments.data)), Encoder())
    arguments.out.write_text(json.dumps(values, separators=(",", ":")) + "\n", encoding="utf-8")


def examples(folder: Path) -> Iterator[tuple[str, Known, str]]:
    """Texts, what is known of each, and where it is from."""
    chance = random.Random(5)  # noqa: S311 - no secret
    toxicity = folder / "toxicity"
    tweets = rows(toxicity / "davidson.train.jsonl.gz")
    offensive = [row for row in tweets if row["label"] == "offensive"]
    for row in [row for row in tweets if row["label"] != "offensive"] + chance.sample(offensive, OFFENSIVE):
        known = {"toxicity": row["label"] != "neither"}
        yield (
            row["text"],
            known if row["label"] == "offensive" else {**known, "hate": row["label"] == "hate"},
            "davidson",
        )
    for row in rows(toxicity / "wiki_comments.train.jsonl.gz"):
        toxic = row["label"] == "toxic"
        yield row["text"], {"toxicity": True} if toxic else dict.fromkeys(("toxicity", "hate"), False), "wiki_comments"
    for row in rows(toxicity / "openai_moderation.train.jsonl.gz"):
        yield row["text"], dict(_categories(row["categories"])), "openai_moderation"
    harmless = dict.fromkeys(LABELS, False)
    for name in ("benign_queries", "cyberseceval_frr"):
        for row in rows(folder / "injection" / f"{name}.train.jsonl.gz"):
            yield row["text"], harmless, name
    for name in ("mtrag_pool", "clapnq_pool", "contoso_pages"):
        for row in rows(folder / "retrieval" / name / "queries.jsonl.gz"):
            if our_half(row["_id"]):
                yield row["text"], harmless, name
    own = Sentences(OWN)
    for label, templates in own.tables["bad"].items():
        known = {other: other == label for other in LABELS if {label, other} != {"toxicity", "hate"}}
        known = {**known, "toxicity": True} if label == "hate" else known
        yield from ((text, known, "own") for text in own.all(templates, TIMES.get(label, 6)))
    for table, templates in own.tables["good"].items():
        yield from ((text, harmless, "own") for text in own.all(templates, TIMES.get(table, 6)))


def _categories(found: Mapping[str, int]) -> Iterator[tuple[str, bool]]:
    for label, names in CATEGORIES.items():
        values = [found.get(name) for name in names]
        if 1 in values or None not in values:
            yield label, 1 in values


def made(found: Sequence[tuple[str, Known, str]], encoder: Encoder) -> dict[str, Any]:
    """The card."""
    vectors = encoder.embed([text for text, _, _ in found])
    x: Any = None
    models, scores, moved = {}, {}, {}
    for label in LABELS:
        texts = [_text(label, one, vector) for one, vector in zip(found, vectors, strict=True)]
        x = design(texts) if x is None else x  # the same for every label
        scores[label] = unseen(texts, x)
        models[label] = fitted(x, *flat(texts))
        without = np.array([known.get(label) is False and source != "own" for _, known, source in found])
        moved[label] = EVEN * _reached(found, scores[label], without, 0.01)
        logger.info("%s fitted", label)
    highest = np.max([scores[label] - moved[label] for label in LABELS], axis=0)
    harmless = np.array([not any(known.values()) and source != "own" for _, known, source in found])
    point = _reached(found, highest, harmless, ALARMS)
    return {
        "what": "weights of the harm guard, by guardrails/training/harm.py",
        "made": date.today().isoformat(),
        "data": dict(Counter(source for _, _, source in found)),
        "figures": "tests/quality/safety.md",
        "threshold": 0.5,
        "threshold_chosen": f"{ALARMS:.0%} of harmless texts reported, by models that had not seen them",
        "reported_unseen": _shares(found, highest >= point),
        "heads": {label: as_json(head(models[label], 1, moved[label] + point)) for label in LABELS},
    }


def _text(label: str, one: tuple[str, Known, str], vector: np.ndarray) -> Text:
    text, known, source = one
    english = in_english(text)
    bad = known.get(label)
    weight = COUNTS.get(source, 1.0)
    return Text(
        (vector * english)[None],
        np.array([[1 - english]]),
        (buckets(text),),
        np.array([-1 if bad is None else int(bad)]),
        np.array([weight]),
        f"{len(text)} {text[:8]}" if bad else "",  # near-doubles of our own sentences stay together
        source,
    )


def _reached(found: Sequence[tuple[str, Known, str]], scores: np.ndarray, of: np.ndarray, share: float) -> float:
    """The score that this share of some texts reach, each set counting alike."""
    sources = [source for (_, _, source), is_ in zip(found, of, strict=True) if is_]
    return reached(scores[of], sources, share)


def _shares(found: Sequence[tuple[str, Known, str]], reported: np.ndarray) -> dict[str, float]:
    by: dict[str, list[bool]] = {}
    for (_, known, source), hit in zip(found, reported, strict=True):
        labels = [label for label, holds in known.items() if holds] or ["harmless"]
        for label in labels:
            by.setdefault(f"{source}: {label}", []).append(bool(hit))
    return {name: round(float(np.mean(hits)), 3) for name, hits in sorted(by.items())}


if __name__ == "__main__":
    main()
