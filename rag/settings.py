"""What can be set: one TOML file and CANDOR_* variables, read once, unknown names refused.

``deploy/settings.example.toml`` shows every setting with its default and is compared with this module by a test.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from guardrails.weights import MINILM
from rag.errors import SettingsError
from rag.types import Limits

PREFIX = "CANDOR_"
NOT_SETTINGS = frozenset({"CANDOR_SETTINGS", "CANDOR_TORCH", "CANDOR_TEST_DATA"})  # read elsewhere, by these names
SOURCE_TREE = Path(__file__).resolve().parents[1]


def default_state() -> Path:
    """``.candor`` beside the source tree when it is run from one, otherwise in the working folder."""
    return (SOURCE_TREE if (SOURCE_TREE / "pyproject.toml").exists() else Path.cwd()) / ".candor"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ingest(Part):
    """What reading one file may cost; the fields of ``Limits``."""

    seconds: float = Field(Limits().seconds, ge=1, le=3600, description="to read one file")
    megabytes: int = Field(Limits().megabytes, ge=256, description="of memory, to read one file")
    pages: int = Field(Limits().pages, ge=1, description="most pages or slides of one file")
    characters: int = Field(Limits().characters, ge=1000, description="most characters of text of one file")

    @property
    def limits(self) -> Limits:
        return Limits(**self.model_dump())


class Chunks(Part):
    size: int = Field(700, ge=200, le=8000, description="characters")
    overlap: int = Field(0, ge=0, le=2000, description="characters shared by neighbours; at most half of size")

    @model_validator(mode="after")
    def _fits(self) -> Chunks:
        if self.overlap > self.size // 2:
            raise ValueError("overlap must be at most half of size")
        return self


class Embedding(Part):
    model: str = Field(
        MINILM.name,
        description="the model in the box, or the folder of a sentence-transformers model; another one is made ready "
        "in the background, and used when it is complete",
    )


class Retrieval(Part):
    passages: int = Field(5, ge=1, le=20, description="most passages that an answer may rest on")
    candidates: int = Field(50, ge=10, le=500, description="how many each search contributes before they are fused")
    relevant_from: float = Field(
        0.27, ge=0, le=1, description="below this relevance the documents do not answer; see tests/quality/DECISIONS.md"
    )
    chroma_url: str = Field("", description="a Chroma server, e.g. http://localhost:8000; empty: a folder of the state")


class Generation(Part):
    model: str = Field(
        "embedded", description='"embedded", "none" for quotations only, or "provider:name", e.g. "ollama:llama3.1"'
    )
    trained: bool = Field(True, description="the embedded model with the adapter that taught it; false: as it comes")
    prompt: Literal["auto", "short", "full"] = Field(
        "auto",
        description='what a model is told: "full" rules, or the "short" line that the embedded one is trained on',
    )
    base_url: str = Field("", description="address of an OpenAI-compatible endpoint; empty: the provider's own")
    api_key: SecretStr = Field(SecretStr(""), description="prefer the variable CANDOR_GENERATION__API_KEY")
    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int = Field(160, ge=16, le=4096)
    first_token_seconds: float = Field(30, gt=0, description="a model that says nothing for so long counts as down")
    evidence_characters: int = Field(
        1200,
        ge=300,
        le=100_000,
        description="how much of the passages the model is given; the embedded one reads 1 000 in 1 s",
    )


class Guards(Part):
    policy: Path | None = Field(
        None, description='a policy file, or a preset by name: "general", "health", "finance"; none: the general preset'
    )
    seconds: float = Field(10.0, gt=0, le=120, description="a check that takes longer counts as failed")


class Audit(Part):
    checkpoints: str = Field(
        "",
        description="a folder that checkpoints of the log are kept in too, best where whoever may write the state "
        "folder cannot change them; empty: the state folder",
    )
    every_events: int = Field(100, ge=1, description="a checkpoint after at most so many events, besides each answer's")
    every_minutes: float = Field(10.0, gt=0, description="with the first event after so long without a checkpoint")


class Web(Part):
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=1, le=65535)
    contact: str = Field(
        "the person who runs this installation", description="whom a reader may write to with an objection"
    )


class Settings(Part):
    """Everything that can be set. Built by ``load``."""

    state: Path = Field(default_factory=default_state, description="the one folder that everything is kept in")
    ingest: Ingest = Ingest()
    chunks: Chunks = Chunks()
    embedding: Embedding = Embedding()
    retrieval: Retrieval = Retrieval()
    generation: Generation = Generation()
    guards: Guards = Guards()
    audit: Audit = Audit()
    web: Web = Web()


def load(path: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings.

    Later ones win: the file (``path``, or the variable CANDOR_SETTINGS, or ``settings.toml`` in the state folder),
    variables such as ``CANDOR_WEB__PORT=8000``, then ``overrides``, nested dictionaries as in the file.

    Raises:
        SettingsError: a name is unknown or a value out of range; the message names it and where it was set.
    """
    variables = _from_environment(os.environ)
    state = Path(variables.get("state", default_state()))
    chosen = path or (Path(os.environ["CANDOR_SETTINGS"]) if "CANDOR_SETTINGS" in os.environ else None)
    file = chosen or state / "settings.toml"
    values = _from_file(file) if chosen or file.exists() else {}
    for layer in (variables, overrides):
        values = _merged(values, layer)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explained(error, file)) from None  # the original quotes values, which may be secrets
    return settings.model_copy(update={"state": settings.state.expanduser().resolve()})


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"settings: {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings: {path} cannot be read ({type(error).__name__})") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings: {path} is not TOML: {error}") from None


def _from_environment(environment: os._Environ[str] | dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            *parents, leaf = name.removeprefix(PREFIX).lower().split("__")
            place = values
            for parent in parents:
                place = place.setdefault(parent, {})
            place[leaf] = value
    return values


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = _merged(result[name], value) if both else value
    return result


def _explained(error: ValidationError, file: Path) -> str:
    """One line per mistake, without the value: it may be a secret."""
    lines = []
    for mistake in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            lines.append(f'settings: unknown name "{name}"; known: {", ".join(_known(mistake["loc"]))}')
        else:
            lines.append(f"settings: {name}: {mistake['msg']}")
    where = f"(read from {file} and CANDOR_* variables)" if file.exists() else "(read from CANDOR_* variables)"
    return "\n".join([*lines, where])


def _known(location: tuple[int | str, ...]) -> list[str]:
    part: Any = Settings
    for name in location[:-1]:
        part = part.model_fields[str(name)].annotation
    return sorted(part.model_fields)
