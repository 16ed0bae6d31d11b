"""The README names what there is, and nothing that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from rag.cli import app
from rag.ingest.load import KINDS, LOADERS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_every_command_is_named(name: str) -> None:
    assert f"candor {name}" in README or name == "run"


def test_every_kind_of_file_that_is_read_is_named() -> None:
    assert set(LOADERS) == set().union(*KINDS.values())
    assert [kind for kind in KINDS if kind not in README] == []


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:rag|guardrails|corpus|deploy|tests)/[\w./]*)`", README)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_link_leads_to_a_file() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert [target for target in targets if not (ROOT / target).exists()] == []
