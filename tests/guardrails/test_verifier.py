"""The verifier in one file needs only Python, agrees with the product, and with the standards that it implements."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.audit import signing, verifier
from guardrails.audit.log import AuditLog
from guardrails.audit.signing import SigningKey
from guardrails.audit.verifier import Report, Unusable, lines_of, public_key, verify_export
from tests.guardrails.tampering import recorded

# RFC 8032, 7.1: secret key, public key, message, signature
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2465"
        "5141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb0"
        "0d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc0"
        "27beceea1ec40a",
    ),
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@dataclass(frozen=True)
class Files:
    """What an auditor is handed."""

    export: list[str]
    checkpoints: list[str]
    key: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("log")
    recorded(folder)
    log = AuditLog(folder / "audit.sqlite")
    exported = list(log.export())
    log.close()
    return Files(exported, lines_of(folder / "checkpoints.jsonl"), SigningKey.read(folder / "audit.key").pem())


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Lines of another log's export."""
    folder = tmp_path_factory.mktemp("other")
    recorded(folder)
    log = AuditLog(folder / "audit.sqlite")
    exported = list(log.export())
    log.close()
    return exported


def by_the_product(files: Files) -> Report | None:
    try:
        return verify_export(files.export, files.checkpoints, public_key(files.key), signing.verify)
    except Unusable:
        return None


def alone(files: Files, folder: Path) -> tuple[int, str]:
    """Exit status and output of the one file, run without site packages, environment and this folder."""
    (folder / "export").write_text("".join(f"{line}\n" for line in files.export), encoding="utf-8")
    (folder / "checkpoints").write_text("".join(f"{line}\n" for line in files.checkpoints), encoding="utf-8")
    (folder / "key").write_text(files.key, encoding="utf-8")
    program = shutil.copy(verifier.__file__, folder)
    words = [sys.executable, "-I", "-S", program, "export", "checkpoints", "--public-key", "key"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_an_export_that_nobody_touched_holds(files: Files, tmp_path: Path) -> None:
    status, said = alone(files, tmp_path)
    report = by_the_product(files)
    assert report is not None
    assert (status, report.faults, len(report.open_turns)) == (0, [], 1)
    assert said.splitlines() == [
        *report.open_turns,
        f"{report.events} events and {report.checkpoints} checkpoints hold.",
    ]


def edited(lines: list[str], at: int, change: Callable[[dict[str, Any]], object]) -> list[str]:
    row = json.loads(lines[at])
    change(row)
    return [*lines[:at], json.dumps(row, ensure_ascii=False), *lines[at + 1 :]]


def flipped(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


EVENTS: dict[str, Callable[[list[str], list[str], int], list[str]]] = {
    "fact": lambda lines, other, at: edited(lines, at, lambda row: row["header"]["facts"].update(extra=1)),
    "time": lambda lines, other, at: edited(
        lines, at, lambda row: row["header"].update(at="2001-01-01T00:00:00+00:00")
    ),
    "hash": lambda lines, other, at: edited(lines, at, lambda row: row.update(hash=flipped(row["hash"]))),
    "salt": lambda lines, other, at: edited(lines, at, lambda row: row.update(salt=flipped(row["salt"]))),
    "words": lambda lines, other, at: edited(lines, at, lambda row: row["payload"].update(question="another")),
    "no words": lambda lines, other, at: edited(lines, at, lambda row: row.update(payload=None)),
    "no header": lambda lines, other, at: edited(lines, at, lambda row: row.pop("header")),
    "gone": lambda lines, other, at: [*lines[:at], *lines[at + 1 :]],
    "twice": lambda lines, other, at: [*lines[: at + 1], *lines[at:]],
    "swapped": lambda lines, other, at: [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]],
    "newest gone": lambda lines, other, at: lines[:at],
    "of another log": lambda lines, other, at: [*lines[:at], other[at], *lines[at + 1 :]],
    "no JSON": lambda lines, other, at: [*lines[:at], lines[at][:-5], *lines[at + 1 :]],
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_was_tampered_with_is_found_by_both(
    files: Files, other: list[str], tmp_path: Path, name: str
) -> None:
    at = random.Random(name).randrange(2, len(files.export))  # noqa: S311 - chooses, keeps no secret
    changed = Files(EVENTS[name](files.export, other, at), files.checkpoints, files.key)
    report = by_the_product(changed)
    assert report is not None
    assert report.faults != []
    assert ("by its signed head" in "".join(report.faults)) == (name in {"gone", "twice", "newest gone"})
    status, said = alone(changed, tmp_path)
    assert (status, said.splitlines()[: len(report.faults)]) == (1, report.faults)


@pytest.mark.parametrize("name", ["gone", "twice", "swapped", "newest gone", "no JSON"])
def test_checkpoints_that_were_tampered_with_are_found_by_both(files: Files, tmp_path: Path, name: str) -> None:
    changed = Files(files.export, EVENTS[name](files.checkpoints, [], 2), files.key)
    report = by_the_product(changed)
    assert report is not None
    assert report.faults != []
    assert alone(changed, tmp_path)[0] == 1


def test_another_key_or_another_statement_is_refused_by_both(files: Files, other: list[str], tmp_path: Path) -> None:
    stranger = SigningKey(Ed25519PrivateKey.generate()).pem()
    unsigned = edited(files.export, 0, lambda row: row.update(signature=flipped(row["signature"])))
    for changed in (
        Files(files.export, files.checkpoints, stranger),
        Files(files.export, files.checkpoints, "no key"),
        Files([other[0], *files.export[1:]], files.checkpoints, files.key),
        Files([rfc8785.dumps(json.loads(unsigned[0])).decode(), *unsigned[1:]], files.checkpoints, files.key),
        Files(files.export[1:], files.checkpoints, files.key),
        Files([], [], files.key),
    ):
        assert by_the_product(changed) is None
        assert alone(changed, tmp_path)[0] == 2


def test_an_export_that_was_made_earlier_holds_against_later_checkpoints(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.sqlite")
    log.append("reviewed", turn="t")
    exported = list(log.export())
    log.append("reviewed", turn="t")
    files = Files(exported, lines_of(log.seals.second_place), log.seals.key.pem())
    log.close()
    report = by_the_product(files)
    assert report is not None
    assert (report.faults, report.events, report.checkpoints) == ([], 1, 2)


def test_an_export_of_an_older_copy_is_found(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.sqlite")
    log.append("reviewed", turn="t")
    log.fold()
    (tmp_path / "older").mkdir()
    for name in ("audit.sqlite", "audit.key"):
        shutil.copy(tmp_path / name, tmp_path / "older")
    log.append("reviewed", turn="t")
    older = AuditLog(tmp_path / "older" / "audit.sqlite")
    report = by_the_product(Files(list(older.export()), lines_of(log.seals.second_place), log.seals.key.pem()))
    assert report is not None
    assert "the export has 1 events, but 2 were signed on" in report.faults[0]
    older.close()
    log.close()


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_signatures_verify_as_in_the_standard(key: str, message: str, signature: str) -> None:
    known, said, by = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    for verify in (verifier.signed, signing.verify):
        assert verify(known, said, by)
        assert not verify(known, said + b"x", by)
        assert not verify(known, said, by[:-1])
        assert not verify(known, said, b"\xff" * 32 + by[32:])
        assert not verify(known[::-1], said, by)
        # The same scalar plus the order of the group: RFC 8032 forbids it, or a signature could be changed unnoticed.
        scalar = int.from_bytes(by[32:], "little") + verifier.Q
        assert not verify(known, said, by[:32] + scalar.to_bytes(32, "little"))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
def test_what_the_product_signs_verifies_in_plain_python(secret: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    signature, public = key.sign(message), key.public_key().public_bytes_raw()
    assert verifier.signed(public, message, signature)
    changed = bytes([signature[0] ^ 1]) + signature[1:]
    assert not verifier.signed(public, message, changed)


@settings(max_examples=400, deadline=None)
@given(values)
def test_canonical_json_is_that_of_the_standard(value: object) -> None:
    written = verifier.canonical(value)
    assert written == rfc8785.dumps(value)  # type: ignore[arg-type]
    assert verifier.canonical(json.loads(written)) == written


def test_a_public_key_is_read_as_it_is_printed() -> None:
    key = SigningKey(Ed25519PrivateKey.generate())
    assert public_key(key.pem()) == key.public
    with pytest.raises(Unusable, match="no Ed25519 key in PEM"):
        public_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
