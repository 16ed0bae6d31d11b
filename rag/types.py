"""What flows from a file to an answer. This module imports the standard library only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

SECTION_MARK = " > "  # between the headings of a section's path
EVERYONE = "everyone"  # the group that every reader belongs to


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever asks. Reaches every query, so that permissions hold everywhere."""

    id: str
    groups: frozenset[str] = frozenset({EVERYONE})
    roles: frozenset[str] = frozenset({"user"})  # of user, editor, reviewer


@dataclass(frozen=True, slots=True)
class Meta:
    """What a document says of itself, in its front matter or side-car file."""

    title: str = ""
    date: date | None = None
    owner: str = ""
    public_contacts: bool = False  # its contact data is meant for every reader
    groups: frozenset[str] = frozenset({EVERYONE})  # who may read it
    superseded_by: str = ""  # source of the document that replaced it


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost. Beyond it the file is refused, with the limit that it met."""

    seconds: float = 60.0
    megabytes: int = 2048  # of memory, where the system can limit it; a package may unpack to half of it
    pages: int = 5_000  # slides too
    characters: int = 10_000_000  # of text; 5 000 full pages


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, read as text."""

    source: str  # path relative to the folder that was ingested, "/"-separated; shown to the reader
    title: str
    text: str
    page_starts: tuple[int, ...] = ()  # character offset at which each page begins; empty: no pages
    meta: Meta = Meta()

    @property
    def id(self) -> str:
        """SHA-256 over source, text and what the file says of itself: read twice, the same id."""
        return hashlib.sha256(f"{self.source}\0{self.text}\0{self.meta}".encode()).hexdigest()[:32]


Quarantine = Literal["", "held", "released"]  # held: it reads like instructions; released: somebody said that it is not


@dataclass(frozen=True, slots=True)
class Chunk:
    """A contiguous part of one document: ``document.text[start:end] == text``."""

    document_id: str
    source: str
    title: str
    text: str
    start: int  # characters from the beginning of the document
    end: int  # exclusive
    page: int | None = None  # on which it starts; counted from 1, as printed
    section: str = ""  # the headings above it, outermost first, SECTION_MARK between; without the title. Goes on with
    # a table: that table's first row, last
    public_contacts: bool = False
    superseded_by: str = ""
    quarantine: Quarantine = ""

    @property
    def id(self) -> str:
        return f"{self.document_id}:{self.start}"


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was retrieved for a question."""

    chunk: Chunk
    score: float  # of both searches together; comparable within one search, not between searches
    similarity: float = 0.0  # cosine of question and chunk, -1 to 1
    found_by: frozenset[str] = field(default_factory=frozenset)  # the searches that returned it


@dataclass(frozen=True, slots=True)
class Search:
    """What a turn is looked up with."""

    question: str  # self-contained as far as possible; what the model is asked
    queries: tuple[str, ...]  # each is searched; the results are fused


@dataclass(frozen=True, slots=True)
class Message:
    """One earlier turn, as the store keeps it."""

    role: Literal["user", "assistant"]
    content: str
    rests_on: tuple[int, ...] = ()  # ids of the keys of the documents that it quotes, in the audit log


Verdict = Literal["supports", "does not support", "contradicts"]


@dataclass(frozen=True, slots=True)
class Citation:
    """What a shown sentence was compared with, as this reader may see it; found by the guard, not the model."""

    number: int  # counted from 1 within the answer, in order of first mention
    source: str
    title: str
    page: int | None
    text: str  # the passage, through the gate
    spans: tuple[tuple[int, int], ...]  # the words that decide: characters of ``text``, end exclusive
    superseded_by: str = ""  # title of the newer document, if there is one
    chunk: str = ""  # id of the passage
    support: tuple[tuple[int, int], ...] = ()  # those words: characters of the chunk's own text
    verdict: Verdict = "supports"

    @property
    def supports(self) -> bool:
        return self.verdict == "supports"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page of a document as this reader may see it."""

    page: int  # counted from 1
    png: str  # in base 64
    begins: tuple[float, float]  # where the marked words do: shares of its width and height
    notes: tuple[str, ...] = ()  # one sentence each: what of the page is not shown


@dataclass(frozen=True, slots=True)
class Mark:
    """Something about a shown sentence that its reader is told."""

    kind: Literal["redacted", "flagged"]
    start: int  # characters of the shown sentence
    end: int
    label: str  # e.g. "PHONE_NUMBER", "number"
    reason: str  # one plain sentence


@dataclass(frozen=True, slots=True)
class Status:
    """What the assistant is doing. Never holds words of the question or of a document."""

    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One checked and recorded sentence of the answer, with the white space that follows it."""

    text: str
    citations: tuple[Citation, ...] = ()
    marks: tuple[Mark, ...] = ()
    quoted: bool = False  # the source's own words, not the model's


@dataclass(frozen=True, slots=True)
class Notice:
    """One plain sentence about the answer: what was left out, repaired or withheld, and why."""

    text: str


Outcome = Literal["answered", "quoted", "refused", "withheld", "stopped"]


@dataclass(frozen=True, slots=True)
class Done:
    """The turn is complete and closed in the record."""

    turn: str
    outcome: Outcome
    nearest: tuple[str, ...] = ()  # when refused: titles of the nearest documents this reader may see


Shown = Status | Sentence | Notice | Done


@dataclass(frozen=True, slots=True)
class Shelved:
    """One document of the index, as listed."""

    source: str
    title: str
    pages: int | None
    chunks: int
    ingested_at: datetime
    sample: bool  # came with the product
    superseded_by: str = ""
    quarantined: int = 0  # chunks that read like instructions to the assistant, and are not used


@dataclass(frozen=True, slots=True)
class SetAside:
    """A part of a document that reads like instructions to the assistant, as an editor may see it."""

    text: str  # through the gate, cut to a sensible length; "" when it could not be checked
    page: int | None
    why: str  # one plain sentence


IngestState = Literal["added", "replaced", "moved", "unchanged", "removed", "failed"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one file."""

    source: str
    state: IngestState
    chunks: int = 0
    reason: str = ""  # failed: why, in one line
    held: int = 0  # chunks in quarantine
    seconds: float = 0.0  # reading it, and its part of what embedding took
    size: int = 0  # bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingestion is."""

    done: int  # files
    total: int
    latest: Ingested | None = None  # None: nothing finished since the last one
    chunks: int = 0  # embedded, or found to be embedded already
    size: int = 0  # bytes of the files that are done
    seconds: float = 0.0  # since it began
    left: float | None = None  # seconds to go, as far as can be told
    waiting: bool = False  # for another ingestion to end


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that store, keyword index and folder do not agree on."""

    what: str  # in plain words
    where: str  # source or path
    count: int = 1
    mended: bool = True
    reason: str = ""  # why it could not be mended


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared."""

    documents: int
    chunks: int
    files: int
