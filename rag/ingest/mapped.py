"""Text that knows where each of its characters stood on a page, through every change that is made to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from rag.ingest.clean import INVISIBLE, LINE_ENDS, MANY_BLANK_LINES, SPACES, SURROGATES, one_line

PUT_IN = -1  # a character that no page holds: a line feed, the mark of a heading
PAIRS = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
TRAILING = re.compile(r"(?<![^\S\n])[^\S\n]+$", re.MULTILINE)  # begins where white space does: no second look at it


@dataclass(frozen=True, slots=True)
class MappedText:
    """``text``, and for each of its characters the index that the page gives it, or ``PUT_IN``."""

    text: str = ""
    at: tuple[int, ...] = ()

    def __getitem__(self, part: slice) -> MappedText:
        return MappedText(self.text[part], self.at[part])

    def sub(self, pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str]) -> MappedText:
        """As ``pattern.sub``. What replaces characters stands where the first of them stood."""
        matches = list(pattern.finditer(self.text))
        if not matches:
            return self
        texts, places, end = list[str](), list[tuple[int, ...]](), 0
        for found in matches:
            new = replacement if isinstance(replacement, str) else replacement(found)
            texts += [self.text[end : found.start()], new]
            places += [self.at[end : found.start()], self.at[found.start() : found.start() + 1] * len(new)]
            end = found.end()
        return MappedText("".join([*texts, self.text[end:]]), tuple(chain(*places, self.at[end:])))

    def strip(self, signs: str | None = None) -> MappedText:
        start = len(self.text) - len(self.text.lstrip(signs))
        return self[start : len(self.text.rstrip(signs))] if start < len(self.text) else MappedText()

    def tidy(self) -> MappedText:
        """What ``clean.tidy`` makes of the text."""
        lines = self.sub(LINE_ENDS, "\n").sub(INVISIBLE, "").sub(SURROGATES, "\ufffd").sub(TRAILING, "")
        return lines.sub(MANY_BLANK_LINES, "\n\n").strip("\n")

    def one_line(self) -> MappedText:
        """What ``clean.one_line`` makes of the text."""
        if one_line(self.text) == self.text:
            return self
        cleaned = self.sub(LINE_ENDS, "\n").sub(INVISIBLE, "").sub(SURROGATES, "\ufffd")
        return cleaned.sub(SPACES, " ").strip()


def put_in(text: str) -> MappedText:
    """Text of our own."""
    return MappedText(text, (PUT_IN,) * len(text))


def joined(parts: Iterable[MappedText], between: str = "") -> MappedText:
    parts = list(parts)
    gap = (PUT_IN,) * len(between)
    places = chain.from_iterable(part.at + gap for part in parts[:-1])
    return MappedText(between.join(part.text for part in parts), (*places, *(parts[-1].at if parts else ())))
