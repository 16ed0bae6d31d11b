"""The tables of a policy file: names, values, what may stand where. What they mean is in ``guardrails/policy.py``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from guardrails.pii.labels import DENIED, KNOWN
from guardrails.policy_mistakes import quoted
from guardrails.types import Origin, Repair

Word = Literal["show", "mask", "redact", "flag"]
OriginName = Literal["user", "public_document", "document", "invention"]

ALWAYS_ON = "pii"  # the guard that no policy can do without
LONGEST_FAIL_OPEN = timedelta(days=7)


def bare(value: str) -> str:
    """Letters and digits alone, in one case: how values are compared, however they are grouped."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", value).casefold()))


def _comparable(value: str) -> str:
    if not bare(value):
        raise ValueError("needs a letter or a digit")
    return value


def _entity(label: str) -> str:
    if label not in KNOWN:
        near = get_close_matches(label.upper(), sorted(KNOWN), n=1)
        meant = f'; did you mean "{near[0]}"?' if near else ""
        raise ValueError(f"is {quoted(label)}, which no guard reports{meant}")
    return label


def _host(value: str) -> str:
    if not re.fullmatch(r"(\*\.)?([\w-]+\.)*[\w-]+", value):
        raise ValueError(f'is {quoted(value)}; write the host alone, such as "intranet.example.org"')
    return value.casefold()


def _may_fail(guard: object) -> object:
    if guard == ALWAYS_ON:
        raise ValueError(f'is "{ALWAYS_ON}", which never fails open; leave it out')
    return guard


# Sets are sorted in the dump, so that the hash does not depend on their order.
Sorted = PlainSerializer(sorted)
NotEmpty = Field(min_length=1)
Names = Annotated[frozenset[str], Sorted]
Entities = Annotated[frozenset[Annotated[str, AfterValidator(_entity)]], Sorted]
Values = Annotated[frozenset[Annotated[str, AfterValidator(_comparable)]], Sorted]
Hosts = Annotated[frozenset[Annotated[str, AfterValidator(_host)]], Sorted]
Fallible = Literal["grounding", "injection", "harm", "output"]
Guards = Annotated[frozenset[Annotated[Fallible, BeforeValidator(_may_fail)]], Sorted]


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

    entities: Annotated[Entities, NotEmpty] = frozenset()
    origins: Annotated[frozenset[OriginName], Sorted, NotEmpty] = frozenset()
    audience: Annotated[Names, NotEmpty] = frozenset()  # roles and groups; one of them is enough
    action: Word

    def fits(self, label: str, origin: Origin, audience: frozenset[str]) -> bool:
        return (
            (not self.entities or label in self.entities)
            and (not self.origins or origin.value in self.origins)
            and (not self.audience or not self.audience.isdisjoint(audience))
        )


class PersonalData(Part):
    shown: Entities  # entity types that this organisation does not treat as personal
    models_outside_see_it: bool = Field(strict=True)  # a model that is not embedded is given the original words
    public_sources: Names = frozenset()  # documents whose contacts are meant for every reader; see Policy.is_public
    public_values: Values = frozenset()  # contacts that are public wherever they stand
    allow: Values = frozenset()  # never personal
    deny: Values = frozenset()  # always personal
    by_origin: ByOrigin
    rules: tuple[Rule, ...] = ()  # the first that fits wins, before by_origin

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What is said twice, and differently: the key, and what is wrong with it."""
        if DENIED in self.shown:
            yield ("shown",), f'has "{DENIED}": what is on the list deny is always personal'
        for number, rule in enumerate(self.rules):
            for label in sorted(rule.entities & self.shown):
                yield ("rules", number, "entities"), f'has "{label}", which is in shown: this rule would never apply'
        if {*map(bare, self.allow)} & {*map(bare, self.deny)}:
            yield ("deny",), "has an entry that is in allow too"


class Unsupported(Part):
    # so sure that nothing supports the sentence: it is left out; below: shown, marked
    drop_from: float = Field(strict=True, ge=0, le=1)
    repair: Repair = "drop"  # what becomes of a sentence of the model that is left out for this alone
    flag_at_most: float = Field(0.1, strict=True, ge=0, le=1)  # the target of a calibration: of supported answers
    report_from: float | None = Field(None, strict=True, ge=0, le=1)  # so sure: it is reported; None: as shipped


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
    allowed_hosts: Hosts = frozenset()

    def allows(self, host: str) -> bool:
        """Whether a host is on the list, by its name or as part of "*.its.domain"."""
        name = host.casefold().rstrip(".")
        return any(
            name.endswith(listed[1:]) if listed.startswith("*.") else name == listed for listed in self.allowed_hosts
        )


class FailOpen(Part):
    """Guards whose failure does not withhold a text, for a short while, and why."""

    guards: Annotated[Guards, NotEmpty]
    until: AwareDatetime = Field(strict=True)
    reason: str = Field(min_length=1)

    @field_validator("until")
    @classmethod
    def _soon(cls, value: datetime, info: ValidationInfo) -> datetime:
        now = (info.context or {}).get("now")
        if now and value - now > LONGEST_FAIL_OPEN:
            latest = (now + LONGEST_FAIL_OPEN).strftime("%Y-%m-%dT%H:%MZ")
            raise ValueError(f"is more than {LONGEST_FAIL_OPEN.days} days ahead; the latest today is {latest}")
        return value.astimezone(UTC)
