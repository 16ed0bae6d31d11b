"""Writes LoRA weights as llama.cpp reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_TENSOR = re.compile(r"layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\b")


def write(path: Path, weights: Mapping[str, np.ndarray], alpha: float, heads: int, key_heads: int) -> None:
    """One GGUF file in float16.

    Args:
        weights: as peft names them: ``...layers.3.self_attn.q_proj.lora_A...``, (rank, inputs) and (outputs, rank).
        heads: of the queries; ``key_heads`` of the keys. llama.cpp pairs the two halves of a head for its rotation, so
            the outputs of both are brought into its order.

    Raises:
        ValueError: a name is none that llama.cpp has.
    """
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, values in sorted(weights.items()):
        found = _TENSOR.search(name)
        if not found:
            raise ValueError(f"{name} is no part of a LoRA adapter")
        layer, module, side = found.groups()
        if side == "B" and module in ("self_attn.q_proj", "self_attn.k_proj"):
            values = permuted(values, heads if module.endswith("q_proj") else key_heads)
        writer.add_tensor(f"blk.{layer}.{NAMES[module]}.weight.lora_{side.lower()}", values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permuted(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows (heads x size) with the halves of each head interleaved, as llama.cpp's conversion does for the weights."""
    rows, rank = values.shape
    return values.reshape(heads, 2, rows // heads // 2, rank).swapaxes(1, 2).reshape(rows, rank)
