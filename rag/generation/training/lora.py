"""The recipe of the writer's adapter: ``python -m rag.generation.training.lora --data FOLDER --out FOLDER``.

Loads the model in the box through transformers, trains a LoRA adapter on the examples of ``examples.py`` with peft, and
writes it beside its card for llama.cpp. Goes on from the last checkpoint in ``--out``.

Needs ``pip install candor[training]``. About an hour on two cores that multiply bfloat16, three on others; minutes on a
GPU.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

from guardrails.encoder import multiplies_bfloat16
from rag.generation.embedded import ADAPTER, CARD, SMOLLM2
from rag.generation.prompt import NOT_ANSWERED
from rag.generation.training.adapter import write
from rag.generation.training.examples import Example, examples

logger = logging.getLogger(__name__)

RANK = 16
ALPHA = 32
RATE = 6e-4
WARM_UP = 0.05  # of the steps
ROUNDS = 1
TOGETHER = 1600  # tokens of one step
LONGEST = 1024  # tokens of one example
CHECKPOINT_SECONDS = 300
SEED = 1
ROLES = {"system": "system", "human": "user", "ai": "assistant"}
LICENCES = {
    "clapnq, mtrag": "Apache-2.0 (Wikipedia text CC-BY-SA)",
    "xquad_en": "CC BY-SA 4.0",
    "pubmedqa, qmsum, contoso": "MIT",
    "staged": "made up, by rag/generation/training/staged.py",
}
LIMITS = [
    "English; trained on answers of one to four sentences",
    "copies and condenses what it is given; it does not calculate, compare or translate",
    "made for the instructions rag.generation.prompt.SHORT; under others it is worse than the model as it comes",
]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One example: the tokens of the prompt, then those of the answer."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds qa/ and grounding/")
    parser.add_argument("--out", type=Path, required=True, help="where checkpoints are kept, to go on from")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only-examples", action="store_true", help="stop when the examples are made")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = kept(arguments.data, arguments.out / "examples.jsonl", arguments.seed)
    logger.info("%d examples: %s", len(made), dict(counts(made)))
    if arguments.only_examples:
        return
    model, tokenizer = loaded()
    tokens = [one for one in (tokenized(example, tokenizer) for example in made) if len(one) <= LONGEST]
    adapter = trained(model, tokens, arguments.out, arguments.seed)
    arrays = {name: value.float().numpy() for name, value in adapter.items()}
    write(ADAPTER, arrays, ALPHA, model.config.num_attention_heads, model.config.num_key_value_heads)
    CARD.write_text(json.dumps(card(made, arguments.seed), indent=2) + "\n", encoding="utf-8")


def kept(data: Path, file: Path, seed: int) -> list[Example]:
    """The examples, made once."""
    if not file.exists():
        made = examples(data, seed)
        lines = (json.dumps([one.dataset, one.turns, one.answer], ensure_ascii=False) + "\n" for one in made)
        file.write_text("".join(lines), encoding="utf-8")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    return [Example(name, tuple((role, text) for role, text in turns), answer) for name, turns, answer in rows]


def counts(made: Sequence[Example]) -> Counter[str]:
    return Counter("refused" if one.answer == NOT_ANSWERED else one.dataset for one in made)


def loaded() -> tuple[Any, Any]:
    """The model in the box, frozen, under a fresh adapter; and its tokenizer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = SMOLLM2.verified()
    model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    model.config.use_cache = False
    torch.manual_seed(SEED)
    adapted = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear"))
    return adapted.base_model.model, AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)


def tokenized(example: Example, tokenizer: Any) -> Tokens:
    turns = [{"role": ROLES[role], "content": text} for role, text in example.turns]
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return Tokens(ids, tokenizer(f"{example.answer}<|im_end|>", add_special_tokens=False)["input_ids"])


def trained(model: Any, tokens: Sequence[Tokens], out: Path, seed: int) -> dict[str, torch.Tensor]:
    """The adapter's weights by name, after all rounds; the loss is of the answers' tokens alone."""
    learned = {name: value for name, value in model.named_parameters() if value.requires_grad}
    optimizer = torch.optim.AdamW(learned.values(), lr=RATE, weight_decay=0.0)
    draw = random.Random(seed)  # noqa: S311 - the same order every time
    todo = [batch for _ in range(ROUNDS) for batch in batches(tokens, draw)]
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: slope(step, len(todo)))
    checkpoint = out / "checkpoint.pt"
    done = _resumed(checkpoint, learned, optimizer, rate)
    saved, losses = time.monotonic(), []
    for step, batch in enumerate(todo[done:], start=done + 1):
        loss = _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learned.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        losses.append(loss.item())
        if step % 20 == 0:
            logger.info("step %d of %d: loss %.3f", step, len(todo), sum(losses[-20:]) / len(losses[-20:]))
        if time.monotonic() - saved > CHECKPOINT_SECONDS or step == len(todo):
            saved = time.monotonic()
            _save(checkpoint, learned, optimizer, rate, step)
    return {name: value.detach() for name, value in learned.items()}


def batches(tokens: Sequence[Tokens], draw: random.Random) -> list[list[Tokens]]:
    """Examples of like length together, up to ``TOGETHER`` tokens, in any order."""
    found: list[list[Tokens]] = []
    for one in sorted(tokens, key=lambda each: (len(each) // 24, draw.random())):
        if found and (len(found[-1]) + 1) * max(len(one), *map(len, found[-1])) <= TOGETHER:
            found[-1].append(one)
        else:
            found.append([one])
    draw.shuffle(found)
    return found


def slope(step: int, steps: int) -> float:
    """Of the rate: up at first, then down to nothing."""
    warm = max(1, int(steps * WARM_UP))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm))


def _loss(model: Any, batch: Sequence[Tokens]) -> torch.Tensor:
    longest = max(map(len, batch))
    ids = torch.tensor([one.prompt + one.answer + [0] * (longest - len(one)) for one in batch])
    there = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch])
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    for row, one in enumerate(batch):
        wanted[row, len(one.prompt) - 1 : len(one) - 1] = True  # the place before a token foretells it
    with _precision():
        states = model.model(input_ids=ids, attention_mask=there).last_hidden_state
        logits = model.lm_head(states[wanted])
    following = torch.cat([torch.tensor(one.answer) for one in batch])
    each = torch.nn.functional.cross_entropy(logits.float(), following, reduction="none")
    # A long answer counts more than a short one, but not by its length: else phrases would not be learned.
    weight = torch.cat([torch.full((len(one.answer),), len(one.answer) ** -0.5) for one in batch])
    return (each * weight).sum() / weight.sum()


def _precision() -> AbstractContextManager[Any]:
    fast = multiplies_bfloat16(torch.device("cpu"))
    return torch.autocast("cpu", dtype=torch.bfloat16) if fast else nullcontext()


def _save(file: Path, learned: dict[str, Any], optimizer: Any, rate: Any, step: int) -> None:
    state = {"weights": {name: value.detach() for name, value in learned.items()}, "step": step}
    torch.save(state | {"optimizer": optimizer.state_dict(), "rate": rate.state_dict()}, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def _resumed(file: Path, learned: dict[str, Any], optimizer: Any, rate: Any) -> int:
    """The steps that were done before."""
    if not file.exists():
        return 0
    state = torch.load(file, weights_only=True)
    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    rate.load_state_dict(state["rate"])
    return int(state["step"])


def card(made: Sequence[Example], seed: int) -> dict[str, Any]:
    """What the file is and what it was made of."""
    return {
        "what": f"LoRA adapter of {SMOLLM2.name} ({SMOLLM2.licence}), rank {RANK}, all linear layers, "
        "made by rag/generation/training/lora.py",
        "made": date.today().isoformat(),
        "licence": "Apache-2.0",
        "base_sha256": SMOLLM2.sha256,
        "sha256": hashlib.sha256(ADAPTER.read_bytes()).hexdigest(),
        "data": {"examples": dict(counts(made)), "rounds": ROUNDS, "rate": RATE, "seed": seed},
        "licences": LICENCES,
        "limits": LIMITS,
        "figures": "tests/quality/answers.md",
    }


if __name__ == "__main__":
    main()
