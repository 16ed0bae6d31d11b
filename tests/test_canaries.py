"""Nothing leaves but through the gate: canaries are planted everywhere, every route is walked, and then all that was
given out and all that lies on disk is searched for them, byte by byte.

``LET_OUT`` says which canaries a route may show. Where document text may lie at rest is in ``HOLDS_DOCUMENTS``.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import sqlite3
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from rag.index.store import VectorStore
from tests.canaries import Canary, Hit, Identity, Scanner, identities
from tests.canary_walk import PLACES, Walk, walked

# What each route may show of whom: readers their own words and public contacts, editors the names of their files and
# their titles as they are. (Whoever sees the shelf may read the documents; in answers and records, titles are masked.)
OWN = {"question", "history"}
CITED = {"public document"}
TITLES = {"public document", "title of a private document"}
NAMES = {"file name", "name of a failing file", "name of an upload"}
LET_OUT: dict[str, set[str]] = {
    "page: answer": OWN | CITED,
    "page: earlier conversations": OWN,
    "page: sources": NAMES | TITLES,
    "command: ask": OWN | CITED,
    "command: ingest": NAMES,
    "model outside": CITED,
    "model inside": OWN | CITED | TITLES | {"private document", "upload"},
}
# At rest: the index holds the documents and where they came from, since answers quote them; uploads are kept as files.
HOLDS_DOCUMENTS = ("index.sqlite", "uploads/", "vectors/")
DOCUMENTS = CITED | TITLES | NAMES | {"private document", "upload"}

pytestmark = pytest.mark.timeout(600)  # the walk takes a minute, several on a busy machine

EVERYBODY = [canary for person in identities(*PLACES).values() for canary in person.all]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with walked(tmp_path_factory.mktemp("walk")) as walk:
        yield walk


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(EVERYBODY)


@pytest.fixture(scope="module")
def one() -> Canary:
    return EVERYBODY[0]


def told(hits: list[Hit]) -> list[str]:
    return sorted({str(hit) for hit in hits})


# The scanner itself.


def zipped(raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("first.txt", "something else")
        file.writestr("second.txt", raw)
    return buffer.getvalue()


LYING: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper case": lambda text: text.upper().encode(),
    "lower case": lambda text: text.lower().encode(),
    "UTF-16-LE": lambda text: text.encode("utf-16-le"),
    "UTF-16-BE": lambda text: text.encode("utf-16-be"),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "hex of UTF-16": lambda text: text.encode("utf-16-le").hex().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one later": lambda text: base64.b64encode(b"x" + text.encode() + b"yz"),
    "base64, two later": lambda text: base64.b64encode(b"xy" + text.encode() + b"z"),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(b"\xff\xfe" + text.encode()),
    "percent-encoded": lambda text: quote(text, safe="").encode(),
    "percent-encoded throughout": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
    "JSON": lambda text: json.dumps({"text": text}).encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip, cut off": lambda text: gzip.compress(text.encode() + b"".join(b"%d" % n for n in range(9999)))[:-20],
    "zlib": lambda text: zlib.compress(text.encode(), 9),
    "zip": lambda text: zipped(text.encode()),
    "gzip in zip": lambda text: zipped(gzip.compress(text.encode())),
}


@pytest.mark.parametrize("canary", EVERYBODY[:5], ids=lambda canary: canary.kind)
@pytest.mark.parametrize("lying", LYING.values(), ids=LYING)
def test_the_scanner_finds_a_canary_however_it_lies(
    lying: Callable[[str], bytes], canary: Canary, scanner: Scanner, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"\0\xff before " + lying(canary.value) + b" after")
    assert canary in {hit.canary for hit in scanner.folder(tmp_path)}


@pytest.mark.parametrize("canary", EVERYBODY[2:5], ids=lambda canary: canary.kind)
def test_the_scanner_finds_the_digits_of_a_number(canary: Canary, scanner: Scanner) -> None:
    digits = "".join(sign for sign in canary.value if sign.isdigit())
    for spelled in (digits, canary.value.replace(" ", "-"), canary.value.replace(" ", "")):
        assert canary in {hit.canary for hit in scanner.text(f"<{spelled}>", "here")}


def test_the_scanner_finds_a_family_name_and_a_file_name(scanner: Scanner, one: Canary, tmp_path: Path) -> None:
    assert one in {hit.canary for hit in scanner.text(f"asked by {one.told_by.lower()}", "here")}
    (tmp_path / f"{one.value}.txt").write_text("nothing")
    assert one in {hit.canary for hit in scanner.folder(tmp_path)}


def test_the_scanner_finds_what_a_database_has_forgotten(scanner: Scanner, one: Canary, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "some.sqlite")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE rows (text)")
        connection.execute("INSERT INTO rows VALUES (?)", (one.value,))
        connection.commit()
        connection.execute("DELETE FROM rows")
        connection.commit()
    assert one in {hit.canary for hit in scanner.folder(tmp_path)}


def test_the_scanner_finds_nothing_where_there_is_nothing(scanner: Scanner, tmp_path: Path) -> None:
    others: list[Identity] = list(identities(*(f"place {n}" for n in range(40))).values())[len(PLACES) :]
    (tmp_path / "file").write_text(" ".join(person.sentences() for person in others))
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 4000 + zipped(bytes(9999)))
    assert told(scanner.folder(tmp_path)) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what memory holds is overwritten under glibc only")
def test_what_was_in_memory_is_not_written_among_the_vectors(scanner: Scanner, one: Canary, tmp_path: Path) -> None:
    """Chroma writes blocks that it has not filled yet; without ``zeroed_memory`` most of these files hold old words."""
    vector = np.full((1, 384), 384**-0.5, dtype=np.float32)
    for number in range(3):
        store = VectorStore(tmp_path / str(number))
        for size in (4000, 6000, 8000):
            store.add([one.value * size], vector, [one.value], ["everyone"])
        store.remove([one.value])
        store.clear()
        store.add(["chunk"], vector, ["document"], ["everyone"])
        store.search(vector[0], 1)
    files = list(tmp_path.rglob("data_level0.bin"))
    assert len(files) >= 3
    assert told([hit for file in files for hit in scanner.bytes(file.read_bytes(), file.parent.name)]) == []


# The walk.


def test_every_route_was_walked(walk: Walk) -> None:
    assert set(walk.given) >= set(LET_OUT), "a route that may show something gave nothing"
    assert [route for route, texts in walk.given.items() if not "".join(texts).strip()] == []
    assert walk.outcomes >= {"answered", "quoted", "refused", "withheld"}


def test_what_may_be_shown_is_shown(walk: Walk, scanner: Scanner) -> None:
    """Otherwise the walk would prove nothing: an assistant that says nothing leaks nothing."""
    answer = {hit.canary.place for hit in scanner.text("".join(walk.given["page: answer"]), "")}
    assert answer == OWN | CITED
    assert {hit.canary.place for hit in scanner.text("".join(walk.given["model outside"]), "")} == CITED


def test_no_route_shows_what_it_must_not(walk: Walk, scanner: Scanner) -> None:
    hits = [hit for route, texts in walk.given.items() for text in texts for hit in scanner.text(text, route)]
    assert told([hit for hit in hits if hit.canary.place not in LET_OUT.get(hit.where, set())]) == []


def test_nothing_is_logged(walk: Walk, scanner: Scanner) -> None:
    assert "DEBUG" in walk.log
    assert "ALARM" in walk.log
    assert told(scanner.text(walk.log, "the log")) == []


def test_nothing_is_printed_beside_what_was_asked_for(walk: Walk, scanner: Scanner) -> None:
    assert told(scanner.text(walk.printed, "what was printed")) == []


def test_no_warning_quotes(walk: Walk, scanner: Scanner) -> None:
    assert told(scanner.text("\n".join(walk.warnings), "warnings")) == []


def test_no_temporary_file_holds_a_canary_also_not_before_it_goes(walk: Walk, scanner: Scanner) -> None:
    assert walk.removed, "the watch over removed files saw none"
    assert told(scanner.folder(walk.temp)) == []
    assert told([hit for name, data in walk.removed for hit in scanner.bytes(data, name)]) == []


def test_no_byte_on_disk_is_a_canary_outside_the_index(walk: Walk, scanner: Scanner) -> None:
    assert {"audit.sqlite", "conversations.sqlite", "index.sqlite"} <= {path.name for path in walk.state.iterdir()}
    assert told([hit for hit in scanner.folder(walk.state) if not at_home(hit)]) == []


def test_not_even_while_it_runs(walk: Walk, scanner: Scanner) -> None:
    """With write-ahead files that have not been folded in."""
    assert any(name.endswith("-wal") for name in walk.running)
    hits = [hit for name, data in walk.running.items() for hit in scanner.bytes(data, name)]
    assert told([hit for hit in hits if not at_home(hit)]) == []


def test_the_vectors_hold_no_text(walk: Walk, scanner: Scanner) -> None:
    assert told(scanner.folder(walk.state / "vectors")) == []


def at_home(hit: Hit) -> bool:
    """Whether it is a document's, in the index."""
    return hit.canary.place in DOCUMENTS and hit.where.removeprefix("the name of ").startswith(HOLDS_DOCUMENTS)
