"""The recipe of the writer's adapter: ``python -m rag.generation.training.lora --data FOLDER --out FOLDER``.

Loads the model in the box through transformers, trains a LoRA adapter on the examples of ``examples.py`` with peft, in
two stages, and writes it beside its card for llama.cpp. Goes on from the last checkpoint in ``--out``;
``--stages staff`` goes on from the adapter that is there.

Needs ``pip install candor[training]``. Two hours on two cores that multiply bfloat16, five on others; minutes on a GPU.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

from guardrails.encoder import multiplies_bfloat16
from rag.generation.embedded import ADAPTER, CARD, SMOLLM2, verified_adapter
from rag.generation.prompt import NOT_ANSWERED
from rag.generation.training.adapter import read, write
from rag.generation.training.examples import STAGES, Example, Stage, examples

logger = logging.getLogger(__name__)

RANK = 16
ALPHA = 32
WARM_UP = 0.05  # of the steps
TOGETHER = 1600  # tokens of one step
LONGEST = 1024  # tokens of one example
CHECKPOINT_SECONDS = 300
SEED = 1
_LAYER = re.compile(r"layers\.(\d+)\.")
ROLES = {"system": "system", "human": "user", "ai": "assistant"}
LICENCES = {
    "clapnq, mtrag": "Apache-2.0 (Wikipedia text CC-BY-SA)",
    "xquad_en": "CC BY-SA 4.0",
    "pubmedqa, qmsum, contoso": "MIT",
    "staff, staged": "made up for this recipe: rag/generation/training/staff.jsonl and staged.py",
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
    parser.add_argument("--stages", nargs="+", choices=[s.name for s in STAGES], default=[s.name for s in STAGES])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only-examples", action="store_true", help="stop when the examples are made")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = {}
    for stage in (stage for stage in STAGES if stage.name in arguments.stages):
        made[stage] = kept(arguments.data, stage, arguments.out / f"{stage.name}.jsonl", arguments.seed)
        logger.info("%s: %d examples: %s", stage.name, len(made[stage]), dict(counts(made[stage])))
    if arguments.only_examples:
        return
    model, tokenizer = loaded(go_on=STAGES[0].name not in arguments.stages)
    for stage, own in made.items():
        tokens = [one for one in (tokenized(example, tokenizer) for example in own) if len(one) <= LONGEST]
        trained(model, tokens, stage, arguments.out / f"{stage.name}.pt", arguments.seed)
    arrays = {name: value.detach().float().numpy() for name, value in model.named_parameters() if "lora_" in name}
    write(ADAPTER, arrays, ALPHA, *heads(model))
    CARD.write_text(json.dumps(card(made, arguments.seed), indent=2) + "\n", encoding="utf-8")


def kept(data: Path, stage: Stage, file: Path, seed: int) -> list[Example]:
    """The examples of a stage, made once."""
    if not file.exists():
        made = examples(data, stage, seed)
        lines = (json.dumps([one.dataset, one.turns, one.answer], ensure_ascii=False) + "\n" for one in made)
        file.write_text("".join(lines), encoding="utf-8")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    return [Example(name, tuple((role, text) for role, text in turns), answer) for name, turns, answer in rows]


def counts(made: Sequence[Example]) -> Counter[str]:
    return Counter("refused" if one.answer == NOT_ANSWERED else one.dataset for one in made)


def loaded(*, go_on: bool) -> tuple[Any, Any]:
    """The model in the box, frozen, under a fresh adapter or the one that is there; and its tokenizer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = SMOLLM2.verified()
    model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    model.config.use_cache = False
    torch.manual_seed(SEED)
    adapted = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear"))
    bare: Any = adapted.base_model.model
    if go_on:
        known = read(verified_adapter(), *heads(bare))
        with torch.no_grad():
            for name, value in bare.named_parameters():
                if "lora_" in name:
                    value.copy_(torch.from_numpy(known[name.removeprefix("model.").removesuffix(".default.weight")]))
    return bare, AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)


def heads(model: Any) -> tuple[int, int]:
    """Of the queries, and of the keys."""
    return model.config.num_attention_heads, model.config.num_key_value_heads


def tokenized(example: Example, tokenizer: Any) -> Tokens:
    turns = [{"role": ROLES[role], "content": text} for role, text in example.turns]
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return Tokens(ids, tokenizer(f"{example.answer}<|im_end|>", add_special_tokens=False)["input_ids"])


def trained(model: Any, tokens: Sequence[Tokens], stage: Stage, checkpoint: Path, seed: int) -> None:
    """Teach the adapter the examples of a stage, each once; the loss is of the answers' tokens alone."""
    for name, value in model.named_parameters():
        layer = _LAYER.search(name)
        value.requires_grad_("lora_" in name and layer is not None and int(layer[1]) >= stage.from_layer)
    learned = {name: value for name, value in model.named_parameters() if value.requires_grad}
    optimizer = torch.optim.AdamW(learned.values(), lr=stage.rate, weight_decay=0.0)
    todo = batches(tokens, random.Random(seed))  # noqa: S311 - the same order every time
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: slope(step, len(todo)))
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


def card(made: Mapping[Stage, Sequence[Example]], seed: int) -> dict[str, Any]:
    """What the file is and what it was made of. A stage that was not run now is told by the card that is there."""
    known = json.loads(CARD.read_bytes())["data"]["stages"] if CARD.exists() and STAGES[0] not in made else {}
    stages = {stage.name: {"examples": dict(counts(own)), "rate": stage.rate} for stage, own in made.items()}
    return {
        "what": f"LoRA adapter of {SMOLLM2.name} ({SMOLLM2.licence}), rank {RANK}, all linear layers, "
        "made by rag/generation/training/lora.py",
        "made": date.today().isoformat(),
        "licence": "Apache-2.0",
        "base_sha256": SMOLLM2.sha256,
        "sha256": hashlib.sha256(ADAPTER.read_bytes()).hexdigest(),
        "data": {"stages": known | stages, "seed": seed},
        "licences": LICENCES,
        "limits": LIMITS,
        "figures": "tests/quality/answers.md",
    }


if __name__ == "__main__":
    main()
