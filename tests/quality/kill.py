"""Kills an ingestion at random moments, runs the same command again, and compares with an undisturbed run.

    python -m tests.quality.kill [--moments 50] [--documents 24] [--seed 0]

Each round begins with the same index and does one thing to it, in a process that is killed (SIGKILL) at a random moment
of the time that an undisturbed one takes: a first ingestion, one after files changed, moved, broke and went, a removal,
a purge. Prints a line per round; exit status 1 when one differs. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SAID = (
    "SELECT id, path, source, title, audience, file_hash FROM documents ORDER BY id",
    'SELECT id, document_id, section, text, start, "end", page, quarantine, digest FROM chunks ORDER BY id',
    "SELECT chunks.id FROM words JOIN chunks ON chunks.rowid = words.rowid WHERE words MATCH 'rule OR new' ORDER BY 1",
    "SELECT path, source, reason FROM failures ORDER BY path",
    "SELECT document_id FROM leftovers ORDER BY 1",
)


class Parts:
    """The parts of an index that lies in a folder, with its documents beside it."""

    def __init__(self, folder: Path, encoder: Any) -> None:
        from guardrails.audit.log import AuditLog
        from rag.index.catalogue import Catalogue
        from rag.index.store import VectorStore
        from rag.ingest.ingest import Ingestion
        from rag.purge import Purge
        from rag.settings import Chunks

        state = folder / "state"
        self.documents = folder / "documents"
        self.catalogue, self.vectors = Catalogue(state / "index.sqlite"), VectorStore(state / "vectors")
        self.ingestion = Ingestion(self.catalogue, self.vectors, encoder, Chunks())
        self.ingestion.clear_leftovers()
        self.log = AuditLog(state / "audit.sqlite")
        self._purge = Purge(state, self.catalogue, self.vectors, self.log, self.ingestion.remove)
        self._purge.complete()  # as every process does that begins

    def ingest(self) -> None:
        for _ in self.ingestion([self.documents]):
            pass

    def remove(self) -> None:
        for source in ("d1.md", "d2.md", "sub/d4.md"):
            self.ingestion.remove(source)

    def purge(self) -> None:
        from rag.access import LOCAL_READER

        if "d3.md" in {source for source, _ in self.catalogue.files().values()}:
            self._purge("d3.md", LOCAL_READER)

    def seen(self) -> dict[str, Any]:
        """All that there is, as far as it says nothing of the moment."""
        from sqlalchemy import text

        from rag.ingest.verify import verify
        from rag.types import Difference

        with self.catalogue.engine.connect() as connection:
            said = [[list(row) for row in connection.execute(text(query))] for query in SAID]
        labels = {id: (document, audience) for id, document, audience in self.vectors.rows()}
        vectors = {id: vector.tolist() for id, vector in self.vectors.vectors(sorted(labels)).items()}
        differing = [one for one in verify(self.ingestion, [], lambda _: iter(())) if isinstance(one, Difference)]
        return {"said": said, "labels": labels, "vectors": vectors, "differing": [str(one) for one in differing]}


DONE: dict[str, Callable[[Parts], None]] = {
    "first ingestion": Parts.ingest,
    "ingestion again": Parts.ingest,
    "removal": Parts.remove,
    "purge": Parts.purge,
}


def write(documents: Path, count: int, *, changed: bool) -> None:
    """The documents as they are at first, or after somebody worked on them."""
    (documents / "sub").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        name = f"sub/d{number}.md" if number % 4 == 0 else f"d{number}.md"
        parts = [
            f"## Part {part}\n\n" + f"Rule {number}.{part} says that room {part} is open. " * 9 for part in range(8)
        ]
        (documents / name).write_text(f"# Document {number}\n\n" + "\n\n".join(parts), encoding="utf-8")
    if changed:
        for number in (1, 5, 9):
            path = documents / f"d{number}.md"
            path.write_text(path.read_text(encoding="utf-8") + "\n\nOne more rule was added.\n", encoding="utf-8")
        (documents / "d2.md").rename(documents / "moved.md")
        (documents / "d3.md").write_bytes(b"%PDF-1.7 cut off")
        (documents / "d6.md").unlink()
        (documents / "d7.md.meta.toml").write_text('groups = ["hr"]\n', encoding="utf-8")
        for number in range(6):
            (documents / f"new{number}.md").write_text(f"# New {number}\n\nA new rule, {number}.\n", encoding="utf-8")


class Trial:
    """Rounds in one folder, since the index knows its documents by their paths."""

    def __init__(self, folder: Path, documents: int) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"  # a process with threads cannot be forked
        from rag.build import quiet

        quiet()
        import chromadb  # noqa: F401 - once, rather than in every process

        from guardrails.encoder import Encoder

        self._encoder = Encoder()
        self._encoder.load()
        self._folder, self._kept = folder / "round", folder / "kept"
        self._documents = documents
        self._expected: dict[str, dict[str, Any]] = {}
        self._seconds: dict[str, float] = {}

    def prepare(self) -> None:
        """The index before each thing that is done, and after it, undisturbed."""
        for what in DONE:
            if what == "first ingestion":
                write(self._folder / "documents", self._documents, changed=False)
            elif what == "ingestion again":
                shutil.rmtree(self._folder / "documents")
                write(self._folder / "documents", self._documents, changed=True)
            else:
                self._restore("ingestion again")
            shutil.copytree(self._folder, self._kept / what)
            begun = time.monotonic()
            self._wait(self._begin(what))
            self._seconds[what] = time.monotonic() - begun
            self._expected[what] = self._look()
            assert self._expected[what]["said"][0]

    def round(self, what: str, chance: random.Random) -> tuple[float, list[str]]:
        """The moment of a kill, and what is not as without it after the same command."""
        self._restore(what)
        moment = chance.uniform(0, self._seconds[what])
        child = self._begin(what)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self._wait(self._begin(what))
        return moment, _differences(self._expected[what], self._look())

    def _restore(self, what: str) -> None:
        shutil.rmtree(self._folder)
        shutil.copytree(self._kept / what, self._folder)

    def _begin(self, what: str, into: int | None = None) -> int:
        child = os.fork()
        if child == 0:
            try:
                parts = Parts(self._folder, self._encoder)
                if into is None:
                    DONE[what](parts)
                else:
                    _write_all(into, json.dumps(parts.seen()).encode())
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - the process ends here, whatever it is
                print(f"{what}: {error!r}", file=sys.stderr)  # noqa: T201
                os._exit(1)
        return child

    def _wait(self, child: int) -> None:
        if os.waitpid(child, 0)[1] != 0:
            raise RuntimeError("an undisturbed process failed")

    def _look(self) -> dict[str, Any]:
        out, into = os.pipe()
        child = self._begin("looking", into)
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            seen: dict[str, Any] = json.loads(pipe.read() or b"{}")
        self._wait(child)
        return seen


def _write_all(into: int, data: bytes) -> None:
    with os.fdopen(into, "wb") as pipe:
        pipe.write(data)


def _differences(expected: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    found = [name for name in ("said", "labels", "differing") if expected[name] != seen[name]]
    pairs = [(vector, seen["vectors"].get(id)) for id, vector in expected["vectors"].items()]
    # The last digits depend on what else was embedded in the same batch.
    alike = all(other and sum(a * b for a, b in zip(one, other, strict=True)) > 0.999 for one, other in pairs)
    return found if alike else [*found, "vectors"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when no round differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--documents", type=int, default=24, help="at least 10")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    chance = random.Random(chosen.seed)  # noqa: S311 - chooses moments, not secrets
    wrong = 0
    with TemporaryDirectory(prefix="candor-") as folder:
        trial = Trial(Path(folder), chosen.documents)
        trial.prepare()
        for number in range(chosen.moments):
            what = list(DONE)[number % len(DONE)]
            moment, differing = trial.round(what, chance)
            wrong += bool(differing)
            print(f"{what}, killed after {moment:.2f} s: {', '.join(differing) or 'the same'}", flush=True)  # noqa: T201
    print(f"{wrong} of {chosen.moments} rounds differ")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
