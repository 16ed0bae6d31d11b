"""Tries every part with an example, without touching the user's own index or log."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from guardrails.audit.alarms import guard_alarms
from guardrails.audit.signing import LogError
from guardrails.policy import PolicyError
from guardrails.policy import load as load_policy
from rag import alarms
from rag.access import LOCAL_READER
from rag.build import Candor
from rag.errors import CandorError
from rag.generation.models import NONE
from rag.installed import model_files
from rag.record import log_file, open_log
from rag.settings import Audit, Settings
from rag.types import Done, Sentence

EXAMPLE = "# Kitchen rules\n\nThe dishwasher on the third floor starts at 17:30. Its programme takes two hours.\n"
QUESTION = "When does the dishwasher on the third floor start?"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part fared."""

    part: str
    fine: bool
    detail: str  # what was seen, or what to mend


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the record and the policy, then try the parts in the order in which an answer needs them."""
    yield from _try("settings", lambda: f"state folder {settings.state}")
    yield from _try("audit log", lambda: _log(settings))
    yield from _try("guard checks", lambda: _checks(settings))
    yield from _try("policy", lambda: _policy(settings))
    for file in model_files():
        yield Finding(f"model {file.name}", file.sound, file.problem or "SHA-256 as it should be")
    with tempfile.TemporaryDirectory(prefix="candor-doctor-") as folder:
        trial = settings.model_copy(update={"state": Path(folder) / "state", "audit": Audit()})
        candor = Candor(trial)
        yield from _try("parts", lambda: _load(candor))
        if candor.startup.ready:
            yield from _try("ingestion", lambda: _ingest(candor, Path(folder)))
            yield from _try("personal data guard", lambda: _personal_data(candor))
            yield from _try("answer", lambda: _answer(candor))
            yield _writing_model(candor)
            yield from _try("record of that answer", lambda: _log(trial))
        candor.close()


def _try(part: str, attempt: Callable[[], str]) -> Iterator[Finding]:
    try:
        yield Finding(part, True, attempt())
    except CandorError as error:
        yield Finding(part, False, str(error))
    except Exception as error:  # noqa: BLE001 - a broken part is a finding, whatever it raises
        yield Finding(
            part, False, f"it failed with {type(error).__name__}; run deploy/run again to repair the installation"
        )


def _load(candor: Candor) -> str:
    candor.load()
    return ", ".join(f"{step.name.lower()} {step.seconds:.1f} s" for step in candor.startup.steps())


def _log(settings: Settings) -> str:
    if not log_file(settings).exists():
        return "none yet"
    log = open_log(settings)
    try:
        report = log.examine()
    except LogError as error:
        raise CandorError(str(error)) from None
    finally:
        log.close()
    if report.faults:
        raise CandorError(f"{len(report.faults)} faults; the first: {report.faults[0]}; see candor audit verify")
    return f"it holds: {report.events} events, {report.checkpoints} checkpoints"


def _checks(settings: Settings) -> str:
    if not log_file(settings).exists():
        return "none yet"
    log = open_log(settings)
    try:
        told = alarms.of_guards(guard_alarms(log))
    finally:
        log.close()
    if told:
        raise CandorError("; ".join(told))
    return "every one of the last 24 hours was made"


def _policy(settings: Settings) -> str:
    try:
        policy = load_policy(settings.guards.policy)
    except PolicyError as error:
        raise CandorError("; ".join(str(error).splitlines())) from None
    if told := alarms.of_policy(policy):
        raise CandorError("; ".join(told))
    return f"{policy.name}, {policy.hash}"


def _ingest(candor: Candor, folder: Path) -> str:
    (folder / "documents").mkdir()
    (folder / "documents" / "kitchen.md").write_text(EXAMPLE, encoding="utf-8")
    states = [p.latest.state for p in candor.library.ingest([folder / "documents"], LOCAL_READER) if p.latest]
    if states != ["added"]:
        raise CandorError(f"an example document was not added but {', '.join(states) or 'ignored'}")
    return "an example document was read, split, embedded and stored"


def _personal_data(candor: Candor) -> str:
    checked = candor.assistant.parts.gate().question("Write to anna.weiss@example.org or call +44 20 7946 0123.")
    if "anna.weiss" in checked.kept.text or "7946" in checked.kept.text:
        raise CandorError("an e-mail address or phone number was not found; do not use this installation")
    return "an e-mail address and a phone number were found"


def _answer(candor: Candor) -> str:
    shown = list(candor.assistant.ask(QUESTION, "doctor", LOCAL_READER))
    sentences = [piece for piece in shown if isinstance(piece, Sentence)]
    outcome = next(piece.outcome for piece in shown if isinstance(piece, Done))
    if "17:30" not in "".join(sentence.text for sentence in sentences) or not any(
        citation.supports for sentence in sentences for citation in sentence.citations
    ):
        raise CandorError(f"an easy question was not answered with its source (outcome: {outcome})")
    return f"an easy question was {outcome}, with its source"


def _writing_model(candor: Candor) -> Finding:
    model = candor.model()
    if candor.settings.generation.model == NONE:
        return Finding("writing model", True, "none, as the settings say: answers are quotations")
    detail = model.name if model else candor.startup.warning + "; until then answers are quotations"
    return Finding("writing model", model is not None, detail)
