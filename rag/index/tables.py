"""The tables of the catalogue."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, DateTime, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()
documents = Table(
    "documents",
    metadata,
    Column("id", String, primary_key=True),
    Column("path", String, nullable=False, unique=True),  # absolute; where the file was read
    Column("root", String, nullable=False, index=True),  # the folder that was ingested
    Column("file_hash", String, nullable=False),
    Column("source", String, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("pages", Integer),
    Column("audience", String, nullable=False, index=True),  # its groups, sorted, "," between
    Column("public_contacts", Boolean, nullable=False),
    Column("superseded_by", String, nullable=False),
    Column("sample", Boolean, nullable=False),
    Column("ingested_at", DateTime, nullable=False),
)
chunks = Table(
    "chunks",
    metadata,
    Column("rowid", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("document_id", ForeignKey("documents.id"), nullable=False, index=True),
    Column("title", String, nullable=False),
    Column("section", String, nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer),
    Column("quarantine", String, nullable=False, server_default=""),
    Column("digest", String, nullable=False, server_default="", index=True),  # of what was embedded, and how
)
leftovers = Table("leftovers", metadata, Column("document_id", String, primary_key=True))
failures = Table(
    "failures",
    metadata,
    Column("path", String, primary_key=True),
    Column("root", String, nullable=False),
    Column("source", String, nullable=False),
    Column("reason", String, nullable=False),
)
facts = Table("facts", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))


def bring_up_to_date(connection: Connection) -> None:
    """Add the columns that an index of an earlier version lacks."""
    known = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(chunks)")}
    for column in ("quarantine", "section", "digest"):
        if column not in known:
            connection.exec_driver_sql(f"ALTER TABLE chunks ADD COLUMN {column} VARCHAR NOT NULL DEFAULT ''")
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ix_chunks_digest ON chunks (digest)")
