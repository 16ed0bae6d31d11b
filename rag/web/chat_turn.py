"""What the chat page does: one object whose methods check the role, call the assistant once and return values.

The page never holds a history: the assistant takes that from its own store. What is kept here is only what each
open page shows, so that it can be drawn again.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from rag.access import LOCAL_READER, require
from rag.errors import CandorError
from rag.feedback import FeedbackRefused
from rag.types import Citation, Done, Notice, Reader, Sentence, Shown, Status
from rag.web import render_page, words
from rag.web.faults import told
from rag.web.turns import Turn, cited, has_pictures

if TYPE_CHECKING:
    from rag.build import Candor

logger = logging.getLogger(__name__)

SAMPLE_QUESTIONS = Path(__file__).resolve().parents[2] / "corpus" / "questions.jsonl"
SAMPLES_SHOWN = 6
EARLIER_SHOWN = 30
OPEN_PAGES = 200  # conversations kept for drawing; the oldest go first, their turns remain in the store
POLL = 0.1  # seconds between looks at the stop button
STOP_WITHIN = 5.0  # seconds given to a sentence that is being recorded, so that what is recorded is also shown
PLACE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})-([0-9]{1,5})")  # turn, sentence, source; as the page writes it
NUMBER = re.compile(r"[0-9]{1,5}")
SEARCHING = "Searching the documents…"


@dataclass(slots=True)
class Talk:
    """One conversation as an open page shows it."""

    id: str
    turns: list[Turn] = field(default_factory=list)
    status: str = ""  # what the assistant is doing; "" while nothing runs
    stop: threading.Event | None = None  # of the running answer

    @property
    def running(self) -> bool:
        return self.stop is not None


class Chat:
    """The functions behind the chat page."""

    def __init__(self, candor: Candor, samples: Path = SAMPLE_QUESTIONS) -> None:
        self.candor = candor
        self.samples = samples
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._lock = threading.Lock()

    def talk(self, identifier: str) -> Talk:
        with self._lock:
            talk = self._talks.setdefault(identifier, Talk(identifier))
            self._talks.move_to_end(identifier)
            while len(self._talks) > OPEN_PAGES:
                self._talks.popitem(last=False)
            return talk

    def ask(self, message: str, identifier: str, reader: Reader = LOCAL_READER) -> Iterator[Talk]:
        """Answer ``message`` in this conversation; yields the talk whenever there is something new to draw.

        A second question while one is being answered is ignored, and so is one of white space only.
        """
        require(reader, "user")
        talk = self.talk(identifier)
        if talk.running or not message.strip():
            yield talk
            return
        turn = Turn(message)
        stop = talk.stop = threading.Event()
        talk.status = SEARCHING
        talk.turns.append(turn)
        try:
            yield talk
            for item in _until_stopped(lambda: self.candor.assistant.ask(message, identifier, reader), stop):
                _take(item, turn, talk)
                yield talk
        except CandorError as error:
            turn.problem = str(error)
        except Exception as error:  # noqa: BLE001 - a reader is told that something went wrong, whatever it was
            turn.problem = told("an answer broke off", error)
        finally:
            stop.set()
            talk.status, talk.stop = "", None
        if not turn.over:
            turn.done = Done("", "stopped")
        yield talk

    def stop(self, identifier: str, reader: Reader = LOCAL_READER) -> Talk:
        """End the running answer; sentences that are already recorded are still shown."""
        require(reader, "user")
        talk = self.talk(identifier)
        if talk.stop:
            talk.stop.set()
            talk.status = "Stopping…"
        return talk

    def page(self, where: str, identifier: str, reader: Reader = LOCAL_READER) -> str:
        """The pages that a source of an answer stands on, as HTML.

        Args:
            where: "2-1-3": in the second turn, of the first sentence (0: of all), source 3. From the browser.
        """
        require(reader, "user")
        citation = _cited(self.talk(identifier), where)
        if citation is None:
            return render_page.opened(where, None, (), "This source is no longer open here; ask again.")
        try:
            found = self.candor.pages.pictures(citation.chunk, citation.support, reader)
        except CandorError as error:
            return render_page.opened(where, citation, (), str(error))
        except Exception as error:  # noqa: BLE001 - a reader is told that something went wrong, whatever it was
            return render_page.opened(where, citation, (), told("a page could not be drawn", error))
        return render_page.opened(where, citation, found)

    def rate(
        self, where: str, identifier: str, thumb: str, codes: Sequence[str], reason: str, reader: Reader = LOCAL_READER
    ) -> Talk:
        """Keep what the reader thinks of one answer.

        Args:
            where: the number of the turn on the page. From the browser, like all that follows.
            thumb: up or down; "why" is a thumb down that comes with reasons.

        Raises:
            CandorError: it was not kept; the message says why.
        """
        require(reader, "user")
        talk = self.talk(identifier)
        turn = _numbered(talk, where)
        if turn is None or not turn.id:
            raise FeedbackRefused("This answer is no longer open here; ask again.")
        why = thumb == "why"
        thumb = "down" if why else thumb
        if why or turn.thumb != thumb:
            self.candor.feedback.rate(turn.id, thumb, codes if why else (), reason if why else "", reader)
            turn.thumb, turn.thanked = thumb, why
        return talk

    def earlier(self, reader: Reader = LOCAL_READER) -> list[tuple[str, str, str]]:
        """Conversations that can be reopened, newest first: (id, title, age)."""
        require(reader, "user")
        if not self.candor.startup.ready:
            return []
        found = self.candor.memory.conversations(reader)
        return [(known.id, known.title, words.age(known.at)) for known in found[:EARLIER_SHOWN]]

    def reopen(self, identifier: str, reader: Reader = LOCAL_READER) -> Talk:
        """An earlier conversation; raises NotAllowed or another CandorError where it is not this reader's."""
        require(reader, "user")
        messages = self.candor.memory.messages(identifier, reader)
        talk = self.talk(identifier)
        if not talk.turns:
            for message in messages:
                if message.role == "user":
                    talk.turns.append(Turn(message.content, remembered="No answer was shown."))
                elif talk.turns:
                    talk.turns[-1].remembered = message.content
        return talk

    def welcome(self, reader: Reader = LOCAL_READER) -> tuple[list[str], int | None]:
        """Six questions to begin with, none where the samples are not in the index; and how many documents there are.

        None of either while the index is being opened.
        """
        require(reader, "user")
        if not self.candor.startup.ready:
            return [], None
        shelf = self.candor.library.shelf(reader)
        return self._sample_questions() if any(item.sample for item in shelf) else [], len(shelf)

    def _sample_questions(self) -> list[str]:
        try:
            rows = [json.loads(line) for line in self.samples.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, ValueError):
            logger.warning("the sample questions cannot be read")
            return []
        return [row["question"] for row in rows if row.get("sample")][:SAMPLES_SHOWN]


def new_identifier() -> str:
    return uuid.uuid4().hex


def _numbered(talk: Talk, where: str) -> Turn | None:
    """The turn that the browser names by its number."""
    number = int(where) if NUMBER.fullmatch(where) else 0
    return talk.turns[number - 1] if 1 <= number <= len(talk.turns) else None


def _cited(talk: Talk, where: str) -> Citation | None:
    """The source that the browser names, if it may be asked for."""
    named = PLACE.fullmatch(where)
    turn, sentence, number = map(int, named.groups()) if named else (0, 0, 0)
    if not 1 <= turn <= len(talk.turns):
        return None
    sentences = talk.turns[turn - 1].sentences
    chosen = sentences[sentence - 1 : sentence] if sentence else sentences
    return next((c for c in cited(chosen) if c.number == number and has_pictures(c)), None)


def _take(item: Shown, turn: Turn, talk: Talk) -> None:
    match item:
        case Status(text):
            talk.status = text if not (talk.stop and talk.stop.is_set()) else talk.status
        case Sentence():
            turn.sentences.append(item)
        case Notice(text):
            (turn.notices if turn.sentences else turn.first).append(text)
        case Done():
            turn.done = item


def _until_stopped(begin: Callable[[], Iterator[Shown]], stop: threading.Event) -> Iterator[Shown]:
    """What ``begin()`` gives, read in a thread of its own, so that a stop need not wait for a slow model."""
    items: SimpleQueue[Shown | BaseException | None] = SimpleQueue()
    threading.Thread(target=_pump, args=(begin, items, stop), name="answer", daemon=True).start()
    deadline = None
    while True:
        if stop.is_set() and deadline is None:
            deadline = monotonic() + STOP_WITHIN
        if deadline is not None and monotonic() > deadline:
            return
        try:
            item = items.get(timeout=POLL)
        except Empty:
            continue
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item


def _pump(
    begin: Callable[[], Iterator[Shown]], items: SimpleQueue[Shown | BaseException | None], stop: threading.Event
) -> None:
    try:
        source = begin()
        try:
            for item in source:
                items.put(item)
                if stop.is_set():
                    break
        finally:
            if isinstance(source, Generator):
                source.close()
    except Exception as error:  # noqa: BLE001 - handed to the reader's side, which decides what may be said
        items.put(error)
    finally:
        items.put(None)
