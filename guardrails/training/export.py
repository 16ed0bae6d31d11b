"""Writes the trained encoder as the product loads it: ONNX, weights in eight bits, without the embeddings of words.

Those are the original's, and are read from where they lie. Input is the sum of all embeddings of each word piece, so
the file holds what was trained and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from guardrails.training.minilm import EPSILON, HEADS, WIDTH, layers_of

CONTRIB = "com.microsoft"  # operators of onnxruntime, that take several steps in one


class Graph:
    """A graph that grows by one operator after the other."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def add(self, operator: str, inputs: list[str], name: str, domain: str = "", **options: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **options))
        return name

    def product(self, states: str, name: str) -> str:
        """Without the bias."""
        return self.add("MatMul", [states, self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)], name)

    def norm(self, states: str, name: str) -> str:
        inputs = [states, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add("LayerNormalization", inputs, name, epsilon=EPSILON)

    def output(self, states: str, skipped: str, name: str) -> str:
        """A dense layer, and what went round it."""
        dense = self.product(states, f"{name}.dense")
        dense = self.add("Add", [dense, self.weight(f"{name}.dense.bias")], f"{name}.biased")
        return self.norm(self.add("Add", [dense, skipped], f"{name}.sum"), f"{name}.LayerNorm")

    def layer(self, states: str, number: int) -> str:
        name = f"encoder.layer.{number}"
        parts = [self.product(states, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
        bias = np.concatenate(
            [self.weights[f"{name}.attention.self.{part}.bias"] for part in ("query", "key", "value")]
        )
        bias_name = self.constant(f"{name}.attention.bias", bias)
        seen = self.add("MultiHeadAttention", [*parts, bias_name], f"{name}.seen", CONTRIB, num_heads=HEADS)
        states = self.output(seen, states, f"{name}.attention.output")
        inner = self.product(states, f"{name}.intermediate.dense")
        inner = self.add("BiasGelu", [inner, self.weight(f"{name}.intermediate.dense.bias")], f"{name}.inner", CONTRIB)
        return self.output(inner, states, f"{name}.output")

    def told(self, features: Sequence[str]) -> str:
        """What is embedded beside the words."""
        found = [
            self.add("Gather", [self.constant(f"{name}.weight", self.weights[name]), name], f"{name}.embedded")
            for name in features
        ]
        return self.add("Sum", found, "told")

    def model(self, features: Sequence[str], output: str) -> Any:
        states = self.norm(self.add("Add", ["embedded", self.told(features)], "embedded.all"), "embeddings.LayerNorm")
        for number in range(layers_of(self.weights)):
            states = self.layer(states, number)
        self.add("Add", [self.product(states, output), self.weight(f"{output}.bias")], "scores")
        size = len(self.weights[f"{output}.bias"])
        graph = helper.make_graph(
            self.nodes, output,
            [
                helper.make_tensor_value_info("embedded", TensorProto.FLOAT, ["rows", "pieces", WIDTH]),
                *(helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "pieces"]) for name in features),
            ],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", "pieces", size])],
            self.constants,
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def export(weights: Mapping[str, np.ndarray], features: Sequence[str], output: str, out: Path) -> None:
    """Write the model in eight bits.

    Args:
        features: names of the weights that embed what is told beside the words.
        output: name of the last layer.

    Seven bits of each weight are used: processors without VNNI add two products in sixteen bits, which eight overflow.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = out.with_suffix(".whole.onnx")
    onnx.save(Graph(weights).model(features, output), whole)
    kinds = {"DefaultTensorType": TensorProto.FLOAT}
    quantize_dynamic(whole, out, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8, extra_options=kinds)
    whole.unlink()
