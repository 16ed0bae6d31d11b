"""The measurements by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from guardrails.policy import PolicyError
from guardrails.policy import load as load_policy
from guardrails.weights import WeightsError
from rag.errors import DataError, InstallationError, SettingsError
from rag.evaluation.trial import OnProgress, unseen
from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one measurement is asked for."""

    data: Path | None
    settings: Settings
    limit: int | None
    seed: int
    on_progress: OnProgress
    chunkings: int | None = None  # stream only
    documents: Path | None = None  # answers only
    calibrate: Path | None = None  # grounding only


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement. Its module is imported when it is run: some bring large libraries."""

    about: str  # what it measures
    data: str  # what it is measured on
    measure: Callable[[Wanted], dict[str, Any]]
    needs_data: bool = True


def run(
    task: str,
    data: Path | None,
    settings: Settings,
    limit: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = unseen,
    chunkings: int | None = None,
    documents: Path | None = None,
    calibrate: Path | None = None,
) -> dict[str, Any]:
    """Measure; the figures by name, as JSON can hold them.

    Args:
        limit: most rows, drawn by ``seed``; None: all.
        chunkings: of ``stream``: how many ways of cutting the texts are tried.
        documents: of ``answers``: the folder that is asked, where the questions bring no documents.
        calibrate: of ``grounding``: the answers on which its threshold is looked for, instead of measuring.

    Raises:
        DataError: there is no such task, or the data cannot be used.
        CandorError: a part of the product cannot be loaded.
    """
    if task not in TASKS:
        raise DataError(f'there is no measurement "{task}"; known: {", ".join(TASKS)}')
    data = data or calibrate
    if data is None and TASKS[task].needs_data:
        raise DataError(f"{task} needs --data PATH: {TASKS[task].data}")
    if data is not None and not data.exists():
        raise DataError(f"{data} does not exist; {task} needs {TASKS[task].data}")
    try:
        return TASKS[task].measure(Wanted(data, settings, limit, seed, on_progress, chunkings, documents, calibrate))
    except WeightsError as error:
        raise InstallationError(str(error)) from error
    except PolicyError as error:
        raise SettingsError(str(error)) from error


def _with_settings(name: str) -> Callable[[Wanted], dict[str, Any]]:
    """A measurement of a part that settings change."""

    def measure(wanted: Wanted) -> dict[str, Any]:
        module = import_module(f"rag.evaluation.{name}")
        figures: dict[str, Any] = module.measure(
            wanted.data, wanted.settings, wanted.limit, wanted.seed, wanted.on_progress
        )
        return figures

    return measure


def _alone(name: str) -> Callable[[Wanted], dict[str, Any]]:
    """A measurement of a part that has no settings."""

    def measure(wanted: Wanted) -> dict[str, Any]:
        module = import_module(f"rag.evaluation.{name}")
        figures: dict[str, Any] = module.measure(
            wanted.data, limit=wanted.limit, seed=wanted.seed, on_progress=wanted.on_progress
        )
        return figures

    return measure


def _documents(wanted: Wanted) -> dict[str, Any]:
    from rag.evaluation.documents import measure

    assert wanted.data  # noqa: S101 - the task needs data, which ``run`` has seen to
    return measure(
        wanted.data,
        wanted.limit,
        seed=wanted.seed,
        on_progress=lambda done, total: wanted.on_progress("Reading", done, total),
    )


def _answers(wanted: Wanted) -> dict[str, Any]:
    from rag.evaluation.answers import measure

    assert wanted.data  # noqa: S101 - the task needs data, which ``run`` has seen to
    return measure(wanted.data, wanted.settings, wanted.limit, wanted.seed, wanted.on_progress, folder=wanted.documents)


def _grounding(wanted: Wanted) -> dict[str, Any]:
    if not wanted.calibrate:
        return _alone("grounding")(wanted)
    from rag.evaluation.calibrate import calibrate

    policy = load_policy(wanted.settings.guards.policy)
    return calibrate(wanted.calibrate, policy.unsupported.flag_at_most, wanted.limit, wanted.seed, wanted.on_progress)


def _stream(wanted: Wanted) -> dict[str, Any]:
    from rag.evaluation.stream import CHUNKINGS, measure

    assert wanted.data  # noqa: S101 - the task needs data, which ``run`` has seen to
    return measure(
        wanted.data,
        wanted.settings,
        wanted.limit,
        wanted.seed,
        wanted.on_progress,
        CHUNKINGS if wanted.chunkings is None else wanted.chunkings,
    )


TASKS: dict[str, Task] = {
    "retrieval": Task(
        "whether the right documents are found, and how fast",
        "a folder in BEIR layout: corpus.jsonl.gz, queries.jsonl.gz, qrels.tsv, if any spans.jsonl.gz",
        _with_settings("retrieval"),
    ),
    "answers": Task(
        "whether questions are answered, refused, supported and cited as they should be",
        "a .jsonl or .jsonl.gz file of rows with question, answers, answerable, if any contexts, history and source",
        _answers,
    ),
    "grounding": Task(
        "whether unsupported answers are recognised",
        "a .jsonl or .jsonl.gz file of rows with contexts, answer and label",
        _grounding,
    ),
    "pii": Task(
        "whether personal data is found",
        "a .jsonl or .jsonl.gz file of rows with text, spans and annotated_types",
        _alone("pii"),
    ),
    "injection": Task(
        "whether attempts to change what the assistant does are recognised, in questions and in documents",
        "a .jsonl or .jsonl.gz file of rows with text, label and channel, or a folder of such files",
        _alone("injection"),
    ),
    "safety": Task(
        "whether harmful texts are recognised",
        "a .jsonl or .jsonl.gz file of rows with text and label, or a folder of such files",
        _alone("safety"),
    ),
    "documents": Task(
        "whether files are read, or refused with a reason",
        "a folder with documents.csv and the files that it names",
        _documents,
    ),
    "stream": Task(
        "whether a streamed answer equals the whole one and never shows a raw value, however it is cut",
        "a .jsonl or .jsonl.gz file of rows with text or answer",
        _stream,
    ),
    "speed": Task(
        "ingestion, guards, first sentence and search, as ratios and milliseconds",
        "a folder of documents to ingest; without one, those that come with Candor",
        _with_settings("speed"),
        needs_data=False,
    ),
}
