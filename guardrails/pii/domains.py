"""Whether a host name ends in a public suffix, by the list that tldextract carries; never by the network."""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract

# Public suffixes that a document far more often means as the ending of a file's name.
FILE_ENDINGS = frozenset(
    {"md", "py", "sh", "rs", "pl", "ps", "zip", "mov", "cc", "so", "ai", "app", "do", "in", "is", "it", "to"}
)
_HOST = re.compile(r"(?:https?://)?(?:[^/@\s]*@)?([^/:?#\s]+)", re.IGNORECASE)


@cache
def packaged() -> TLDExtract:
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None)


def web_address(value: str) -> bool:
    """Whether an address could be opened. Bare names that may be a file's, or two words run together, do not count."""
    host = _HOST.match(value)
    found = packaged()(host[1]) if host else None
    if found is None or not found.suffix or not found.domain:
        return False
    marked = value.lower().startswith(("http", "www")) or "/" in value
    return marked or (found.suffix not in FILE_ENDINGS and found.suffix.islower())


def keep_presidio_offline() -> None:
    """Presidio calls ``tldextract.extract``, which would fetch a list from the internet and cache it on disk."""
    from presidio_analyzer.predefined_recognizers.generic import email_recognizer, url_recognizer

    for module in (email_recognizer, url_recognizer):
        module.tldextract = SimpleNamespace(extract=packaged())  # type: ignore[attr-defined]  # only Presidio's view of it
