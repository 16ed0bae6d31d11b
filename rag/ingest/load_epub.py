"""E-books: their chapters, in order of reading."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rag.errors import LoadError
from rag.ingest.clean import one_line, tidy
from rag.ingest.decode import decode
from rag.ingest.limits import check_characters
from rag.ingest.load_html import read_html
from rag.ingest.package import part_of, xml_of
from rag.ingest.titles import best_title, first_heading
from rag.types import Document, Limits

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
FONTS_ONLY = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}  # methods that hide fonts
# XML closes an element in its own tag, which HTML does not know: "<title/>" would make the whole page a title.
CLOSED = re.compile(r"<(?!(?:br|hr|img|input|link|meta|col|area|base|wbr)\b)([A-Za-z][\w:-]*)([^<>]*)/>")


def load_epub(path: Path, source: str, limits: Limits) -> Document:
    """Read a book: headings keep their level, notes stay where they stand, the table of contents is left out.

    Raises:
        LoadError: it is protected or damaged.
    """
    with zipfile.ZipFile(path) as book:
        _check_open(path, book)
        root = xml_of(path, part_of(path, book, CONTAINER)).find(".//{*}rootfile")
        name = root.get("full-path", "") if root is not None else ""
        package = xml_of(path, part_of(path, book, name))
        named, author = (package.findtext(f".//{{*}}metadata/{{*}}{name}", "") for name in ("title", "creator"))
        text = [f"{one_line(named)}\n\n{one_line(author)}"]  # as on its title page, which many have as a picture
        for chapter in _chapters(package, posixpath.dirname(name)):
            markup = CLOSED.sub(r"<\1\2></\1>", decode(path, part_of(path, book, chapter)))
            text.append(read_html(markup, everything=True).text)
            check_characters(path, sum(map(len, text)), limits)
    whole = tidy("\n\n".join(text)) if any(text[1:]) else ""
    return Document(source, best_title(source, named, first_heading(whole)), whole)


def _chapters(package: Any, folder: str) -> Iterator[str]:
    """The names of the parts that hold the text, in order."""
    items = {item.get("id"): item for item in package.iterfind(".//{*}manifest/{*}item")}
    for place in package.iterfind(".//{*}spine/{*}itemref"):
        item = items.get(place.get("idref"))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        if "html" in item.get("media-type", ""):
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))


def _check_open(path: Path, book: zipfile.ZipFile) -> None:
    if ENCRYPTION not in book.namelist():
        return
    methods = xml_of(path, part_of(path, book, ENCRYPTION)).iterfind(".//{*}EncryptedData/{*}EncryptionMethod")
    if any(method.get("Algorithm") not in FONTS_ONLY for method in methods):
        raise LoadError(path, "its text is encrypted (DRM); get a copy without that protection")
