"""Settings come from one file and the environment, and what is unknown is refused by name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.settings import Settings, load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CANDOR_SETTINGS", "CANDOR_WEB__PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CANDOR_STATE", str(tmp_path))


def test_the_example_file_holds_every_default() -> None:
    example = tomllib.loads((ROOT / "deploy" / "settings.example.toml").read_text(encoding="utf-8"))
    defaults = Settings().model_dump(mode="json", exclude={"state": True, "guards": {"policy"}})
    assert example == defaults


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text("[web]\nport = 8001\n[chunks]\nsize = 500\n", encoding="utf-8")
    monkeypatch.setenv("CANDOR_WEB__PORT", "8002")
    settings = load()
    assert (settings.web.port, settings.chunks.size) == (8002, 500)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[chunks]\nsise = 500", 'unknown name "chunks.sise"; known: overlap, size'),
        ("colour = 1", 'unknown name "colour"'),
        ("[chunks]\nsize = 3", "chunks.size: Input should be greater than or equal to 200"),
        ("[chunks\n", "is not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load()
    assert said in str(error.value)


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDOR_WEB__PROT", "1")
    with pytest.raises(SettingsError, match=r"web\.prot"):
        load()


def test_secrets_are_neither_printed_nor_quoted_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDOR_GENERATION__API_KEY", "sk-canary")
    assert "sk-canary" not in repr(load())


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load(tmp_path / "none.toml")
