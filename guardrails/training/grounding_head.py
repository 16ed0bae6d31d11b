"""Trains the head of the grounding guard, see ``guardrails/grounding/head.py``; called by ``training/grounding.py``.

Labels are those of whole answers: every sentence of a grounded one is supported; of an ungrounded one that sentence
counts that has a marked part, or the one that the head finds worst. Where the wrong words are known, the head learns
them too. It starts from the alignment's weights, so that what it learns comes on top.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from guardrails.grounding.align import NAMES
from guardrails.grounding.head import Kind, Part, Pieces
from guardrails.training.minilm import BEGIN, END, WIDTH, Tensors, original, states, to_train

LAYERS, ROUNDS = 6, 2
RATE, OF_HEADS = 1e-4, 5.0  # the weights that are new learn so many times faster
WARM = 0.06  # share of steps in which the rate rises
PIECES_OF_BATCH = 3000
OF_WORDS = 0.3  # what the loss of single words counts
NEW = "kinds", "parts", "judged.weight", "judged.bias", "features", "bias", "words"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the head reads of one sentence."""

    pieces: Pieces
    features: np.ndarray  # (features,)
    wrong: np.ndarray | None  # (pieces of the sentence,) bool; None: not known

    @property
    def marked(self) -> bool:
        return self.wrong is not None and bool(self.wrong.any())


@dataclass(frozen=True, slots=True)
class Answer:
    """One row, and how much it counts."""

    ungrounded: bool
    sentences: tuple[Sentence, ...]
    weight: float = 1.0


def fresh(weights: Sequence[float], bias: float, seed: int) -> dict[str, torch.Tensor]:
    """The original layers; the head at first says what the alignment's features say."""
    torch.manual_seed(seed)
    found = original(LAYERS)
    found["kinds"], found["parts"] = torch.randn(max(Kind) + 1, WIDTH) * 0.02, torch.randn(len(Part), WIDTH) * 0.02
    found["judged.weight"] = torch.stack([torch.randn(WIDTH) * 0.002, torch.randn(WIDTH) * 0.02])
    found["judged.bias"] = torch.tensor([0.0, -2.0])
    found["features"], found["bias"] = torch.tensor(weights), torch.tensor([bias])
    found["words"] = torch.tensor([0.1])
    return found


def train(answers: Sequence[Answer], weights: dict[str, torch.Tensor], out: Path, seed: int) -> dict[str, torch.Tensor]:
    """Two rounds, each kept in ``out``; an interrupted training goes on with the next round."""
    trained = to_train(weights)
    parameters = [
        {"params": [v for n, v in trained.items() if n not in NEW], "weight_decay": 0.01, "times": 1.0},
        {"params": [v for n, v in trained.items() if n in NEW], "weight_decay": 0.0, "times": OF_HEADS},
    ]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    for number in range(ROUNDS):
        kept = out / f"round{number + 1}.safetensors"
        if kept.exists():
            with torch.no_grad():
                for name, value in load_file(kept).items():
                    weights[name].copy_(value)
            continue
        todo = batches(answers, random.Random(seed * 100 + number))  # noqa: S311
        for step, batch in enumerate(todo):
            progress = (number + step / len(todo)) / ROUNDS
            rate = RATE * min(progress / WARM, max(0.02, 0.5 * (1 + math.cos(math.pi * progress))))
            for group in optimizer.param_groups:
                group["lr"] = rate * group["times"]
            optimizer.zero_grad()
            loss = lost(weights, batch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
            torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
            optimizer.step()
            if step % 20 == 0:
                print(f"round {number + 1}/{ROUNDS}, step {step}/{len(todo)}: loss {loss.item():.3f}", flush=True)  # noqa: T201
        save_file({name: value.detach().contiguous() for name, value in trained.items()}, kept)
    return weights


def batches(answers: Sequence[Answer], draw: random.Random) -> list[list[Answer]]:
    """Of like length, in random order."""
    found: list[list[Answer]] = [[]]
    longest = 0
    for answer in sorted(answers, key=lambda one: _longest([one]) + draw.random() * 20):
        longest = max(longest, _longest([answer]))
        if found[-1] and longest * (_count(found[-1]) + len(answer.sentences)) > PIECES_OF_BATCH:
            found.append([])
            longest = _longest([answer])
        found[-1].append(answer)
    draw.shuffle(found)
    return found


def _longest(answers: Sequence[Answer]) -> int:
    return max(len(sentence.pieces.ids) for answer in answers for sentence in answer.sentences)


def _count(answers: Sequence[Answer]) -> int:
    return sum(len(answer.sentences) for answer in answers)


def lost(weights: Tensors, batch: Sequence[Answer]) -> torch.Tensor:
    """Of answers, and of words where the wrong ones are known."""
    said = [sentence for answer in batch for sentence in answer.sentences]
    logits, words = opinions(weights, said)
    loss = torch.zeros(())
    first = 0
    for answer in batch:
        mine = logits[first : first + len(answer.sentences)]
        first += len(answer.sentences)
        if answer.ungrounded:
            marked = [at for at, sentence in enumerate(answer.sentences) if sentence.marked]
            worst = (mine[marked] if marked else mine).max()
            loss = loss + answer.weight * cross_entropy(worst, torch.ones(()))
        else:
            loss = loss + answer.weight * cross_entropy(mine, torch.zeros(len(mine)))
    loss = loss / len(batch)
    known = [(row, torch.from_numpy(one.wrong).float()) for row, one in enumerate(said) if one.wrong is not None]
    if known:
        found = torch.cat([words[row, 1 : 1 + len(wrong)] for row, wrong in known])
        loss = loss + OF_WORDS * cross_entropy(found, torch.cat([wrong for _, wrong in known]))
    return loss


def opinions(weights: Tensors, said: Sequence[Sentence]) -> tuple[torch.Tensor, torch.Tensor]:
    """(sentences,): logit of being unsupported; (sentences, pieces): logit of each piece."""
    longest = max(len(sentence.pieces.ids) for sentence in said) + 2
    ids = torch.zeros(len(said), longest, dtype=torch.long)
    mask = torch.zeros(len(said), longest, dtype=torch.bool)
    told = {name: torch.zeros(len(said), longest, dtype=torch.long) for name in ("kinds", "parts")}
    own = torch.zeros(len(said), longest, dtype=torch.bool)
    for row, sentence in enumerate(said):
        size = len(sentence.pieces.ids)
        ids[row, 0], ids[row, size + 1] = BEGIN, END
        ids[row, 1 : size + 1] = torch.from_numpy(sentence.pieces.ids)
        told["kinds"][row, 1 : size + 1] = torch.from_numpy(sentence.pieces.kinds)
        told["parts"][row, 1 : size + 1] = torch.from_numpy(sentence.pieces.parts)
        mask[row, : size + 2] = True
        own[row, 1 : 1 + len(sentence.pieces.offsets)] = True
    with torch.autocast("cpu", torch.bfloat16):
        found = states(weights, ids, mask, told)
    judged = found.float() @ weights["judged.weight"].T + weights["judged.bias"]
    features = torch.from_numpy(np.stack([sentence.features for sentence in said])).float()
    wrong = torch.where(own, torch.sigmoid(judged[..., 1]), torch.zeros(())).sum(1)
    logits = judged[:, 0, 0] + features @ weights["features"] + weights["bias"]
    return logits + weights["words"] * torch.sqrt(wrong + 1e-6), judged[..., 1]


def of_card(weights: Tensors) -> dict[str, Any]:
    """What of the head is no layer: for ``grounding.json``."""
    features = [round(float(value), 5) for value in weights["features"].detach()]
    return {
        "features": dict(zip(NAMES, features, strict=True)),
        "bias": round(float(weights["bias"].detach()), 5),
        "words": round(float(weights["words"].detach()), 5),
    }
