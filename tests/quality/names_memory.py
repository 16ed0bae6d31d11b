"""Memory of the guard for personal data: ``python -m tests.quality.names_memory N``.

N texts, all different, in made-up names, four languages and many lengths, a few of them long: what is remembered of a
text, a word or a length shows as growth. Prints the process's resident memory before and after loading, and at ten
points.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

import psutil

from guardrails.pii import PiiGuard

POINTS = 10
LONG_EVERY, LONG = 500, 60  # one text in so many is of so many sentences
SYLLABLES = ("ba", "chi", "del", "ek", "fa", "gor", "hu", "il", "jan", "ko", "li", "mu", "na", "pri", "ro", "sten")
SENTENCES = (
    "Please ask {name} about order {number}.",
    "{name}, born on {day}.{month}.{year}, lives at {number} {word} Street.",
    "hi, did {lower} send the file {number}?",
    "| {name} | {age} | {word} |",
    "Herr {name} ist {age} Jahre alt und wohnt in der {word}straße {day}.",
    "La señora {name} llamó el {day} de mayo de {year}.",
    "M. {name} habite {day} rue {word}.",
    "The {word} of the {lower} must be renewed before {day}/{month}/{year}.",
    "Mail {lower_name}@example.org or call +49 30 {number}.",
)


def texts(count: int, seed: int = 5) -> Iterator[str]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(count):
        length = LONG if number % LONG_EVERY == 0 else chance.choice((1, 1, 1, 2, 2, 3, 5))
        yield f"{number}: " + "\n".join(_sentence(chance) for _ in range(length))


def _sentence(chance: random.Random) -> str:
    first, last, word = (_word(chance) for _ in range(3))
    return chance.choice(SENTENCES).format(
        name=f"{first.title()} {last.title()}",
        lower=f"{first} {last}",
        lower_name=f"{first}.{last}",
        word=word.title(),
        number=chance.randrange(10**6, 10**7),
        age=chance.randint(1, 99),
        day=chance.randint(1, 28),
        month=chance.randint(1, 12),
        year=chance.randint(1930, 2024),
    )


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))


def _resident() -> float:
    return psutil.Process().memory_info().rss / 2**20


def main(count: int) -> None:
    print(f"before loading  {_resident():8.1f} MiB")  # noqa: T201 - what it is for
    guard = PiiGuard()
    guard.load()
    guard.detect("Ask Anna Weiss, please.")
    print(f"loaded          {_resident():8.1f} MiB")  # noqa: T201
    points = {count * point // POINTS for point in range(1, POINTS + 1)}
    found, begun = 0, time.perf_counter()
    for number, text in enumerate(texts(count), start=1):
        found += len(guard.detect(text))
        if number in points:
            seconds = time.perf_counter() - begun
            print(f"{number:8} texts  {_resident():8.1f} MiB  {found:8} values  {seconds:6.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
