"""Looks for texts in the bytes of files: in every file of a folder, in UTF-8, UTF-16 and as JSON escapes them.

In a process of its own: to open and close a database here would undo the locks that this process holds on it.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from guardrails.process import Child, ChildFailed, serve
from rag.errors import StoreError

if TYPE_CHECKING:
    import numpy as np

SECONDS = 3600.0
INDEX = "index.sqlite*"  # where words lie one by one
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")
SHORTEST, LONGEST = 16, 80  # characters of a piece
ANCHOR = 8  # bytes that every piece begins with, by which it is found
BLOCK = 1 << 25  # bytes looked at together
LARGEST_MEMBER = 1 << 27  # bytes; a larger one of a zip archive is not looked into
SLOTS = 24  # bits
_END = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")


def pieces(text: str) -> list[str]:
    """The sentences of a text, long ones in parts; the whole of one that has none worth looking for."""
    sentences = [sentence.strip() for sentence in _END.split(text)]
    parts = [one[at : at + LONGEST] for one in sentences for at in range(0, len(one), LONGEST)]
    found = dict.fromkeys(part for part in parts if len(part) >= SHORTEST)
    return list(found) or ([text.strip()] if len(text.strip()) >= ANCHOR else [])


def search(folder: Path, wanted: Collection[str], words: Collection[str], skip: Path) -> list[dict[Path, set[str]]]:
    """File to what stands in it, for every file of a folder but one.

    Args:
        wanted: pieces of at least eight bytes.
        words: parts of words, in lower case, that are looked for in the index of words alone.

    Returns:
        Of the pieces, and of the words.
    """
    child = Child("rag.bytescan")
    try:
        question = {"folder": str(folder), "pieces": list(wanted), "words": list(words), "skip": str(skip)}
        answer = json.loads(child.ask(json.dumps(question), SECONDS))
    except ChildFailed as error:
        raise StoreError(f"the files of {folder} could not be searched: {error}") from None
    finally:
        child.close()
    return [{Path(path): set(found) for path, found in part.items()} for part in answer]


class ByteScan:
    """Finds pieces of at least eight bytes."""

    def __init__(self, wanted: Collection[str]) -> None:
        import numpy as np

        self._by_anchor: dict[bytes, list[tuple[bytes, str]]] = {}
        for piece in wanted:
            for form in _forms(piece):
                self._by_anchor.setdefault(form[:ANCHOR], []).append((form, piece))
        self._longest = max((len(form) for forms in self._by_anchor.values() for form, _ in forms), default=0)
        self._slots = np.zeros(1 << SLOTS, dtype=bool)
        if wanted:
            self._slots[_slots(np.frombuffer(b"".join(a[:4] for a in self._by_anchor), dtype="<u4"))] = True

    def bytes(self, data: bytes) -> set[str]:
        """The pieces that stand in these bytes."""
        import numpy as np

        found: set[str] = set()
        for shift in range(min(4, max(0, len(data) - 3))):
            words = np.frombuffer(data, dtype="<u4", offset=shift, count=(len(data) - shift) // 4)
            for at in np.flatnonzero(self._slots[_slots(words)]).tolist():
                begin = at * 4 + shift
                for form, piece in self._by_anchor.get(data[begin : begin + ANCHOR], ()):
                    if data.startswith(form, begin):
                        found.add(piece)
        return found

    def folder(self, folder: Path, skip: Collection[Path] = ()) -> dict[Path, set[str]]:
        """File to the pieces that stand in it, for every file below; members of zip archives count as their file."""
        found: dict[Path, set[str]] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in skip:
                here = {piece for data in _contents(path, self._longest) for piece in self.bytes(data)}
                if here:
                    found[path] = here
        return found


def _slots(words: np.ndarray) -> np.ndarray:
    """Where four bytes each are looked up in the table of what pieces begin with."""
    import numpy as np

    return (words * np.uint32(2654435761)) >> np.uint32(32 - SLOTS)


def _forms(piece: str) -> set[bytes]:
    raw = {piece.encode(encoding, "surrogatepass") for encoding in ENCODINGS}
    return {form for form in raw | {json.dumps(piece)[1:-1].encode()} if len(form) >= ANCHOR}


def _contents(path: Path, overlap: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            data = file.read(BLOCK)
            while data:
                yield data
                more = file.read(BLOCK)
                data = data[-overlap:] + more if more else b""
    except FileNotFoundError:  # it went meanwhile
        return
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size <= LARGEST_MEMBER and not member.flag_bits & 1:
                    yield archive.read(member)


def _answer(question: str) -> str:
    asked = json.loads(question)
    folder = Path(asked["folder"])
    found = ByteScan(asked["pieces"]).folder(folder, {Path(asked["skip"])})
    of_words = {path: [w for w in asked["words"] if w.encode() in path.read_bytes()] for path in folder.glob(INDEX)}
    parts = [{str(path): sorted(here) for path, here in part.items()} for part in (found, of_words)]
    return json.dumps(parts)


if __name__ == "__main__":
    serve(_answer)
