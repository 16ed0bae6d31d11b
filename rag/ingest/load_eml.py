"""E-mail messages as saved to a file, with what is attached to them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path, PurePath

from rag.errors import LoadError
from rag.ingest.clean import one_line, tidy
from rag.ingest.decode import decode
from rag.ingest.limits import check_characters
from rag.ingest.load_html import read_html
from rag.ingest.titles import best_title
from rag.types import Document, Limits, Meta

SHOWN = ("From", "To", "Cc", "Date", "Subject")
MOST_ATTACHED = 500
ENCRYPTED = {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}
HEADING = re.compile(r"^#{1,6}(?= )", re.MULTILINE)


def load_eml(path: Path, source: str, limits: Limits, read: Callable[[Path], Document]) -> Document:
    """Read a message: its headers, its words, then each attachment under a heading with its name.

    Args:
        read: reads one attachment, laid into a folder of its own. What it cannot read is named with the reason.

    Raises:
        LoadError: it is encrypted, no e-mail, or more than may be read.
    """
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    if not any(message[name] for name in SHOWN):
        raise LoadError(path, "it has no e-mail headers; save the message anew as .eml")
    if message.get_content_type() in ENCRYPTED:
        raise LoadError(path, "it is an encrypted message; save it decrypted")
    attached = list(message.iter_attachments()) if message.is_multipart() else []
    if len(attached) > MOST_ATTACHED:
        reason = f"it has {len(attached):,} attachments, and at most {MOST_ATTACHED} are read; save those that matter"
        raise LoadError(path, f"{reason} as files")
    parts = ["\n".join(f"{name}: {message[name]}" for name in SHOWN if message[name]), _body(path, message)]
    for part in attached:
        parts += _attachment(part, read)
        check_characters(path, sum(map(len, parts)), limits)
    return Document(source, best_title(source, str(message["Subject"] or "")), tidy("\n\n".join(filter(None, parts))))


def _body(path: Path, message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    data = part.get_payload(decode=True)
    words = decode(path, data if isinstance(data, bytes) else b"", part.get_content_charset())
    return read_html(words).text if part.get_content_subtype() == "html" else words


def _attachment(part: EmailMessage, read: Callable[[Path], Document]) -> Iterator[str]:
    name, data = _content(part)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "attachment" + PurePath(name).suffix)  # of its name nothing else is trusted
        try:
            file.write_bytes(data)
            document = read(file)
        except LoadError as error:
            yield f"Attachment: {name} (not read: {error.reason})"
            return
    if document.meta.groups != Meta().groups:
        yield f"Attachment: {name} (not read: it names who may read it; save it as a file of its own)"
        return
    yield f"## Attachment: {name}"
    yield HEADING.sub(lambda marks: "#" * min(len(marks[0]) + 2, 6), document.text)


def _content(part: EmailMessage) -> tuple[str, bytes]:
    """The name of an attachment and its bytes."""
    inner = next(part.iter_parts(), None) if part.get_content_type() == "message/rfc822" else None
    if inner is not None:
        return one_line(part.get_filename() or f"{inner['Subject'] or 'message'}.eml"), inner.as_bytes()
    data = part.get_payload(decode=True)
    return one_line(part.get_filename() or "without a name"), data if isinstance(data, bytes) else b""
