"""Whole documents: which one a reader means, and all of its passages in order. Only what the reader may read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from rag.index.catalogue import Catalogue
from rag.index.keywords import STOP_WORDS, TERM
from rag.types import Passage, Reader, Shelved

ANY_DOCUMENT = frozenset({"document", "file", "text", "page", "dokument", "datei", "documento", "fichier"})


class WholeDocuments:
    """The documents of one index, each as a whole."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def called(self, name: str, reader: Reader) -> list[Shelved]:
        """The document with this title or file name; without one, all whose title or file name has these words.

        Documents that were replaced by newer ones only where nothing else is called so.
        """
        wanted = _words(name) - ANY_DOCUMENT
        audiences, _ = self._catalogue.audiences(reader.groups)
        fits = [(_fit(wanted, one), one) for one in self._catalogue.shelf(audiences)] if wanted else []
        found = [one for fit, one in fits if fit == 1] or [one for fit, one in fits if fit]
        return [one for one in found if not one.superseded_by] or found

    def passages(self, source: str, reader: Reader) -> list[Passage]:
        """Every chunk in order, without those that are held back; none where the reader may not read it."""
        audiences, _ = self._catalogue.audiences(reader.groups)
        ids = self._catalogue.chunk_ids_of(source)
        chunks = sorted(self._catalogue.chunks(ids, audiences).values(), key=lambda chunk: chunk.start)
        return [Passage(chunk, 1.0, 1.0) for chunk in chunks if chunk.quarantine != "held"]


def _fit(wanted: frozenset[str], document: Shelved) -> float:
    """Share of the words of title or file name that are asked for; 0 unless all that are asked for are there."""
    path = PurePosixPath(document.source)
    names: Sequence[frozenset[str]] = [_words(document.title), _words(path.stem), _words(path.name)]
    return max((len(wanted) / len(words) for words in names if wanted <= words), default=0.0)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in TERM.findall(text.casefold().replace("_", " ")) if word not in STOP_WORDS)
