"""What the catalogue holds as a whole, to be compared with vectors and files, and to be mended."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DatabaseError

from guardrails.database import writing
from rag.index.catalogue import Catalogue
from rag.index.tables import chunks, documents


@dataclass(frozen=True, slots=True)
class Listed:
    """Whose a chunk is."""

    document_id: str
    audience: str
    source: str


def is_whole(catalogue: Catalogue) -> bool:
    """Whether the file of the catalogue is as SQLite wrote it; its index of words is another matter."""
    try:
        with catalogue.engine.connect() as connection:
            told = connection.execute(text("PRAGMA main.quick_check")).scalars()
            return all(line == "ok" or "FTS5" in line for line in told)
    except DatabaseError:
        return False


def words_agree(catalogue: Catalogue) -> bool:
    """Whether the index of words holds the words of each chunk, and no others."""
    try:
        with writing(catalogue.engine) as connection:
            connection.execute(text("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)"))
            indexed = connection.scalar(text("SELECT count(*) FROM words_docsize"))
            return bool(indexed == connection.scalar(select(func.count()).select_from(chunks)))
    except DatabaseError:
        return False


def rebuild_words(catalogue: Catalogue) -> None:
    with writing(catalogue.engine) as connection:
        connection.execute(text("INSERT INTO words(words) VALUES ('rebuild')"))


def drop_orphans(catalogue: Catalogue) -> int:
    """Drop chunks that belong to no document; how many there were."""
    with writing(catalogue.engine) as connection:
        return connection.execute(delete(chunks).where(chunks.c.document_id.not_in(select(documents.c.id)))).rowcount


def read_again(catalogue: Catalogue) -> list[str]:
    """Sources of documents without a chunk. They will count as changed."""
    empty = documents.c.id.not_in(select(chunks.c.document_id))
    with writing(catalogue.engine) as connection:
        found = list(connection.scalars(select(documents.c.source).where(empty)))
        connection.execute(update(documents).where(empty).values(file_hash=""))
    return found


def listed(catalogue: Catalogue) -> dict[str, Listed]:
    """Every chunk, by id."""
    query = select(chunks.c.id, documents.c.id, documents.c.audience, documents.c.source).join_from(chunks, documents)
    with catalogue.engine.connect() as connection:
        return {
            id: Listed(document_id, audience, source) for id, document_id, audience, source in connection.execute(query)
        }
