"""Hostile texts, ways of cutting them, and the comparison that streaming has to stand."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.pii import Detector, PiiGuard
from guardrails.policy import load
from guardrails.stream import BEFORE, LOOK_AHEAD, Cut, PartsAValue
from guardrails.types import Context, Evidence, Finding, Origin, Stage

Cuts = Callable[[Iterable[str], PartsAValue], Iterator[Cut]]

# Each holds what others cut in two: values that go on after a full stop, a line's end or a list mark.
VALUES = (
    "anna.weiss@mail.subdomain.of-a-long-domain.example.org",
    "https://intra.example.org/patients?name=anna&mail=anna.weiss@mail.example.org&ssn=536-90-4399",
    "+41 44 555 01 99",
    "+44 20\n7946 0123",
    "(030) 555-\n0199",
    "DE89 3704 0044 0532 0130 00",
    "DE89 3704 0044\n0532 0130 00",
    "GB33BUKB20201555555555",
    "4111 1111 1111 1111",
    "536-90-4399",
    "Dr. Ada Lovelace",
    "Frau Dr. Weiss",
    "192.168.14.201",
    "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n+qA8d9\n-----END PRIVATE KEY-----",
)
AROUND = (
    *(
        "Call ",
        "Write to ",
        "The number is ",
        "e.g. ",
        "No. ",
        "z.B. ",
        "3.5 days ",
        "\n- item ",
        "\n1. ",
        "| a | b |\n",
    ),
    *("```\ncode = 1\n```\n", ". ", "! ", "? ", " ", "\n", "\n\n", "; ", " or ", "It is so. ", "Yes. ", "… ", ".) "),
    *("in 2024. The ", "word " * 60, "x" * 500, "# Heading\n", "J. ", "tel. ", "[1] ", "**bold** ", "ends here.", ""),
)

AFTER = (" ", ". ", ", ", "\n", "\n\n", "? ", ") ", "; ", "")


class VerbatimGuard:
    """Finds the values above and nothing else, at once: for thousands of texts."""

    name = "pii"
    stages: frozenset[Stage] = frozenset({"question", "passage", "sentence"})
    shape = re.compile("|".join(sorted(map(re.escape, VALUES), key=len, reverse=True)))

    def check(self, text: str, context: Context) -> list[Finding]:
        around, offset = context.before + text + context.after, len(context.before)
        spans = [(match.start() - offset, match.end() - offset) for match in self.shape.finditer(around)]
        inside = [(max(0, start), min(len(text), end)) for start, end in spans]
        return [Finding("pii", "pii", "ID", s, e, 1.0, 0.4, "", Origin.DOCUMENT) for s, e in inside if s < e]


def hostile(chance: random.Random) -> str:
    """A text with values where they hurt."""
    parts = []
    for _ in range(chance.randint(1, 9)):
        parts += [chance.choice(AROUND)]
        if chance.random() < 0.5:
            parts += [chance.choice(VALUES), chance.choice(AFTER)]
    return "".join(parts)


def pieces(text: str, chance: random.Random) -> list[str]:
    longest = chance.choice((1, 3, 9, 60))
    cut, start = [], 0
    while start < len(text):
        end = start + chance.randint(1, longest)
        cut.append(text[start:end])
        start = end
    return cut


def real_gate() -> Gate:
    guard = PiiGuard(Detector())
    guard.load()
    return Gate(Checks([guard]), load())


def quick_gate() -> Gate:
    return Gate(Checks([VerbatimGuard()]), load())


def streamed(gate: Gate, cuts: Cuts, arriving: Sequence[str], context: Context) -> list[str]:
    """What is shown, sentence by sentence."""
    return [
        gate.sentence(cut.text, replace(context, before=cut.before, after=cut.after)).shown.text
        for cut in cuts(arriving, gate.parts_a_value)
    ]


def differs(gate: Gate, cuts: Cuts, text: str, arriving: Sequence[str]) -> str:
    """What is wrong with the way this text is streamed; empty when nothing is."""
    context = Context(question="?", evidence=(Evidence("0", text),))
    whole = gate.sentence(text, context).shown.text
    shown = "".join(streamed(gate, cuts, arriving, context))
    leaked = [value for value in VALUES if shown.count(value) > whole.count(value)]
    return f"leaked {leaked}" if leaked else "" if shown == whole else f"differs: {shown!r}, not {whole!r}"


def well_surrounded(cuts: Cuts, text: str, arriving: Sequence[str]) -> bool:
    """Whether each sentence comes with what really stands around it."""
    start = 0
    for cut in cuts(arriving, lambda text, at: False):
        end = start + len(cut.text)
        if (cut.before, cut.after) != (text[max(0, start - BEFORE) : start], text[end : end + LOOK_AHEAD]):
            return False
        start = end
    return start == len(text)
