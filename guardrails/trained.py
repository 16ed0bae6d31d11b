"""Layers of all-MiniLM-L6-v2 that a recipe of ``guardrails/training`` trained further, run by onnxruntime.

A model lies in ``guardrails/models``, in eight bits a weight; the ``.json`` beside it is its card. The embeddings of
words are the original's, and are read from where they lie.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.weights import MINILM, WeightsError

if TYPE_CHECKING:
    import numpy as np

PIECES = 254  # word pieces that are read together, beside the marks of beginning and end
# Of onnxruntime's optimizers: its fused operator takes longer than the two it replaces.
SLOWER = ["SkipLayerNormFusion"]


@dataclass(frozen=True, slots=True)
class _Loaded:
    card: dict[str, Any]
    tokenizer: Any
    session: Any
    words: np.ndarray  # (vocabulary, 384)
    places: np.ndarray  # (places, 384)
    marks: tuple[int, int]  # of beginning and end


class Trained:
    """One model. Loads at first use; may be shared by threads.

    The same pieces always get the same scores: rows are run alone, so nothing else can change how they are rounded.
    """

    def __init__(self, model: Path) -> None:
        self._file = model
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None

    def load(self) -> _Loaded:
        """Read the files now.

        Raises:
            WeightsError: a file is missing or altered.
        """
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self._file)
            return self._loaded

    @property
    def card(self) -> dict[str, Any]:
        return self.load().card

    @property
    def tokenizer(self) -> Any:
        """A ``tokenizers.Tokenizer`` that neither pads nor truncates."""
        return self.load().tokenizer

    def scores(self, ids: Sequence[int] | np.ndarray, features: Mapping[str, Sequence[int] | np.ndarray]) -> np.ndarray:
        """What the model says of each piece.

        Args:
            ids: at most ``PIECES`` word pieces.
            features: by name, what is told of each piece beside the words.

        Returns:
            (pieces + 2, outputs): the first and the last row are those of the marks.
        """
        import numpy as np

        model = self.load()
        first, last = model.marks
        whole = np.concatenate(([first], ids, [last])).astype(np.int64)
        told = {name: np.zeros((1, len(whole)), dtype=np.int64) for name in features}
        for name, values in features.items():
            told[name][0, 1:-1] = values
        embedded = model.words[whole] + model.places[: len(whole)]
        found: np.ndarray = model.session.run(None, {"embedded": embedded[None], **told})[0][0]
        return found


def _load(file: Path) -> _Loaded:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else importing it writes a device's number into the home, and reports
    import onnxruntime
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    try:
        model = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file.name} is missing beside the guards; run deploy/run again") from error
    if (found := hashlib.sha256(model).hexdigest()) != card["sha256"]:
        raise WeightsError(f"{file.name} has SHA-256 {found[:12]}…, not {card['sha256'][:12]}…; run deploy/run again")
    original = MINILM.verified()
    embeddings = load_file(original)
    tokenizer: Any = Tokenizer.from_file(str(original.with_name("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
    )
    return _Loaded(
        card,
        tokenizer,
        session,
        embeddings["embeddings.word_embeddings.weight"],
        embeddings["embeddings.position_embeddings.weight"] + embeddings["embeddings.token_type_embeddings.weight"][0],
        (tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")),
    )
