"""One source file becomes a ``Document``, or an error that says why not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rag.errors import LoaderFailed, LoadError, NoText
from rag.ingest import sniff
from rag.ingest.clean import UNREADABLE_ABOVE, has_words, unreadable_share
from rag.ingest.load_csv import load_csv
from rag.ingest.load_docx import load_docx
from rag.ingest.load_eml import load_eml
from rag.ingest.load_html import load_html
from rag.ingest.load_pdf import load_pdf
from rag.ingest.load_pptx import load_pptx
from rag.ingest.load_text import load_markdown, load_org, load_text
from rag.ingest.load_xlsx import load_xlsx
from rag.ingest.meta import is_sidecar, read_sidecar
from rag.types import Document

logger = logging.getLogger(__name__)

# Takes the file and its source; the text it returns is clean, and may be empty: ``load`` says so.
Loader = Callable[[Path, str], Document]

LOADERS: dict[str, Loader] = {
    ".csv": load_csv,
    ".docx": load_docx,
    ".eml": load_eml,
    ".htm": load_html,
    ".html": load_html,
    ".markdown": load_markdown,
    ".md": load_markdown,
    ".org": load_org,
    ".pdf": load_pdf,
    ".pptx": load_pptx,
    ".rst": load_text,
    ".tsv": load_csv,
    ".txt": load_text,
    ".xlsx": load_xlsx,
}

# What the content must be; a suffix that is not here must hold plain text.
CONTENT: dict[str, str] = {
    ".docx": sniff.DOCX,
    ".pdf": sniff.PDF,
    ".pptx": sniff.PPTX,
    ".xlsx": sniff.XLSX,
}
ALSO_HTML = {".htm", ".html", ".eml"}  # text that may begin like a page


def load(path: Path, root: Path, source: str = "") -> Document:
    """Read ``path`` with the loader for its suffix.

    Args:
        root: the folder that was ingested.
        source: what the document is called; empty: its path below ``root``.

    Raises:
        LoadError: no loader takes this suffix, or the file is not what its suffix says, or cannot be read.
        NoText: the file is sound, but holds no text.
    """
    loader = _loader_for(path)
    _check_file(path)
    _check_content(path)
    try:
        document = loader(path, source or path.relative_to(root).as_posix())
    except (LoadError, MemoryError):
        raise
    except OSError as error:
        raise LoadError(path, f"it cannot be opened: {error.strerror or type(error).__name__}") from None
    except RecursionError:
        raise LoadError(path, "its parts are nested too deeply to be read") from None
    except Exception as error:
        raise LoaderFailed(path, f"it broke the {path.suffix.lower()} reader ({type(error).__name__})") from error
    _check_text(path, document.text)
    return _with_meta(path, document)


def _loader_for(path: Path) -> Loader:
    if is_sidecar(path):
        raise LoadError(path, "it is a side-car file, which describes another file")
    loader = LOADERS.get(path.suffix.lower())
    if loader is None:
        kind = f"{path.suffix!r}" if path.suffix else "a file without suffix"
        raise LoadError(path, f"no loader for {kind}; known: {', '.join(sorted(LOADERS))}")
    return loader


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


def _check_content(path: Path) -> None:
    suffix = path.suffix.lower()
    try:
        kind = sniff.kind_of(path)
    except OSError as error:
        raise LoadError(path, f"it cannot be opened: {error.strerror or type(error).__name__}") from None
    wanted = CONTENT.get(suffix)
    if kind == wanted or (kind == sniff.HTML and suffix in ALSO_HTML):
        return
    if wanted is None or kind == sniff.LOCKED:
        raise LoadError(path, f"it is named {suffix}, but is {kind}; {sniff.way_out(kind)}")
    raise LoadError(path, f"it is named {suffix}, but is {kind or 'plain text'}, not {wanted}; {sniff.way_out(kind)}")


def _check_text(path: Path, text: str) -> None:
    if not text.strip():
        raise NoText(path, "it holds white space only")
    if unreadable_share(text) > UNREADABLE_ABOVE:
        raise LoadError(path, "its text cannot be decoded: most characters stand for nothing")
    if not has_words(text):
        raise NoText(path, "it holds no letter and no digit")


def _with_meta(path: Path, document: Document) -> Document:
    meta = read_sidecar(path, document.meta)
    return replace(document, meta=meta, title=meta.title or document.title)
