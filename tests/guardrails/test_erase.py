"""What the record quotes of a document goes with the document's key, and stays on legal hold; the chain holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from guardrails.audit import erase
from guardrails.audit.keys import DESTROYED, Erased, Quoted
from guardrails.audit.log import AuditLog
from guardrails.audit.review import ReviewError
from guardrails.audit.storage import encrypted, payloads
from guardrails.database import writing
from rag.cli import app

WORDS = {"text": "The vault opens at four."}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    log = AuditLog(tmp_path / "audit.sqlite")
    yield log
    log.close()


def quote(log: AuditLog, *sources: str, turn: str = "t") -> None:
    keys = tuple(log.keys_of(sources).values())
    log.append("sentence", turn=turn, payload={"quoted": Quoted(WORDS, keys), "plain": 1})


def read(log: AuditLog, turn: str = "t") -> list[object]:
    return [(event.payload or {}).get("quoted") for event in log.read(turn=turn, kind="sentence")]


def kinds(log: AuditLog) -> list[str]:
    return [event.kind for event in log.read() if event.kind != "sentence"]


def test_a_quotation_reads_back_until_the_key_of_any_of_its_documents_is_destroyed(log: AuditLog) -> None:
    for turn, sources in (("a", ["a.md"]), ("b", ["b.md"]), ("both", ["b.md", "a.md"])):
        quote(log, *sources, turn=turn)
    assert [read(log, turn) for turn in ("a", "b", "both")] == [[WORDS]] * 3
    assert erase.erase(log, "a.md", "anna") == ""
    assert [type(read(log, turn)[0]) for turn in ("a", "b", "both")] == [Erased, dict, Erased]
    assert log.read(turn="a")[0].payload["plain"] == 1  # type: ignore[index]
    assert log.verify() == []


def test_an_export_never_holds_the_words(log: AuditLog) -> None:
    quote(log, "a.md")
    before = list(log.export())
    erase.erase(log, "a.md", "anna")
    assert not [line for line in [*before, *log.export()] if "vault" in line]


def test_no_event_names_the_document(log: AuditLog) -> None:
    quote(log, "a.md")
    erase.hold(log, "a.md", "case 7", "anna")
    erase.unhold(log, "a.md", "anna")
    erase.erase(log, "a.md", "anna")
    assert "a.md" not in "".join(log.export())


def test_a_destroyed_key_is_in_no_file(log: AuditLog) -> None:
    sources = [f"{number}.md" for number in range(120)]
    keys = log.keys_of(sources)
    for source in sources[::6]:
        quote(log, source)
        erase.erase(log, source, "anna")
    log.fold()
    lying = b"".join(path.read_bytes() for path in log.path.parent.iterdir())
    assert [source for source, key in keys.items() if key.key in lying] == [s for s in sources if s not in sources[::6]]


def test_a_key_in_use_when_it_is_destroyed_erases_what_is_recorded_with_it_later(log: AuditLog) -> None:
    keys = tuple(log.keys_of(["a.md"]).values())
    erase.erase(log, "a.md", "anna")
    log.append("sentence", turn="t", payload={"quoted": Quoted(WORDS, keys)})
    assert isinstance(read(log)[0], Erased)
    assert log.verify() == []


def test_a_document_that_comes_back_has_a_new_key(log: AuditLog) -> None:
    quote(log, "a.md")
    erase.erase(log, "a.md", "anna")
    quote(log, "a.md")
    assert [type(words) for words in read(log)] == [Erased, dict]
    erase.erase(log, "a.md", "anna")
    assert [type(words) for words in read(log)] == [Erased, Erased]
    assert log.verify() == []


def test_a_legal_hold_keeps_the_key_until_it_is_lifted(log: AuditLog) -> None:
    assert erase.hold(log, "a.md", "case 7", "anna") is False, "nothing was quoted yet"
    quote(log, "a.md")
    assert erase.erase(log, "a.md", "anna") != ""
    assert read(log) == [WORDS]
    assert erase.unhold(log, "a.md", "ben") is True
    assert isinstance(read(log)[0], Erased)
    assert kinds(log) == ["held", "unheld", "erased"]
    assert log.read(kind="held")[0].payload == {"reason": "case 7"}
    assert log.verify() == []


def test_lifting_a_hold_alone_erases_nothing(log: AuditLog) -> None:
    quote(log, "a.md")
    erase.hold(log, "a.md", "case 7", "anna")
    assert erase.unhold(log, "a.md", "anna") is False
    assert read(log) == [WORDS]


def test_a_hold_begins_and_ends_once_and_has_a_reason(log: AuditLog) -> None:
    with pytest.raises(ReviewError, match=r"a\.md is not on legal hold"):
        erase.unhold(log, "a.md", "anna")
    with pytest.raises(ReviewError, match="a legal hold needs a reason"):
        erase.hold(log, "a.md", " ", "anna")
    erase.hold(log, "a.md", "case 7", "anna")
    with pytest.raises(ReviewError, match=r"a\.md is on legal hold already"):
        erase.hold(log, "a.md", "case 8", "anna")
    assert kinds(log) == ["held"]


def test_what_is_quoted_goes_with_a_document_that_is_moved(log: AuditLog) -> None:
    quote(log, "old.md")
    erase.hold(log, "old.md", "case 7", "anna")
    erase.moved(log, "old.md", "new.md")
    quote(log, "old.md")  # another document by the old name
    assert erase.erase(log, "new.md", "anna") != ""
    erase.unhold(log, "new.md", "anna")
    assert [type(words) for words in read(log)] == [Erased, dict]


def test_everything_that_is_no_longer_there_is_erased_at_once(log: AuditLog) -> None:
    for source in ("a.md", "b.md", "c.md"):
        quote(log, source, turn=source)
    assert erase.erase_all_but(log, ["b.md"], "anna") == 2
    assert [type(read(log, turn)[0]) for turn in ("a.md", "b.md", "c.md")] == [Erased, dict, Erased]
    assert erase.erase_all_but(log, ["b.md"], "anna") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE document_keys SET key = randomblob(32)",
        "UPDATE erasures SET done = NULL",
        "UPDATE erasures SET done = '2026-01-01'",
        "DELETE FROM erasures",
        "DELETE FROM document_keys",
    ],
)
def test_an_erasure_that_was_taken_back_is_noticed(log: AuditLog, statement: str) -> None:
    quote(log, "a.md")
    erase.erase(log, "a.md", "anna")
    with writing(log._engine) as connection:
        connection.execute(text(statement))
    assert "key 1 of a document is not as the record of its erasure says" in log.verify()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE document_keys SET key = zeroblob(32)", "does not open"),
        ("DELETE FROM document_keys", "does not open"),
        ("UPDATE document_keys SET key = 'text'", "does not open"),
        ("INSERT INTO erasures VALUES (1, '2026-01-01', '2026-01-01')", "no erasure was recorded"),
    ],
)
def test_a_key_that_was_destroyed_without_a_record_is_noticed(log: AuditLog, statement: str, fault: str) -> None:
    quote(log, "a.md")
    with writing(log._engine) as connection:
        connection.execute(text(statement))
    assert [line for line in log.verify() if fault in line]
    assert read(log)[0] is None or isinstance(read(log)[0], Erased)


@pytest.mark.parametrize("payload", [b"no JSON", b'{"quoted":{"keys":[1],"sealed":5}}', b'{"keys":5,"sealed":""}'])
def test_a_payload_that_makes_no_sense_is_a_fault_and_no_crash(log: AuditLog, payload: bytes) -> None:
    quote(log, "a.md")
    key, salt = bytes(32), bytes(16)
    with writing(log._engine) as connection:
        connection.execute(payloads.update().values(key=key, salt=salt, ciphertext=encrypted(payload, key, salt)))
    assert log.verify() == ["the payload of event 1 was changed", "the payload of event 1 cannot be read"]


def test_a_key_that_cannot_be_destroyed_is_not_recorded_as_erased(log: AuditLog) -> None:
    quote(log, "a.md")
    with sqlite3.connect(log.path) as connection:
        connection.execute("CREATE TRIGGER no BEFORE UPDATE ON document_keys BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.close()
    with pytest.raises(Exception, match="no"):
        erase.erase(log, "a.md", "anna")
    assert (read(log), kinds(log)) == ([WORDS], [])
    assert DESTROYED not in {key.key for key in log.keys([1]).values()}


def test_the_command_holds_and_lets_go(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    monkeypatch.setenv("CANDOR_STATE", str(log.path.parent))
    quote(log, "a.md")

    def said(*words: str) -> str:
        return CliRunner().invoke(app, ["audit", *words], catch_exceptions=False).output

    assert "kept until the hold is lifted" in said("hold", "a.md", "--reason", "case 7")
    assert "No answer quotes b.md yet" in said("hold", "b.md", "--reason", "case 7")
    assert "nothing was waiting" in said("unhold", "b.md")
    erase.erase(log, "a.md", "anna")
    assert "was erased now" in said("unhold", "a.md")
    assert isinstance(read(log)[0], Erased)
