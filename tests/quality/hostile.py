"""Rows of hostile texts for ``candor evaluate stream``: ``python -m tests.quality.hostile 500 > hostile.jsonl``."""

from __future__ import annotations

import json
import random
import sys

from tests.guardrails.streaming import hostile


def main() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(int(sys.argv[1])):
        sys.stdout.write(json.dumps({"text": hostile(chance)}) + "\n")


if __name__ == "__main__":
    main()
