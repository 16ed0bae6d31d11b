"""Makes true sentences untrue, one way at a time: to train the grounding head, and to measure what it catches."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
UNITS = (
    ("seconds", "minutes", "hours", "days", "weeks", "months", "years"),
    ("miles", "metres", "kilometres", "feet", "inches", "yards"),
    ("dollars", "euros", "pounds", "yen"),
    ("million", "billion", "thousand"),
    ("percent", "degrees"),
    ("grams", "kilograms", "tons"),
)
CLAUSES = (
    "which was later cancelled", "as confirmed by two independent studies", "although this is rarely done",
    "making it the largest of its kind", "because of a lack of money", "with the help of his brother",
    "at the request of the government", "and won several awards for it", "despite strong opposition",
    "which is free of charge", "after a long illness", "and must be renewed every year",
    "according to the town council", "which surprised most people", "mainly for tax reasons",
)  # fmt: skip
VERBS = {
    "is": "is not", "are": "are not", "was": "was not", "were": "were not", "has": "has not", "have": "have not",
    "had": "had not", "can": "cannot", "will": "will not", "would": "would not", "could": "could not",
    "must": "must not", "should": "should not", "may": "may not", "does": "does not", "did": "did not",
}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?![\w.,]\d)|(?<![\w.,-])\d+(?:\.\d+)?(?![\w,.]*\d|\w)")
_YEAR = re.compile(r"\b(?:1[6-9]|20)\d\d\b")
_NAME = re.compile(r"(?<![.!?\"'] )(?<!^)\b[A-Z][a-z]{2,}(?: (?:of |the )?[A-Z][a-z]+){0,3}\b")
_VERB = re.compile(rf"\b({'|'.join(VERBS)})\b(?! not\b|n't)")
_DENIAL = re.compile(r"\b(?:not|never)\s|n't\b")


@dataclass(frozen=True, slots=True)
class Changed:
    """A sentence that is no longer true, and its wrong part: characters, end exclusive."""

    text: str
    start: int
    end: int


def _put(sentence: str, start: int, end: int, new: str) -> Changed:
    return Changed(sentence[:start] + new + sentence[end:], start, start + len(new))


def number(sentence: str, source: str, draw: random.Random) -> Changed | None:
    found = [m for m in _NUMBER.finditer(sentence) if not _YEAR.fullmatch(m[0])]
    if not found:
        return None
    match = draw.choice(found)
    other = [m[0] for m in _NUMBER.finditer(source) if m[0] != match[0] and not _YEAR.fullmatch(m[0])]
    value = float(match[0].replace(",", ""))
    whole = "." not in match[0]
    made = draw.choice([value + draw.choice((1, 2, 5, 10)), value * 2, value * 10, value + 7])
    new = draw.choice(other) if other and draw.random() < 0.5 else f"{int(made):,}" if whole else f"{made:.1f}"
    return _put(sentence, *match.span(), new) if new != match[0] else None


def date(sentence: str, source: str, draw: random.Random) -> Changed | None:
    found = [*_YEAR.finditer(sentence), *re.finditer(rf"\b(?:{'|'.join(MONTHS)})\b(?= \d|,)", sentence)]
    if not found:
        return None
    match = draw.choice(found)
    if match[0][0].isdigit():
        new = str(int(match[0]) + draw.choice((-20, -10, -3, -2, -1, 1, 2, 3, 4, 10)))
    else:
        new = draw.choice([month for month in MONTHS if month != match[0]])
    return _put(sentence, *match.span(), new)


def name(sentence: str, source: str, draw: random.Random) -> Changed | None:
    found = list(_NAME.finditer(sentence))
    if not found:
        return None
    match = draw.choice(found)
    words = match[0].count(" ")
    other = sorted(
        {m[0] for m in _NAME.finditer(source) if m[0] not in sentence and match[0] not in m[0]},
        key=lambda n: (abs(n.count(" ") - words), n),
    )
    return _put(sentence, *match.span(), draw.choice(other[:4])) if other else None


def negation(sentence: str, source: str, draw: random.Random) -> Changed | None:
    if denial := _DENIAL.search(sentence):
        if denial[0] == "n't":
            return None
        return Changed(
            sentence[: denial.start()] + sentence[denial.end() :], max(0, denial.start() - 4), denial.start() + 4
        )
    found = list(_VERB.finditer(sentence))
    if not found:
        return None
    match = draw.choice(found)
    return _put(sentence, *match.span(), VERBS[match[0]])


def unit(sentence: str, source: str, draw: random.Random) -> Changed | None:
    for kind in draw.sample(UNITS, len(UNITS)):
        for word in kind:
            if match := re.search(rf"(?<=\d )(?:{word}|{word[:-1]})\b|(?<=\w ){word}\b", sentence):
                other = [w for w in kind if w != word]
                return _put(sentence, *match.span(), draw.choice(other))
    return None


def roles(sentence: str, source: str, draw: random.Random) -> Changed | None:
    """Two names change places."""
    found = list(re.finditer(r"\b[A-Z][a-z]{2,}(?: [A-Z][a-z]+){0,2}\b", sentence))
    if len(found) < 2 or found[0][0] == found[-1][0]:
        return None
    one, other = found[0], found[-1]
    if other.start() - one.end() < 8:
        return None
    text = sentence[: one.start()] + other[0] + sentence[one.end() : other.start()] + one[0] + sentence[other.end() :]
    return Changed(text, one.start(), len(text) - (len(sentence) - other.end()))


def clause(sentence: str, source: str, draw: random.Random) -> Changed | None:
    """Something plausible is added."""
    body = sentence.rstrip()
    mark = body[-1] if body and body[-1] in ".!?" else ""
    body = body.rstrip(".!?")
    added = ", " + draw.choice(CLAUSES)
    return Changed(body + added + mark, len(body), len(body) + len(added))


KINDS: dict[str, Callable[[str, str, random.Random], Changed | None]] = {
    "number": number, "date": date, "name": name, "negation": negation, "unit": unit, "roles": roles, "clause": clause,
}  # fmt: skip
