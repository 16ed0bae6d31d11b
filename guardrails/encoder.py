"""The one door to sentence_transformers: texts in, vectors out.

Embeds for retrieval and gives the guards the vectors of single words, from the same weights, which are
loaded once, from the file that an installed package carries, and never from the network.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.weights import MINILM, Weights

if TYPE_CHECKING:
    import numpy as np

BATCH = 768  # word pieces in one pass through the model: so few stay in the processor's cache, which is a third faster
HALF_PRECISION = ("avx512_bf16", "amx_bf16")  # names of torch.cpu.get_capabilities
STEP = 16  # lengths are rounded up to: the libraries below keep some memory for each shape that they have computed
OVERLAP = 64  # word pieces shared by neighbouring windows of a long text, so that every word has context on both sides

# Halves of characters, from damaged input: the tokenizer refuses them. One for one, so that offsets stay.
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class WordVectors:
    """The words of one text, punctuation marks among them, and what they mean there."""

    offsets: np.ndarray  # (n, 2) int: characters of the text, end exclusive, in order, never overlapping
    vectors: np.ndarray  # (n, 384) float32, each of length 1


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a text that fits the model."""

    text: int  # index of the text
    ids: list[int]
    first: int  # index of the first piece in the text


class Encoder:
    """all-MiniLM-L6-v2. Loads at first use; may be shared by threads.

    Raises, at first use, ``WeightsError`` when the file is missing or altered.
    """

    name = MINILM.name
    dimensions = 384

    def __init__(self, weights: Weights = MINILM) -> None:
        self._weights = weights
        self._loading = threading.Lock()
        # Calls of the Rust tokenizer change its padding and must not meet; the model itself may run in parallel.
        self._tokenizing = threading.Lock()
        self._loaded: Any = None
        self._in_half = False

    def load(self) -> None:
        """Load the weights now. Takes some seconds at the first call, nothing afterwards."""
        self._model()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """The meaning of each text. What lies beyond its first 256 word pieces does not count.

        Returns:
            (n, 384) float32, each of length 1, in the order of ``texts``.
        """
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        rows = [encoding.ids[: self._room()] for encoding in self._pieces(texts)]
        for batch in _batches([len(row) for row in rows]):
            vectors[batch] = self._forward([rows[index] for index in batch], "sentence_embedding")
        return vectors

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """The same for questions, which this model treats like any other text."""
        return self.embed(texts)

    def word_vectors(self, texts: Sequence[str]) -> list[WordVectors]:
        """The meaning of each word where it stands: last layer, word pieces averaged.

        A text longer than the model's window is read in overlapping windows, and each word taken from the
        window in which it stands furthest from an edge.
        """
        import numpy as np

        encodings = self._pieces(texts)
        windows = [window for text, pieces in enumerate(encodings) for window in self._windows(text, pieces)]
        pieces = [np.zeros((len(encoding.ids), self.dimensions), dtype=np.float32) for encoding in encodings]
        centred = [np.full(len(encoding.ids), -1) for encoding in encodings]
        for batch in _batches([len(window.ids) for window in windows]):
            states = self._forward([windows[index].ids for index in batch], "token_embeddings")
            for index, state in zip(batch, states, strict=True):
                _keep_most_centred(windows[index], state[1:], pieces, centred)
        return [_words(encoding, vectors) for encoding, vectors in zip(encodings, pieces, strict=True)]

    def _model(self) -> Any:
        with self._loading:
            if self._loaded is None:
                self._loaded = open_folder(self._weights.verified().parent)
                self._in_half = multiplies_bfloat16(self._loaded.device)
                if self._in_half:
                    _halve(self._loaded)
            return self._loaded

    def _forward(self, rows: list[list[int]], output: str) -> np.ndarray:
        import torch

        model = self._model()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._in_half):
            features = {name: value.to(model.device) for name, value in self._padded(rows).items()}
            found: np.ndarray = model(features | {"modality": "text"})[output].float().cpu().numpy()
        return found

    def _pieces(self, texts: Sequence[str]) -> list[Any]:
        tokenizer = self._model().tokenizer.backend_tokenizer
        with self._tokenizing:
            tokenizer.no_truncation()
            tokenizer.no_padding()
            encodings: list[Any] = tokenizer.encode_batch([_whole(text) for text in texts], add_special_tokens=False)
        return encodings

    def _room(self) -> int:
        """Word pieces that fit beside the marks of beginning and end."""
        return int(self._model().max_seq_length) - 2

    def _windows(self, text: int, encoding: Any) -> Iterator[_Window]:
        size = self._room()
        for first in range(0, max(1, len(encoding.ids) - OVERLAP), size - OVERLAP):
            ids = encoding.ids[first : first + size]
            if ids:
                yield _Window(text, ids, first)

    def _padded(self, rows: list[list[int]]) -> dict[str, Any]:
        import torch

        tokenizer = self._model().tokenizer
        longest = -(-(max(map(len, rows)) + 2) // STEP) * STEP
        ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for row, pieces in enumerate(rows):
            ids[row, : len(pieces) + 2] = torch.tensor([tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id])
            mask[row, : len(pieces) + 2] = 1
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


def open_folder(folder: Path) -> Any:
    """The sentence-transformers model that lies in a folder: from safetensors, without code of its own.

    Raises:
        Exception: whatever the library raises for a folder that holds no such model.
    """
    # Read when torch is imported. Threads that spin while they wait for each other made a sentence take 580 ms instead
    # of 90 on two cores that something else, such as the language model, was using too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # It would write to the terminal of whoever asks a question.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it so
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    ).eval()


def multiplies_bfloat16(device: Any) -> bool:
    """Whether products may be made in bfloat16, sums in float32: twice as fast, and each vector's cosine to the one
    in float32 is above 0.9999. Without instructions for it, it would be far slower."""
    import torch

    has = torch.cpu.get_capabilities()
    return device.type == "cpu" and any(has.get(name, False) for name in HALF_PRECISION)


def _halve(model: Any) -> None:
    """Round the weights of products once: ``autocast`` would do it in each pass, half of a short one's time."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.to(torch.bfloat16)


def _whole(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches of like length, longest first: little padding, and the most memory is asked for at once.

    Args:
        lengths: in word pieces.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while order:
        count = max(1, BATCH // max(1, lengths[order[0]]))
        yield order[:count]
        order = order[count:]


def _keep_most_centred(
    window: _Window, states: np.ndarray, pieces: list[np.ndarray], centred: list[np.ndarray]
) -> None:
    import numpy as np

    count = len(window.ids)
    place = slice(window.first, window.first + count)
    margin = np.minimum(np.arange(count), np.arange(count)[::-1])
    better = margin > centred[window.text][place]
    pieces[window.text][place][better] = states[:count][better]
    centred[window.text][place][better] = margin[better]


def _words(encoding: Any, vectors: np.ndarray) -> WordVectors:
    import numpy as np

    if not encoding.ids:
        return WordVectors(np.zeros((0, 2), dtype=np.int64), np.zeros((0, vectors.shape[1]), dtype=np.float32))
    spans = np.array(encoding.offsets, dtype=np.int64)
    word_of = np.array(encoding.word_ids)
    firsts = np.flatnonzero(np.r_[True, word_of[1:] != word_of[:-1]])
    lasts = np.r_[firsts[1:], len(word_of)] - 1
    offsets = np.stack([spans[firsts, 0], spans[lasts, 1]], axis=1)
    sums = np.add.reduceat(vectors, firsts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return WordVectors(offsets, (sums / np.maximum(lengths, 1e-12)).astype(np.float32))
