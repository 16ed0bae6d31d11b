"""How sure the alignment is that nothing supports a sentence: a logistic weighing of what it found.

Alone it says which passage fits best; with the head, see ``head.py``, how sure the guard is.

The weights lie in ``guardrails/models/grounding.json``, with where they come from; ``guardrails/training/grounding.py``
makes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from guardrails.grounding.align import NAMES, Features

# A number that stands nowhere, or the opposite of what the passage says, is enough, however well the rest fits: it is
# what harms a reader most, and a single word hardly moves a sum over words.
CONTRADICTED = 0.75
# Where both deny something, words alone do not tell whether it is the same: "does not cover custom moulds" against
# "custom moulds are not covered". Below this logit the head settles that it is; tests/quality/DECISIONS.md, 26.
SAME_DENIAL = -1.0
FILE = Path(__file__).parents[1] / "models" / "grounding.json"


@dataclass(frozen=True, slots=True)
class Scorer:
    """Weights, and the probability from which a sentence is reported."""

    bias: float
    weights: tuple[float, ...]  # one for each feature, in their order
    threshold: float

    def logit(self, found: Features) -> float:
        return float(self.bias + sum(w * value for w, value in zip(self.weights, astuple(found), strict=True)))

    def unsupported(self, found: Features, head: float | None = None, *, both_deny: bool = False) -> float:
        """0 to 1: how sure that nothing supports the sentence.

        Args:
            head: the logit of the trained head, which counts as much as the alignment's: on the development sets the
                two together are surer than either.
            both_deny: the sentence, and what fits it best.
        """
        logit = self.logit(found) if head is None else (self.logit(found) + head) / 2
        logistic = 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
        same = both_deny and head is not None and head < SAME_DENIAL
        return max(logistic, CONTRADICTED) if found.numbers or (found.negated and not same) else logistic


@cache
def scorer() -> Scorer:
    """The scorer of this release, read once."""
    card = json.loads(FILE.read_text(encoding="utf-8"))
    return Scorer(card["bias"], tuple(card["weights"][name] for name in NAMES), card["threshold"])


def of_answer(sentences: Sequence[float]) -> float:
    """How sure that a whole answer is not supported: as its worst sentence. 0 when no sentence claims anything.

    On the development sets the mean of the sentences, halfway to it, and the chance that any of them is wrong come out
    within 0.01 AUROC of each other; the worst is what an assistant acts on.
    """
    return max(sentences, default=0.0)
