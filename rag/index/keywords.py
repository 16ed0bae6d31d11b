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
TITLE_WEIGHT = 2.0  # of the words of a title and of headings over a text's, in BM25
MOST_TERMS = 64  # of a question
FEW, FEW_SHARE = 2000, 0.02  # a term that fewer chunks hold, or a smaller share of them, is rare
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


def search(
    connection: Connection, question: str, audiences: Sequence[str] | None, limit: int
) -> list[tuple[str, float]]:
    """The chunks that share words with a question as (id, BM25), best first. Any text is a question.

    Args:
        audiences: only chunks of these; None: of all, which is faster.
    """
    terms = dict.fromkeys(term.casefold() for term in TERM.findall(question))
    wanted = [f'"{term}"' for term in terms if term not in STOP_WORDS] or [f'"{term}"' for term in terms]
    if not wanted or (audiences is not None and not audiences):
        return []
    values = {
        "terms": " OR ".join(wanted[:MOST_TERMS]),
        "rare": " OR ".join(_rare(connection, wanted[:MOST_TERMS])),
        "audiences": json.dumps(list(audiences or ())),
        "title_weight": TITLE_WEIGHT,
        "limit": limit,
    }
    query = _BEST.format(
        # "+" keeps SQLite from looking every row up by itself
        among="AND +words.rowid IN (SELECT rowid FROM words WHERE words MATCH :rare)" if values["rare"] else "",
        readable="" if audiences is None else _READABLE,
    )
    return [(id, -float(score)) for id, score in connection.execute(text(query), values)]


_BEST = """
    SELECT chunks.id, best.score FROM (
        SELECT words.rowid AS row, bm25(words, :title_weight, :title_weight, 1.0) AS score FROM words
        WHERE words MATCH :terms {among} {readable} ORDER BY score, row LIMIT :limit
    ) AS best JOIN chunks ON chunks.rowid = best.row ORDER BY best.score, best.row
"""
_READABLE = """
    AND EXISTS (SELECT 1 FROM chunks AS own JOIN documents ON documents.id = own.document_id
        WHERE own.rowid = words.rowid AND documents.audience IN (SELECT value FROM json_each(:audiences)))
"""


def _rare(connection: Connection, terms: Sequence[str]) -> list[str]:
    """The terms that few chunks hold, where others are held by many; else none.

    A chunk without any of them cannot be among the best. Without this a question takes 400 ms at 100 000 chunks, with
    it 100 ms, and finds the same.
    """
    chunks = connection.scalar(text("SELECT max(rowid) FROM chunks")) or 0
    count = text("SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH :term LIMIT :most)")
    most = max(FEW, int(FEW_SHARE * chunks))
    rare = [term for term in terms if (connection.scalar(count, {"term": term, "most": most}) or 0) < most]
    return rare if len(rare) < len(terms) else []
