"""What a document says of itself: front matter, ``candor:`` tags, side-car files.

Who may read a document stands here. So whatever is meant for us but cannot be understood refuses the document:
ignored, it would be shown to everyone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rag.errors import LoadError
from rag.types import Meta

KEYS = ("title", "date", "owner", "contacts", "groups", "superseded_by")
SIDE_CAR = ".meta.toml"
OPENING = re.compile(r"---[ \t]*\n")
CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)
OUR_KEY = re.compile(rf"^(?:{'|'.join(KEYS)})[ \t]*:", re.MULTILINE)


def sidecar_of(path: Path) -> Path:
    """Where the side-car file of ``path`` lies, if it has one."""
    return path.with_name(path.name + SIDE_CAR)


def is_sidecar(path: Path) -> bool:
    """Whether ``path`` speaks of another file, and is not a document itself."""
    return path.name.endswith(SIDE_CAR)


def read_sidecar(path: Path, meta: Meta) -> Meta:
    """``meta`` with what the side-car file of ``path`` says; each of its keys wins over the document's own.

    Raises:
        LoadError: the side-car cannot be read, or holds a key or value that is not understood.
    """
    sidecar = sidecar_of(path)
    if not sidecar.exists():
        return meta
    try:
        values = tomllib.loads(sidecar.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LoadError(path, f"its side-car {sidecar.name} cannot be opened: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise LoadError(path, f"its side-car {sidecar.name} is not valid TOML in UTF-8") from None
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise LoadError(path, f"its side-car {sidecar.name} has {', '.join(unknown)}; known: {', '.join(KEYS)}")
    return with_values(path, meta, values, f"its side-car {sidecar.name}")


def read_front_matter(path: Path, text: str) -> tuple[Meta, str]:
    """Separate the YAML at the start of a Markdown file from its text.

    Keys of other tools are left alone. A block between two rules that is no YAML mapping is text.

    Raises:
        LoadError: the front matter holds a key of ours, but cannot be understood.
    """
    opening = OPENING.match(text)
    closing = CLOSING.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return Meta(), text
    values = _yaml(path, text[opening.end() : closing.start()])
    if values is None:
        return Meta(), text
    return with_values(path, Meta(), values, "its front matter"), text[closing.end() :].lstrip("\n")


def _yaml(path: Path, block: str) -> Mapping[str, Any] | None:
    import yaml

    try:
        values = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if not OUR_KEY.search(block):
            return None
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        raise LoadError(path, f"its front matter is not valid YAML{where}; put values with a colon in quotes") from None
    if values is None:
        return {}
    return values if isinstance(values, dict) else None


def with_values(path: Path, meta: Meta, values: Mapping[str, Any], where: str) -> Meta:
    """``meta`` with each of our keys in ``values`` read into its field; other keys are not looked at.

    Args:
        where: names the place in an error, e.g. "its front matter".

    Raises:
        LoadError: a value is not of the kind that its key takes.
    """
    changes: dict[str, Any] = {}
    for key in KEYS:
        if key in values and (key == "groups" or values[key] is not None):  # "groups:" left empty is not "everyone"
            field, read, wants = READERS[key]
            try:
                changes[field] = read(values[key])
            except ValueError:  # its message would quote the document
                raise LoadError(path, f"{where} gives {key} wrongly: it must be {wants}") from None
    return replace(meta, **changes)


def _words(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        raise ValueError
    words = " ".join(str(value).split())
    if not words:
        raise ValueError
    return words


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return datetime.fromisoformat(_words(value)).date()


def _public(value: object) -> bool:
    if _words(value).lower() != "public":
        raise ValueError
    return True


def _groups(value: object) -> frozenset[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError
    return frozenset(_words(name) for name in names)


# key -> (field of Meta, how it is read, what it must be)
READERS: Mapping[str, tuple[str, Any, str]] = {
    "title": ("title", _words, "words"),
    "date": ("date", _day, "a day such as 2025-02-03"),
    "owner": ("owner", _words, "words"),
    "contacts": ("public_contacts", _public, 'the word "public", or left out'),
    "groups": ("groups", _groups, "a list of at least one group name"),
    "superseded_by": ("superseded_by", _words, "the path of the newer document"),
}


def to_json(meta: Meta) -> dict[str, Any]:
    """``meta`` as JSON can hold it; ``from_json`` is its inverse."""
    values = {field.name: getattr(meta, field.name) for field in fields(meta)}
    return values | {"date": meta.date and meta.date.isoformat(), "groups": sorted(meta.groups)}


def from_json(values: Mapping[str, Any]) -> Meta:
    """The ``Meta`` that ``to_json`` was given."""
    day = values["date"]
    return Meta(**{**values, "date": day and date.fromisoformat(day), "groups": frozenset(values["groups"])})
