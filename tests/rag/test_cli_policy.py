"""``candor policy`` says what a policy does to a text, and what is wrong with one, as its user reads it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.output import OutputGuard
from guardrails.pii.guard import PiiGuard
from guardrails.policy import load, presets
from guardrails.policy_tables import Unsupported
from guardrails.types import Action, Context, Evidence, Finding, Origin, Repair, Stage
from rag import build
from rag.cli import app
from rag.cli_print_policy import REPAIRS, explanation
from rag.errors import CandorError
from rag.explain import Explained, document, explain

CARD = "4242 4242 4242 4242"
CONTACTS = """\
# Contacts

Dr. Anna Weiss heads radiology; her number is 020 7946 0018. The ward opened on 12 March 2019.
"""


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CANDOR_SETTINGS", "CANDOR_GUARDS__POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CANDOR_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "state"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    source = presets()["general"].read_text(encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(source.replace('user = "show"', 'user = "hide"').replace("[harm]\non =", "[harm]\nonn ="), "utf-8")
    return file


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    file = tmp_path / "contacts.md"
    file.write_text(CONTACTS, encoding="utf-8")
    return file


def candor(*words: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, ["policy", *words], input=typed)


@cache
def pii() -> PiiGuard:
    guard = PiiGuard()
    guard.load()
    return guard


def gate(policy: str = "general") -> Gate:
    found = load(Path(policy))
    return Gate(Checks([pii(), OutputGuard(lambda: found.output, "QXCANARY")], seconds=60), found)


@pytest.fixture
def own_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guards that need no model, in this process."""

    def gate_alone(self: build.Candor, without: frozenset[str] = frozenset()) -> Gate:
        return gate(str(self.settings.guards.policy or "general"))

    monkeypatch.setattr(build.Candor, "gate_alone", gate_alone)


# check


def test_every_mistake_is_told_with_its_line(bad: Path) -> None:
    said = candor("check", str(bad))
    lines = bad.read_text(encoding="utf-8").splitlines()
    user, on = lines.index(next(x for x in lines if '"hide"' in x)) + 1, lines.index("onn = true") + 1
    assert said.exit_code == 2
    assert said.stdout == ""
    assert said.stderr.splitlines() == [
        f'candor: policy {bad}, line {user}: personal_data.by_origin.user is "hide"; use show, mask, redact or flag',
        f'candor: policy {bad}, line {on}: unknown name "harm.onn"; did you mean "on"? '
        "known here: answer, on, question",
    ]


def test_mistakes_as_json(bad: Path) -> None:
    said = candor("check", str(bad), "--json")
    facts = json.loads(said.stdout)
    assert (said.exit_code, facts["sound"], len(facts["mistakes"])) == (2, False, 2)


def test_a_sound_policy_is_named_with_its_hash() -> None:
    said = candor("check", "health")
    assert said.exit_code == 0
    assert f"sound (policy health, {load(Path('health')).hash})" in said.stdout
    assert json.loads(candor("check", "--json").stdout)["name"] == "general"


def test_the_policy_of_the_settings_is_checked_unless_another_is_named(
    bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANDOR_GUARDS__POLICY", str(bad))
    assert candor("check").exit_code == 2
    assert candor("check", "finance").exit_code == 0
    monkeypatch.setenv("CANDOR_GUARDS__POLICY", "finance")
    assert "policy finance" in candor("check").stdout


@pytest.mark.parametrize(
    ("hours", "said"), [(2, "texts that grounding cannot check are let through until"), (-2, "has no effect")]
)
def test_what_may_surprise_is_noted(tmp_path: Path, hours: int, said: str) -> None:
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")
    source = (
        presets()["general"]
        .read_text(encoding="utf-8")
        .replace("models_outside_see_it = false", "models_outside_see_it = true")
    )
    source = source.replace("[injection]\non = true", "[injection]\non = false")
    file = tmp_path / "open.toml"
    file.write_text(
        f'{source}\n[fail_open]\nguards = ["grounding"]\nuntil = {until}\nreason = "ticket"\n', encoding="utf-8"
    )
    notes = [line for line in candor("check", str(file)).stdout.splitlines() if line.startswith("note: ")]
    assert len(notes) == 3
    assert "models outside see personal data" in notes[0]
    assert notes[1] == "note: the injection guard is off"
    assert said in notes[2]
    assert said in candor("show", str(file)).stdout
    assert "not looked for" in candor("show", str(file)).stdout


# show


def test_a_policy_is_shown_as_what_is_done_for_whom() -> None:
    said = candor("show", "finance").stdout
    assert f"Policy finance, {load(Path('finance')).hash}" in said
    rows = {row.split("│")[1].strip(): row for row in said.splitlines() if row.startswith("│")}
    assert rows["1. CREDIT_CARD"].count("mask") == 3
    assert [cell.strip() for cell in rows["everything else"].split("│")[2:-1]] == [
        "show", "show", "redact", "flag", "everybody",
    ]  # fmt: skip
    assert "refused" in rows["instructions to the model"]
    assert "quarantined" in rows["instructions to the model"]
    assert "A model outside is told: stand-ins" in said


def test_the_audience_of_a_rule_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    rule = '[[personal_data.rules]]\naudience = ["hr"]\norigins = ["document"]\naction = "show"\n[unsupported]'
    source = presets()["general"].read_text(encoding="utf-8").replace("[unsupported]", rule)
    file.write_text(
        source.replace("drop_from = 0.0", "drop_from = 0.8").replace("hosts = []", 'hosts = ["x.org"]'),
        encoding="utf-8",
    )
    said = candor("show", str(file)).stdout
    row = next(line for line in said.splitlines() if "2. all kinds" in line)
    assert row.split("│")[-2].strip() == "hr"
    assert "below 0.8: shown with a mark" in said
    assert "and those of x.org" in said


@pytest.mark.parametrize("repair", REPAIRS)
def test_what_becomes_of_unsupported_sentences_is_shown(tmp_path: Path, repair: Repair) -> None:
    file = tmp_path / "mine.toml"
    source = presets()["general"].read_text(encoding="utf-8").replace('repair = "drop"', f'repair = "{repair}"')
    file.write_text(source, encoding="utf-8")
    said = candor("show", str(file)).stdout
    assert f"A sentence left out because the documents do not support it: {REPAIRS[repair]}." in said


def test_a_policy_as_json_holds_every_table() -> None:
    facts = json.loads(candor("show", "health", "--json").stdout)
    assert facts["hash"] == load(Path("health")).hash
    assert facts["policy"] == load(Path("health")).model_dump(mode="json")


@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_policy_that_cannot_be_used_is_one_error(bad: Path, command: str) -> None:
    words = ["show", str(bad)] if command == "show" else ["explain", "text", "--policy", str(bad)]
    said = candor(*words)
    assert isinstance(said.exception, CandorError)
    assert "personal_data.by_origin.user" in str(said.exception)


# explain


def explained(text: str, as_: Any = "answer", policy: str = "general", *evidence: Evidence) -> list[Explained]:
    return explain(gate(policy), text, as_, frozenset(), evidence)


def test_each_sentence_of_an_answer_goes_its_own_way() -> None:
    one, two = explained(f"My card is {CARD}. Call 020 7946 0018 now.", "user", "finance")
    assert (one.reader.strip(), one.record.strip()) == (
        "My card is <CREDIT_CARD ****4242>.",
        "My card is <CREDIT_CARD>.",
    )
    assert (two.reader, two.record) == ("Call 020 7946 0018 now.", "Call <PHONE_NUMBER> now.")
    [(finding, ruling)] = one.findings
    assert one.text[finding.start : finding.end] == CARD
    assert (ruling.key, ruling.word, one.action) == ("personal_data.rules[1]", "mask", Action.REDACT)


@pytest.mark.parametrize(
    ("as_", "evidence", "origin", "action"),
    [
        ("answer", (), Origin.INVENTION, Action.FLAG),
        ("answer", (Evidence("1", CONTACTS),), Origin.DOCUMENT, Action.REDACT),
        ("answer", (Evidence("1", CONTACTS, public_contacts=True),), Origin.PUBLIC_DOCUMENT, Action.SHOW),
        ("user", (), Origin.USER, Action.SHOW),
        ("question", (), Origin.USER, Action.SHOW),
        ("passage", (), Origin.DOCUMENT, Action.REDACT),
    ],
)
def test_where_a_text_comes_from_decides(
    as_: Any, evidence: tuple[Evidence, ...], origin: Origin, action: Action
) -> None:
    [piece] = explained("Call 020 7946 0018", as_, "general", *evidence)
    assert [finding.origin for finding, _ in piece.findings] == [origin]
    assert piece.action is action


def test_a_date_with_its_month_in_words_comes_from_its_document() -> None:
    for value in ("12 March 2019", "12 march\n2019", "12-March-2019"):
        [piece] = explained(f"It opened on {value}.", "answer", "health", Evidence("1", CONTACTS))
        assert [finding.origin for finding, _ in piece.findings] in ([Origin.DOCUMENT], [])
    [piece] = explained("It opened on 12 March 2018.", "answer", "health", Evidence("1", CONTACTS))
    assert [finding.origin for finding, _ in piece.findings] == [Origin.INVENTION]


def test_a_passage_that_cannot_be_checked_is_not_used() -> None:
    without = Gate(Checks([]), load())
    [piece] = explain(without, "any", "passage", frozenset(), ())
    assert (piece.action, piece.reader, piece.record) == (Action.WITHHOLD, "", "")


def test_a_document_is_public_if_it_or_the_policy_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "help").mkdir()
    for name, text in {
        "own.md": "---\ncontacts: public\n---\nx y z",
        "help/desk.md": "a b c",
        "hr.md": "d e f",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    about = load().personal_data.model_copy(update={"public_sources": frozenset({"help/"})})
    policy = load().model_copy(update={"personal_data": about})
    read = [document(Path(name), policy) for name in ("own.md", "help/desk.md", "hr.md")]
    assert [evidence.public_contacts for evidence in read] == [True, True, False]


@pytest.mark.usefixtures("own_guards")
def test_what_would_happen_is_printed_with_the_reason() -> None:
    said = candor("explain", "Call 020 7946 0018. See ![x](http://a.org/b.png)").stdout
    assert (
        "  pii: PHONE_NUMBER, characters 5 to 18, made up, 0.75 (reported from 0.40): FLAG by "
        'personal_data.by_origin.invention = "flag"\n'
        "      looks like a phone number; it stands neither in the reader's messages nor in the documents\n"
        "  => shown with a mark, and goes to review\n"
        "  reader:  Call <PHONE_NUMBER>.\n"
        "  auditor: Call <PHONE_NUMBER>.\n"
    ) in said
    assert "output: IMAGE, characters 4 to 28, 1.00 (reported from 1.00): FLAG by every policy" in said
    assert said.endswith("Without --evidence, whether documents support this was not judged.\n")


@pytest.mark.usefixtures("own_guards")
def test_the_same_as_json_and_from_standard_input(contacts: Path) -> None:
    words = ("explain", "-", "--json", "--evidence", str(contacts), "--policy", "health")
    facts = json.loads(candor(*words, typed="Call 020 7946 0018.").stdout)
    [piece] = facts["pieces"]
    assert (facts["policy"], facts["hash"]) == ("health", load(Path("health")).hash)
    assert (piece["action"], piece["reader"]) == ("REDACT", "Call <PHONE_NUMBER>.")
    [finding] = piece["findings"]
    assert (finding["origin"], finding["rule"], finding["word"]) == (
        "document", "personal_data.by_origin.document", "redact",
    )  # fmt: skip
    assert {run["guard"]: run["status"] for run in piece["guards"]}["pii"] == "ran"


class Unsupporting:
    """Finds support for nothing."""

    name = "grounding"
    stages: frozenset[Stage] = frozenset({"sentence"})

    def __init__(self, label: str) -> None:
        self.label = label

    def check(self, text: str, context: Context) -> list[Finding]:
        return [Finding(self.name, "unsupported", self.label, 0, len(text), 0.9, 0.5, "no passage says this")]


@pytest.mark.parametrize(("label", "done"), [("sentence", "hedge"), ("number", "quote")])
def test_what_would_be_put_in_place_of_a_sentence_is_told(
    label: str, done: Repair, capsys: pytest.CaptureFixture[str]
) -> None:
    hedging = load().model_copy(update={"unsupported": Unsupported(drop_from=0.0, repair="hedge")})
    own = Gate(Checks([*gate("general").checks.guards, Unsupporting(label)]), hedging)
    pieces = explain(own, "Soup is free.", "answer", frozenset(), ())
    for as_json, said in ((False, f'then, by unsupported.repair = "hedge": {REPAIRS[done]}'), (True, f'"{done}"')):
        explanation(pieces, hedging, "sentence", judged=True, as_json=as_json)
        assert said in capsys.readouterr().out


@pytest.mark.usefixtures("own_guards")
def test_a_role_may_change_what_is_seen(tmp_path: Path, contacts: Path) -> None:
    file = tmp_path / "mine.toml"
    rule = '[[personal_data.rules]]\naudience = ["hr"]\naction = "show"\n[unsupported]'
    source = presets()["general"].read_text(encoding="utf-8").replace("[unsupported]", rule)
    file.write_text(source, encoding="utf-8")
    words = ("explain", "Call 020 7946 0018.", "--policy", str(file), "--evidence", str(contacts))
    assert "reader:  Call <PHONE_NUMBER>." in candor(*words).stdout
    assert "reader:  Call 020 7946 0018." in candor(*words, "--role", "user", "--role", "hr").stdout


@pytest.mark.usefixtures("own_guards")
def test_a_text_without_findings_and_evidence_that_is_not_there(tmp_path: Path) -> None:
    assert "  nothing found\n  => goes on as it is\n" in candor("explain", "Good morning", "--as", "question").stdout
    said = candor("explain", "x", "--evidence", str(tmp_path / "none.md"))
    assert isinstance(said.exception, CandorError)


@pytest.mark.usefixtures("own_guards")
def test_nothing_is_kept_and_nothing_logged(own_state: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        candor("explain", "Call 020 7946 0018.")
    assert "7946" not in caplog.text
    assert not own_state.exists()


def test_a_guard_that_fails_or_is_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name = "grounding"
        stages: frozenset[Stage] = frozenset({"sentence"})

        def check(self, text: str, context: Context) -> list[Finding]:
            raise RuntimeError(text)

    class Off(Broken):
        name = "harm"

    harmless = load().harm.model_copy(update={"on": False})
    policy = load().model_copy(update={"harm": harmless})
    broken = Gate(Checks([pii(), Broken(), Off()]), policy)
    monkeypatch.setattr(build.Candor, "gate_alone", lambda *_: broken)
    said = candor("explain", "All is well.").stdout
    assert "the grounding guard failed" in said
    assert "the harm guard is off" in said
    assert "  reader:  (nothing)\n" in said


def test_a_text_that_cannot_be_looked_through_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.Candor, "gate_alone", lambda *_: Gate(Checks([]), load()))
    said = candor("explain", "One sentence. And another.")
    assert isinstance(said.exception, CandorError)
    assert "candor doctor" in str(said.exception)


@pytest.mark.slow
def test_the_guards_are_those_of_an_answer(contacts: Path) -> None:
    words = ("explain", "The ward opened on 12 March 2019.", "--evidence", str(contacts), "--json")
    [piece] = json.loads(candor(*words).stdout)["pieces"]
    assert {"pii", "grounding", "output"} <= {run["guard"] for run in piece["guards"]}
    assert {finding["kind"] for finding in piece["findings"]} == {"pii", "supported"}
    assert piece["reader"] == "The ward opened on 12 March 2019."


def test_help_is_worth_reading() -> None:
    commands = typer.main.get_command(app).commands["policy"].commands  # type: ignore[attr-defined]
    assert sorted(commands) == ["check", "explain", "show"]
    for command in commands.values():
        assert len(command.help) > 150
