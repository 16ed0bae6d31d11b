"""The journey of a question: screen, understand, retrieve, generate, check, record, show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from guardrails.audit.log import AuditLog
from guardrails.encoder import Encoder
from guardrails.gate import CheckFailed, Gate
from guardrails.harm import SELF_HARM
from guardrails.stream import BEFORE
from guardrails.types import Action, Checked, Context
from rag.access import audience
from rag.dialogue.memory import Memory
from rag.dialogue.understand import understand
from rag.errors import AnswerFailed, ModelError, ModelLooped, NotRecorded, StoreError
from rag.generation.extract import Extract, extracts, quotable
from rag.generation.models import NONE, ChatModel
from rag.generation.prompt import declines
from rag.generation.write import Writer
from rag.index.relevance import relevance
from rag.index.retrieve import Retriever
from rag.index.whole import WholeDocuments
from rag.repair import Part, Repaired, Repairs, claims_nothing, own_words, said, told
from rag.screen import Source, screen
from rag.settings import Settings
from rag.summary import asked_for, sections
from rag.turn import Turn
from rag.types import Done, Message, Outcome, Passage, Reader, Search, Shelved, Shown, Status

logger = logging.getLogger(__name__)

LONGEST_QUESTION = 4000  # characters
MOST_QUOTED = 3  # sentences
SUMMARY = 8  # sentences of a document that is summed up, shared among its sections; one of each at least
MOST_NEAREST = 3  # titles offered when the documents do not answer

EMPTY = "There is no question in this message. Type what you would like to know."
TOO_LONG = (
    f"This message is longer than {LONGEST_QUESTION:,} characters. "
    "Ask one question at a time, and put long texts in as documents."
)
NOT_FOUND = "The documents do not answer this question."
QUOTED = "These are the documents' own words."
QUOTED_DOWN = "The writing model is not available. These are the documents' own words."
QUOTED_UNSUPPORTED = "What the model wrote did not stand up to the check. These are the documents' own words instead."
WITHHELD = "This answer was withheld: a safety check could not be made. Whoever runs this installation can see why."
MANIPULATES = (
    "This message reads like an attempt to change how the assistant works, so it is not answered. "
    "If it is a question about the documents, put it in other words."
)
QUOTED_CAUTIOUS = (
    "This message reads in part like instructions to the assistant. These are the documents' own words, not a model's."
)
HARMFUL = "This message is not answered: the policy of this installation leaves out what may hurt somebody."
HELP = (
    "If you are thinking of hurting yourself, please do not stay alone with it: talk to someone you trust, "
    "or call your local emergency number or a crisis line now."
)
UNCHECKED = "The {} check is not available; until it is back, the policy lets answers through without it."
WRITING = Status("Reading and writing…")
SUMMED_UP = "The documents' own words, from each of the {} sections of “{}”."
SEVERAL = "Several documents are called like that. Which one do you mean?"
BROKEN_OFF = "The model broke off here. What stands above was checked and is complete in itself."


def no_matter(ids: Sequence[str]) -> None:
    """Where nobody keeps what was set aside, it is set aside again."""


def all_there(passages: Sequence[Passage]) -> Sequence[Passage]:
    """Where nobody purges documents, none has gone since it was found."""
    return passages


@dataclass(frozen=True, slots=True)
class Parts:
    """What the assistant works with; see ``rag/build.py``."""

    settings: Settings
    encoder: Encoder
    retrieve: Retriever
    model: Callable[[], ChatModel | None]  # None: it is down
    gate: Callable[[], Gate]  # with the policy that is in force now
    log: AuditLog
    memory: Memory
    hold: Callable[[Sequence[str]], None] = no_matter  # told the ids of chunks that must not be used again
    canary: str = ""  # stands in the model's instructions
    still_there: Callable[[Sequence[Passage]], Sequence[Passage]] = all_there  # those whose document has not gone since
    whole: WholeDocuments | None = None  # None: no document can be summed up


@dataclass(frozen=True, slots=True)
class Given:
    """What one answer is made from."""

    turn: Turn
    gate: Gate
    search: Search
    sources: Sequence[Source]
    found: Sequence[Extract]  # the sentences of the sources
    context: Context
    history: Sequence[Message]
    model: ChatModel | None
    conversation: str
    cautious: bool  # the question itself may be an attack: no model is asked

    @property
    def by_id(self) -> dict[str, Source]:
        return {source.evidence.id: source for source in self.sources}

    @property
    def decides_only(self) -> bool:
        """Whether the model only says if the sources answer, and they are quoted then."""
        return self.model is not None and relevance([s.passage for s in self.sources]) < self.model.worded_from


class Assistant:
    """Answers questions from the index. One instance serves every reader."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._writer = Writer(parts.settings.generation.evidence_characters, parts.canary)

    @property
    def parts(self) -> Parts:
        """What it works with. Another assistant may be made of the same, with one of them replaced."""
        return self._parts

    def ask(self, message: str, conversation: str, reader: Reader) -> Iterator[Shown]:
        """Answer a message, piece by piece. What is yielded was checked and is on disk: it may be shown as it is.

        Closing the iterator stops the answer; that is recorded too.

        Raises:
            NotRecorded: the log cannot be written. Nothing that it would have held was yielded.
            AnswerFailed: a part broke that an answer cannot do without; recorded.
        """
        message = message.encode("utf-8", "replace").decode()  # halves of characters, from damaged input
        model, gate = self._parts.model(), self._parts.gate()
        name = model.name if model else "none"
        turn = Turn(self._parts.log, conversation, reader, model=name, policy=gate.policy.hash)
        outcome: Outcome = "stopped"
        try:
            for shown in self._answer(turn, gate, message, conversation, reader, model):
                if isinstance(shown, Done):
                    outcome = shown.outcome
                    self._finish(turn, outcome, message, reader)
                yield shown
        except NotRecorded:
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks, the turn is closed and nobody's words are quoted
            # The error's own message may quote: log and record its type alone.
            logger.error("an answer broke off with %s", type(error).__name__)
            turn.failed("assistant", type(error).__name__)
            raise AnswerFailed("This answer could not be made. Whoever runs this installation can see why.") from None
        finally:
            if not turn.closed:
                self._finish(turn, outcome, message, reader)

    def _answer(
        self, turn: Turn, gate: Gate, message: str, conversation: str, reader: Reader, model: ChatModel | None
    ) -> Iterator[Shown]:
        history = self._parts.memory.messages(conversation, reader)
        said = tuple(earlier.content for earlier in history if earlier.role == "user")
        asked = Context(message, said, audience=audience(reader))
        question = gate.question(message[:LONGEST_QUESTION], asked)
        turn.asked(question)
        for advice in _advice(question):
            yield turn.noticed(advice)
        if problem := _problem(message, question):
            yield turn.noticed(problem)
            yield Done(turn.id, "withheld" if problem == WITHHELD else "refused")
            return

        if documents := self._called(message, reader):
            yield from self._sum_up(turn, gate, asked, documents, reader)
            return
        yield Status("Searching the documents…")
        search = understand(message, history)
        sources = yield from self._screened(turn, gate, self._parts.retrieve(search, reader), history, asked)
        if sources is None:
            return
        if relevance([source.passage for source in sources]) < self._parts.settings.retrieval.relevant_from:
            yield from self._refuse(turn, sources)
            return

        context = replace(asked, evidence=tuple(source.evidence for source in sources))
        best = extracts(search.queries, [source.passage for source in sources], self._parts.encoder)
        yield WRITING
        cautious = question.action is Action.DROP
        given = Given(turn, gate, search, sources, best, context, history, model, conversation, cautious)
        yield from self._write_or_quote(given)

    def _screened(
        self, turn: Turn, gate: Gate, passages: Sequence[Passage], history: Sequence[Message], asked: Context
    ) -> Generator[Shown, None, Sequence[Source] | None]:
        """The passages that an answer may rest on; None where the answer was withheld, since none could be checked."""
        turn.found(passages, history)
        # After the keys were fetched: what is purged from now on takes along what is recorded with them.
        screened = screen(gate, list(self._parts.still_there(passages)), asked)
        if screened.unchecked:
            turn.failed("guard", "passage not checked")
        if screened.unchecked and not screened.sources:
            yield from self._withhold(turn)
            return None
        turn.searched(screened, relevance([source.passage for source in screened.sources]))
        if screened.quarantined:
            self._parts.hold([source.evidence.id for source in screened.quarantined])
        for notice in screened.notices():
            yield turn.noticed(notice)
        return screened.sources

    def _called(self, message: str, reader: Reader) -> Sequence[Shelved]:
        """The documents that a message wants summed up; none where it wants something else."""
        name = asked_for(message)
        return self._parts.whole.called(name, reader) if name and self._parts.whole else ()

    def _sum_up(
        self, turn: Turn, gate: Gate, asked: Context, documents: Sequence[Shelved], reader: Reader
    ) -> Iterator[Shown]:
        """What each section of a document says, in its own words."""
        if len(documents) > 1 or not self._parts.whole:
            yield turn.noticed(SEVERAL)
            yield Done(turn.id, "refused", tuple(document.title for document in documents)[:MOST_NEAREST])
            return
        yield Status(f"Reading “{documents[0].title}”…")
        passages = self._parts.whole.passages(documents[0].source, reader)
        sources = yield from self._screened(turn, gate, passages, (), asked)
        parts = sections(sources or ())
        if parts:
            yield turn.noticed(SUMMED_UP.format(len(parts), parts[0].pieces[0].source.title))
        context = replace(asked, evidence=tuple(source.evidence for source in sources or ()))
        by_id = {source.evidence.id: source for source in sources or ()}
        for number, section in enumerate(parts, start=1):
            yield Status(f"Section {number} of {len(parts)}…")
            for source, extract in section.best(self._parts.encoder, max(1, SUMMARY // len(parts))):
                try:
                    yield from self._show(turn, own_words(gate, source, extract, context), by_id)
                except CheckFailed:
                    yield from self._withhold(turn)
                    return
        yield Done(turn.id, "quoted" if turn.sentences else "refused")

    def _write_or_quote(self, given: Given) -> Iterator[Shown]:
        """The model's sentences that survive the gate; the documents' own when none does."""
        turn = given.turn
        quotes_only = given.cautious or given.decides_only or self._parts.settings.generation.model == NONE
        broken = given.model is None and not quotes_only
        try:
            declined = yield from self._write(given)
        except ModelError as error:
            turn.failed("generation", type(error).__name__)
            declined, broken = False, not isinstance(error, ModelLooped)
        except CheckFailed:
            yield from self._withhold(turn)
            return
        if declined and not turn.sentences:
            yield from self._refuse(turn, given.sources)
        elif turn.sentences:
            yield from self._conclude(turn, broken=broken)
        else:
            yield from self._quote(given, _why_quoted(given, quotes_only=quotes_only, broken=broken))

    def _write(self, given: Given) -> Generator[Shown, None, bool]:
        """Show what the model writes, sentence by sentence; whether it says that the sources do not answer."""
        if given.model is None or given.cautious:
            return False
        waiting: list[Part] = []  # sentences that claim nothing ("Here is why:") wait for one that does
        draft = self._writer(
            given.gate, given.model, given.search, given.sources, given.found, given.history, given.conversation
        )
        repairs = Repairs(given.gate, given.sources, self._parts.encoder, draft.again)
        put = ""  # in place of the sentence before
        for cut in draft.sentences():
            if declines(cut.text):
                return True
            if given.decides_only:
                return False
            around = replace(given.context, before=(cut.before + put)[-BEFORE:], after=cut.after)
            part = Part(cut.text, given.gate.sentence(cut.text, around))
            if claims_nothing(part.checked):
                waiting.append(part)
                continue
            if given.turn.repaired and said(part.checked, given.turn.sentences):
                continue  # in place of an earlier sentence
            placed = yield from self._repaired(given, repairs, part, around)
            put = placed.text if placed and placed.replaces else ""
            for earlier in waiting if placed and placed.checked.action < Action.DROP else ():
                yield from self._show(given.turn, earlier, given.by_id)
            waiting = []
            if placed:
                yield from self._show(given.turn, placed, given.by_id)
            if put:
                yield WRITING
        return False

    def _repaired(
        self, given: Given, repairs: Repairs, sentence: Part, around: Context
    ) -> Generator[Shown, None, Part | None]:
        """The sentence; where nothing supports it, what policy puts in its place, if anything can be put there.

        The sentence itself is recorded then, come what may.
        """
        kind = repairs.kind(sentence.checked, given.turn.sentences)
        if kind == "drop":
            return sentence
        made = Repaired(kind, "not finished")
        try:
            yield Status("Looking at a sentence once more…")
            made = repairs(kind, sentence, around, given.turn.sentences)
        finally:
            given.turn.wrote(sentence, given.by_id, made)
        return made.part

    def _show(self, turn: Turn, part: Part, sources: Mapping[str, Source]) -> Iterator[Shown]:
        """Record a checked sentence, then show it, unless it was dropped.

        Raises:
            CheckFailed: nothing more of this answer may be shown.
        """
        for name in turn.newly_unchecked(part.checked):
            yield turn.noticed(UNCHECKED.format(name))
        sentence = turn.wrote(part, sources)
        if part.checked.action is Action.WITHHOLD:
            raise CheckFailed
        if sentence:
            yield sentence

    def _quote(self, given: Given, why: str) -> Iterator[Shown]:
        yield given.turn.noticed(why)
        for extract in quotable(given.found, MOST_QUOTED):
            part = own_words(given.gate, given.sources[extract.passage], extract, given.context)
            try:
                yield from self._show(given.turn, part, given.by_id)
            except CheckFailed:
                yield from self._withhold(given.turn)
                return
        if not given.turn.sentences:
            yield from self._refuse(given.turn, given.sources)
            return
        yield Done(given.turn.id, "quoted")

    def _conclude(self, turn: Turn, *, broken: bool) -> Iterator[Shown]:
        for line in told(turn.repairs):
            yield turn.noticed(line)
        if broken:
            yield turn.noticed(BROKEN_OFF)
        yield Done(turn.id, "answered" if turn.worded else "quoted")

    def _refuse(self, turn: Turn, sources: Sequence[Source]) -> Iterator[Shown]:
        yield turn.noticed(NOT_FOUND)
        nearest = tuple(dict.fromkeys(source.title for source in sources))[:MOST_NEAREST]
        yield Done(turn.id, "refused", nearest)

    def _withhold(self, turn: Turn) -> Iterator[Shown]:
        yield turn.noticed(WITHHELD)
        yield Done(turn.id, "withheld")

    def _finish(self, turn: Turn, outcome: Outcome, message: str, reader: Reader) -> None:
        """Close the record, then keep what was said for the next turn; the answer stands even if that fails."""
        turn.close(outcome)
        said = [Message("user", message[:LONGEST_QUESTION])]
        if turn.sentences:
            rests_on = tuple(sorted(key.id for key in turn.rests_on))
            said.append(Message("assistant", "".join(turn.sentences).strip(), rests_on))
        try:
            self._parts.memory.add(turn.conversation, reader, *said)
        except StoreError as error:
            logger.error("%s", error)


def _problem(message: str, question: Checked) -> str:
    """Why a message cannot be answered; empty when it can."""
    if question.action is Action.WITHHOLD:
        kinds = {finding.kind for finding in question.kept.findings}
        return WITHHELD if "guard_failed" in kinds else HARMFUL if "harm" in kinds else MANIPULATES
    if not any(character.isalnum() for character in message):
        return EMPTY
    return TOO_LONG if len(message) > LONGEST_QUESTION else ""


def _advice(question: Checked) -> list[str]:
    """What a reader should be told before anything else."""
    return [HELP] if any(f.kind == "harm" and f.label == SELF_HARM for f in question.kept.findings) else []


def _why_quoted(given: Given, *, quotes_only: bool, broken: bool) -> str:
    if given.cautious:
        return QUOTED_CAUTIOUS
    return QUOTED_DOWN if broken else QUOTED if quotes_only else QUOTED_UNSUPPORTED
