"""What the doctor says of an installation's own record and policy, before it tries any part."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guardrails.audit.log import AuditLog
from guardrails.policy import PolicyFile
from rag.doctor import Finding, examine
from rag.settings import Guards, Settings

GENERAL = PolicyFile().file.read_text(encoding="utf-8")


def finding(settings: Settings, part: str) -> Finding:
    """What is said of one part; the parts after it are not tried."""
    found: Iterator[Finding] = examine(settings)
    return next(each for each in found if each.part == part)


def with_policy(folder: Path, text: str) -> Settings:
    (folder / "policy.toml").write_text(text, encoding="utf-8")
    return Settings(state=folder, guards=Guards(policy=folder / "policy.toml"))


def test_without_a_record_there_are_no_checks_to_speak_of(tmp_path: Path) -> None:
    assert finding(Settings(state=tmp_path), "guard checks") == Finding("guard checks", True, "none yet")


@pytest.mark.parametrize(
    ("status", "fine"), [("ran", True), ("skipped", True), ("failed", False), ("timed out", False)]
)
def test_checks_that_could_not_be_made_lately_need_mending(tmp_path: Path, status: str, fine: bool) -> None:
    log = AuditLog(tmp_path / "audit.sqlite")
    run = {"guard": "grounding", "status": status, "milliseconds": 1.0}
    log.append("sentence", turn="t", facts={"guards": [run]})
    log.close()
    found = finding(Settings(state=tmp_path), "guard checks")
    assert found.fine is fine
    assert fine or found.detail.startswith(
        f"Grounding: a check could not be made in the last 24 hours (1 {status}; last just now, "
    )


def test_a_policy_that_is_sound_is_named_with_its_hash(tmp_path: Path) -> None:
    found = finding(with_policy(tmp_path, GENERAL), "policy")
    assert (found.fine, found.detail) == (True, f"general, {PolicyFile().current().hash}")


def test_a_policy_file_that_cannot_be_used_is_named_with_its_line(tmp_path: Path) -> None:
    found = finding(with_policy(tmp_path, GENERAL.replace("drop_from = 0.0", "drop_from = 7")), "policy")
    assert not found.fine
    assert f"{tmp_path / 'policy.toml'}, line " in found.detail
    assert "\n" not in found.detail


@pytest.mark.parametrize(("hours", "fine"), [(5, False), (-1, True)])
def test_a_fail_open_needs_mending_while_it_lasts(tmp_path: Path, hours: int, fine: bool) -> None:
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")
    opened = f"[fail_open]\nguards = ['grounding', 'harm']\nuntil = {until}\nreason = 'ticket 4711'\n"
    found = finding(with_policy(tmp_path, f"{GENERAL}\n{opened}"), "policy")
    assert found.fine is fine
    if not fine:
        assert "Guards: Grounding and Harm. Reason given: ticket 4711" in found.detail
