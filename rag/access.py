"""Who may do what. Every function behind a page or a route asks here itself."""

from __future__ import annotations

from rag.errors import NotAllowed
from rag.types import Reader

LOCAL_READER = Reader("local", roles=frozenset({"user", "editor", "reviewer"}))  # loopback, without accounts


def require(reader: Reader, role: str) -> None:
    """Let pass whoever has the role.

    Raises:
        NotAllowed: this reader has not.
    """
    if role not in reader.roles:
        raise NotAllowed(f"this needs the role {role}")


def audience(reader: Reader) -> frozenset[str]:
    """What a policy may name a reader by: their roles and groups."""
    return reader.roles | reader.groups


def actor(reader: Reader) -> str:
    """How the record names a reader. Only local readers exist yet, whose ids say nothing about a person."""
    return reader.id
