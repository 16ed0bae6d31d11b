"""The policy: what is done about a finding. A TOML file, validated, named by its hash in every record."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardrails.types import Action, Finding, Origin

PRESETS = Path(__file__).parent / "policies"


class PolicyError(Exception):
    """The policy cannot be used. The message names the file and what is wrong."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ByOrigin(Part):
    """What is done with a personal value, by where it comes from."""

    user: Literal["show", "redact", "flag"]
    public_document: Literal["show", "redact", "flag"]
    document: Literal["show", "redact", "flag"]
    invention: Literal["show", "redact", "flag"]


class PersonalData(Part):
    shown: frozenset[str]  # entity types that this organisation does not treat as personal
    by_origin: ByOrigin
    models_outside_see_it: bool  # a model that is not embedded is given the original words


class Unsupported(Part):
    drop_from: float = Field(
        ge=0, le=1
    )  # so sure that nothing supports the sentence: it is left out; below: shown, marked


class Policy(Part):
    """What is done about each kind of finding."""

    name: str
    personal_data: PersonalData
    unsupported: Unsupported

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical content: spelling and comments of the file do not count."""
        return hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()[:16]

    def action(self, finding: Finding) -> Action:
        match finding.kind:
            case "guard_failed":
                return Action.WITHHOLD
            case "unsupported":
                return Action.DROP if finding.score >= self.unsupported.drop_from else Action.FLAG
            case "pii":
                return self._about_personal_data(finding)
            case "supported":
                return Action.SHOW

    def hides(self, finding: Finding) -> bool:
        """Whether the words of this finding are replaced by its label."""
        return finding.kind == "pii" and self.action(finding) >= Action.REDACT

    def _about_personal_data(self, finding: Finding) -> Action:
        if finding.label in self.personal_data.shown:
            return Action.SHOW
        origin = finding.origin or Origin.INVENTION
        return ACTIONS[getattr(self.personal_data.by_origin, origin.value)]


ACTIONS: Mapping[str, Action] = {"show": Action.SHOW, "redact": Action.REDACT, "flag": Action.FLAG}


def load(path: Path | None = None) -> Policy:
    """Read a policy file; without one, the general preset.

    Raises:
        PolicyError: it cannot be read, or a name or value in it is wrong.
    """
    file = path or PRESETS / "general.toml"
    try:
        return Policy.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise PolicyError(f"policy {file}: {mistakes}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"policy {file}: {error}") from None
