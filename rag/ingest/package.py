"""Files that are ZIP packages of XML parts: what they may hold, and how a part is read."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from rag.errors import LoadError
from rag.ingest.limits import BYTES_OF_MARKUP, MEGABYTE, check_pages, megabytes, way_out
from rag.types import Limits

MARKUP = re.compile(r".*\.(xml|rels|x?html?|opf|ncx)", re.IGNORECASE)
SLIDE = re.compile(r"ppt/slides/slide\d+\.xml")
HEAD = 65_536  # bytes of each part in which its entities would be declared
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)  # what reading a part raises
SAVE_ANEW = "open it in the program that made it and save it anew"


def check_package(path: Path, limits: Limits) -> None:
    """Refuse a zipped file that is locked, would fill the memory, or has traps in its XML.

    Nothing unpacks to more than what the package says of itself: the reader of ZIP stops there.

    Raises:
        LoadError: it is such a file.
        One of ``BROKEN``: it is damaged.
    """
    with zipfile.ZipFile(path) as package:
        parts = package.infolist()
        markup = [part for part in parts if MARKUP.fullmatch(part.filename)]
        _check_unpacked(path, parts, markup, limits)
        check_pages(path, sum(bool(SLIDE.fullmatch(part.filename)) for part in parts), limits)
        if any(part.flag_bits & 1 for part in parts):
            raise LoadError(path, "it is locked with a password; save it without one")
        for part in markup:
            with package.open(part) as file:
                if b"<!ENTITY" in file.read(HEAD).replace(b"\0", b""):  # UTF-16 too
                    raise LoadError(path, "its XML declares entities, which can grow without end; save it anew")


def _check_unpacked(path: Path, parts: list[zipfile.ZipInfo], markup: list[zipfile.ZipInfo], limits: Limits) -> None:
    whole, text = sum(part.file_size for part in parts), sum(part.file_size for part in markup)
    if whole > limits.megabytes * MEGABYTE // 2:
        raise LoadError(path, f"it unpacks to {megabytes(whole)}; {way_out('megabytes', limits.megabytes)}")
    if text > limits.characters * BYTES_OF_MARKUP:
        raise LoadError(path, f"its text unpacks to {megabytes(text)}; {way_out('characters', limits.characters)}")


def part_of(path: Path, package: zipfile.ZipFile, name: str) -> bytes:
    """One part of the package.

    Raises:
        LoadError: it is not there.
        One of ``BROKEN``: it is damaged.
    """
    try:
        return package.read(name)
    except KeyError:
        raise LoadError(path, f"its package is damaged: a part is missing; {SAVE_ANEW}") from None


def xml_of(path: Path, data: bytes) -> Any:
    """The root element of XML, which asks for nothing from outside itself.

    Raises:
        LoadError: it is not sound.
    """
    from lxml import etree

    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True))
    except etree.XMLSyntaxError as error:
        raise LoadError(path, f"its XML is damaged or nested too deeply (line {error.lineno}); {SAVE_ANEW}") from None
