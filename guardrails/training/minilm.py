"""The layers of all-MiniLM-L6-v2 as torch trains them, and what recipes tell them beside the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn.functional import embedding, gelu, layer_norm, linear, scaled_dot_product_attention

from guardrails.weights import MINILM

WIDTH, HEADS, EPSILON = 384, 12, 1e-12  # of all-MiniLM-L6-v2
FIXED = "embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings"
BEGIN, END, MASK = 101, 102, 103  # word pieces: the marks of a text, and what hides another
Tensors = Mapping[str, torch.Tensor]


def original(layers: int) -> dict[str, torch.Tensor]:
    """The original weights of the first layers, without the pooler."""
    unused = "pooler", *(f"encoder.layer.{number}." for number in range(layers, 6))
    weights = {name: value.float() for name, value in load_file(MINILM.verified()).items() if value.is_floating_point()}
    return {name: value for name, value in weights.items() if not name.startswith(unused)}


@cache
def original_tokenizer() -> Any:
    """One that neither pads nor truncates."""
    tokenizer = Tokenizer.from_file(str(MINILM.path.with_name("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def layers_of(weights: Iterable[str]) -> int:
    return len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})


def to_train(weights: Tensors) -> dict[str, torch.Tensor]:
    """All but the embeddings of words and places, which stay the original's."""
    return {name: value.requires_grad_() for name, value in weights.items() if not name.startswith(FIXED)}


def states(weights: Tensors, ids: torch.Tensor, mask: torch.Tensor, told: Tensors) -> torch.Tensor:
    """The last layer for each word piece.

    Args:
        weights: of the layers as ``all-MiniLM-L6-v2`` names them, and of what is told.
        ids: (rows, pieces).
        mask: (rows, pieces): true where there is a piece.
        told: by name of its weights, (rows, pieces) each.

    Returns:
        (rows, pieces, WIDTH).
    """

    def norm(states: torch.Tensor, name: str) -> torch.Tensor:
        return layer_norm(states, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], EPSILON)

    def product(states: torch.Tensor, name: str) -> torch.Tensor:
        return linear(states.to(weights[f"{name}.weight"].dtype), weights[f"{name}.weight"], weights[f"{name}.bias"])

    rows, pieces = ids.shape
    states = embedding(ids, weights["embeddings.word_embeddings.weight"]).float()
    states = states + weights["embeddings.position_embeddings.weight"][:pieces]
    states = states + weights["embeddings.token_type_embeddings.weight"][0]
    for name, values in told.items():
        states = states + embedding(values, weights[name])
    states = norm(states, "embeddings.LayerNorm")
    visible = mask[:, None, None, :] if not bool(mask.all()) else None
    for number in range(layers_of(weights)):
        name = f"encoder.layer.{number}"
        query, key, value = (
            product(states, f"{name}.attention.self.{part}").view(rows, pieces, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = scaled_dot_product_attention(query, key, value, attn_mask=visible)
        seen = product(seen.transpose(1, 2).reshape(rows, pieces, WIDTH), f"{name}.attention.output.dense")
        states = norm(states + seen.float(), f"{name}.attention.output.LayerNorm")
        inner = gelu(product(states, f"{name}.intermediate.dense"))
        states = norm(states + product(inner, f"{name}.output.dense").float(), f"{name}.output.LayerNorm")
    return states
