"""The guard that says what supports a sentence, or that nothing does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.encoder import Encoder
from guardrails.grounding.align import SAME_WORDS, Match, Reading, best_window, features, match
from guardrails.grounding.claims import claim_of, claims_nothing
from guardrails.grounding.head import Head
from guardrails.grounding.numbers import Number, supported
from guardrails.grounding.score import CONTRADICTED, Scorer, scorer
from guardrails.grounding.slots import Slot, differing
from guardrails.grounding.words import Word
from guardrails.types import Context, Evidence, Finding, Span, Stage, Verdict

NAME = "grounding"
REMEMBERED = 128  # texts whose vectors are kept: those of some 20 answers; at most about 1 MB each
ALIGNED = 0.5  # the alignment alone, of one passage: up to here it may be named as support
SECOND_BEST = 0.1  # a further passage is named as support when it is at most this much less sure
TOGETHER = 0.1  # two passages are taken together when that makes us so much surer than the better one alone
ALIKE = 0.7  # cosine from which another word counts as said in other words
GAP = 32  # characters between supporting words that still make one readable run

REASONS = {
    "number": "this number stands neither in the passages nor in the question",
    "date": "this date stands neither in the passages nor in the question",
    "name": "this name stands neither in the passages nor in the question",
    "negation": "the passage that fits best says the opposite",
    "unit": "the passage that fits best has this number, but measured in something else",
    "relation": "the passage that fits best says it the other way round",
    "sentence": "no passage says this",
}
ELSEWHERE = "the passage that fits best has another {} in this place"


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence against one passage, or two."""

    passages: tuple[int, ...]  # places in the evidence, the better first
    match: Match
    unsupported: float  # 0 to 1


class GroundingGuard:
    """Judges one sentence of an answer. Every passage is data: what it says of itself changes nothing.

    May be shared by threads.
    """

    name = NAME
    stages: frozenset[Stage] = frozenset({"sentence"})

    def __init__(self, encoder: Encoder, threshold: float | None = None) -> None:
        """
        Args:
            threshold: how sure that nothing supports a sentence before it is reported; 0 to 1. None: as measured.
        """
        self._encoder = encoder
        self._threshold = threshold
        self._head = Head()
        self._kept: OrderedDict[str, Reading] = OrderedDict()
        self._keeping = threading.Lock()

    def load(self) -> None:
        """Get ready now rather than at the first sentence."""
        self._encoder.load()
        self._head.load()
        scorer()

    @property
    def threshold(self) -> float:
        return scorer().threshold if self._threshold is None else self._threshold

    def check(self, text: str, context: Context) -> list[Finding]:
        """One finding of kind "supported", or one "unsupported" for each part that nothing supports.

        A sentence that claims nothing gets neither.
        """
        threshold = self.threshold if context.report_from is None else context.report_from
        if not context.evidence and not claims_nothing(text):
            return [_unsupported(text, "sentence", (0, len(text)), 1.0, threshold)]
        read = self._readings(text, context)
        if not read:
            return []
        sentence, question, passages = read
        found, score = self._judged(sentence, question, passages)
        if score < threshold:
            return [_supported(sentence, passages, context.evidence, found, score, threshold)]
        nearest = _nearest(sentence, passages, context.evidence, found)
        best = found[0].match
        if not best.wrong_numbers and not best.opposed and (slots := misplaced(sentence, passages)):
            return [_misplaced(sentence, slot, score, threshold, nearest) for slot in slots]
        parts = wrong_parts(sentence, best)
        return [_unsupported(text, label, span, score, threshold, nearest) for label, span in parts]

    def unsupported(self, text: str, context: Context) -> float | None:
        """How sure that nothing supports the sentence; None when it claims nothing."""
        if not context.evidence and not claims_nothing(text):
            return 1.0
        read = self._readings(text, context)
        return self._judged(*read)[1] if read else None

    def _readings(self, text: str, context: Context) -> tuple[Reading, Reading, list[Reading]] | None:
        """Sentence, question and passages; None when the sentence claims nothing."""
        if claims_nothing(text):
            return None
        claim = claim_of(text)
        sentence, question, *passages = self._read([claim, context.question, *(e.text for e in context.evidence)])
        return (sentence, question, passages) if sentence.content or sentence.numbers else None

    def _judged(self, sentence: Reading, question: Reading, passages: Sequence[Reading]) -> tuple[list[Judged], float]:
        """By the alignment, best first; and how sure with the head, all passages together, that nothing supports it.

        Against words that stand in a passage just so the head has no say: it saw few answers as short as "12 May.".
        """
        found = judge(sentence, question, passages, scorer())
        measured = features(sentence, found[0].match)
        opinion = self._head(sentence, question, passages, measured)
        score = scorer().unsupported(measured, opinion.unsupported, both_deny=found[0].match.both_deny)
        if any(sentence.row in passages[place].row for place in found[0].passages):
            return found, min(score, scorer().unsupported(measured))
        return found, max(score, CONTRADICTED) if misplaced(sentence, passages) else score

    def _read(self, texts: Sequence[str]) -> list[Reading]:
        """Texts as words with vectors. Those of the last questions and passages are remembered."""
        with self._keeping:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        for text, vectors in zip(missing, self._encoder.word_vectors(missing), strict=True):
            known[text] = Reading(text, vectors)
        with self._keeping:
            for text in texts:
                self._kept[text] = known[text]
                self._kept.move_to_end(text)
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return [known[text] for text in texts]


def _unsupported(
    text: str, label: str, span: tuple[int, int], score: float, threshold: float, nearest: tuple[Span, ...] = ()
) -> Finding:
    start, end = span
    start += len(text[start:end]) - len(text[start:end].lstrip())
    end = start + len(text[start:end].rstrip())
    return Finding(NAME, "unsupported", label, start, end, score, threshold, REASONS[label], support=nearest)


def misplaced(sentence: Reading, passages: Sequence[Reading]) -> list[Slot]:
    """Numbers and names of the sentence that stand in the place of others, where it nearly repeats a passage."""
    said = [part for passage in passages for part in passage.sentences]
    return [slot for part in sentence.sentences for slot in differing(part, said)]


def _misplaced(sentence: Reading, slot: Slot, score: float, threshold: float, nearest: tuple[Span, ...]) -> Finding:
    dated = any(number.date and number.start < slot.end and slot.start < number.end for number in sentence.numbers)
    label = "date" if dated else slot.kind
    reason = ELSEWHERE.format(label)
    return Finding(NAME, "unsupported", label, slot.start, slot.end, score, threshold, reason, support=nearest)


def _nearest(
    sentence: Reading, passages: Sequence[Reading], evidence: Sequence[Evidence], found: Sequence[Judged]
) -> tuple[Span, ...]:
    """What the passage that fits best does say; none where they have nothing in common."""
    best = next(judged for judged in found if len(judged.passages) == 1)
    if not best.match.held:
        return ()
    (place,) = best.passages
    passage = passages[place]
    verdict: Verdict = "contradicts" if contradicts(sentence, passage, best.match) else "does not support"
    return tuple(Span(evidence[place].id, *run, verdict) for run in supporting_runs(sentence, passage))


def _supported(
    sentence: Reading,
    passages: Sequence[Reading],
    evidence: Sequence[Evidence],
    found: Sequence[Judged],
    score: float,
    threshold: float,
) -> Finding:
    best = found[0]
    named = list(best.passages)
    named += [
        other.passages[0]
        for other in found[1:]
        if len(other.passages) == 1 and other.unsupported < min(ALIGNED, best.unsupported + SECOND_BEST)
    ]
    places = list(dict.fromkeys(named))[:2]
    spans = tuple(Span(evidence[i].id, *run) for i in places for run in supporting_runs(sentence, passages[i]))
    start = len(sentence.text) - len(sentence.text.lstrip())
    end = len(sentence.text.rstrip())
    reason = "two passages together say this" if len(best.passages) > 1 else "a passage says this"
    return Finding(NAME, "supported", "sentence", start, end, 1 - score, 1 - threshold, reason, support=spans)


def judge(sentence: Reading, question: Reading, passages: Sequence[Reading], by: Scorer) -> list[Judged]:
    """The sentence against every passage alone, best first; before them two together, where one is not enough.

    The best passage counts, never the worst: an answer rests on one passage of many. But one that says the opposite
    counts before one that has fewer of the sentence's words.
    """
    alone = []
    for place, passage in enumerate(passages):
        found = match(sentence, passage, question)
        alone.append(Judged((place,), found, by.unsupported(features(sentence, found))))
    alone.sort(key=lambda judged: judged.unsupported)
    opposite = [judged for judged in alone if judged.match.outweighs(alone[0].match)]
    if opposite:
        return [opposite[0], *(judged for judged in alone if judged is not opposite[0])]
    best = alone[0]
    pairs = []
    for other in alone[1:]:
        both = best.match.with_(other.match)
        pairs.append(Judged((*best.passages, *other.passages), both, by.unsupported(features(sentence, both))))
    together = min(pairs, key=lambda judged: judged.unsupported, default=best)
    return [together, *alone] if together.unsupported < best.unsupported - TOGETHER else alone


def contradicts(sentence: Reading, passage: Reading, found: Match) -> bool:
    """Whether a passage says otherwise, rather than nothing: the same with another number, unit or doer, or denied."""
    if found.opposed or found.wrong_units:
        return True
    first, last = best_window(sentence, passage)
    there = {number.date for number in passage.numbers if _within(number.start, passage, first, last)}
    return found.held >= SAME_WORDS and any(number.date in there for number in found.wrong_numbers)


def wrong_parts(sentence: Reading, found: Match) -> list[tuple[str, tuple[int, int]]]:
    """What of a sentence is not supported, in order: label and characters. All of it, if no part stands out."""
    whole = ("sentence", (0, len(sentence.text)))
    parts = {_wrong_number(n, found) for n in found.wrong_numbers}
    parts |= {("relation", (deed.start, deed.end)) for deed in found.exchanged}
    new: list[Word] = [
        word
        for word, known, near in zip(sentence.content, found.known, found.near, strict=True)
        if not known and near < ALIKE and not any(start <= word.start < end for _, (start, end) in parts)
    ]
    if found.negated:
        denials = [("negation", (word.start, word.end)) for word, _ in sentence.negations]
        parts |= set(denials or [("negation", whole[1])])
    elif not parts and 2 * len(new) > len(sentence.content):
        return [whole]
    parts |= set(_runs_of(sentence, new))
    return sorted(parts, key=lambda part: part[1]) or [whole]


def _wrong_number(number: Number, found: Match) -> tuple[str, tuple[int, int]]:
    if number in found.wrong_units:
        return "unit", (number.start, number.unit_end)
    return "date" if number.date else "number", (number.start, number.end)


def _runs_of(sentence: Reading, new: Sequence[Word]) -> list[tuple[str, tuple[int, int]]]:
    """New words as runs: neighbours with nothing supported between them are one."""
    runs: list[tuple[str, tuple[int, int]]] = []
    last = -2
    for index, word in enumerate(sentence.content):
        if word not in new:
            continue
        label = "name" if word.name else "sentence"
        if runs and last == index - 1 and runs[-1][0] == label:
            runs[-1] = (label, (runs[-1][1][0], word.end))
        else:
            runs.append((label, (word.start, word.end)))
        last = index
    return runs


def supporting_runs(sentence: Reading, passage: Reading) -> list[tuple[int, int]]:
    """The words of the passage that say what the sentence says, as readable runs of characters."""
    first, last = best_window(sentence, passage)
    keys = {word.key for word in sentence.content}
    inside = [i for i, word in enumerate(passage.content) if first <= word.sentence <= last]
    alike = _alike(sentence, passage, inside)
    spans = [(w.start, w.end) for i in inside if (w := passage.content[i]).key in keys or i in alike]
    spans += [
        (number.start, number.end)
        for number in passage.numbers
        if any(supported(mine, [number]) for mine in sentence.numbers) and _within(number.start, passage, first, last)
    ]
    if not spans:
        words = [word for word in passage.words if first <= word.sentence <= last]
        spans = [(words[0].start, words[-1].end)] if words else []
    return _merged(sorted(spans))


def _alike(sentence: Reading, passage: Reading, inside: Sequence[int]) -> set[int]:
    if not inside or not len(sentence.vectors):
        return set()
    near = (passage.vectors[list(inside)] @ sentence.vectors.T).max(axis=1)
    return {place for place, cosine in zip(inside, near, strict=True) if cosine >= ALIKE}


def _within(start: int, passage: Reading, first: int, last: int) -> bool:
    words = [word for word in passage.words if first <= word.sentence <= last]
    return bool(words) and words[0].start <= start <= words[-1].end


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for start, end in spans:
        if runs and start - runs[-1][1] <= GAP:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    return runs
