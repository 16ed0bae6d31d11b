"""How events lie in the database: a header that stays, and a payload that may go, encrypted with a key of its own."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table

SALT_BYTES = 16

metadata = MetaData()
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("turn", String, nullable=False),  # kind and turn repeat the header, for look-ups; verify compares them
    Column("header", LargeBinary, nullable=False),  # canonical JSON, RFC 8785
    # Of the header alone, as a leaf of the tree. No link to the event before: the tree's root says all that a chain of
    # links would. The leaf is kept since it tells which event was changed, where a root only tells that one was.
    Column("hash", LargeBinary(32), nullable=False),
    Index("events_by_turn", "turn", "seq"),
    Index("events_by_kind", "kind", "seq"),
)
payloads = Table(
    "payloads",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
    Column("salt", LargeBinary(SALT_BYTES), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)


def encrypted(plain: bytes, key: bytes, salt: bytes) -> bytes:
    # A key is used once, so that a nonce taken from the salt is as good as any.
    return AESGCM(key).encrypt(salt[:12], plain, None)


def decrypted(key: bytes, salt: bytes, ciphertext: bytes) -> bytes | None:
    """The payload; None when key, salt and ciphertext do not belong together."""
    try:
        return AESGCM(key).decrypt(salt[:12], ciphertext, None)
    except (InvalidTag, ValueError, TypeError):  # a cell may hold another type or length: SQLite lets it
        return None


def place(turn: str, kind: str) -> str:
    """What a quotation belongs to."""
    return f"{turn}\0{kind}"
