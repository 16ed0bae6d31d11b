"""From bytes to characters, when nobody says which encoding they are in."""

from __future__ import annotations

import codecs
from pathlib import Path

from rag.errors import LoadError
from rag.ingest.sniff import HEAD, utf16_without_mark

MARKS: tuple[tuple[bytes, str], ...] = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MESS_FLOOR = 0.1  # share of implausible character sequences above which a guess is no answer
WESTERN = "cp1252"  # what most files without a declared encoding are in, and what a short text cannot prove
USUAL = frozenset("äöüßÄÖÜéèêëàâçîïôûùœÉÈÀÇáíóúñÑÁÍÓÚ¿¡åøæÅØÆãõ–—‘’“”„…•€£§°©®«»·\xa0½")  # noqa: RUF001 - really these
WAY_OUT = "save it as UTF-8"


def decode(path: Path, data: bytes, declared: str | None = None) -> str:
    """Return ``data`` as text.

    Args:
        path: for the error message.
        declared: the encoding that the file names itself; believed when the bytes agree and no mark says otherwise.

    Raises:
        LoadError: no encoding fits, or the best guess is too unsure to be shown as a source.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _strict(path, data, encoding)
    for guess in (declared, utf16_without_mark(data[:HEAD]), "utf-8"):
        text = _try(data, guess)
        if text is not None:
            return text
    if _is_damaged_utf8(data):
        raise LoadError(path, f"its UTF-8 is damaged; get the original again, or {WAY_OUT}")
    return _guess(path, data)


def _strict(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        reason = f"it begins with the mark of {encoding}, but byte {error.start} is not; {WAY_OUT}"
        raise LoadError(path, reason) from None


def _try(data: bytes, encoding: str | None) -> str | None:
    try:
        return data.decode(encoding) if encoding else None
    except (UnicodeDecodeError, LookupError):
        return None


def _is_damaged_utf8(data: bytes) -> bool:
    """Mostly sound multi-byte sequences with a few that are not: a guess would turn all of them into rubbish."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    sound = sum(character > "\x7f" for character in text) - broken
    return sound > 2 * broken


def _guess(path: Path, data: bytes) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(data)
    best = matches.best()
    if best is None or best.chaos > MESS_FLOOR:
        raise LoadError(path, f"its character encoding cannot be told; {WAY_OUT}")
    # No language recognised, as in short texts: the commonest reading.
    western = best.coherence == 0 and _plausible_western(data)
    return _strict(path, data, WESTERN if western else best.encoding)


def _plausible_western(data: bytes) -> bool:
    """Most characters beyond ASCII would be letters or the usual signs of Western European text."""
    text = _try(data, WESTERN)
    if text is None:
        return False
    beyond = [character for character in text if character > "\x7f"]
    return sum(character in USUAL for character in beyond) >= 0.8 * len(beyond)
