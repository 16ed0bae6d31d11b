"""The policy: what is done about a finding, for whom. A TOML file, validated, named by its hash in every record.

The presets in ``guardrails/policies/`` show every table. A table of guards that a file leaves out is as in the general
preset.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import rfc8785
from pydantic import ValidationError

from guardrails.pii.labels import DENIED as DENIED
from guardrails.policy_mistakes import explained, located, spelled, syntax
from guardrails.policy_tables import (
    FailOpen,
    Harm,
    Injection,
    Output,
    Part,
    PersonalData,
    Unsupported,
    Word,
    bare,
)
from guardrails.types import Action, Context, Finding, Origin, Repair, Stage

logger = logging.getLogger(__name__)

NOTHING_ELSE = Context()
PRESETS = Path(__file__).parent / "policies"
QUIET_SECONDS = 0.05  # a file that changed more recently may be half written

# "mask" keeps the end of these, so that a reader can tell one account from another. PCI DSS 4.0.1, requirement 3.4.1,
# allows the first six or eight digits of a card and the last four; fewer do.
ACCOUNTS = frozenset({"CREDIT_CARD", "CRYPTO", "IBAN_CODE", "US_BANK_NUMBER"})
KEPT = 4
KEEPS_FROM = 2 * KEPT  # a shorter value would be half told by its end

# What may be shown as something that the documents do not say. A wrong number or the opposite of what they say may not.
HEDGED = frozenset({"name", "sentence"})

ACTIONS: Mapping[Word, Action] = {
    "show": Action.SHOW,
    "mask": Action.REDACT,
    "redact": Action.REDACT,
    "flag": Action.FLAG,
}
QUESTION: Mapping[str, Action] = {"flag": Action.FLAG, "quote": Action.DROP, "refuse": Action.WITHHOLD}
PASSAGE: Mapping[str, Action] = {"flag": Action.FLAG, "quarantine": Action.DROP}
ANSWER: Mapping[str, Action] = {"flag": Action.FLAG, "drop": Action.DROP, "withhold": Action.WITHHOLD}


class PolicyError(Exception):
    """The policy cannot be used. One line for each mistake; each names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy does about one finding, and which line of it says so."""

    action: Action
    key: str  # such as "personal_data.by_origin.document"; empty: no policy can change it
    word: str  # what stands there


class Policy(Part):
    """What is done about each kind of finding."""

    name: str
    personal_data: PersonalData
    unsupported: Unsupported
    injection: Injection = Injection()
    harm: Harm = Harm()
    output: Output = Output()
    fail_open: FailOpen | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical content: spelling and comments of the file do not count."""
        return hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()[:16]

    @property
    def allowed(self) -> frozenset[str]:
        return self.personal_data.allow

    @property
    def denied(self) -> frozenset[str]:
        return self.personal_data.deny

    @property
    def public_values(self) -> frozenset[str]:
        return self.personal_data.public_values

    def action(self, finding: Finding, context: Context = NOTHING_ELSE, stage: Stage = "sentence") -> Action:
        return self.ruling(finding, context, stage).action

    def hides(self, finding: Finding, context: Context = NOTHING_ELSE, stage: Stage = "sentence") -> bool:
        """Whether this reader sees a stand-in for the words of this finding."""
        return finding.kind in ("pii", "output") and self.action(finding, context, stage) >= Action.REDACT

    def is_personal(self, finding: Finding) -> bool:
        """Whether its words are hidden in what is kept, whoever may see them."""
        return finding.kind == "pii" and finding.label not in self.personal_data.shown

    def stand_in(self, finding: Finding, value: str, context: Context = NOTHING_ELSE) -> str:
        """What a reader sees in place of a hidden value: its kind; where "mask" says so, an account's last four."""
        if finding.label in ACCOUNTS and self.ruling(finding, context, "sentence").word == "mask":
            signs = bare(value).upper()
            if len(signs) >= KEEPS_FROM:
                return f"<{finding.label} ****{signs[-KEPT:]}>"
        return f"<{finding.label}>"

    def is_public(self, source: str) -> bool:
        """Whether the contacts of this document are meant for every reader, by where it lies."""
        if ".." in source.split("/"):
            return False
        return any(_pattern(listed).fullmatch(source) for listed in self.personal_data.public_sources)

    def is_public_value(self, value: str) -> bool:
        return bare(value) in _compared(self.public_values)

    def listed(self, value: str) -> bool:
        """Whether a value is on the allow list: then it is not personal, whatever a guard says."""
        return bare(value) in _compared(self.allowed)

    def repair(self, unsupported: Iterable[Finding]) -> Repair:
        """What becomes of a sentence that these findings alone leave out."""
        repair = self.unsupported.repair
        return "quote" if repair == "hedge" and not all(map(self.hedges, unsupported)) else repair

    def hedges(self, finding: Finding) -> bool:
        """Whether a sentence with this finding may be shown behind words that say that the documents do not say it."""
        return self.unsupported.repair == "hedge" and finding.kind == "unsupported" and finding.label in HEDGED

    def uses(self, guard: str) -> bool:
        """Whether this guard is on."""
        switches = {"injection": self.injection.on, "harm": self.harm.on}
        return switches.get(guard, True)

    def opens(self, guard: str, now: datetime) -> bool:
        """Whether a failure of this guard does not withhold, at this time."""
        return self.fail_open is not None and guard in self.fail_open.guards and now < self.fail_open.until

    def ruling(self, finding: Finding, context: Context, stage: Stage) -> Ruling:
        """What is done about a finding in this text for this reader, and what says so."""
        match finding.kind:
            case "supported":
                return Ruling(Action.SHOW, "", "show")
            case "pii":
                return self._about_personal_data(finding, context, stage)
            case "unsupported":
                drops = finding.score >= self.unsupported.drop_from
                word = f"{self.unsupported.drop_from:g}"
                return Ruling(Action.DROP if drops else Action.FLAG, "unsupported.drop_from", word)
            case "injection":
                return self._about_injection(stage)
            case "harm":
                return self._about_harm(stage)
            case "output":
                return self._about_output(finding)
            case _:  # a guard failed
                return Ruling(Action.WITHHOLD, "", "withhold")

    def _about_personal_data(self, finding: Finding, context: Context, stage: Stage) -> Ruling:
        about = self.personal_data
        if finding.label in about.shown:
            return Ruling(Action.SHOW, "personal_data.shown", "show")
        origin = finding.origin or Origin.INVENTION
        key, word = f"personal_data.by_origin.{origin.value}", getattr(about.by_origin, origin.value)
        for number, rule in enumerate(about.rules):
            if rule.fits(finding.label, origin, context.audience):
                key, word = f"personal_data.rules[{number + 1}]", rule.action
                break
        action = ACTIONS[word]
        # That a passage holds such a value is no event for review; that an answer repeats it is.
        return Ruling(min(action, Action.REDACT) if stage == "passage" else action, key, word)

    def _about_injection(self, stage: Stage) -> Ruling:
        match stage:
            case "question":
                return Ruling(QUESTION[self.injection.question], "injection.question", self.injection.question)
            case "passage":
                return Ruling(PASSAGE[self.injection.passage], "injection.passage", self.injection.passage)
            case _:
                return Ruling(Action.DROP, "", "drop")  # an answer has no business to instruct a model

    def _about_harm(self, stage: Stage) -> Ruling:
        if stage == "question":
            return Ruling(QUESTION[self.harm.question], "harm.question", self.harm.question)
        return Ruling(ANSWER[self.harm.answer], "harm.answer", self.harm.answer)

    def _about_output(self, finding: Finding) -> Ruling:
        match finding.label:
            case "LINK":  # the guard reports those alone that the policy does not allow
                return Ruling(Action.REDACT, "output.links", self.output.links)
            case "MARKUP":
                return Ruling(Action.REDACT, "", "redact")
            case "IMAGE":  # the usual way of an injected instruction to carry words away: somebody should look
                return Ruling(Action.FLAG, "", "flag")
            case _:  # our own instructions: whoever made the model write them may make it write more
                return Ruling(Action.WITHHOLD, "", "withhold")


@lru_cache(maxsize=64)
def _compared(values: frozenset[str]) -> frozenset[str]:
    return frozenset(map(bare, values))


@lru_cache(maxsize=256)
def _pattern(listed: str) -> re.Pattern[str]:
    """A folder ("help/"), a file, or either with * within a name and ** across folders."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/?|\*|\?)", listed + "**" if listed.endswith("/") else listed)
    return re.compile("".join(signs.get(piece) or re.escape(piece) for piece in pieces), re.DOTALL)


def presets() -> dict[str, Path]:
    """The policies that come with the package, by name."""
    return {file.stem: file for file in sorted(PRESETS.glob("*.toml"))}


def file_of(policy: Path | None) -> Path:
    """The file that is meant: a preset by its name alone, or a path; the general preset when none is given.

    Raises:
        PolicyError: it is neither.
    """
    known = presets()
    wanted = policy or Path("general")
    if preset := known.get(str(wanted)):
        return preset
    file = wanted.expanduser()
    if not file.suffix and not file.exists():
        near = get_close_matches(str(wanted), known, n=1)
        meant = f'did you mean "{near[0]}"? ' if near else ""
        raise PolicyError(f"policy {wanted}: no such file; {meant}presets are {', '.join(known)}")
    return file


def load(path: Path | None = None, now: datetime | None = None) -> Policy:
    """Read a policy: a file, or a preset by its name; without one, the general preset.

    Args:
        now: from which a fail-open may last at most ``LONGEST_FAIL_OPEN``.

    Raises:
        PolicyError: it cannot be read, or a name or value in it is wrong.
    """
    file = file_of(path)
    return _parsed(file, _read(file), now)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PolicyError(f"policy {file}: does not exist") from None
    except UnicodeDecodeError:
        raise PolicyError(f"policy {file}: is not UTF-8 text") from None
    except OSError as error:
        raise PolicyError(f"policy {file}: cannot be read ({error.strerror})") from None


def _parsed(file: Path, source: str, now: datetime | None = None) -> Policy:
    try:
        policy = Policy.model_validate(tomllib.loads(source), context={"now": now or datetime.now(UTC)})
    except tomllib.TOMLDecodeError as error:
        mistakes: tuple[str, ...] = (syntax(error, source),)
    except ValidationError as error:
        mistakes = explained(error, source, Policy)
    else:
        keys = ((("personal_data", *key), text) for key, text in policy.personal_data.contradictions())
        mistakes = located(((key, f"{spelled(key)} {text}") for key, text in keys), source)
        if not mistakes:
            return policy
    raise PolicyError("\n".join(f"policy {file}, {mistake}" for mistake in mistakes))


class PolicyFile:
    """The policy in force, which follows its file. Safe under threads.

    A file that cannot be used, or is gone, leaves in force what was: there is no moment without a policy.

    Raises:
        PolicyError: there is no usable policy to begin with.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.file = file_of(path)
        self.problem = ""  # one line: why what the file holds now is not in force
        self._looking = threading.Lock()
        self._seen = _stamp(self.file)
        self._policy = _parsed(self.file, _read(self.file))

    def current(self) -> Policy:
        """The policy in force; looks at the file first, and reads it again when it changed."""
        if _stamp(self.file) != self._seen:
            with self._looking:
                self._look()
        return self._policy

    def _look(self) -> None:
        """Take over what the file holds, once it is quiet: half a file may be a policy too, and another one."""
        stamp = _stamp(self.file)
        if stamp == self._seen:
            return  # another thread was faster
        time.sleep(_until_quiet(stamp))
        try:
            source = _read(self.file)
        except PolicyError as error:
            self._seen = None  # the reason may pass without a change of the file
            self._complain(error)
            return
        if _stamp(self.file) != stamp:
            return  # still being written; the next call looks again
        self._seen = stamp
        try:
            self._policy = _parsed(self.file, source)
        except PolicyError as error:
            self._complain(error)
            return
        self.problem = ""
        logger.info("policy %s, read from %s, is in force", self._policy.hash, self.file)

    def _complain(self, error: PolicyError) -> None:
        first, *more = str(error).splitlines()
        problem = f"{first} (and {len(more)} more)" if more else first
        if problem != self.problem:
            self.problem = problem
            logger.error("ALARM: %s; policy %s stays in force", problem, self._policy.hash)


Stamp = tuple[int, ...]


def _stamp(file: Path) -> Stamp | None:
    """What changes whenever a file does; None for one that is not there."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino


def _until_quiet(stamp: Stamp | None) -> float:
    """Seconds until the file has not changed for ``QUIET_SECONDS``."""
    age = (time.time_ns() - max(stamp[:2])) / 1e9 if stamp else 0.0
    return min(max(QUIET_SECONDS - age, 0.0), QUIET_SECONDS)
