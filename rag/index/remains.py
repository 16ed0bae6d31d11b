"""What the file of the catalogue holds of a document, now and after it is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select, text

from guardrails.database import compact, writing
from rag.index.catalogue import Catalogue
from rag.index.tables import chunks, documents
from rag.types import Passage

BATCH = 500  # chunks read at a time


def texts_of(catalogue: Catalogue, source: str) -> list[str]:
    """What a document says, chunk by chunk; empty when there is none."""
    query = select(chunks.c.text).join(documents).where(documents.c.source == source).order_by(chunks.c.start)
    with catalogue.engine.connect() as connection:
        return list(connection.scalars(query))


def still_there(catalogue: Catalogue, passages: Sequence[Passage]) -> list[Passage]:
    """Those whose document has not been removed since they were found."""
    wanted = {passage.chunk.document_id for passage in passages}
    with catalogue.engine.connect() as connection:
        there = set(connection.scalars(select(documents.c.id).where(documents.c.id.in_(wanted))))
    return [passage for passage in passages if passage.chunk.document_id in there]


def said_by(catalogue: Catalogue, pieces: Collection[str]) -> dict[str, set[str]]:
    """Source to those of the pieces that stand in this document too."""
    found: dict[str, set[str]] = {}
    if not pieces:
        return found
    query = select(documents.c.source, documents.c.title, chunks.c.section, chunks.c.text).join(chunks)
    with catalogue.engine.connect() as connection:
        for source, *texts in connection.execution_options(yield_per=BATCH).execute(query):
            here = {piece for piece in pieces if any(piece in part for part in texts)}
            if here:
                found.setdefault(source, set()).update(here)
    return found


def unheard(catalogue: Catalogue, fragments: Iterable[str]) -> set[str]:
    """Those of these parts of words, in lower case, that no document uses any more."""
    left = set(fragments)
    query = select(documents.c.title, chunks.c.section, chunks.c.text).join(chunks)
    with catalogue.engine.connect() as connection:
        for texts in connection.execution_options(yield_per=BATCH).execute(query):
            words = " ".join(texts).lower()
            left = {fragment for fragment in left if fragment not in words}
    return left


def rewrite(catalogue: Catalogue) -> None:
    """Leave nothing in the file of what was removed: neither in its index of words nor in its free space."""
    with writing(catalogue.engine) as connection:
        # Words of what is gone stay in the index until it merges; it could forget them itself from SQLite 3.42 on.
        connection.execute(text("INSERT INTO words(words) VALUES ('rebuild')"))
    compact(catalogue.engine)
