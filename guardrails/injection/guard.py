"""The guard that says whether a text tries to change what the assistant does.

What is harmless in a question ("Write a poem about tea.") is none of a document's business, so there are two heads. A
question is judged by its whole, by neighbouring sentences together and by each sentence; a passage by its sentences,
and by how each stands among the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from guardrails.canonical import Folded, views
from guardrails.heads import Card, HeadsGuard, buckets, card, in_english, pieces, windows
from guardrails.injection.cues import of_pieces, of_shape, of_text
from guardrails.types import Context, Finding, Stage

if TYPE_CHECKING:
    import numpy as np

# Three words, or five letters of a script that may do without spaces.
_ENOUGH = re.compile(r"(?:\w+\W+){2}\w|[^\W\d_a-zA-Z\u00c0-\u024f]{5}")

QUESTION, PASSAGE = "jailbreak", "instructions"  # the labels, and the names of the heads
SUSPECTED = 0.5  # heads are moved so that this is their operating point
UNSUSPECTED = 0.01  # such a passage counts for less than any that was looked at fully
SCREEN = "screen"  # the head that decides by words alone whether a passage deserves a full look
REASONS = {
    QUESTION: "this reads like an attempt to change the assistant's instructions",
    PASSAGE: "this reads like an instruction to the assistant and not like a part of the document",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text, and how sure that it is an attack."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What is known of texts that are about to be checked."""

    screened: dict[str, float] = field(default_factory=dict)
    vectors: dict[str, Any] = field(default_factory=dict)  # of their parts


class InjectionGuard(HeadsGuard):
    """Judges a reader's question, or a passage of a document. May be shared by threads."""

    name = "injection"
    stages: frozenset[Stage] = frozenset({"question", "passage"})
    _ahead = _Ahead()

    def check(self, text: str, context: Context) -> list[Finding]:
        """One finding for each run of sentences concerned.

        Args:
            context: a text with a question, and no evidence, is that question; any other is a passage.
        """
        label = QUESTION if context.question and not context.evidence else PASSAGE
        threshold = self.threshold
        found = [part for part in self.parts(text, label) if part.probability >= threshold]
        return [
            Finding(self.name, "injection", label, part.start, part.end, part.probability, threshold, REASONS[label])
            for part in _merged(found)
        ]

    @contextmanager
    def looking_ahead(self, passages: Sequence[str]) -> Iterator[None]:
        """While it is entered, ``check`` looks at these passages, one by one, in half the time.

        What a full look embeds is embedded for all of them together.
        """
        ahead = _Ahead()
        for text in {view.text for passage in passages for view in views(passage)}:
            ahead.screened[text] = self._screened(text)
            if ahead.screened[text] >= SUSPECTED:
                ahead.vectors.update(dict.fromkeys(text[start:end] for start, end in judged(text, PASSAGE)))
        ahead.vectors.update(zip(ahead.vectors, self._encoder.embed(list(ahead.vectors)), strict=True))
        self._ahead = ahead
        try:
            yield
        finally:
            self._ahead = _Ahead()

    def suspects(self, text: str) -> bool:
        """Whether a passage deserves a full look, by its words alone; ``check`` asks it too.

        Of the attacks that a full look reports, 98 in 100 are suspected; of benign passages, one in ten.
        """
        return any(self._screened(view.text) >= SUSPECTED for view in views(text))

    def _screened(self, text: str) -> float:
        import numpy as np

        if (known := self._ahead.screened.get(text)) is not None:
            return known
        texts = [text[start:end] for start, end in judged(text, PASSAGE)]
        if not texts:
            return 0.0
        cues = of_shape(texts, [in_english(part) for part in texts])
        nothing = np.zeros((len(texts), self._encoder.dimensions))
        found = card(self.name).heads[SCREEN].probabilities(nothing, [buckets(part) for part in texts], cues)
        return float(found.max())

    def probability(self, text: str, label: str) -> float:
        """How sure that something in the text is an attack: as its most suspicious part."""
        return max((part.probability for part in self.parts(text, label)), default=0.0)

    def parts(self, text: str, label: str) -> list[Part]:
        """Every part that is judged, in each way to read the text.

        Args:
            label: what the text is judged as.
        """
        return [part for view in views(text) for part in self._of(view, label)]

    def _of(self, view: Folded, label: str) -> list[Part]:
        spans = judged(view.text, label)
        if not spans:
            return []
        if label == PASSAGE and (screened := self._screened(view.text)) < SUSPECTED:
            return [Part(*view.original(*span), screened * UNSUSPECTED) for span in spans]
        texts = [view.text[start:end] for start, end in spans]
        found = judge(card(self.name), label, texts, self._embedded(texts))
        return [Part(*view.original(*span), float(sure)) for span, sure in zip(spans, found, strict=True)]

    def _embedded(self, texts: Sequence[str]) -> np.ndarray:
        import numpy as np

        known = self._ahead.vectors
        return np.stack([known[text] for text in texts]) if known.keys() >= set(texts) else self._encoder.embed(texts)


def judged(text: str, label: str) -> list[tuple[int, int]]:
    """The parts of a text that are judged: those that say enough to tell somebody what to do."""
    cut = windows(text, each=True) if label == QUESTION else pieces(text)
    return [span for span in cut if _ENOUGH.search(text, *span)]


def judge(by: Card, label: str, texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    """How sure of each part of one text; (n,), 0 to 1."""
    seen, cues = looked_at(label, texts, vectors)
    return by.heads[label].probabilities(seen, [buckets(text) for text in texts], cues)


def looked_at(label: str, texts: Sequence[str], vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and cues of the parts of one text, as the heads take them: (n, 384) and (n, cues)."""
    import numpy as np

    english = [in_english(text) for text in texts]
    if label == PASSAGE:
        cues = of_pieces(texts, english, vectors)
    else:
        cues = np.array([of_text(text, share) for text, share in zip(texts, english, strict=True)])
    return vectors * np.array(english)[:, None], cues


def _merged(parts: Iterable[Part]) -> list[Part]:
    """Parts that touch as one, in order; a part that lies in a larger one says where in it, so the larger goes."""
    closest: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.end - part.start, part.start)):
        if not any(part.start <= other.start and other.end <= part.end for other in closest):
            closest.append(part)
    runs: list[Part] = []
    for part in sorted(closest, key=lambda part: part.start):
        if runs and part.start <= runs[-1].end:
            last = runs[-1]
            runs[-1] = Part(last.start, max(last.end, part.end), max(last.probability, part.probability))
        else:
            runs.append(part)
    return runs
