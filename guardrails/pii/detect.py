"""Finds personal values in a text: Presidio's recognizers, our own rules, phone numbers, names. Knows no origins.

Presidio's recognizers are used without its engine. The engine wants a language for every text and a spaCy pipeline
for each, weighs neighbouring words by lemmas that a pipeline without a model does not have, and skips an expression
that runs out of time with no more than a line in the log; here a skipped expression would be a value shown.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from guardrails.canonical import Folded, views
from guardrails.pii.detection import WHAT, Detection
from guardrails.pii.domains import keep_presidio_offline
from guardrails.pii.overlaps import disjoint, joined, united
from guardrails.pii.patterns import RULES, Rule
from guardrails.pii.phones import phones
from guardrails.pii.recognizers import USED, Use

WINDOW = 4000  # characters looked at together: bounds what an expression can cost, whatever the text's length
BEFORE, AFTER = 300, 1000  # further characters of context; no value but a private key is longer
TIMEOUT_S = 5.0  # for one expression over one window; then the guard fails, and the text is withheld
WORDS_BEFORE, WORDS_AFTER = 60, 30  # characters around a value in which a word that names it counts

DIGITLESS = frozenset({"EmailRecognizer", "PERSON", "URL", "MAC_ADDRESS", "SECRET"})  # recognizers, and labels of rules
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d|\bs/n\b", re.IGNORECASE)  # or that a house has none: "Calle Mayor, s/n"

LOWEST = 0.4  # scores below it are not reported
BESIDE_A_WORD = 0.65  # score of a value that rests on a word beside it; up to 0.2 more the nearer the word stands
ALONE = 0.45  # score of a value that is the whole text; up to 0.1 more by its shape
ASKED_FOR = 0.1  # Presidio's score from which a text that is nothing but the value counts

# In place of Presidio's own shapes, whose time grows with the square of the text: shape and score.
SHAPES = {
    "EmailRecognizer": (
        r"(?<![\w.+%-])\w[\w.!#$%'*+^`{|}~-]{0,63}@\w(?:[\w-]{0,62}\w)?(?:\.\w(?:[\w-]{0,62}\w)?){1,8}",
        0.5,
    ),
    "UsHealthInsuranceMemberIdRecognizer": (
        r"\b(?=[A-Z0-9-]{6,20}\b)(?=[A-Z0-9-]{0,19}[A-Z])(?=[A-Z0-9-]{0,19}\d)[A-Z]{1,5}-?[A-Z0-9]{5,14}\b",
        0.1,
    ),
}


class DetectionTimeout(Exception):
    """An expression took too long; the text has not been checked."""


Scan = Callable[[str], Iterator[Detection]]


class Detector:
    """All rules, compiled at first use. May be shared by threads; keeps nothing of the texts."""

    def __init__(self, *, names: bool = True) -> None:
        """
        Args:
            names: whether the trained tagger looks for names too; without it, patterns alone.
        """
        self._with_names = names
        self._loading = threading.Lock()
        self._of_digits: tuple[Scan, ...] = ()  # for values that cannot be without a digit: most texts have none
        self._of_all: tuple[Scan, ...] = ()
        self._names: Scan = _nothing

    def load(self) -> None:
        """Import Presidio and compile now. Takes some seconds at the first call, nothing afterwards."""
        with self._loading:
            if not self._of_all:
                self._names = _names() if self._with_names else _nothing
                self._of_digits = (
                    *_presidio(USED.keys() - DIGITLESS),
                    *_own(rule for rule in RULES if rule.label not in DIGITLESS),
                    _phones,
                )
                self._of_all = (
                    *_presidio(USED.keys() & DIGITLESS),
                    *_own(rule for rule in RULES if rule.label in DIGITLESS),
                )

    def detect(self, text: str) -> tuple[Detection, ...]:
        """Personal values of any language, disguised ones too, in order.

        None overlap, except that a web address may hold another value, and a disguised value one that is found plain.

        Raises:
            DetectionTimeout: the text could not be looked through.
        """
        plain, *others = views(text)
        disguised = (
            _placed(value, view, number)
            for number, view in enumerate(others, start=1)
            for value in self.plain(view.text)
        )
        return united(self.plain(plain.text), disguised)

    def plain(self, text: str) -> tuple[Detection, ...]:
        """As ``detect``, of the text as written alone."""
        self.load()
        found = list(self._names(text))
        for start in range(0, len(text), WINDOW):
            found += self._window(text, start)
        return disjoint(joined(text, found))

    def _window(self, text: str, start: int) -> Iterator[Detection]:
        """Values that begin in the window; seen with what stands around it."""
        first = max(0, start - BEFORE)
        part = text[first : start + WINDOW + AFTER]
        scans = (*self._of_digits, *self._of_all) if _NUMBER.search(part) else self._of_all
        for scan in scans:
            for value in scan(part):
                if start <= value.start + first < start + WINDOW:
                    yield Detection(value.label, value.start + first, value.end + first, value.score, value.what)


def _presidio(names: Set[str]) -> Iterator[Scan]:
    import presidio_analyzer.predefined_recognizers as predefined
    from presidio_analyzer import Pattern

    keep_presidio_offline()
    for name, use in USED.items():
        if name not in names:
            continue
        recognizer = getattr(predefined, name)()
        if name in SHAPES:
            recognizer.patterns = [Pattern(name, *SHAPES[name])]
        elif name == "InPanRecognizer":  # its loosest shape takes words for numbers
            recognizer.patterns = [pattern for pattern in recognizer.patterns if pattern.score > 0.05]
        if use.exact_case:
            recognizer.global_regex_flags = re.DOTALL | re.MULTILINE
        _raise_on_timeout(recognizer)
        yield partial(_recognize, recognizer, use, _word(use.words), _ending(use.not_after))


class _Strict:
    """A compiled expression that fails loudly. Presidio logs a timeout, text and all, and goes on without."""

    def __init__(self, shape: str, flags: int) -> None:
        import regex

        self._regex = regex.compile(shape, flags)

    def finditer(self, text: str, timeout: float = TIMEOUT_S) -> Iterator[Any]:  # Presidio would give it a minute
        try:
            yield from self._regex.finditer(text, timeout=min(timeout, TIMEOUT_S))
        except TimeoutError:
            raise DetectionTimeout("a personal-data expression ran out of time") from None


def _raise_on_timeout(recognizer: Any) -> None:
    for pattern in recognizer.patterns:
        pattern.compiled_regex = _Strict(pattern.regex, recognizer.global_regex_flags)
        pattern.compiled_with_flags = recognizer.global_regex_flags


def _recognize(
    recognizer: Any, use: Use, word: re.Pattern[str], not_after: re.Pattern[str] | None, text: str
) -> Iterator[Detection]:
    for result in recognizer.analyze(text, recognizer.supported_entities):
        value = slice(result.start, result.end)
        if result.entity_type != "EMAIL_ADDRESS" and not _DIGIT.search(text, value.start, value.stop):
            continue  # several expressions take any word of the right length
        if not_after and not_after.search(text[max(0, value.start - 20) : value.start]):
            continue
        score = _score(text, value, result.score, word, use.anywhere)
        if score >= LOWEST:
            yield Detection(result.entity_type, value.start, value.stop, score, use.what)


def _own(rules: Iterable[Rule]) -> Iterator[Scan]:
    for rule in rules:
        flags = 0 if rule.exact_case else re.IGNORECASE
        yield partial(_match, rule, _Strict(rule.shape, flags), _word(rule.words))


def _match(rule: Rule, shape: _Strict, word: re.Pattern[str], text: str) -> Iterator[Detection]:
    for match in shape.finditer(text):
        start, end = match.span("value" if "value" in match.groupdict() else 0)
        if rule.valid and not rule.valid(text[start:end]):
            continue
        score = _score(text, slice(start, end), rule.score, word, anywhere=not rule.words)
        if score >= LOWEST:
            yield Detection(rule.label, start, end, score, rule.what)


def _nothing(text: str) -> Iterator[Detection]:
    yield from ()


def _names() -> Scan:
    """The trained tagger, over the whole text: it cuts windows of its own."""
    from guardrails.pii.names import NameRecognizer

    recognizer = NameRecognizer()
    recognizer.analyze("", recognizer.supported_entities)  # reads its files now, not with the first text

    def scan(text: str) -> Iterator[Detection]:
        for result in recognizer.analyze(text, recognizer.supported_entities):
            yield Detection(result.entity_type, result.start, result.end, result.score, WHAT[result.entity_type])

    return scan


def _phones(text: str) -> Iterator[Detection]:
    for start, end, score in phones(text):
        yield Detection("PHONE_NUMBER", start, end, score, "a phone number")


def _score(text: str, value: slice, shape: float, word: re.Pattern[str], anywhere: bool) -> float:
    """How sure: by shape and check digits alone, or by the nearest word that names such a value."""
    nearness = _nearness(text, value, word)
    if anywhere and shape >= LOWEST:
        return min(1.0, shape + 0.35 * (nearness > 0))
    if nearness:
        return BESIDE_A_WORD + 0.2 * nearness + 0.1 * (shape == 1.0)
    alone = text.strip(" \t\r\n.,;:!?\"'") == text[value]
    return ALONE + 0.1 * shape if alone and shape >= ASKED_FOR else 0.0


def _nearness(text: str, value: slice, word: re.Pattern[str]) -> float:
    """1 for a word directly beside the value, falling to 0 where words no longer count."""
    before = text[max(0, value.start - WORDS_BEFORE) : value.start]
    after = text[value.stop : value.stop + WORDS_AFTER]
    gaps = [(len(before) - match.end()) / WORDS_BEFORE for match in word.finditer(before)]
    gaps += [(match.start() + 1) / WORDS_AFTER for match in word.finditer(after)]
    return 1 - min(gaps, default=1.0)


def _word(words: Sequence[str]) -> re.Pattern[str]:
    """Words at the beginning of a word: "passport" in "passports". One of up to four letters only as a whole word."""
    if not words:
        return re.compile(r"(?!)")
    shapes = (re.escape(word) + (r"(?!\w)" if len(word) <= 4 else r"\w*") for word in words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(shapes)})", re.IGNORECASE)


def _ending(words: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})[\s.:#]*$", re.IGNORECASE) if words else None


def reading(text: str, found: Detection) -> str:
    """The value as it reads without its disguise."""
    if not found.view:
        return text[found.start : found.end]
    (view,) = islice(views(text), found.view, found.view + 1)
    return view.text[found.view_start : found.view_end]


def _placed(value: Detection, view: Folded, number: int) -> Detection:
    start, end = view.original(value.start, value.end)
    return replace(value, start=start, end=end, view=number, view_start=value.start, view_end=value.end)
