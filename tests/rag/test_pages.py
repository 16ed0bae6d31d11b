"""What of a page a reader gets to see, on a real file, worker, catalogue and gate."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from guardrails.checks import Checks
from guardrails.gate import Gate
from guardrails.pii.guard import PiiGuard
from guardrails.policy import load as load_policy
from guardrails.types import Guard
from rag import pages as pages_of
from rag.errors import NoPicture
from rag.index.catalogue import Catalogue
from rag.ingest.files import hash_of
from rag.ingest.load_pdf import load_pdf
from rag.pages import HIDDEN, LEFT_OUT, Pages
from rag.types import Chunk, Limits, Meta, Reader
from tests.fakes import BrokenGuard
from tests.ingest.pdfs import Page, line, lines, pdf

READER = Reader("anna")
MAIL, PHONE = "m.keller@example.org", "+44 20 7946 0871"
FIRST = lines(["Rules of the house", f"Questions go to {MAIL}", "by Friday.", f"At night call {PHONE} only."])
SECOND = lines(["The second page says that soup", "costs three euros on Mondays."])
SOUP = "soup\ncosts three euros"


@pytest.fixture(scope="module")
def personal() -> PiiGuard:
    guard = PiiGuard()
    guard.load()
    return guard


class House:
    """One PDF in a catalogue, as an ingestion leaves it."""

    def __init__(self, folder: Path, guards: list[Guard]) -> None:
        self.path = folder / "rules.pdf"
        self.path.write_bytes(pdf(Page(FIRST), Page(SECOND + line("q", 380, 10) + "\nq 50 0 0 50 9 9 cm /I Do Q")))
        self.guards = guards
        self.catalogue = Catalogue(folder / "index.sqlite")
        self.pages = Pages(self.catalogue, lambda: Gate(Checks(self.guards), load_policy()))
        self.chunk = self.put()

    def put(self, **options: Any) -> Chunk:
        document = replace(load_pdf(self.path, "rules.pdf", Limits()), meta=Meta(**options))
        text = document.text
        chunk = Chunk(document.id, document.source, document.title, text, 0, len(text), 1)
        where = {"path": self.path, "root": self.path.parent, "file_hash": hash_of(self.path)}
        self.catalogue.put(document, [chunk], **where, sample=False)
        return chunk

    def pictures(self, words: str, chunk: Chunk | None = None) -> list[pages_of.PagePicture]:
        chunk = chunk or self.chunk
        start = chunk.text.index(words)
        return self.pages.pictures(chunk.id, [(start, start + len(words))], READER)


@pytest.fixture
def house(tmp_path: Path, personal: PiiGuard) -> Iterator[House]:
    made = House(tmp_path, [personal])
    yield made
    made.pages.close()
    made.catalogue.close()


def colours(picture: pages_of.PagePicture, *box: float) -> set[Any]:
    """The colours in a box in points from the upper left."""
    image = Image.open(io.BytesIO(base64.b64decode(picture.png))).convert("RGB")
    part = image.crop(tuple(round(edge * 110 / 72) for edge in box))
    return {colour for _, colour in part.getcolors(1 << 20) or []}


def test_a_source_opens_the_page_that_its_words_stand_on(house: House) -> None:
    (picture,) = house.pictures(SOUP)
    assert (picture.page, picture.notes) == (2, (LEFT_OUT["pictures"],))
    assert picture.begins == pytest.approx((162 / 400, 40 / 400), abs=0.02)
    assert any(blue < 130 < red for red, _, blue in colours(picture, 40, 50, 120, 64))
    (first,) = house.pages.pictures(house.chunk.id, [], READER)
    assert first.page == 1  # where the passage begins
    assert [each.page for each in house.pictures(house.chunk.text[60:-5])] == [1, 2]


def test_what_the_gate_hides_is_black_wherever_it_stands_on_the_page(house: House) -> None:
    (picture,) = house.pictures("by Friday.")
    assert picture.notes == (HIDDEN,)
    assert colours(picture, 116, 55, 205, 63) == {(0, 0, 0)}  # the address
    assert colours(picture, 96, 79, 174, 87) == {(0, 0, 0)}  # the number
    assert (255, 255, 255) in colours(picture, 40, 55, 110, 63)


def test_contacts_that_are_meant_for_everyone_are_shown(house: House) -> None:
    chunk = house.put(public_contacts=True)
    (picture,) = house.pictures("by Friday.", chunk)
    assert picture.notes == ()
    assert (255, 255, 255) in colours(picture, 116, 55, 205, 63)


@pytest.mark.parametrize("groups", [frozenset({"board"}), frozenset({"board", "hr"})])
def test_a_reader_who_may_no_longer_read_a_document_gets_no_page_of_it(house: House, groups: frozenset[str]) -> None:
    chunk = house.put(groups=groups)
    with pytest.raises(NoPicture, match="no longer among the documents that you may read"):
        house.pictures(SOUP, chunk)
    assert house.pages.pictures(chunk.id, [], replace(READER, groups=frozenset({"board"})))


def test_a_removed_document_leaves_no_page(house: House) -> None:
    house.pictures(SOUP)
    house.catalogue.remove("rules.pdf")
    with pytest.raises(NoPicture, match="no longer among the documents"):
        house.pictures(SOUP)


def test_another_file_than_the_one_that_was_read_is_not_shown(house: House) -> None:
    whole = house.path.read_bytes()
    house.path.write_bytes(pdf(Page(FIRST), Page(SECOND)))
    with pytest.raises(NoPicture, match="The file is no longer the one that was read"):
        house.pictures(SOUP)
    house.path.unlink()
    with pytest.raises(NoPicture, match="no longer where it was"):
        house.pictures(SOUP)
    house.path.write_bytes(whole)
    assert house.pictures(SOUP)


def test_a_file_that_changes_while_its_page_is_drawn_is_not_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = iter([hash_of(house.path), "another"])
    monkeypatch.setattr(pages_of, "hash_of", lambda path: next(hashes))
    with pytest.raises(NoPicture, match="The file is no longer the one that was read"):
        house.pictures(SOUP)


def test_words_that_no_longer_stand_where_they_stood_are_not_marked_elsewhere(house: House) -> None:
    text = house.chunk.text
    moved = replace(house.chunk, document_id="moved", text=text[5:40], start=0, end=35)
    document = replace(load_pdf(house.path, "rules.pdf", Limits()), title="Older")
    moved = replace(moved, document_id=document.id)
    where = {"path": house.path, "root": house.path.parent, "file_hash": hash_of(house.path)}
    house.catalogue.put(document, [moved], **where, sample=False)
    with pytest.raises(NoPicture, match="no longer the one that was read"):
        house.pages.pictures(moved.id, [(0, 3)], READER)


def test_a_page_that_cannot_be_checked_is_not_shown(house: House) -> None:
    house.guards = [BrokenGuard("pii")]
    with pytest.raises(NoPicture, match="could not be checked"):
        house.pictures(SOUP)


def test_a_page_that_takes_too_long_costs_only_its_picture(house: House) -> None:
    hasty = Pages(house.catalogue, lambda: Gate(Checks(house.guards), load_policy()), seconds=0.001)
    with pytest.raises(NoPicture, match="could not be drawn in time"):
        hasty.pictures(house.chunk.id, [], READER)
    hasty.close()
