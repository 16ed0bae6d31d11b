"""Whatever is done to the log or to its second place, verifying finds it: 2 050 ways, drawn with a fixed seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.audit import verify
from guardrails.audit.signing import SigningKey
from guardrails.database import open_sqlite
from tests.guardrails.tampering import FILES, WAYS, Scene, recorded, remove


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return recorded(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("other"), turns=5)[-1]


@pytest.fixture
def scene(copies: list[Path], other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(verify, "PATIENCE", 0)
    return Scene(tmp_path, copies, other, random.Random(8))  # noqa: S311 - chooses, keeps no secret


def begin(scene: Scene) -> None:
    """Put everything back as it was."""
    remove(scene.database)
    for name in FILES:
        shutil.copy(scene.earlier[-1] / name, scene.folder)


def found(scene: Scene) -> list[str]:
    engine = open_sqlite(scene.database, durable=False)
    try:
        return verify.examine(engine, SigningKey.read(scene.folder / "audit.key").public, scene.second_place).faults
    finally:
        engine.dispose()


def test_what_nobody_touched_is_sound(scene: Scene) -> None:
    begin(scene)
    assert found(scene) == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_everything_is_found(scene: Scene, way: Callable[[Scene], None]) -> None:
    missed = []
    for number in range(WAYS[way]):
        begin(scene)
        scene.dice.seed(f"{way.__name__} {number}")
        way(scene)
        if not found(scene):
            missed.append(number)
    assert missed == []


def test_what_was_recorded_after_the_last_checkpoint_is_all_that_can_be_taken_back(scene: Scene) -> None:
    begin(scene)
    remove(scene.database)
    shutil.copy(scene.earlier[-2] / "audit.sqlite", scene.database)
    assert found(scene) == []  # the answer under way; see guardrails/audit/checkpoints.py


def test_there_are_enough_of_them() -> None:
    assert sum(WAYS.values()) >= 2000
