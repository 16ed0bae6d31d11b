"""Pictures of the pages that an answer rests on: the supporting words marked, what the gate hides blackened.

A picture is drawn when it is asked for, from the file, and is kept nowhere. Whatever stands on the page passes the gate
for this reader; what cannot be read, and so cannot be checked, is not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from guardrails.gate import Gate
from guardrails.types import Action, Context, Evidence
from rag.access import audience, require
from rag.errors import LoaderFailed, LoadError, NoPicture
from rag.index.catalogue import Catalogue
from rag.ingest.files import hash_of
from rag.ingest.worker import Worker
from rag.types import Chunk, Limits, PagePicture, Reader

SECONDS = 20.0  # for finding the words, and as many for each drawing
MOST_PAGES = 2  # of one citation: supporting words seldom stand on more
GAP = 3  # characters of the page between two hidden ones that are hidden as well: a hyphen, a space

GONE = "This passage is no longer among the documents that you may read."
CHANGED = "The file is no longer the one that was read, so there is no picture of the page. Ingest it again."
LOST = "The file is no longer where it was when it was read, so there is no picture of the page."
NOT_DRAWN = "The page could not be drawn in time or was too large, so there is no picture of it."
NOT_CHECKED = "The page could not be checked as a whole, so there is no picture of it."
LEFT_OUT = {
    "pictures": "Pictures and drawings are not shown: words in them cannot be checked.",
    "characters": "Grey places hold signs whose meaning the file does not tell: they cannot be checked.",
    "notes": "Notes and form fields that lie over the page are not shown.",
}
HIDDEN = "Black places hold personal data, or other words that are not shown to you."

Place = tuple[int, int]  # page, from 0, and index of a character on it


class Pages:
    """Draws pages of the documents of one state folder, in a process of its own. Safe under threads.

    Args:
        gate: with the policy that is in force now.
    """

    def __init__(self, catalogue: Catalogue, gate: Callable[[], Gate], seconds: float = SECONDS) -> None:
        self._catalogue = catalogue
        self._gate = gate
        self._worker = Worker(Limits(seconds=seconds))

    def close(self) -> None:
        self._worker.close()

    def pictures(self, chunk_id: str, support: Sequence[tuple[int, int]], reader: Reader) -> list[PagePicture]:
        """The pages on which the supporting words stand, or the passage begins where none are given.

        Args:
            support: characters of the chunk's text.

        Raises:
            NoPicture: why there is none, in one sentence for the reader.
        """
        require(reader, "user")
        chunk, path, file_hash = self._found(chunk_id, reader)
        try:
            if hash_of(path) != file_hash:
                raise NoPicture(CHANGED)
            pictures = self._drawn(path, chunk, support, reader)
            if hash_of(path) != file_hash:  # what was checked may not be what was drawn
                raise NoPicture(CHANGED)
        except LoaderFailed:
            raise NoPicture(NOT_DRAWN) from None
        except LoadError:
            raise NoPicture(LOST) from None
        return pictures

    def _found(self, chunk_id: str, reader: Reader) -> tuple[Chunk, Path, str]:
        """The chunk, if this reader may read it now, and its file as it was."""
        audiences, _ = self._catalogue.audiences(reader.groups)
        chunk = self._catalogue.chunks([chunk_id], audiences).get(chunk_id)
        files = self._catalogue.files()
        path = next((path for path, (source, _) in files.items() if chunk and source == chunk.source), None)
        if chunk is None or path is None:
            raise NoPicture(GONE)
        return chunk, Path(path), files[path][1]

    def _drawn(self, path: Path, chunk: Chunk, support: Sequence[tuple[int, int]], reader: Reader) -> list[PagePicture]:
        found = self._worker.locate(path, chunk.start, chunk.end)
        if found["text"] != chunk.text:  # read by another release
            raise NoPicture(CHANGED)
        places: list[Place] = list(zip(found["pages"], found["at"], strict=True))
        marked = {place for start, end in support for place in places[start:end] if place[1] >= 0}
        pages = sorted({page for page, _ in marked or places[:1]})[:MOST_PAGES]
        hidden = self._hidden(chunk, chunk.text, places, reader)
        for page in pages:
            text, at = found["texts"][str(page)].values()
            hidden |= self._hidden(chunk, text, [(page, index) for index in at], reader)
        return [self._picture(path, page, marked, hidden) for page in pages]

    def _hidden(self, chunk: Chunk, text: str, places: Sequence[Place], reader: Reader) -> set[Place]:
        """The characters that this reader may not see."""
        gate = self._gate()
        public = chunk.public_contacts or gate.policy.is_public(chunk.source)
        evidence = Evidence(chunk.id, text, chunk.title, public)
        checked = gate.passage(evidence, Context(audience=audience(reader)))
        if checked is None or (checked.action >= Action.DROP and chunk.quarantine != "released"):
            raise NoPicture(NOT_CHECKED)
        shown = checked.shown
        signs = zip(text, shown.begins, shown.ends, strict=True)
        hides = [shown.text[begin:end] != sign for sign, begin, end in signs]
        hidden = {place for place, hide in zip(places, hides, strict=True) if hide and place[1] >= 0}
        return hidden | {between for one, other in pairwise(sorted(hidden)) for between in _between(one, other)}

    def _picture(self, path: Path, page: int, marked: set[Place], hidden: set[Place]) -> PagePicture:
        def on_page(places: set[Place]) -> list[int]:
            return sorted(index for number, index in places if number == page)

        drawn: dict[str, Any] = self._worker.draw(path, page, on_page(marked), on_page(hidden))
        notes = [HIDDEN] if on_page(hidden) else []
        notes += [LEFT_OUT[name] for name in drawn["left_out"]]
        return PagePicture(page + 1, drawn["png"], tuple(drawn["begins"]), tuple(notes))


def _between(one: Place, other: Place) -> list[Place]:
    if one[0] != other[0] or other[1] - one[1] > GAP + 1:
        return []
    return [(one[0], index) for index in range(one[1] + 1, other[1])]
