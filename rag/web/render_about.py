"""The about page -> HTML: how an answer comes about, how often the guards err, what is kept, and how to object."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.web import words
from rag.web.render import safe

if TYPE_CHECKING:
    from guardrails.policy import Policy
    from rag.settings import Settings

logger = logging.getLogger(__name__)

FIGURES = Path(__file__).resolve().parents[2] / "guardrails" / "models" / "figures.json"
TASKS = {
    "pii": "finds phone numbers, addresses, accounts and other personal data, also in disguise. What the policy does "
    "not let be shown is hidden, such as a private number of a document, or one that the model made up.",
    "grounding": "compares each sentence with the passages. What they do not support is left out or marked.",
    "injection": "looks for words that try to steer the assistant, in questions and in documents. Such passages are "
    "set aside: no answer rests on them.",
    "harm": "looks for hate, threats, sexual content and self-harm in questions and answers.",
    "output": "lets no picture, markup or unknown link out of an answer, nor the assistant&rsquo;s own instructions.",
}
STAGES = (
    ("Question", "screened for personal data"),
    ("Search", "by meaning and by words"),
    ("Write", "a model drafts, sentence by sentence"),
    ("Check", "each sentence against the passages"),
    ("Record", "on disk before you see it"),
    ("Show", "with its sources"),
)
HOW = """
<p>Candor answers from the documents that were put into it, and from nothing else. A language model writes the wording;
it is not trusted with the facts.</p>
<ol class="plain-steps">
<li><strong>Your question</strong> is screened for personal data before a model outside this machine could see it.</li>
<li><strong>Passages</strong> that may answer it are searched by meaning and by words, among the documents you may
read.</li>
<li><strong>The model</strong> drafts an answer from these passages.</li>
<li><strong>Guards</strong> look at every sentence: do the passages support it, and does it disclose personal data?
A sentence that is not supported is left out, flagged, or replaced by the document&rsquo;s own words.</li>
<li><strong>The record</strong> of the sentence is written to disk, chained to the ones before it.</li>
<li><strong>Only then</strong> is the sentence shown, with the passages that support it.</li>
</ol>
<p>A guard that fails counts against the sentence. When the model is down, you get quotations instead of an answer.
The guards err too: the figures below say how often. So open the sources before you rely on an answer.</p>
"""
KEPT = """
<ul>
<li>The question, the passages used, what was written, what each guard found, what you were shown, the model, the policy
in force and the time taken, with personal data redacted.</li>
<li>Verdicts of reviewers, with their reasons.</li>
<li>Your conversations, so that a follow-up question can be understood.</li>
</ul>
<p>Everything lies in one folder on this machine. Nothing is deleted by age in this version: it is kept until whoever
runs this installation deletes it. Changed, removed or reordered records are noticed by
<code>candor audit verify</code>.</p>
"""


@dataclass(frozen=True, slots=True)
class InForce:
    """What checks answers now."""

    guards: tuple[str, ...]  # by name, in their order
    policy: Policy


def page(settings: Settings, now: InForce | None = None, figures: Path = FIGURES) -> str:
    """
    Args:
        now: None while the guards are being loaded.
    """
    return (
        '<div class="page about"><h1>How Candor answers</h1>'
        f'<section class="card picture">{picture()}</section>'
        f'<section class="card"><h2>How answers are checked</h2>{HOW}</section>'
        f'<section class="card"><h2>The guards and their policy</h2>{guards(now)}</section>'
        f'<section class="card"><h2>How often the guards err</h2>{measured(read(figures))}</section>'
        f'<section class="card"><h2>What is recorded, and for how long</h2>{KEPT}</section>'
        '<section class="card"><h2>How to object</h2><p>If an answer is wrong, or if something about you should not be '
        f"in it, write to <strong>{safe(settings.web.contact)}</strong>. Name the question and when you asked it: "
        "every answer is in the record, and a reviewer can look at it.</p></section>"
        f'<section class="card"><h2>What it runs on</h2>{_parts(settings)}</section></div>'
    )


def guards(now: InForce | None) -> str:
    """Each guard with what it does and whether it is on, and the policy that decides what follows."""
    if now is None:
        return '<p class="quiet">They are still being loaded; open this page again in a few seconds.</p>'
    rows = "".join(f"<dt>{safe(words.guard(name))}</dt><dd>{_task(name, now.policy)}</dd>" for name in now.guards)
    policy = now.policy
    return (
        f'<dl class="facts">{rows}<dt>Policy</dt><dd>{safe(policy.name)}, <code>{policy.hash}</code><br>'
        '<span class="quiet">It says what is done about what a guard finds. Every record names the policy in force by '
        "this hash.</span></dd></dl>"
    )


def _task(guard: str, policy: Policy) -> str:
    state = '<span class="tag warn">switched off by the policy</span>' if not policy.uses(guard) else ""
    if policy.opens(guard, datetime.now(UTC)):
        state += '<span class="tag warn">may fail open for now</span>'
    task = TASKS.get(guard, "")
    return f"{task[:1].upper()}{task[1:]} {state}"


def _parts(settings: Settings) -> str:
    model = settings.generation.model
    told, where = {
        "embedded": ("SmolLM2-135M-Instruct, on this machine", "It runs inside this installation; no text leaves it."),
        "none": ("none: answers are quotations", "No text leaves the machine."),
    }.get(model, (model, "It runs outside this process: what it may be given is screened first."))
    return (
        f'<dl class="facts"><dt>Language model</dt><dd>{safe(told)}<br><span class="quiet">{where}</span></dd>'
        "<dt>Search and grounding</dt><dd>all-MiniLM-L6-v2, on this machine</dd>"
        "<dt>Licences</dt><dd>Candor&rsquo;s own licence is the file <code>LICENSE</code>; "
        "<code>candor models</code> lists every model with its licence and hash.</dd></dl>"
    )


def read(figures: Path) -> list[dict[str, Any]]:
    """The measured rows, or none: a figure is never made up. The file's shape: ``{"rows": [{"guard", "measure",
    "value", "data", "samples", "date"}]}``."""
    try:
        rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
        return [{name: row[name] for name in ("guard", "measure", "value", "data", "samples", "date")} for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        logger.warning("the guards' figures in %s cannot be read", figures.name)
        return []


def measured(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return '<p class="quiet">Not measured yet.</p>'
    body = "".join(
        f'<tr><th scope="row">{safe(row["guard"])}</th><td data-label="Measure">{safe(row["measure"])}</td>'
        f'<td class="figure" data-label="Value">{safe(row["value"])}</td><td data-label="On">{safe(row["data"])}</td>'
        f'<td class="figure" data-label="Samples">{safe(row["samples"])}</td>'
        f'<td data-label="Date">{safe(row["date"])}</td></tr>'
        for row in rows
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Guard", "Measure", "Value", "On", "Samples", "Date"))
    return f'<table class="shelf"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def picture() -> str:
    """Question -> search -> write -> check -> record -> show: side by side, and below each other for a phone."""
    told = safe(", then ".join(f"{name}: {text}" for name, text in STAGES))
    wide = "".join(_beside(number, name, text) for number, (name, text) in enumerate(STAGES))
    tall = "".join(_below(number, name, text) for number, (name, text) in enumerate(STAGES))
    return _svg("wide", "0 0 960 150", told, wide) + _svg("tall", "0 0 340 450", told, tall)


def _svg(shape: str, box: str, told: str, content: str) -> str:
    return (
        f'<svg class="journey {shape}" viewBox="{box}" role="img" aria-label="{told}"><defs><marker id="tip-{shape}" '
        'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" class="tip"/></marker></defs>{content}</svg>'
    )


def _beside(number: int, name: str, told: str) -> str:
    left = 8 + number * 160
    first, second = _halves(told)
    return (
        f'<rect class="{_box(name)}" x="{left}" y="18" width="132" height="68" rx="14"/>'
        f'<text class="stage" x="{left + 66}" y="58">{name}</text>'
        f'<text class="told" x="{left + 66}" y="112">{first}</text>'
        f'<text class="told" x="{left + 66}" y="130">{second}</text>' + _arrow(number, f"M{left + 136} 52h20", "wide")
    )


def _below(number: int, name: str, told: str) -> str:
    top = 4 + number * 76
    return (
        f'<rect class="{_box(name)}" x="2" y="{top}" width="336" height="56" rx="14"/>'
        f'<text class="stage" x="18" y="{top + 25}">{name}</text><text class="told" x="18" y="{top + 45}">{told}</text>'
        + _arrow(number, f"M170 {top + 58}v15", "tall")
    )


def _box(name: str) -> str:
    return "box checked" if name in {"Check", "Record"} else "box"


def _arrow(number: int, path: str, shape: str) -> str:
    return f'<path class="arrow" d="{path}" marker-end="url(#tip-{shape})"/>' if number < len(STAGES) - 1 else ""


def _halves(text: str) -> tuple[str, str]:
    parts = text.split(" ")
    cut = min(range(1, len(parts) + 1), key=lambda n: abs(len(" ".join(parts[:n])) - len(text) / 2))
    return " ".join(parts[:cut]), " ".join(parts[cut:])
