"""The recipe of the tagger of names: ``python -m guardrails.training.pii --data FOLDER --out FOLDER``.

The first four layers of all-MiniLM-L6-v2 are trained, the embeddings of words are not; the layers are kept in eight
bits a weight. The two others compare sentences, and would cost a third of the time.
Loss: cross entropy against all tags that a row allows, for a set that annotates no places says nothing about places.

Needs ``pip install candor[training]``. About 80 minutes on two cores with bfloat16, three hours without.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import linear, log_softmax

from guardrails.pii.tagger import BEFORE, CARD, MODEL, SHAPES, TAGS, Words, read_words
from guardrails.trained import PIECES
from guardrails.training.export import export
from guardrails.training.minilm import (
    BEGIN,
    END,
    MASK,
    WIDTH,
    Tensors,
    original,
    original_tokenizer,
    states,
    to_train,
)
from guardrails.training.pii_rows import SETS, Labelled, labelled_by_spacy, one_round, public, templates

LAYERS = 4

# The rate falls to its lowest over the first rounds; then it is raised by half, and falls over the rest.
STAGES = (3, 6)
AVERAGED = (3, 5, 6)  # rounds whose weights' mean is kept: it finds more names than any of them
RATE = 3e-4
WARM = 0.06  # share of steps in which the rate rises
PIECES_OF_BATCH = 2048
DROPPED = 0.1  # share of word pieces hidden, so that what stands around a word counts
# Probability of being any name from which a word is reported, by what it would be; "@": of being a person's, for a
# user's name. Chosen on the development parts.
THRESHOLDS = {
    "PERSON": 0.4, "LOCATION": 0.8, "ADDRESS": 0.5, "ORGANIZATION": 0.9, "NRP": 0.5, "DATE_TIME": 0.6, "AGE": 0.8,
    "TITLE": 0.5, "@": 0.15,
}  # fmt: skip
LICENCES = {
    "presidio_research, presidio_tests": "MIT",
    "wnut17, btc, german_ler, meddocan": "CC-BY 4.0",
    "europeana_fr": "CC0 1.0",
    "open text of the retrieval, grounding and dialogue sets": "Apache-2.0, MIT, CC-BY, CC-BY-SA",
    "its labels": "spaCy's en_core_web_sm, MIT",
    "names and addresses": "Faker (MIT), GeoNames (CC-BY 4.0)",
}
LIMITS = [
    "English, German, Spanish, French; Italian, Portuguese and Dutch by templates alone; other scripts by chance",
    "historical French newspapers and social media are read worse than plain prose",
    "a company that bears a person's name, and a person whose name is a word, are told apart by the sentence alone",
]
Item = tuple[Words, torch.Tensor]


def encode(tokenizer: Any, row: Labelled) -> Item | None:
    """The words of a row that fit a window, and for each the tags it may have: (words, tags) of booleans."""
    words = read_words(tokenizer, row.text)
    if not len(words.offsets):
        return None
    outside = [tag == "O" or tag[2:] not in row.types for tag in TAGS]
    allowed = torch.tensor([outside] * len(words.offsets))
    for start, end, types in row.spans:
        first = True
        for index, (s, e) in enumerate(words.offsets):
            if s < end and e > start:
                place = "BI" if "O" in types else "B" if first else "I"
                allowed[index] = torch.tensor([tag in types or (tag[2:] in types and tag[0] in place) for tag in TAGS])
                first = False
    return words, allowed


def batches(items: Sequence[Item], draw: random.Random) -> list[list[Item]]:
    """Of like length, in random order."""
    order = sorted(items, key=lambda item: len(item[0].ids) + draw.random() * 8)
    found: list[list[Item]] = [[]]
    for item in order:
        if (len(found[-1]) + 1) * min(PIECES, len(item[0].ids)) > PIECES_OF_BATCH:
            found.append([])
        found[-1].append(item)
    draw.shuffle(found)
    return [batch for batch in found if batch]


def tensors(batch: Sequence[Words]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """ids, mask, features, the word of each piece and how many words there are, over all rows.

    What is no piece, a mark or padding, belongs to a word after the last.
    """
    longest = max(min(PIECES, len(words.ids)) for words in batch) + 2
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.bool)
    features = torch.zeros(len(batch), longest, 2, dtype=torch.long)
    of = torch.full((len(batch), longest), -1)
    count = 0
    for row, words in enumerate(batch):
        size = min(PIECES, len(words.ids))
        word = torch.from_numpy(words.word[:size])
        ids[row, 0], ids[row, size + 1] = BEGIN, END
        ids[row, 1 : size + 1] = torch.from_numpy(words.ids[:size])
        mask[row, : size + 2] = True
        features[row, 1 : size + 1, 0] = torch.from_numpy(words.shapes)[word]
        features[row, 1 : size + 1, 1] = torch.from_numpy(words.before)[word]
        of[row, 1 : size + 1] = word + count
        count += int(word[-1]) + 1
    of[of < 0] = count
    return ids, mask, features, of, count


def tag_scores(weights: Tensors, batch: Sequence[Words], hide: float = 0.0) -> torch.Tensor:
    """(words, tags): of the words of all rows that fit, one row after the other."""
    ids, mask, features, of, count = tensors(batch)
    if hide:
        ids = torch.where((torch.rand(ids.shape) < hide) & (of < count), torch.full_like(ids, MASK), ids)
    told = {"shape": features[..., 0], "before": features[..., 1]}
    found = states(weights, ids, mask, told).reshape(-1, WIDTH)
    sums = torch.zeros(count + 1, WIDTH).index_add(0, of.reshape(-1), found)
    sizes = torch.zeros(count + 1).index_add(0, of.reshape(-1), torch.ones(of.numel()))
    means = sums[:count] / sizes[:count, None]
    return linear(means, weights["tags.weight"], weights["tags.bias"])


def fresh() -> dict[str, torch.Tensor]:
    """The original weights, and new ones for what was added."""
    torch.manual_seed(1)
    weights = original(LAYERS)
    weights["shape"] = torch.randn(SHAPES, WIDTH) * 0.02
    weights["before"] = torch.randn(BEFORE, WIDTH) * 0.02
    weights["tags.weight"] = torch.randn(len(TAGS), WIDTH) * 0.02
    weights["tags.bias"] = torch.zeros(len(TAGS))
    return weights


def train(data: Path, out: Path, rounds: int) -> None:
    """Keep each round's weights in ``out``; an interrupted training goes on from them."""
    tokenizer = original_tokenizer()
    silver = labelled_by_spacy(data)
    weights = fresh()
    done = max((int(file.stem.removeprefix("round")) for file in out.glob("round*.safetensors")), default=0)
    if done:
        weights |= load_file(out / f"round{done}.safetensors")
    trained = to_train(weights)
    optimizer = torch.optim.AdamW(
        [
            {"params": [value for value in trained.values() if value.ndim > 1], "weight_decay": 0.01},
            {"params": [value for value in trained.values() if value.ndim == 1], "weight_decay": 0.0},
        ],
        lr=RATE,
        betas=(0.9, 0.98),
    )
    for number in range(done + 1, rounds + 1):
        todo = batches(encoded(tokenizer, one_round(data, silver, number)), random.Random(number))  # noqa: S311
        for step, batch in enumerate(todo):
            progress = (number - 1 + step / len(todo)) / rounds
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(progress / WARM, max(0.02, 0.5 * (1 + math.cos(math.pi * progress))))
            optimizer.zero_grad()
            loss = lost(weights, batch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
            torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
            optimizer.step()
            if step % 50 == 0:
                print(f"round {number}/{rounds}, step {step}/{len(todo)}: loss {loss.item():.3f}", flush=True)  # noqa: T201
        save_file(
            {name: value.detach().contiguous() for name, value in trained.items()}, out / f"round{number}.safetensors"
        )


def mean_weights(out: Path) -> dict[str, torch.Tensor]:
    """Of the rounds in ``AVERAGED``."""
    kept = [load_file(out / f"round{number}.safetensors") for number in AVERAGED]
    return fresh() | {name: torch.stack([weights[name] for weights in kept]).mean(0) for name in kept[0]}


def lost(weights: Tensors, batch: Sequence[Item]) -> torch.Tensor:
    """Mean over the words of a batch: what the tags fall short of that each may have."""
    with torch.autocast("cpu", torch.bfloat16):
        found = tag_scores(weights, [words for words, _ in batch], hide=DROPPED * random.random())  # noqa: S311
    allowed = torch.cat([tags[: int(words.word[min(PIECES, len(words.ids)) - 1]) + 1] for words, tags in batch])
    likely = log_softmax(found.float(), -1).masked_fill(~allowed, -1e4)
    return -torch.logsumexp(likely, -1).mean()


def encoded(tokenizer: Any, rows: Sequence[Labelled]) -> list[Item]:
    return [item for row in rows if (item := encode(tokenizer, row))]


def write_card(data: Path) -> None:
    """What the file is and what it was made of. ``tests/quality/names.py`` adds the figures."""
    sets = {name: sum(1 for _ in public(data / "pii", name)) for name in SETS}
    card = {
        "what": "tagger of names: the layers of all-MiniLM-L6-v2 (Apache-2.0) trained by guardrails/training/pii.py",
        "made": datetime.now(UTC).date().isoformat(),
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256(MODEL.read_bytes()).hexdigest(),
        "thresholds": THRESHOLDS,
        "data": {
            "train parts, texts": sets,
            "own templates": len(templates()),
            "rounds": STAGES[-1],
            "mean of rounds": AVERAGED,
            "seed": 1,
        },
        "licences": LICENCES,
        "limits": LIMITS,
    }
    CARD.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder that holds pii/, retrieval/, grounding/, dialogue/"
    )
    parser.add_argument("--out", type=Path, required=True, help="where each round's weights are kept, to go on from")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    random.seed(1)
    for rounds in STAGES:
        train(chosen.data, chosen.out, rounds)
    weights = {name: value.detach().numpy() for name, value in mean_weights(chosen.out).items()}
    export(weights, ("shape", "before"), "tags", MODEL)
    write_card(chosen.data)


if __name__ == "__main__":
    main()
