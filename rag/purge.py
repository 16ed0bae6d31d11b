"""Complete removal: afterwards no file of the state folder holds a byte of what the document said.

Rows, words and vectors go; the files that held them are written anew; the file goes if it was handed in through the
page; the key of what the record and the conversations quote of it is destroyed, unless it is on legal hold. Then every
file is searched for what the document said, and what is found is told.

``begin`` is quick: from then on nobody finds the document, and what quoted it cannot be read. ``complete`` writes the
files anew, for all that was begun, and searches them. A journal keeps what they are searched for until that is done;
killed at any moment, ``complete`` goes on where it stopped. It belongs at the start of a process.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from guardrails.audit import erase
from guardrails.audit.log import AuditLog
from rag.access import actor, require
from rag.bytescan import INDEX, pieces, search
from rag.errors import LoadError
from rag.index import remains
from rag.index.catalogue import Catalogue
from rag.index.store import VectorStore
from rag.ingest.meta import SIDE_CAR
from rag.types import Reader

MOST_WORDS = 200  # long words of a document that are looked for in the index of words
_LONG_WORD = re.compile(r"\b[a-z]{10,}\b")


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did, and what it could not."""

    source: str
    chunks: int  # that were removed; 0 when the document had been removed before
    pieces: int  # sentences of it that every file was searched for; 0: nobody knew any more what it said
    held_since: str  # a legal hold keeps what the record quotes of it since then; erased when it is lifted
    elsewhere: tuple[str, ...]  # other documents that say the same in part: their words stay
    left: tuple[str, ...]  # files of the state folder that still hold something of it; empty: it is gone


@dataclass(frozen=True, slots=True)
class Begun:
    """One document of the journal."""

    source: str
    actor: str
    path: str  # of its file; "" when it is not known
    texts: tuple[str, ...]
    is_out: bool = False  # of the index
    held_since: str = ""


class Purge:
    """Purges documents of one state folder. Asking goes on meanwhile; ingesting waits while vectors are written anew.

    Args:
        state: the folder; everything below it is searched.
        remove: takes a document out of the index, with its words and vectors; nothing happens where there is none.
    """

    def __init__(
        self, state: Path, catalogue: Catalogue, vectors: VectorStore, log: AuditLog, remove: Callable[[str], object]
    ) -> None:
        self._state = state
        self._catalogue = catalogue
        self._vectors = vectors
        self._log = log
        self._remove = remove
        self._journal = state / "purge.json"
        self._noting = threading.RLock()
        self._one_at_a_time = threading.Lock()

    def use(self, vectors: VectorStore) -> None:
        """These vectors are in use from now on."""
        self._vectors = vectors

    def __call__(self, source: str, reader: Reader) -> Purged:
        """Purge one document, whether it is in the index or was removed before.

        Raises:
            NotAllowed: the reader is no editor.
            LoadError: there is, and was, no such document.
        """
        self.begin(source, reader)
        return next(purged for purged in self.complete() if purged.source == source)

    def begin(self, source: str, reader: Reader) -> None:
        """Take a document out of the index, and destroy the key of what quotes it. ``complete`` does the rest.

        Raises:
            NotAllowed: the reader is no editor.
            LoadError: there is, and was, no such document.
        """
        require(reader, "editor")
        with self._noting:
            texts = remains.texts_of(self._catalogue, source)
            known = [other for other in self._begun() if other.source == source]  # interrupted, or brought in again
            if not (texts or known or erase.is_known(self._log, source)):
                raise LoadError(source, "there is no such document")
            paths = [path for path, (found, _) in self._catalogue.files().items() if found == source]
            paths += [earlier.path for earlier in known]
            texts += [text for earlier in known for text in earlier.texts if text not in texts]
            begun = Begun(source, actor(reader), paths[0] if paths else "", tuple(texts))
            self._note([*(other for other in self._begun() if other.source != source), begun])
            self._take_out(begun)

    def complete(self) -> list[Purged]:
        """Complete every purge that was begun; what became of each. Nothing happens where there is none."""
        with self._one_at_a_time:
            with self._noting:
                for waiting in self._begun():
                    if not waiting.is_out:
                        self._take_out(waiting)
                begun = self._begun()
            if not begun:
                return []
            self._rewrite()
            done = self._searched(begun)
            for purged, of in zip(done, begun, strict=True):
                erase.record_purge(self._log, of.source, of.actor, _counts(purged))
            with self._noting:
                self._note([later for later in self._begun() if later not in begun])
        self._log.fold()
        return done

    def removed(self, reader: Reader) -> int:
        """Purge whatever was removed from the index so far, by whichever way; how many documents the record quoted.

        What they said is not known any more: the files are written anew, but cannot be searched.
        """
        require(reader, "editor")
        there = [source for source, _ in self._catalogue.files().values()]
        count = erase.erase_all_but(self._log, there, actor(reader))
        self._rewrite()
        self._log.fold()
        return count

    def _take_out(self, begun: Begun) -> None:
        self._remove(begun.source)
        path = Path(begun.path)
        if begun.path and path.is_relative_to(self._state):
            for file in (path, path.with_name(path.name + SIDE_CAR)):
                file.unlink(missing_ok=True)
        held_since = erase.erase(self._log, begun.source, begun.actor)
        others = [other for other in self._begun() if other.source != begun.source]
        self._note([*others, replace(begun, is_out=True, held_since=held_since)])

    def _rewrite(self) -> None:
        """Write the files anew that held documents."""
        remains.rewrite(self._catalogue)
        self._vectors.rewrite()
        self._log.fold()

    def _searched(self, begun: Iterable[Begun]) -> list[Purged]:
        wanted = {of.source: {piece for text in of.texts for piece in pieces(text)} for of in begun}
        middles = {of.source: _middles(of.texts) for of in begun}
        gone = remains.unheard(self._catalogue, set().union(*middles.values()))
        found, of_words = search(self._state, set().union(*wanted.values()), gone, self._journal)
        said = remains.said_by(self._catalogue, set().union(*found.values()))
        files = {Path(path): source for path, (source, _) in self._catalogue.files().items()}
        done = []
        for of in begun:
            own = wanted[of.source]
            elsewhere = {source for source, parts in said.items() if parts & own}
            elsewhere |= {source for path, source in files.items() if found.get(path, set()) & own}
            left = {
                path for path, parts in found.items() if path not in files and self._unexcused(path, parts & own, said)
            }
            left |= {path for path, parts in of_words.items() if parts & middles[of.source]}
            names = sorted(path.relative_to(self._state).as_posix() for path in left)
            done.append(
                Purged(of.source, len(of.texts), len(own), of.held_since, tuple(sorted(elsewhere)), tuple(names))
            )
        return done

    def _unexcused(self, path: Path, parts: set[str], said: Mapping[str, set[str]]) -> set[str]:
        """What stands in a file, but for what is there because another document says it too."""
        return parts - set().union(*said.values()) if path.match(str(self._state / INDEX)) else parts

    def _begun(self) -> list[Begun]:
        try:
            rows = json.loads(self._journal.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [Begun(**row | {"texts": tuple(row["texts"])}) for row in rows]

    def _note(self, begun: Iterable[Begun]) -> None:
        """Write the journal: the old one stands until the new one is on disk."""
        rows = [asdict(one) for one in begun]
        if not rows:
            self._journal.unlink(missing_ok=True)
            return
        new = self._journal.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(rows, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._journal)


def _middles(texts: Iterable[str]) -> set[str]:
    """Parts of the long words of a document, as the index of words has them.

    Words have other endings there, and share their beginnings with their neighbours: only what is between stays.
    """
    return {word[3:8] for word in _LONG_WORD.findall(" ".join(texts).lower())[:MOST_WORDS]}


def _counts(purged: Purged) -> dict[str, int | bool]:
    return {
        "chunks": purged.chunks,
        "pieces": purged.pieces,
        "held": bool(purged.held_since),
        "elsewhere": len(purged.elsewhere),
        "left": len(purged.left),
    }
