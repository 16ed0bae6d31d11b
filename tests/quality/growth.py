"""How search grows with the index: milliseconds, memory and disk, over synthetic passages and random vectors.

    python -m tests.quality.growth 1000 10000 100000 1000000

Each size has a process of its own, so that memory is that of one index. A million takes hours and 6 GB of disk.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rag.access import LOCAL_READER
from rag.build import quiet
from rag.evaluation import speed
from rag.evaluation.memory import held
from rag.evaluation.trial import trial
from rag.settings import Settings
from rag.types import Search

ONE = "--one"


def figures(size: int) -> dict[str, float]:
    """Of one size, in this process."""
    chance = random.Random(size)  # noqa: S311 - no secret
    with trial(Settings()) as index:
        index.encoder.load()
        before, begun = held(os.getpid()), time.perf_counter()
        speed.fill(index, size, chance)
        filled = time.perf_counter() - begun
        asked = [
            "What is the {} for the {} of a {}?".format(*chance.choices(speed.WORDS, speed.FREQUENCIES, k=3))
            for _ in range(speed.QUERIES + 1)
        ]
        vectors = index.encoder.embed_questions(asked)
        return {
            "chunks": size,
            "search_ms": _median(lambda number: index.retrieve(Search(asked[number], (asked[number],)), LOCAL_READER)),
            "vectors_ms": _median(lambda number: index.vectors.search(vectors[number], 50)),
            "words_ms": _median(lambda number: index.catalogue.keyword_search(asked[number], None, 200)),
            "memory_mb": round((held(os.getpid()) - before) / 2**20),
            "disk_mb": round(sum(path.stat().st_size for path in _files(index.settings.state)) / 2**20),
            "fill_s": round(filled, 1),
        }


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _median(search: Callable[[int], object]) -> float:
    times = []
    for number in range(speed.QUERIES + 1):
        begun = time.perf_counter()
        search(number)
        times.append(time.perf_counter() - begun)
    return round(statistics.median(times[1:]) * 1000, 1)  # the first one loads


if __name__ == "__main__":
    quiet()
    if sys.argv[1] == ONE:
        print(json.dumps(figures(int(sys.argv[2]))))  # noqa: T201 - what it is for
    else:
        for size in sys.argv[1:]:
            subprocess.run([sys.executable, "-m", "tests.quality.growth", ONE, size], check=True)
