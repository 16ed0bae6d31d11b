"""What is wrong with a policy file, said so that it can be mended: line, key, the fact, what is allowed."""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import product
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

Key = tuple[str | int, ...]  # as in the file: ("personal_data", "rules", 0, "action")

# By pydantic's names of what can be wrong. The value is quoted only where it is one of a few words, or a number:
# lists may hold what is personal.
PROBLEMS = {
    "missing": "{key} is missing",
    "literal_error": "{key} is {value}; use {expected}",
    "bool_type": "{key} is {value}; use true or false",
    "float_type": "{key} is {value}; use a number",
    "greater_than_equal": "{key} is {value}; use {ge:g} or more",
    "less_than_equal": "{key} is {value}; use {le:g} or less",
    "finite_number": "{key} is {value}; use a number",
    "string_type": "{key} must be text in quotes",
    "string_too_short": "{key} must not be empty",
    "frozen_set_type": '{key} must be a list such as ["a", "b"]',
    "too_short": "{key} is an empty list; name at least one, or leave it out",
    "tuple_type": "{key} must be tables, each under [[{key}]]",
    "model_type": "{key} must be a table",
    "datetime_type": "{key} must be a date and time with its offset, not in quotes: 2026-12-24T18:00:00Z",
    "timezone_aware": "{key} must say its offset: 2026-12-24T18:00:00Z",
    "value_error": "{key} {error}",
}
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_PLAIN = re.compile(r"[\w-]+")
_BRACKETS = ["".join(ends) for count in range(4) for ends in product("]}", repeat=count)]
_CLOSED_BY = [quotes + brackets for quotes in ("", '"""', "'''") for brackets in _BRACKETS]


def syntax(error: tomllib.TOMLDecodeError, source: str) -> str:
    """One line for a file that is not TOML."""
    said = str(error)
    place = _PLACE.search(said)
    line = int(place["line"]) if place and place["line"] else source.rstrip().count("\n") + 1
    return f"line {line}: not TOML: {said[: place.start()] if place else said}"


def explained(error: ValidationError, source: str, model: type[BaseModel]) -> tuple[str, ...]:
    """One line for each mistake, in the order of the file."""
    found: list[tuple[Key, str]] = []
    for mistake in error.errors(include_url=False):
        key: Key = mistake["loc"]
        if mistake["type"] == "extra_forbidden":
            text = _unknown(key, model)
        else:
            facts: dict[str, Any] = {**mistake.get("ctx", {})}
            facts["expected"] = str(facts.get("expected", "")).replace("'", "")
            template = PROBLEMS.get(mistake["type"], "{key}: {message}")
            text = template.format(key=spelled(key), value=quoted(mistake["input"]), message=mistake["msg"], **facts)
        found.append((key, text))
    return located(found, source)


def located(found: Iterable[tuple[Key, str]], source: str) -> tuple[str, ...]:
    """The texts with the lines of their keys, in the order of the file."""
    lines = sorted((line_of(source, key), text) for key, text in found)
    return tuple(f"line {line}: {text}" for line, text in lines)


def spelled(key: Sequence[str | int]) -> str:
    """``personal_data.rules[1].action``: tables and list entries counted from 1, as a reader counts them."""
    return "".join(
        f"[{part + 1}]" if isinstance(part, int) else "." + (part if _PLAIN.fullmatch(part) else quoted(part))
        for part in key
    ).removeprefix(".")


def line_of(source: str, key: Sequence[str | int]) -> int:
    """The line, from 1, in which a key, or a list's entry, begins; for one that is not there, what should hold it.

    The standard library's parser tells no lines. But a TOML file cut after any of its lines is TOML again, once open
    quotes and brackets are closed: the first cut that has the key ends with its line. So the parser itself judges,
    whatever way of writing tables was chosen.
    """
    lines = source.split("\n")
    whole = _parsed(lines)
    while not _has(whole, key):
        key = key[:-1]
    if not key:
        return 1
    return bisect_left(range(1, len(lines) + 1), True, key=lambda count: _has(_parsed(lines[:count]), key)) + 1


def _parsed(lines: Sequence[str]) -> dict[str, Any]:
    """These lines as TOML; without the last ones where brackets are nested too deep to be closed after them."""
    for count in range(len(lines), 0, -1):
        for parsed in _closed("\n".join(lines[:count]) + "\n"):
            return parsed
    return {}


def _closed(text: str) -> Iterator[dict[str, Any]]:
    for ends in _CLOSED_BY:
        try:
            yield tomllib.loads(text + ends)
        except tomllib.TOMLDecodeError:
            continue


def _has(table: Any, key: Sequence[str | int]) -> bool:
    for part in key:
        try:
            table = table[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _unknown(key: Key, model: type[BaseModel]) -> str:
    known = sorted(_fields(key[:-1], model))
    near = get_close_matches(str(key[-1]), known, n=1)
    meant = f'; did you mean "{near[0]}"?' if near else ";"
    return f'unknown name "{spelled(key)}"{meant} known here: {", ".join(known)}'


def _fields(key: Key, model: type[BaseModel]) -> list[str]:
    """The names that the table at this key may have."""
    for part in key:
        if isinstance(part, str):
            kind = model.model_fields[part].annotation
            model = next(one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel))
    return list(model.model_fields)


def quoted(value: object) -> str:
    """A value as it stands in the file, on one line; nothing of a table, a list or a date."""
    if isinstance(value, str):
        return json.dumps(value[:40], ensure_ascii=False)
    return json.dumps(value) if isinstance(value, bool | int | float) else "something else"
