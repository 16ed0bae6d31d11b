"""One personal value that was found, and what the kinds of values are called."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.pii.recognizers import COMPANIES


@dataclass(frozen=True, slots=True)
class Detection:
    """One personal value. Holds where it is, never the value."""

    label: str
    start: int  # characters, end exclusive
    end: int
    score: float
    what: str  # for an auditor, as in "looks like ..."
    view: int = 0  # the first of ``canonical.views`` in which it is seen; 0: as written
    view_start: int = 0  # where it stands there, if disguised
    view_end: int = 0


WHAT = {
    "PERSON": "a person's name",
    "LOCATION": "a place",
    "ADDRESS": "an address",
    "ORGANIZATION": "an organisation",
    "NRP": "a nationality, religion or political group",
    "DATE_TIME": "a date or time",
    "AGE": "an age",
    "TITLE": "a title",
}
# Labels of values that a policy may well show: one of them never takes the place of a value found plain.
WEAK = frozenset({"URL", "DATE_TIME", "LOCATION", "ORGANIZATION", "NRP", "TITLE", "AGE"}) | COMPANIES
