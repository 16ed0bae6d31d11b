"""Another embedding model: its vectors are made beside those in use, which serve until the others are complete.

Which vectors are in use stands in the catalogue, so that one transaction exchanges them. Interrupted, the making goes
on where it was.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from guardrails.encoder import Encoder
from guardrails.weights import MINILM
from rag.errors import SettingsError
from rag.index import inventory
from rag.index.catalogue import Catalogue
from rag.index.embed import Embedder, embedder
from rag.index.inventory import Listed
from rag.index.store import VectorStore
from rag.settings import Settings
from rag.types import Chunk

logger = logging.getLogger(__name__)

PLACE = "embedding model's place"  # a folder, or the name of the model in the box; a fact of the catalogue
MODEL = "embedding model"  # the fact of the catalogue
BATCH = 256  # chunks embedded together
Use = Callable[[VectorStore, Embedder], None]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Makes the vectors of one index anew with another model.

    Args:
        fresh: where the new vectors go.
        still: while it is entered, nobody changes the index.
        use: tells whoever searches and ingests about the new pair; called once, when it is complete.
        embedded_text: what of a chunk is embedded.
    """

    catalogue: Catalogue
    fresh: VectorStore
    wanted: Embedder
    place: str  # where that lies, as the settings say
    still: Callable[[], AbstractContextManager[None]]
    use: Use
    embedded_text: Callable[[Chunk], str]

    def __call__(self, cancelled: threading.Event) -> Iterator[tuple[int, int]]:
        """Make what is missing, then exchange. Yields how many chunks have their vector, and how many there are."""
        self.wanted.load()
        yield from self._make(cancelled)
        if cancelled.is_set():
            return
        with self.still():
            yield from self._make(cancelled)  # what was ingested meanwhile
            if not cancelled.is_set():
                self._put_in_place()

    def _make(self, cancelled: threading.Event) -> Iterator[tuple[int, int]]:
        wanted = inventory.listed(self.catalogue)
        made = {id for id, _, _ in self.fresh.rows()}
        self.fresh.discard(sorted(made - wanted.keys()))
        missing = [id for id in wanted if id not in made]
        for first in range(0, len(missing), BATCH):
            yield len(wanted) - len(missing) + first, len(wanted)
            if cancelled.is_set():
                return
            self._embed(wanted, missing[first : first + BATCH])
        yield len(wanted), len(wanted)

    def _embed(self, wanted: Mapping[str, Listed], ids: Sequence[str]) -> None:
        chunks = self.catalogue.chunks(ids, sorted({wanted[id].audience for id in ids}))
        here = [id for id in ids if id in chunks]  # others were removed meanwhile
        if here:
            vectors = self.wanted.embed([self.embedded_text(chunks[id]) for id in here])
            of = [wanted[id] for id in here]
            self.fresh.add(here, vectors, [one.document_id for one in of], [one.audience for one in of])

    def _put_in_place(self) -> None:
        _state(self.catalogue, self.place, self.wanted)
        self.use(self.fresh, self.wanted)
        self.fresh.drop_others()
        logger.info("searches now use the vectors of %s", self.wanted.name)


@dataclass(frozen=True, slots=True)
class Index:
    """One state folder's index: what is there, what searches it by meaning, and which model the settings want."""

    settings: Settings
    catalogue: Catalogue
    vectors: VectorStore
    embedder: Embedder  # what made the vectors
    wanted: Embedder
    warning: str = ""

    def exchange(
        self, still: Callable[[], AbstractContextManager[None]], use: Use, embedded_text: Callable[[Chunk], str]
    ) -> Exchange | None:
        """What is to be done for the model that the settings want; None when it is in use."""
        if self.embedder is self.wanted and not self.warning:
            return None
        return Exchange(
            self.catalogue,
            _vectors_of(self.settings, self.wanted),
            self.wanted,
            self.settings.embedding.model,
            still,
            use,
            embedded_text,
        )


def open_index(settings: Settings, in_the_box: Encoder) -> Index:
    """Open the index with the model that made its vectors; without that, with the one that the settings name.

    Raises:
        SettingsError: the model that the settings name cannot be used.
        StoreError: the vectors cannot be opened.
    """
    catalogue = Catalogue(settings.state / "index.sqlite")
    wanted = embedder(settings.embedding.model, in_the_box)
    if not catalogue.fact(MODEL) or not catalogue.count()[1]:
        _state(catalogue, settings.embedding.model, wanted)
    used, warning = wanted, ""
    if catalogue.fact(MODEL) != wanted.name:
        try:
            used = embedder(catalogue.fact(PLACE) or MINILM.name, in_the_box)
            used.load()
        except SettingsError as error:
            logger.warning("%s", error)
        if used.name != catalogue.fact(MODEL):
            used = wanted
            warning = (
                f"The index was made with {catalogue.fact(MODEL)}, which is no longer there. Until the vectors of "
                f"{wanted.name} are complete, passages are found by their words alone."
            )
    return Index(settings, catalogue, _vectors_of(settings, used), used, wanted, warning)


def _state(catalogue: Catalogue, place: str, made_by: Embedder) -> None:
    catalogue.state(PLACE, place)
    catalogue.state(MODEL, made_by.name)


def _vectors_of(settings: Settings, made_by: Embedder) -> VectorStore:
    model = "" if made_by.name == MINILM.name else made_by.name
    return VectorStore(settings.state / "vectors", settings.retrieval.chroma_url, model)
