"""The catalogue: which documents and chunks there are, and their words for keyword search. SQLite with FTS5.

The catalogue decides what exists. Vectors without a chunk here are leftovers of an interrupted change: searches
drop them, and ``leftovers`` names the documents whose vectors must still go.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select, delete, func, insert, select, update

from guardrails.database import open_sqlite, writing
from rag.index import keywords, tables
from rag.index.tables import chunks, documents, facts, failures, leftovers, metadata
from rag.types import Chunk, Document, Ingested, Shelved


class Catalogue:
    """Documents, chunks and keywords in one database file. Safe under threads."""

    def __init__(self, path: Path) -> None:
        self._engine = open_sqlite(path, durable=True)
        metadata.create_all(self._engine)
        with writing(self._engine) as connection:
            tables.bring_up_to_date(connection)
            keywords.prepare(connection)

    def fact(self, name: str) -> str:
        """What was stated of the whole index, e.g. its embedding model; "" when nothing was."""
        with self._engine.connect() as connection:
            return connection.scalar(select(facts.c.value).where(facts.c.name == name)) or ""

    def state(self, name: str, value: str) -> None:
        """State a fact of the whole index, in place of what was stated before."""
        with writing(self._engine) as connection:
            connection.execute(insert(facts).prefix_with("OR REPLACE"), {"name": name, "value": value})

    def announce(self, document_ids: Iterable[str]) -> None:
        """Note that vectors of these documents are about to be written, so that a crash leaves no strays."""
        with writing(self._engine) as connection:
            _leave_over(connection, document_ids)

    def put(
        self,
        document: Document,
        parts: Sequence[Chunk],
        *,
        path: Path,
        root: Path,
        file_hash: str,
        sample: bool,
        digests: Sequence[str] = (),
        moved_from: str = "",
    ) -> bool:
        """Make a document visible, in place of the one read from the same file before.

        Args:
            digests: of what was embedded of each part, so that it need not be embedded again.
            moved_from: source of a document that it replaces too.

        Returns:
            Whether it replaced one. Vectors of what it replaced are now leftovers.
        """
        replaced = (documents.c.path == str(path)) | ((documents.c.source == moved_from) & (moved_from != ""))
        row = _document_row(document) | {
            "path": str(path),
            "root": str(root),
            "file_hash": file_hash,
            "sample": sample,
            "ingested_at": datetime.now(UTC),
        }
        rows = [_chunk_row(part) for part in parts]
        for of_part, digest in zip(rows, digests, strict=False):
            of_part["digest"] = digest
        with writing(self._engine) as connection:
            old = list(connection.scalars(select(documents.c.id).where(replaced)))
            for id in old:
                _forget(connection, id)
            connection.execute(insert(documents), row)
            connection.execute(insert(chunks), rows)
            connection.execute(delete(leftovers).where(leftovers.c.document_id == document.id))
            connection.execute(delete(failures).where(failures.c.path == str(path)))
            _leave_over(connection, old)  # also of the same id: it may have been cut in another way
        return bool(old)

    def remove(self, source: str) -> str | None:
        """Make a document invisible; its id, or None when there is none. Its vectors are now leftovers."""
        with writing(self._engine) as connection:
            found = connection.scalar(select(documents.c.id).where(documents.c.source == source))
            if found is not None:
                _forget(connection, found)
                _leave_over(connection, [found])
        return found

    def leftover_ids(self) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(select(leftovers.c.document_id)))

    def chunk_ids(self, document_id: str) -> list[str]:
        """Of a document that is visible; none of another."""
        with self._engine.connect() as connection:
            return list(connection.scalars(select(chunks.c.id).where(chunks.c.document_id == document_id)))

    def chunk_ids_of(self, source: str) -> list[str]:
        """Of the document with this source, in no order."""
        query = select(chunks.c.id).join(documents).where(documents.c.source == source)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def embedded(
        self, digests: Collection[str] | None = None, sources: Collection[str] | None = None
    ) -> dict[str, tuple[str, str]]:
        """Digest to the id of a chunk with this digest, and what is known against any that has it.

        Args:
            digests: those that are asked for; None: all.
            sources: documents that are asked for; None: all.
        """
        query = select(chunks.c.digest, func.min(chunks.c.id), func.max(chunks.c.quarantine)).group_by(chunks.c.digest)
        query = query.where(chunks.c.digest != "")
        if digests is not None:
            query = query.where(chunks.c.digest.in_(_listed(digests)))
        if sources is not None:
            query = query.join(documents).where(documents.c.source.in_(_listed(sources)))
        with self._engine.connect() as connection:
            return {digest: (id, quarantine) for digest, id, quarantine in connection.execute(query)}

    def released(self, path: Path, source: str = "") -> set[str]:
        """Digests of the chunks that somebody has released, of the document of this path or this source."""
        query = select(chunks.c.digest).join(documents).where(chunks.c.quarantine == "released", chunks.c.digest != "")
        query = query.where((documents.c.path == str(path)) | (documents.c.source == source))
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    def cleared(self, document_ids: Sequence[str]) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(leftovers).where(leftovers.c.document_id.in_(document_ids)))

    def files(self, root: Path | None = None) -> dict[str, tuple[str, str]]:
        """Path to (source, hash of the file) of every document, or of those below one root."""
        query = select(documents.c.path, documents.c.source, documents.c.file_hash)
        if root is not None:
            query = query.where(documents.c.root == str(root))
        with self._engine.connect() as connection:
            return {path: (source, file_hash) for path, source, file_hash in connection.execute(query)}

    def roots(self) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(select(documents.c.root).distinct()))

    def shelf(self, audiences: Sequence[str]) -> list[Shelved]:
        """Every document of these audiences, in order of source."""
        newer = documents.alias("newer")
        query = (
            select(
                documents,
                func.count(chunks.c.rowid).label("chunks"),
                func.count(chunks.c.rowid).filter(chunks.c.quarantine == "held").label("quarantined"),
                newer.c.title.label("newer_title"),
            )
            .outerjoin(chunks, chunks.c.document_id == documents.c.id)
            .outerjoin(newer, _supersedes(newer, audiences))
            .where(documents.c.audience.in_(audiences))
            .group_by(documents.c.id)
            .order_by(documents.c.source)
        )
        with self._engine.connect() as connection:
            return [
                Shelved(
                    row.source,
                    row.title,
                    row.pages,
                    row.chunks,
                    row.ingested_at,
                    row.sample,
                    row.newer_title or "",
                    row.quarantined,
                )
                for row in connection.execute(query)
            ]

    def quarantined(self, source: str) -> list[Chunk]:
        """The chunks of a document that are held back, in order."""
        query = (
            _chunks_for([]).where(documents.c.source == source, chunks.c.quarantine == "held").order_by(chunks.c.start)
        )
        with self._engine.connect() as connection:
            return [_chunk(row) for row in connection.execute(query)]

    def hold(self, ids: Sequence[str]) -> None:
        """Hold these chunks back from now on, except those that somebody has released."""
        with writing(self._engine) as connection:
            connection.execute(
                update(chunks).where(chunks.c.id.in_(ids), chunks.c.quarantine == "").values(quarantine="held")
            )

    def release(self, source: str) -> int:
        """Let the chunks of a document that are held back be used from now on; how many there were."""
        of_it = select(documents.c.id).where(documents.c.source == source).scalar_subquery()
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(chunks)
                .where(chunks.c.document_id == of_it, chunks.c.quarantine == "held")
                .values(quarantine="released")
            )
            return changed.rowcount

    def audiences(self, groups: frozenset[str]) -> tuple[list[str], bool]:
        """The audiences that somebody of these groups belongs to, and whether those are all there are."""
        with self._engine.connect() as connection:
            everything = list(connection.scalars(select(documents.c.audience).distinct()))
        readable = [audience for audience in everything if groups & frozenset(audience.split(","))]
        return readable, len(readable) == len(everything)

    def chunks(self, ids: Sequence[str], audiences: Sequence[str]) -> dict[str, Chunk]:
        """The chunks with these ids that are visible to these audiences; others are left out."""
        query = _chunks_for(audiences).where(chunks.c.id.in_(ids), documents.c.audience.in_(audiences))
        with self._engine.connect() as connection:
            return {row.id: _chunk(row) for row in connection.execute(query)}

    def keyword_search(self, question: str, audiences: Sequence[str] | None, limit: int) -> list[tuple[str, float]]:
        """See ``keywords.search``."""
        with self._engine.connect() as connection:
            return keywords.search(connection, question, audiences, limit)

    def beside(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """For each chunk the one before and the one after it in its document, where there are such."""
        near = chunks.alias("near")  # the chunks of a document are written in order, in one go
        adjacent = (near.c.rowid == chunks.c.rowid - 1) | (near.c.rowid == chunks.c.rowid + 1)
        query = (
            select(chunks.c.id, near.c.id)
            .join(near, adjacent & (near.c.document_id == chunks.c.document_id))
            .where(chunks.c.id.in_(ids))
        )
        found: dict[str, list[str]] = {}
        with self._engine.connect() as connection:
            for id, other in connection.execute(query):
                found.setdefault(id, []).append(other)
        return found

    def count(self) -> tuple[int, int]:
        """How many documents and chunks there are."""
        with self._engine.connect() as connection:
            found = (connection.scalar(select(func.count()).select_from(table)) or 0 for table in (documents, chunks))
            return next(found), next(found)

    def note_failure(self, path: Path, root: Path, source: str, reason: str) -> None:
        with writing(self._engine) as connection:
            row = {"path": str(path), "root": str(root), "source": source, "reason": reason}
            connection.execute(insert(failures).prefix_with("OR REPLACE"), row)

    def forget_failures(self, paths: Sequence[str]) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(failures).where(failures.c.path.in_(paths)))

    def failed(self) -> dict[str, Ingested]:
        """Path to what could not be read, and why."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(failures).order_by(failures.c.source))
            return {row.path: Ingested(row.source, "failed", reason=row.reason) for row in rows}

    def clear(self) -> None:
        """Forget every document."""
        with writing(self._engine) as connection:
            for table in (chunks, documents, leftovers, failures):
                connection.execute(delete(table))

    @property
    def engine(self) -> Engine:
        """For what looks after the file as a whole; see ``rag/index/remains.py``."""
        return self._engine

    def close(self) -> None:
        self._engine.dispose()


def audience_of(groups: frozenset[str]) -> str:
    """One text for a set of groups, so that searches filter by equality."""
    return ",".join(sorted(group.replace(",", " ") for group in groups))


def _supersedes(newer: FromClause, audiences: Sequence[str]) -> ColumnElement[bool]:
    """Which document is the newer one; one that these audiences may not see is not hinted at."""
    return (newer.c.source == documents.c.superseded_by) & newer.c.audience.in_(audiences)


def _chunks_for(audiences: Sequence[str]) -> Select[Any]:
    newer = documents.alias("newer")
    return (
        select(chunks, documents.c.source, documents.c.public_contacts, newer.c.title.label("newer_title"))
        .join(documents, documents.c.id == chunks.c.document_id)
        .outerjoin(newer, _supersedes(newer, audiences))
    )


def _listed(values: Collection[str]) -> Select[Any]:
    """Values for ``IN``, as many as there may be."""
    return select(func.json_each(json.dumps(list(values))).table_valued("value").c.value)


def _leave_over(connection: Connection, document_ids: Iterable[str]) -> None:
    rows = [{"document_id": id} for id in document_ids]
    if rows:
        connection.execute(insert(leftovers).prefix_with("OR IGNORE"), rows)


def _forget(connection: Connection, document_id: str) -> None:
    connection.execute(delete(chunks).where(chunks.c.document_id == document_id))
    connection.execute(delete(documents).where(documents.c.id == document_id))


def _document_row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "source": document.source,
        "title": document.title,
        "pages": len(document.page_starts) or None,
        "audience": audience_of(document.meta.groups),
        "public_contacts": document.meta.public_contacts,
        "superseded_by": document.meta.superseded_by,
    }


def _chunk_row(chunk: Chunk) -> dict[str, Any]:
    names = ("id", "document_id", "title", "section", "text", "start", "end", "page", "quarantine")
    return {name: getattr(chunk, name) for name in names}


def _chunk(row: Any) -> Chunk:
    return Chunk(
        row.document_id,
        row.source,
        row.title,
        row.text,
        row.start,
        row.end,
        row.page,
        row.section,
        row.public_contacts,
        row.newer_title or "",
        row.quarantine,
    )
