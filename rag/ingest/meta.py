"""What is said of a document: in its front matter or ``candor:`` tags, in a side-car file, by a rule of its folder.

A side-car wins over the document, the document over its folder, a near folder over one further up. Who may read a
document stands here. So whatever is meant for us but cannot be understood refuses the document: ignored, it would be
shown to everyone.
"""

from __future__ import annotations

import errno
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rag.errors import NotUnderstood
from rag.types import Meta

KEYS = ("title", "date", "owner", "contacts", "groups", "superseded_by")
FOLDER_KEYS = ("owner", "contacts", "groups")
SIDE_CAR = ".meta.toml"
FOLDER = "_folder" + SIDE_CAR  # a side-car by its name, so that whatever passes over those passes over it
OPENING = re.compile(r"---[ \t]*\n")
CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)
OUR_KEY = re.compile(rf"^(?:{'|'.join(KEYS)})[ \t]*:", re.MULTILINE)


def sidecar_of(path: Path) -> Path:
    """Where the side-car file of ``path`` lies, if it has one."""
    return path.with_name(path.name + SIDE_CAR)


def is_sidecar(path: Path) -> bool:
    """Whether ``path`` speaks of another file, and is not a document itself."""
    return path.name.endswith(SIDE_CAR)


def rules_of(path: Path) -> list[Path]:
    """The files that may change what is said of ``path``: its side-car, and rules of folders, the furthest first.

    Folders above the one that was ingested count too: a rule holds whichever folder of it somebody names.
    """
    beside = [*(folder / FOLDER for folder in reversed(path.absolute().parents)), sidecar_of(path)]
    return [file for file in beside if _is_there(path, file)]


def of_folder(path: Path) -> Meta:
    """What the rules of its folders say of ``path``.

    Raises:
        NotUnderstood: a rule cannot be read, or holds a key or value that is not understood.
    """
    meta = Meta()
    for rule in rules_of(path):
        if rule.name == FOLDER:
            where = f"the rule of the folder {rule.parent.name}, {FOLDER},"
            meta = with_values(path, meta, _toml(path, rule, where, FOLDER_KEYS), where)
    return meta


def read_sidecar(path: Path, meta: Meta) -> Meta:
    """``meta`` with what the side-car file of ``path`` says; each of its keys wins over the document's own.

    Raises:
        NotUnderstood: the side-car cannot be read, or holds a key or value that is not understood.
    """
    sidecar = sidecar_of(path)
    if not _is_there(path, sidecar):
        return meta
    where = f"its side-car {sidecar.name}"
    return with_values(path, meta, _toml(path, sidecar, where, KEYS), where)


def _is_there(path: Path, file: Path) -> bool:
    """Also where ``file`` is a link that leads nowhere: it was meant to say something."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # so there can be none
            return False
        raise NotUnderstood(path, f"it cannot be seen whether {file.name} is there: {error.strerror}") from None
    return True


def _toml(path: Path, file: Path, where: str, known: Sequence[str]) -> Mapping[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NotUnderstood(path, f"{where} cannot be opened: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise NotUnderstood(path, f"{where} is not valid TOML in UTF-8") from None
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise NotUnderstood(path, f"{where} has {', '.join(unknown)}; known: {', '.join(known)}")
    return values


def read_front_matter(path: Path, text: str) -> tuple[Meta, str]:
    """Separate the YAML at the start of a Markdown file from its text; what it leaves open, its folder says.

    Keys of other tools are left alone. A block between two rules that is no YAML mapping is text.

    Raises:
        NotUnderstood: the front matter holds a key of ours, but cannot be understood.
    """
    opening = OPENING.match(text)
    closing = CLOSING.search(text, opening.end()) if opening else None
    said = of_folder(path)
    if opening is None or closing is None:
        return said, text
    values = _yaml(path, text[opening.end() : closing.start()])
    if values is None:
        return said, text
    return with_values(path, said, values, "its front matter"), text[closing.end() :].lstrip("\n")


def _yaml(path: Path, block: str) -> Mapping[str, Any] | None:
    import yaml

    try:
        values = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if not OUR_KEY.search(block):
            return None
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        reason = f"its front matter is not valid YAML{where}; put values with a colon in quotes"
        raise NotUnderstood(path, reason) from None
    if values is None:
        return {}
    return values if isinstance(values, dict) else None


def with_values(path: Path, meta: Meta, values: Mapping[str, Any], where: str) -> Meta:
    """``meta`` with each of our keys in ``values`` read into its field; other keys are not looked at.

    Args:
        where: names the place in an error, e.g. "its front matter".

    Raises:
        NotUnderstood: a value is not of the kind that its key takes.
    """
    changes: dict[str, Any] = {}
    for key in KEYS:
        if key in values and (key == "groups" or values[key] is not None):  # "groups:" left empty is not "everyone"
            field, read, wants = READERS[key]
            try:
                changes[field] = read(values[key])
            except ValueError:  # its message would quote the document
                raise NotUnderstood(path, f"{where} gives {key} wrongly: it must be {wants}") from None
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
