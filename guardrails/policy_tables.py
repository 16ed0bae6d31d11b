"""The tables of a policy file: names, values, what may stand where. What they mean is in ``guardrails/policy.py``."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from guardrails.types import Origin

Word = Literal["show", "mask", "redact", "flag"]
OriginName = Literal["user", "public_document", "document", "invention"]

ALWAYS_ON = "pii"  # the guard that no policy can do without
LONGEST_FAIL_OPEN = timedelta(days=7)


def bare(value: str) -> str:
    """Letters and digits alone, in one case: how values are compared, however they are grouped."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", value).casefold()))


def _all_bare(values: frozenset[str]) -> frozenset[str]:
    if mute := sorted(value for value in values if not bare(value)):
        raise ValueError(f"has an entry without a letter or digit: {mute[0]!r}")
    return values


def _hosts(values: frozenset[str]) -> frozenset[str]:
    for value in sorted(values):
        if not re.fullmatch(r"(\*\.)?([\w-]+\.)*[\w-]+", value):
            raise ValueError(f'names the host "{value}"; write it alone, such as "intranet.example.org"')
    return frozenset(value.casefold() for value in values)


# Sorted in the dump, so that the hash does not depend on the order of a set.
Names = Annotated[frozenset[str], PlainSerializer(sorted)]
Values = Annotated[Names, AfterValidator(_all_bare)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ByOrigin(Part):
    """What is done with a personal value, by where it comes from."""

    user: Word
    public_document: Word
    document: Word
    invention: Word


class Rule(Part):
    """An exception. What it does not name (entities, origins, audience) it holds for all of."""

    entities: Annotated[Names, Field(min_length=1)] = frozenset()
    origins: Annotated[frozenset[OriginName], PlainSerializer(sorted), Field(min_length=1)] = frozenset()
    audience: Annotated[Names, Field(min_length=1)] = frozenset()  # roles and groups; one of them is enough
    action: Word

    def fits(self, label: str, origin: Origin, audience: frozenset[str]) -> bool:
        return (
            (not self.entities or label in self.entities)
            and (not self.origins or origin.value in self.origins)
            and (not self.audience or not self.audience.isdisjoint(audience))
        )


class PersonalData(Part):
    shown: Names  # entity types that this organisation does not treat as personal
    models_outside_see_it: bool = Field(strict=True)  # a model that is not embedded is given the original words
    public_sources: Names = frozenset()  # documents whose contacts are meant for every reader; see Policy.is_public
    public_values: Values = frozenset()  # contacts that are public wherever they stand
    allow: Values = frozenset()  # never personal
    deny: Values = frozenset()  # always personal
    by_origin: ByOrigin
    rules: tuple[Rule, ...] = ()  # the first that fits wins, before by_origin


class Unsupported(Part):
    # so sure that nothing supports the sentence: it is left out; below: shown, marked
    drop_from: float = Field(strict=True, ge=0, le=1)


class Injection(Part):
    on: bool = Field(True, strict=True)
    question: Literal["flag", "quote", "refuse"] = "flag"
    passage: Literal["flag", "quarantine"] = "quarantine"


class Harm(Part):
    on: bool = Field(True, strict=True)
    question: Literal["flag", "refuse"] = "flag"
    answer: Literal["flag", "drop", "withhold"] = "drop"


class Output(Part):
    links: Literal["any", "documents", "allowed"] = "documents"  # each includes the ones after it
    allowed_hosts: Annotated[Names, AfterValidator(_hosts)] = frozenset()

    def allows(self, host: str) -> bool:
        """Whether a host is on the list, by its name or as part of "*.its.domain"."""
        name = host.casefold().rstrip(".")
        return any(
            name.endswith(listed[1:]) if listed.startswith("*.") else name == listed for listed in self.allowed_hosts
        )


class FailOpen(Part):
    """Guards whose failure does not withhold a text, for a short while, and why."""

    guards: Annotated[frozenset[Literal["grounding", "injection", "harm", "output"]], PlainSerializer(sorted)]
    until: AwareDatetime = Field(strict=True)
    reason: str = Field(min_length=1)

    @field_validator("guards", mode="before")
    @classmethod
    def _not_the_one(cls, value: object) -> object:
        if isinstance(value, list) and ALWAYS_ON in value:
            raise ValueError(f'names "{ALWAYS_ON}", which never fails open; leave it out')
        return value

    @field_validator("until")
    @classmethod
    def _soon(cls, value: datetime, info: ValidationInfo) -> datetime:
        now = (info.context or {}).get("now")
        if now and value - now > LONGEST_FAIL_OPEN:
            latest = (now + LONGEST_FAIL_OPEN).strftime("%Y-%m-%dT%H:%MZ")
            raise ValueError(f"is more than {LONGEST_FAIL_OPEN.days} days ahead; the latest today is {latest}")
        return value.astimezone(UTC)
