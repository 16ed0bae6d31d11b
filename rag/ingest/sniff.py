"""Tells from its first bytes what a file really is, whatever its name says."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from pathlib import Path

HEAD = 4096  # bytes that are looked at; also where a PDF header may stand late (its standard says 1024)

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "rich text (RTF)"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet table"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"RIFF", "sound or video (RIFF)"),
    (b"ID3", "sound (MP3)"),
    (b"OggS", "sound or video (Ogg)"),
    (b"-----BEGIN PGP MESSAGE", "an encrypted PGP message"),
    (b"%!PS", "PostScript"),
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
LOCKED = "an Office file locked with a password"
# Names inside an old Office container, as it stores them.
OLE_CONTENTS: tuple[tuple[str, str], ...] = (
    ("EncryptedPackage", LOCKED),
    ("WordDocument", "an old Word document (.doc)"),
    ("PowerPoint Document", "an old PowerPoint file (.ppt)"),
    ("Workbook", "an old Excel file (.xls)"),
    ("__properties_version1.0", "an Outlook message (.msg)"),
)
ZIP_CONTENTS: tuple[tuple[str, str], ...] = (
    ("xl/workbook.bin", "a binary Excel workbook (.xlsb)"),
    ("word/", "a Word document (.docx)"),
    ("xl/", "an Excel workbook (.xlsx)"),
    ("ppt/", "a PowerPoint file (.pptx)"),
)
PDF, DOCX, XLSX, PPTX = "a PDF (.pdf)", *(kind for _, kind in ZIP_CONTENTS[1:])
EPUB = "an e-book (.epub)"
ODT, ODS, ODP = "an OpenDocument text (.odt)", "an OpenDocument sheet (.ods)", "an OpenDocument presentation (.odp)"
MIMES = (  # what the first part of such a package says
    (b"opendocument.text", ODT),
    (b"opendocument.spreadsheet", ODS),
    (b"opendocument.presentation", ODP),
    (b"opendocument", "an OpenDocument file"),
    (b"epub", EPUB),
)
WAYS_OUT = {
    "rich text (RTF)": "save it as .docx",
    LOCKED: "save it without the password",
    "an old Word document (.doc)": "save it as .docx",
    "an old PowerPoint file (.ppt)": "save it as .pptx",
    "an old Excel file (.xls)": "save it as .xlsx",
    "a binary Excel workbook (.xlsb)": "save it as .xlsx",
    "an Outlook message (.msg)": "save it as .eml",
    "an encrypted PGP message": "save it decrypted",
}
MANIFEST = "META-INF/manifest.xml"
HTML = "an HTML page (.html)"
ARCHIVE = "a ZIP archive"
BINARY = "binary data"


def kind_of(path: Path) -> str | None:
    """What the file at ``path`` is, in words for its owner; None when it looks like text.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(OLE):
        return _in_ole(path)
    if head.startswith(ZIP):
        return _in_zip(path)
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    if b"%PDF-" in head[:1024]:
        return PDF
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str | None:
    if _looks_binary(head):
        return BINARY
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    return HTML if start.startswith((b"<!doctype html", b"<html")) else None


def _looks_binary(head: bytes) -> bool:
    """Many control bytes: not text in any encoding, except UTF-16 and UTF-32, whose zero bytes alternate."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16_without_mark(head):
        return False
    controls = sum(byte < 32 and byte not in b"\t\n\r\x0b\x0c\x1b" for byte in head)
    return controls > 3 + 0.02 * len(head)  # a few stray ones are cleaned away later


def utf16_without_mark(head: bytes) -> str | None:
    """The byte order of text in UTF-16 that lacks its mark.

    In Latin text nearly every second byte is zero. Other text is told by its white space and full stops, each of which
    would be a rare sign in any other reading, and by having no character that does not exist.
    """
    head = head[: len(head) // 2 * 2]
    half = len(head) / 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if half >= 2 and odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    if half >= 2 and even > 0.7 * half and odd < 0.05 * half:
        return "utf-16-be"
    return next((order for order in ("utf-16-le", "utf-16-be") if _reads_as(head, order)), None)


def _reads_as(head: bytes, order: str) -> bool:
    text = head.decode(order, "replace")
    marks = sum(character in " \n、。" for character in text)
    strange = sum(unicodedata.category(character) in {"Cc", "Cn", "Co"} for character in text)
    return marks >= 2 + 0.02 * len(text) and strange <= text.count("\n") + text.count("\r") + text.count("\t")


def _in_ole(path: Path) -> str:
    data = path.read_bytes()
    for name, kind in OLE_CONTENTS:
        if name.encode("utf-16-le") in data:
            return kind
    return "an old Office file"


def _in_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            mime = _start_of(archive, "mimetype") if "mimetype" in names else b""
            locked = b"encryption-data" in _start_of(archive, MANIFEST) if MANIFEST in names else False
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError):
        return "a damaged ZIP archive"
    if locked:
        return LOCKED
    for words, kind in MIMES:
        if words in mime:
            return kind
    for folder, kind in ZIP_CONTENTS:
        if any(name.startswith(folder) for name in names):
            return kind
    return ARCHIVE


def _start_of(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(16 * HEAD)


def way_out(kind: str | None) -> str:
    """What the owner of a file of this kind, found under a wrong name or one that is not read, can do."""
    if kind in WAYS_OUT:
        return WAYS_OUT[kind]
    if kind is None:
        return "rename it to .txt if it should be read as that"
    if kind == BINARY or kind.startswith("a damaged"):
        return "get the original again"
    if ending := re.search(r"\((\.\w+)\)$", kind):
        return f"rename it to {ending[1]}, or save it as that"
    if kind.endswith("picture"):
        return "recognise its text with an OCR program first"
    if kind.endswith("archive"):
        return "unpack it"
    return "convert it to a kind that is read"
