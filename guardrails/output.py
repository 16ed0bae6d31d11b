"""The guard of what an answer may never hold, whoever wrote it: images, markup, links elsewhere, our instructions.

Rules alone, so that nothing has to be recognised: an injected sentence may well look harmless, but it needs a link or
an image to carry words away, and markup to act in a page.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from guardrails.policy_tables import Output
from guardrails.types import Context, Finding, Stage

# Elements of HTML; a stand-in such as <PERSON_1>, or <your name> in a manual, is none.
_ELEMENTS = (
    "a|abbr|address|applet|article|aside|audio|b|base|blockquote|body|br|button|canvas|center|code|details|dialog|div|embed"
    "|font|footer|form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|img|input|label|li|link|main|map|marquee|math|meta"
    "|nav|noscript|object|ol|option|p|param|picture|portal|pre|script|section|select|slot|source|span|style|sub|summary|sup"
    "|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|track|u|ul|video|wbr"
)
_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\](?:\([^)\n]{0,2000}\)?|\[[^\]\n]{0,200}\])", re.IGNORECASE)
_MARKUP = re.compile(rf"</?(?:{_ELEMENTS})(?=[\s/>])[^<>]{{0,2000}}>?|<!--|<!doctype|<\?xml", re.IGNORECASE)
_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,20}://|(?<![\w/])//(?=[\w-]+\.)|\bwww\d?\.|\b(?:javascript|data|vbscript):(?=\S))[^\s<>\"'`)\]}|]+"
    r"(?<![.,;:!?])",
    re.IGNORECASE,
)
REASONS = {
    "IMAGE": "an image would be fetched from somewhere, and tell that place what the answer says",
    "MARKUP": "markup would act in the page instead of being read",
    "LINK": "the link leads to a place that the policy does not allow",
    "INSTRUCTIONS": "it gives away the assistant's own instructions",
}


class OutputGuard:
    """Reports what the policy's ``[output]`` does not let out. May be shared by threads.

    Args:
        rules: the policy's part that is in force.
        canaries: words of the instructions that must never be written.
    """

    name = "output"
    stages: frozenset[Stage] = frozenset({"sentence"})

    def __init__(self, rules: Callable[[], Output], *canaries: str) -> None:
        self._rules = rules
        shapes = (r"[\W_]*".join(map(re.escape, filter(str.isalnum, canary))) for canary in canaries)
        self._canary = re.compile("|".join(shapes), re.IGNORECASE)

    def check(self, text: str, context: Context) -> list[Finding]:
        return [
            Finding(self.name, "output", label, start, end, 1.0, 1.0, REASONS[label])
            for start, end, label in sorted(self._found(text, context))
        ]

    def _found(self, text: str, context: Context) -> Iterator[tuple[int, int, str]]:
        for label, shape in (("IMAGE", _IMAGE), ("MARKUP", _MARKUP)):
            yield from ((*match.span(), label) for match in shape.finditer(text))
        rules = self._rules()
        for match in _LINK.finditer(text):
            if not _allowed(match[0], rules, context):
                yield *match.span(), "LINK"
        yield from self._instructions(text, context)

    def _instructions(self, text: str, context: Context) -> Iterator[tuple[int, int, str]]:
        """The canary, also where it runs over the end of a sentence."""
        offset = len(context.before)
        for match in self._canary.finditer(context.before + text + context.after):
            start, end = max(0, match.start() - offset), min(len(text), match.end() - offset)
            if start < end:
                yield start, end, "INSTRUCTIONS"


def new_canary() -> str:
    """Letters and digits that nobody writes by chance."""
    return "QX" + secrets.token_hex(4).upper()


def _allowed(link: str, rules: Output, context: Context) -> bool:
    scheme = link.partition(":")[0].casefold()
    if scheme in {"javascript", "data", "vbscript", "file"}:
        return False
    if rules.links == "any" or rules.allows(_host(link)):
        return True
    known: Sequence[str] = (context.question, *context.history)
    if rules.links == "documents":
        known = (*known, *(passage.text for passage in context.evidence))
    return any(_stands_in(link, text) for text in known)


def _stands_in(link: str, text: str) -> bool:
    """Whether it stands there whole: the beginning of a longer address leads elsewhere."""
    return bool(re.search(re.escape(link) + r"(?![\w/?=&%#@-]|[.:][\w/])", text, re.IGNORECASE))


def _host(link: str) -> str:
    try:
        return urlsplit(link if "//" in link else f"//{link}").hostname or ""
    except ValueError:
        return ""
