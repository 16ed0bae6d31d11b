"""The guard that says whether a text may hurt somebody."""

from __future__ import annotations

from guardrails.canonical import Folded, views
from guardrails.heads import HeadsGuard, buckets, card, in_english, windows
from guardrails.types import Context, Finding, Stage

SELF_HARM = "self-harm"
LABELS = ("toxicity", "hate", "sexual", SELF_HARM, "violence")
REASONS = {
    "toxicity": "this reads as abusive",
    "hate": "this reads as hate against a group of people",
    "sexual": "this reads as sexual content",
    SELF_HARM: "this reads as if somebody might harm themselves",
    "violence": "this reads as violence, or as a request for help with something dangerous or criminal",
}


class HarmGuard(HeadsGuard):
    """Judges a reader's question, or a sentence of an answer. May be shared by threads.

    One head for each label; a text is looked at as a whole and by neighbouring sentences together. By each sentence
    alone, twice as many harmless texts were reported, and hardly more others.
    """

    name = "harm"
    stages: frozenset[Stage] = frozenset({"question", "sentence"})

    def check(self, text: str, context: Context) -> list[Finding]:
        """At most one finding of each label: the part of the text that is surest, the shortest of several."""
        threshold = self.threshold
        found = []
        for label, parts in self.parts(text).items():
            sure, _, (start, end) = max((sure, start - end, (start, end)) for (start, end), sure in parts)
            if sure >= threshold:
                found.append(Finding(self.name, "harm", label, start, end, sure, threshold, REASONS[label]))
        return sorted(found, key=lambda finding: (finding.start, LABELS.index(finding.label)))

    def probability(self, text: str) -> float:
        """How sure that the text is harmful in any way: as its worst part."""
        return max((sure for parts in self.parts(text).values() for _, sure in parts), default=0.0)

    def parts(self, text: str) -> dict[str, list[tuple[tuple[int, int], float]]]:
        """For each label the parts that are judged, in each way to read the text, and how sure of each.

        Empty for a text without words.
        """
        found: dict[str, list[tuple[tuple[int, int], float]]] = {}
        for view in views(text):
            self._add(view, found)
        return found

    def _add(self, view: Folded, found: dict[str, list[tuple[tuple[int, int], float]]]) -> None:
        import numpy as np

        spans = [span for span in windows(view.text, each=False) if any(map(str.isalnum, view.text[slice(*span)]))]
        if not spans:
            return
        texts = [view.text[start:end] for start, end in spans]
        english = np.array([in_english(text) for text in texts])[:, None]
        vectors = self._encoder.embed(texts) * english
        grams = [buckets(text) for text in texts]
        for label, head in card(self.name).heads.items():
            sure = head.probabilities(vectors, grams, 1 - english)
            parts = zip(spans, sure, strict=True)
            found.setdefault(label, []).extend((view.original(*span), float(p)) for span, p in parts)
