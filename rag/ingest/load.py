"""One source file becomes a ``Document``, or an error that says why not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rag.errors import LoaderFailed, LoadError, NoText
from rag.ingest import sniff
from rag.ingest.clean import UNREADABLE_ABOVE, has_words, unreadable_share
from rag.ingest.limits import check_size, check_text
from rag.ingest.load_csv import load_csv
from rag.ingest.load_docx import load_docx
from rag.ingest.load_eml import load_eml
from rag.ingest.load_epub import load_epub
from rag.ingest.load_html import load_html
from rag.ingest.load_json import load_json, load_jsonl
from rag.ingest.load_odf import load_odp, load_ods, load_odt
from rag.ingest.load_pdf import load_pdf
from rag.ingest.load_pptx import load_pptx
from rag.ingest.load_rst import load_rst
from rag.ingest.load_text import load_markdown, load_org, load_text
from rag.ingest.load_xlsx import load_xlsx
from rag.ingest.meta import is_sidecar, of_folder, read_sidecar
from rag.ingest.package import BROKEN, check_package
from rag.types import Document, Limits

logger = logging.getLogger(__name__)

# Takes the file, its source and limits; the text it returns is clean, and may be empty: ``load`` says so.
Loader = Callable[[Path, str, Limits], Document]

DEEPEST = 4  # messages attached to messages


def load(path: Path, root: Path, source: str = "", limits: Limits = Limits(), depth: int = 0) -> Document:
    """Read ``path`` with the loader for its suffix.

    Args:
        root: the folder that was ingested.
        source: what the document is called; empty: its path below ``root``.
        depth: how many messages it is attached to.

    Raises:
        LoadError: no loader takes this suffix, or the file is not what its suffix says, or cannot be read.
        NoText: the file is sound, but holds no text.
    """
    _check_file(path)
    try:
        loader = _loader_for(path, depth)
        _check_content(path, limits)
        document = loader(path, source or path.relative_to(root).as_posix(), limits)
    except (LoadError, MemoryError):
        raise
    except OSError as error:
        raise LoadError(path, f"it cannot be opened: {error.strerror or type(error).__name__}") from None
    except BROKEN:
        raise LoadError(path, "its ZIP package is damaged; get the original again") from None
    except RecursionError:
        raise LoadError(path, "its parts are nested too deeply to be read; save it in a flatter form") from None
    except Exception as error:
        raise LoaderFailed(path, f"it broke the {path.suffix.lower()} reader ({type(error).__name__})") from error
    check_text(path, document.text, limits)
    _check_text(path, document.text)
    return _with_meta(path, document)


def _message(depth: int) -> Loader:
    """Reads a message that is attached to ``depth`` others, and with it what is attached to it."""

    def load_message(path: Path, source: str, limits: Limits) -> Document:
        if depth > DEEPEST:
            raise LoadError(path, f"it is a message within {depth} others; save it as a file of its own")
        return load_eml(path, source, limits, lambda part: load(part, part.parent, "", limits, depth + 1))

    return load_message


LOADERS: dict[str, Loader] = {
    ".csv": load_csv,
    ".docx": load_docx,
    ".eml": _message(0),
    ".epub": load_epub,
    ".htm": load_html,
    ".html": load_html,
    ".json": load_json,
    ".jsonl": load_jsonl,
    ".markdown": load_markdown,
    ".md": load_markdown,
    ".odp": load_odp,
    ".ods": load_ods,
    ".odt": load_odt,
    ".org": load_org,
    ".pdf": load_pdf,
    ".pptx": load_pptx,
    ".rst": load_rst,
    ".tsv": load_csv,
    ".txt": load_text,
    ".xlsx": load_xlsx,
}

# What a reader calls them.
KINDS: dict[str, frozenset[str]] = {
    "Markdown": frozenset({".md", ".markdown"}),
    "text": frozenset({".txt"}),
    "HTML": frozenset({".html", ".htm"}),
    "PDF": frozenset({".pdf"}),
    "Word": frozenset({".docx"}),
    "CSV": frozenset({".csv", ".tsv"}),
    "Excel": frozenset({".xlsx"}),
    "PowerPoint": frozenset({".pptx"}),
    "OpenDocument": frozenset({".odt", ".ods", ".odp"}),
    "EPUB": frozenset({".epub"}),
    "e-mail": frozenset({".eml"}),
    "JSON": frozenset({".json", ".jsonl"}),
    "reStructuredText": frozenset({".rst"}),
    "Org": frozenset({".org"}),
}

# What the content must be; a suffix that is not here must hold plain text.
CONTENT: dict[str, str] = {
    ".docx": sniff.DOCX,
    ".epub": sniff.EPUB,
    ".odp": sniff.ODP,
    ".ods": sniff.ODS,
    ".odt": sniff.ODT,
    ".pdf": sniff.PDF,
    ".pptx": sniff.PPTX,
    ".xlsx": sniff.XLSX,
}
MARKUP = {".htm", ".html", ".eml"}  # text that may begin like a page, and most of which is not shown
SAYS_ITSELF = {".htm", ".html", ".markdown", ".md"}  # these loaders put what a document says over what its folder says


def _loader_for(path: Path, depth: int) -> Loader:
    suffix = path.suffix.lower()
    if is_sidecar(path):
        raise LoadError(path, "it is a side-car file, which describes other files")
    if suffix in LOADERS:
        return _message(depth) if suffix == ".eml" else LOADERS[suffix]
    named = f"its name ends in {suffix}" if suffix else "its name has no ending"
    if kind := sniff.kind_of(path):
        raise LoadError(path, f"{named}, and it is {kind}; {sniff.way_out(kind)}")
    raise LoadError(path, f"{named}, which no loader takes; rename it if it is one of {', '.join(sorted(LOADERS))}")


def _check_file(path: Path) -> None:
    try:
        path.name.encode()
        size = path.stat().st_size
    except UnicodeEncodeError:
        raise LoadError(path, "its name is not valid UTF-8; rename it") from None
    except OSError as error:
        raise LoadError(path, f"it cannot be opened: {error.strerror or type(error).__name__}") from None
    if not path.is_file():
        raise LoadError(path, "it is not a file")
    if size == 0:
        raise NoText(path, "it is empty (0 bytes)")


def _check_content(path: Path, limits: Limits) -> None:
    """That the file is what its name says, and not more than may be read."""
    suffix = path.suffix.lower()
    kind, wanted = sniff.kind_of(path), CONTENT.get(suffix)
    if kind != wanted and not (kind == sniff.HTML and suffix in MARKUP):
        but = f", not {wanted}" if wanted and kind != sniff.LOCKED else ""
        what = f"it is named {suffix}, but is {kind or 'plain text'}"
        raise LoadError(path, f"{what}{but}; {sniff.way_out(kind)}")
    if wanted is None:
        check_size(path, limits, suffix in MARKUP)
    elif wanted != sniff.PDF:
        check_package(path, limits)


def _check_text(path: Path, text: str) -> None:
    if not text.strip():
        raise NoText(path, "it holds white space only")
    if unreadable_share(text) > UNREADABLE_ABOVE:
        raise LoadError(path, "its text cannot be decoded: most characters stand for nothing")
    if not has_words(text):
        raise NoText(path, "it holds no letter and no digit")


def _with_meta(path: Path, document: Document) -> Document:
    said = document.meta if path.suffix.lower() in SAYS_ITSELF else of_folder(path)
    meta = read_sidecar(path, said)
    return replace(document, meta=meta, title=meta.title or document.title)
