"""What makes the vectors that passages are searched by: the model in the box, or one from a folder of the user's."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from guardrails import encoder
from guardrails.weights import MINILM
from rag.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

RUNS_CODE = (".bin", ".ckpt", ".h5", ".msgpack", ".pickle", ".pkl", ".pt", ".pth", ".py")
BATCH = 32  # texts in one pass through the model


class Embedder(Protocol):
    """Turns passages and questions into vectors of one space. Safe under threads."""

    @property
    def name(self) -> str:
        """Tells vectors of different models apart: the index keeps it."""
        ...

    def load(self) -> None: ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of passages: (n, d) float32, each of length 1."""
        ...

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of questions, which some models treat otherwise than passages: (n, d) float32, each of length 1."""
        ...


class ModelFolder:
    """A sentence-transformers model that lies in a folder. Loads at first use.

    Raises:
        SettingsError: there is no such model, or the folder holds files that could run code when they are read.
    """

    def __init__(self, folder: Path) -> None:
        folder = folder.expanduser()
        _check(folder)
        self.name = f"{folder.resolve().name}@{_hash_of(folder)[:12]}"
        self._folder = folder
        self._loading = threading.Lock()
        self._loaded: Any = None

    def load(self) -> None:
        self._model()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return self._encoded(self._model().encode_document, texts)

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        return self._encoded(self._model().encode_query, texts)

    def _model(self) -> Any:
        with self._loading:
            if self._loaded is None:
                try:
                    self._loaded = encoder.open_folder(self._folder)
                except Exception as error:
                    raise SettingsError(
                        f"settings: embedding.model: {self._folder} cannot be loaded ({type(error).__name__}); "
                        "try it with sentence-transformers itself"
                    ) from error
            return self._loaded

    def _encoded(self, encode: Any, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        vectors: np.ndarray = encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


def embedder(model: str, in_the_box: encoder.Encoder) -> Embedder:
    """The embedder that the settings name.

    Raises:
        SettingsError: there is none of that name.
    """
    return in_the_box if model == MINILM.name else ModelFolder(Path(model))


def _check(folder: Path) -> None:
    modules = folder / "modules.json"
    if not modules.is_file():
        raise SettingsError(
            f"settings: embedding.model: {folder} is no folder of a sentence-transformers model (it has no "
            f'modules.json); give such a folder, or "{MINILM.name}"'
        )
    harmful = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in RUNS_CODE)
    if harmful:
        raise SettingsError(
            f"settings: embedding.model: {folder} holds {', '.join(harmful[:3])}, which could run code when it is "
            "read; keep the weights as .safetensors only"
        )
    try:
        kinds = [str(module["type"]) for module in json.loads(modules.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"settings: embedding.model: {modules} cannot be understood") from None
    if foreign := [kind for kind in kinds if not kind.startswith("sentence_transformers.")]:
        raise SettingsError(
            f"settings: embedding.model: {folder} needs code of its own ({foreign[0]}), which is not run"
        )


def _hash_of(folder: Path) -> str:
    """SHA-256 over names and contents of every file that makes the vectors what they are."""
    digest = hashlib.sha256()
    for path in sorted(
        path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors", ".txt", ".model"}
    ):
        with path.open("rb") as file:
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
