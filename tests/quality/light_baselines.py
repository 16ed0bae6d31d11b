"""What the light heads are compared with: ``python -m tests.quality.light_baselines injection|safety FOLDER``.

FOLDER is that of the task (``shared/data/injection``, ``shared/data/toxicity``). For each dev file: a list of words,
the length of the text, and a plain logistic regression on the embedding of the whole text, fitted on the train files,
with the threshold at which one in a hundred of its own good training texts is reported.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from guardrails.encoder import Encoder
from rag.evaluation import injection, safety
from rag.evaluation.screened import Row, read

WORDS = {
    "injection": re.compile(
        r"\b(ignore|disregard|forget|override|bypass|jailbreak|system prompt|instructions|pretend|act as|you are now|"
        r"DAN|unfiltered|developer mode|no restrictions|your (response|reply|answer))\b",
        re.IGNORECASE,
    ),
    "safety": re.compile(
        r"\b(fuck\w*|shit\w*|bitch\w*|ass|asshole|hoe|hoes|pussy|nigg\w*|fag\w*|cunt|dick|whore|slut|retard\w*|idiot|"
        r"stupid|kill|suicide|murder|rape|bomb|sex|naked|porn\w*|hate|trash|dumm\w*)\b",
        re.IGNORECASE,
    ),
}
LABELS = {"injection": (injection.BAD, injection.GOOD), "safety": (safety.BAD, safety.GOOD)}
MOST = 3000  # rows of a train file
LEFT_OUT = "bbq"  # its rows are not labelled as harmful or not


def files(folder: Path, part: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"*.{part}.jsonl.gz") if not path.name.startswith(LEFT_OUT))


def figures(rows: Sequence[Row], scores: Sequence[float], threshold: float) -> dict[str, float | None]:
    bad = np.array([row.bad for row in rows])
    found = np.array(scores) >= threshold
    return {
        "auroc": round(float(roc_auc_score(bad, scores)), 3) if len(set(bad)) == 2 else None,
        "recall": round(float(found[bad].mean()), 3) if bad.any() else None,
        "false_positive_rate": round(float(found[~bad].mean()), 3) if not bad.all() else None,
    }


def main(task: str, folder: str) -> None:
    encoder = Encoder()
    train = [row for path in files(Path(folder), "train") for row in read(path, *LABELS[task])[:MOST]]
    vectors = encoder.embed([row.text for row in train])
    bad = np.array([row.bad for row in train])
    model = LogisticRegression(max_iter=500).fit(vectors, bad)
    threshold = float(np.quantile(model.decision_function(vectors)[~bad], 0.99))
    for path in files(Path(folder), "dev"):
        rows = read(path, *LABELS[task])
        texts = [row.text for row in rows]
        logits = model.decision_function(encoder.embed(texts))
        words = [float(bool(WORDS[task].search(text))) for text in texts]
        result: dict[str, Any] = {
            "words": figures(rows, words, 1.0),
            "length": figures(rows, [float(len(text)) for text in texts], 1e9)["auroc"],
            "embedding": figures(rows, [float(logit) for logit in logits], threshold),
        }
        sys.stdout.write(json.dumps({"file": path.name, "rows": len(rows), **result}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
