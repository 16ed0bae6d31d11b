"""A state folder with documents whose vectors are made up; run as a command, it is killed in the middle of a purge."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.audit.keys import Quoted
from guardrails.audit.log import AuditLog
from guardrails.database import fold
from rag.access import LOCAL_READER
from rag.index import remains
from rag.index.catalogue import Catalogue
from rag.index.store import VectorStore
from rag.purge import Purge
from rag.types import Chunk, Document

GONE, STAYS = "gone.md", "stays.md"
TEXTS = {
    GONE: "The Quendelmoor vault is opened on the first Monday. Its combination is changed by the quartermaster.",
    STAYS: "The canteen serves warm meals from noon. It is closed on the second of January.",
}


class State:
    """The parts that a purge works with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalogue, self.vectors = Catalogue(folder / "index.sqlite"), VectorStore(folder / "vectors")
        self.log = AuditLog(folder / "audit.sqlite")
        self.purge = Purge(folder, self.catalogue, self.vectors, self.log, self.remove)

    def add(self, texts: Mapping[str, str], width: int = 384) -> None:
        """Store documents, each with vectors that stand in files as they are given: all 0, 0.5 or -0.5."""
        for source, text in texts.items():
            document = Document(source, source, text)
            path = self.folder / "uploads" / source
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            parts = [
                Chunk(document.id, source, source, part, at, at + len(part), section="A heading")
                for at, part in enumerate(text.split(". "))
            ]
            self.catalogue.put(document, parts, path=path, root=path.parent, file_hash="", sample=False)
            vectors = np.stack([vector(part.text, width) for part in parts])
            self.vectors.add([p.id for p in parts], vectors, [document.id] * len(parts), ["everyone"] * len(parts))
        fold(self.catalogue.engine)

    def remove(self, source: str) -> None:
        self.catalogue.remove(source)
        ids = self.catalogue.leftover_ids()
        self.vectors.remove(ids)
        self.catalogue.cleared(ids)

    def quote(self, *sources: str) -> None:
        """Record an answer that quotes these documents."""
        keys = tuple(self.log.keys_of(sources).values())
        self.log.append("sentence", turn="t", payload={"quoted": Quoted([TEXTS[source] for source in sources], keys)})

    def close(self) -> None:
        self.catalogue.close()
        self.log.close()


def vector(text: str, width: int = 384) -> np.ndarray:
    """Of length 1 whichever way it is rounded; no two texts share one."""
    found = np.zeros(width, dtype=np.float32)
    dice = np.random.default_rng(zlib.crc32(text.encode()))
    found[dice.choice(width, 4, replace=False)] = dice.choice([0.5, -0.5], 4)
    return found


def killed_at(state: State, step: str) -> None:
    """Have this process killed when it comes to a step of the purge, before or after it."""
    name, when = step.split()
    owner: Any = {
        "note": (state.purge, "_note"),
        "remove": (state.purge, "_remove"),
        "catalogue": (remains, "rewrite"),
        "delete": (state.vectors._client, "delete_collection"),
        "search": (state.purge, "_searched"),
    }[name]
    real: Callable[..., Any] = getattr(*owner)

    def dies(*given: Any) -> Any:
        if when == "after":
            real(*given)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(*owner, dies)


def main(folder: Path, steps: list[str]) -> None:
    """In a folder for each step: begin a purge and be killed at that step, then complete it."""
    importlib.import_module("chromadb")  # once, before the forks
    for number, step in enumerate(steps):
        for complete in (False, True):
            child = os.fork()
            if child == 0:
                state = State(folder / str(number))
                if not complete:
                    state.add(TEXTS)
                    state.quote(GONE)
                    killed_at(state, step)
                    state.purge(GONE, LOCAL_READER)
                elif state.purge(GONE, LOCAL_READER).left:
                    os._exit(3)
                state.close()
                os._exit(0)
            sys.stdout.write(f"{step} {os.waitpid(child, 0)[1]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
