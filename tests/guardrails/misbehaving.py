"""A process for tests of ``guardrails/process.py``: does what it is told, hanging and crashing included."""

from __future__ import annotations

import json
import os
import re
import sys

from guardrails.process import serve


def act(line: str) -> str:
    word, _, rest = line.partition(" ")
    match word:
        case "print":
            print(rest, flush=True)  # noqa: T201 - that is what is tested
            return "printed"
        case "lines":
            return "one\ntwo"
        case "hang":
            hang()
        case "crash":
            os.abort()
        case "exit":
            os._exit(3)
        case "raise":
            raise ValueError(rest)
    return rest


def detect(line: str) -> str:
    if "hang" in json.loads(line):
        hang()
    return "[]"


def hang() -> None:
    re.fullmatch(r"(a+)+b", "a" * 60)


if __name__ == "__main__":
    serve(detect if "detector" in sys.argv else act)
