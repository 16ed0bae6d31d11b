"""The embedded model in other encodings: ``python -m tests.quality.encodings FILE FOLDER [--limit N]``.

FILE holds labelled questions, as ``candor evaluate answers`` reads them; FOLDER takes the encoded weights. The tensors
that are delivered in four bits (Q4_1) are written anew as Q4_0, which llama.cpp repacks for AVX2, and as Q8_0; the
others stay. Each encoding answers the same questions under the same adapter. Needs ``pip install candor[training]``.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from guardrails.weights import Weights
from rag.evaluation.answers import measure
from rag.generation import models
from rag.generation.embedded import SMOLLM2, EmbeddedServer
from rag.settings import Settings

KEPT = "Q4_1"
ENCODINGS = (KEPT, "Q4_0", "Q8_0")
FIGURES = ("answer_f1", "balanced_accuracy", "first_sentence_p50_ms", "p50_ms")


class Encoded(Weights):
    """Weights in a file of our own making."""

    def verified(self) -> Path:
        return Path(self.file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=30)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write = sys.stdout.write
    write(f"| encoding | MB | {' | '.join(FIGURES)} |\n| --- | ---: |{' ---: |' * len(FIGURES)}\n")
    for name in ENCODINGS:
        path = SMOLLM2.verified() if name == KEPT else encoded(arguments.folder / f"{name}.gguf", name)
        with instead(path):
            found = measure(arguments.rows, Settings(), arguments.limit, seed=1)
        figures = " | ".join(str(found[figure]) for figure in FIGURES)
        write(f"| {name} | {path.stat().st_size / 1e6:.0f} | {figures} |\n")
        sys.stdout.flush()


@contextmanager
def instead(path: Path) -> Iterator[None]:
    """The embedded model reads this file."""
    weights = Encoded(**{field: getattr(SMOLLM2, field) for field in ("name", "package", "sha256", "licence")}, file="")
    models.EmbeddedServer = functools.partial(EmbeddedServer, replace(weights, file=str(path)))  # type: ignore[misc]
    try:
        yield
    finally:
        models.EmbeddedServer = EmbeddedServer  # type: ignore[misc]


def encoded(path: Path, name: str) -> Path:
    """The model in the box with its four-bit tensors in another encoding."""
    import gguf

    reader = gguf.GGUFReader(str(SMOLLM2.verified()))
    writer = gguf.GGUFWriter(str(path), "llama")
    for field in reader.fields.values():
        if field.name not in ("general.architecture",) and not field.name.startswith("GGUF."):
            of = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], of)
    kept, new = gguf.GGMLQuantizationType[KEPT], gguf.GGMLQuantizationType[name]
    for tensor in reader.tensors:
        kind, data = tensor.tensor_type, tensor.data
        if kind == kept:
            kind, data = new, gguf.quants.quantize(gguf.quants.dequantize(data, kind), new)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    main()
