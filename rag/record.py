"""The record of this installation, opened as the settings say."""

from __future__ import annotations

from pathlib import Path

from guardrails.audit.checkpoints import Checkpointing
from guardrails.audit.log import AuditLog
from guardrails.audit.signing import LogError
from rag.errors import NotRecorded
from rag.settings import Settings


def log_file(settings: Settings) -> Path:
    """Where the log lies; there is none before the first question or document."""
    return settings.state / "audit.sqlite"


def open_log(settings: Settings) -> AuditLog:
    """Open the log, or begin it.

    Raises:
        NotRecorded: it cannot be carried on.
    """
    chosen = settings.audit
    folder = Path(chosen.checkpoints).expanduser() if chosen.checkpoints else None
    try:
        return AuditLog(log_file(settings), Checkpointing(folder, chosen.every_events, chosen.every_minutes))
    except LogError as error:
        raise NotRecorded(str(error)) from None
