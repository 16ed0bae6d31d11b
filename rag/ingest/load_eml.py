"""E-mail messages as saved to a file."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from rag.errors import LoadError
from rag.ingest.clean import tidy
from rag.ingest.decode import decode
from rag.ingest.load_html import read_html
from rag.ingest.titles import best_title
from rag.types import Document

SHOWN = ("From", "To", "Date", "Subject")


def load_eml(path: Path, source: str) -> Document:
    """Read a message: its sender, receivers, date and subject, its words, the names of what is attached.

    Raises:
        LoadError: it is encrypted, or no e-mail.
    """
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    if not any(message[name] for name in SHOWN):
        raise LoadError(path, "it has no e-mail headers")
    if message.get_content_type() in {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}:
        raise LoadError(path, "it is an encrypted message; save it decrypted")
    headers = [f"{name}: {message[name]}" for name in SHOWN if message[name]]
    attached = [f"Attachment: {name}" for part in message.iter_attachments() if (name := part.get_filename())]
    text = "\n\n".join(filter(None, ["\n".join(headers), _body(path, message), "\n".join(attached)]))
    return Document(source, best_title(source, str(message["Subject"] or "")), tidy(text))


def _body(path: Path, message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    data = part.get_payload(decode=True)
    words = decode(path, data if isinstance(data, bytes) else b"", part.get_content_charset())
    return read_html(words).text if part.get_content_subtype() == "html" else words
