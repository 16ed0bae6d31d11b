"""Search by words: BM25 over SQLite's FTS5, which triggers keep equal to the table of chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sqlalchemy import Connection, text

KEYWORDS = (
    """CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
        title, section, text, content='chunks', content_rowid='rowid',
        tokenize='porter unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER IF NOT EXISTS words_of_new AFTER INSERT ON chunks BEGIN
        INSERT INTO words(rowid, title, section, text)
        VALUES (new.rowid, new.title, new.section, new.text); END""",
    """CREATE TRIGGER IF NOT EXISTS words_of_gone AFTER DELETE ON chunks BEGIN
        INSERT INTO words(words, rowid, title, section, text)
        VALUES ('delete', old.rowid, old.title, old.section, old.text); END""",
)
TERM = re.compile(r"\w+")
TITLE_WEIGHT = 2.0  # of a title's words over a text's, in BM25
# Too common to tell passages apart; they would only make the search slower.
STOP_WORDS = frozenset(
    TERM.findall(
        """
        a an and are as at be been but by can could did do does for from had has have how i if in is it its me my of on
        or our shall should so that the their them there these they this those to us was we were what when where which
        who whom whose why will with would you your
        """
    )
)


def prepare(connection: Connection) -> None:
    """Create the index of words where it is missing, or is that of an earlier version."""
    columns = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(words)")}
    if columns and "section" not in columns:
        for statement in ("DROP TABLE words", "DROP TRIGGER words_of_new", "DROP TRIGGER words_of_gone"):
            connection.exec_driver_sql(statement)
    for statement in KEYWORDS:
        connection.exec_driver_sql(statement)
    if "section" not in columns:
        connection.exec_driver_sql("INSERT INTO words(words) VALUES ('rebuild')")


def search(connection: Connection, question: str, audiences: Sequence[str], limit: int) -> list[str]:
    """Ids of the chunks of these audiences that share words with a question, best first. Any text is a question."""
    terms = dict.fromkeys(term.casefold() for term in TERM.findall(question))
    wanted = [term for term in terms if term not in STOP_WORDS] or list(terms)
    if not wanted or not audiences:
        return []
    query = text(
        "SELECT chunks.id FROM words JOIN chunks ON chunks.rowid = words.rowid "
        "JOIN documents ON documents.id = chunks.document_id "
        "WHERE words MATCH :terms AND documents.audience IN (SELECT value FROM json_each(:audiences)) "
        "ORDER BY bm25(words, :title_weight, :title_weight, 1.0), chunks.id LIMIT :limit"
    )
    values = {
        "terms": " OR ".join(f'"{term}"' for term in wanted[:64]),
        "audiences": json.dumps(list(audiences)),
        "title_weight": TITLE_WEIGHT,
        "limit": limit,
    }
    return list(connection.scalars(query, values))
