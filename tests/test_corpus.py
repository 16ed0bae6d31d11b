"""The sample documents are complete, and the questions about them are right: no models, the files are read here."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
import yaml
from docx.table import Table
from docx.text.paragraph import Paragraph
from selectolax.lexbor import LexborHTMLParser

CORPUS = Path(__file__).parents[1] / "corpus"
DOCUMENTS = CORPUS / "documents"
SIDE_CAR = ".meta.toml"
FORMATS = {".md", ".txt", ".html", ".pdf", ".docx", ".csv"}
KINDS = {
    "fact", "table", "follow_up", "public_contact", "private_data", "superseded", "paraphrase", "unanswerable",
    "other_language",
}  # fmt: skip
KEYS = {"id", "question", "history", "answers", "facts", "answerable", "source", "kind"}

WINDOW = 600  # characters: about one passage
STEP = 50
# Words that say nothing about the subject, question words included; English, German, Spanish.
_STOP_WORDS = """
    a about after again all also am an and any anybody anyone are as at be because been before being but by can could
    did do does doing during each else ever every for from get gets go going got had has have he her here him his how i
    if in into is it its just may me might much many must my myself no not of off on once one only or other our out over
    own please shall she should so some somebody someone still such than that the their them then there these they
    this those to too under until up us was we were what when where which while who whom whose why will with would you
    your s t re ve ll m d
    aber als am an auch auf aus bei bis das dass dem den der des die dort du ein eine einem einen einer es für gibt hat
    ich im in ist ja kann man mein mit muss nach nicht noch oder sich sie sind um und uns vom von vor wann was welche
    welcher wem wen wer wie wir wird wo zu zum zur
    a al como con cuando cuál cuánto cuántos cuánta de del dónde el en es esta está este hay la las lo los me mi no o
    para pero por puede puedo que qué quién se si sin su tiene un una y
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
SUFFIXES = (
    "ations", "ation", "ments", "ment", "ness", "ing", "ies", "ied", "ers",
    "ed", "er", "es", "ly", "en", "e", "s", "n", "y",
)  # fmt: skip


def documents() -> list[Path]:
    files = (path for path in sorted(DOCUMENTS.rglob("*")) if path.is_file())
    return [path for path in files if not path.name.endswith(SIDE_CAR)]


def questions() -> list[dict[str, Any]]:
    lines = (CORPUS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


QUESTIONS = questions()
ANSWERABLE = [row for row in QUESTIONS if row["answerable"]]
by_id = pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["id"])
by_answerable_id = pytest.mark.parametrize("row", ANSWERABLE, ids=lambda row: row["id"])


@cache
def text_of(source: str) -> str:
    """The words of a document, white space folded, lower-cased."""
    path = DOCUMENTS / source
    match path.suffix:
        case ".pdf":
            with pypdfium2.PdfDocument(path) as pdf:
                text = "\n".join(page.get_textpage().get_text_range() for page in pdf)
        case ".docx":
            text = "\n".join(_docx_lines(path))
        case ".html":
            tree = LexborHTMLParser(path.read_text(encoding="utf-8"))
            tree.strip_tags(["script", "style"])
            assert tree.body is not None
            text = tree.body.text(separator=" ")
        case ".md":
            text = path.read_text(encoding="utf-8").split("\n---\n", 1)[1]
        case _:
            text = path.read_text(encoding="utf-8")
    return folded(text)


def _docx_lines(path: Path) -> list[str]:
    lines = []
    for block in docx.Document(str(path)).iter_inner_content():
        if isinstance(block, Paragraph):
            lines.append(block.text)
        elif isinstance(block, Table):
            lines += [" | ".join(cell.text for cell in row.cells) for row in block.rows]
    return lines


def metadata(path: Path) -> dict[str, Any]:
    """What the front matter, the meta elements or the side-car says."""
    if path.suffix == ".md":
        front: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8").split("---\n", 2)[1])
        return front
    if path.suffix == ".html":
        tree = LexborHTMLParser(path.read_text(encoding="utf-8"))
        found = {node.attributes["name"]: node.attributes["content"] for node in tree.css("meta[name^='candor:']")}
        return {str(name).removeprefix("candor:"): value for name, value in found.items()}
    return tomllib.loads(path.with_name(path.name + SIDE_CAR).read_text(encoding="utf-8"))


def folded(text: str) -> str:
    return " ".join(text.lower().split())


def content_words(text: str) -> set[str]:
    """Stems of the words that carry the subject."""
    return {stem(word) for word in re.findall(r"[^\W_]+", text.lower()) if word not in STOP_WORDS}


def stem(word: str) -> str:
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word.removesuffix(suffix)
    return word


def shared_words(row: dict[str, Any]) -> float:
    """Share of the question's content words in the passage of its source that holds most of them."""
    asked = content_words(row["question"])
    text = text_of(row["source"])
    windows = (text[start : start + WINDOW] for start in range(0, max(len(text) - WINDOW, 0) + STEP, STEP))
    return max(len(asked & content_words(window)) for window in windows) / len(asked) if asked else 0.0


# ------------------------------------------------------------------------------------------------ documents


def test_there_are_enough_documents_in_every_format() -> None:
    found = documents()
    assert len(found) >= 25
    assert {path.suffix for path in found} == FORMATS


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(DOCUMENTS).as_posix())
def test_metadata(path: Path) -> None:
    meta = metadata(path)
    assert meta["title"]
    assert meta["owner"]
    assert date.fromisoformat(str(meta["date"]))
    assert set(meta) <= {"title", "date", "owner", "contacts", "groups", "superseded_by"}
    assert meta.get("contacts", "public") == "public"
    if "superseded_by" in meta:
        assert (DOCUMENTS / meta["superseded_by"]).is_file()


def test_every_side_car_belongs_to_a_document() -> None:
    for path in DOCUMENTS.rglob("*" + SIDE_CAR):
        assert path.with_name(path.name.removesuffix(SIDE_CAR)).is_file(), path.name


def test_at_most_one_document_is_for_a_group() -> None:
    assert sum("groups" in metadata(path) for path in documents()) <= 1


def test_some_document_is_superseded() -> None:
    assert any("superseded_by" in metadata(path) for path in documents())


def test_the_read_me_names_every_document() -> None:
    read_me = (CORPUS / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in documents() if path.relative_to(DOCUMENTS).as_posix() not in read_me]
    assert not missing


# ------------------------------------------------------------------------------------------------ questions


@by_id
def test_row(row: dict[str, Any]) -> None:
    assert set(row) - {"sample"} == KEYS
    assert row["question"].strip()
    assert row["kind"] in KINDS
    assert row["answerable"] == (row["kind"] != "unanswerable")
    assert bool(row["answers"]) == bool(row["facts"]) == bool(row["source"]) == row["answerable"]
    assert [turn["role"] for turn in row["history"]] == ["user", "assistant"] * (len(row["history"]) // 2)
    assert bool(row["history"]) or row["kind"] != "follow_up"


@by_answerable_id
def test_facts_are_in_the_source_and_in_each_answer(row: dict[str, Any]) -> None:
    assert (DOCUMENTS / row["source"]).is_file()
    for fact in map(folded, row["facts"]):
        assert fact in text_of(row["source"])
        for answer in row["answers"]:
            assert fact in folded(answer)


@by_answerable_id
def test_the_source_is_current_and_open_to_every_reader(row: dict[str, Any]) -> None:
    meta = metadata(DOCUMENTS / row["source"])
    assert "superseded_by" not in meta
    assert "groups" not in meta
    if row["kind"] == "public_contact":
        assert meta.get("contacts") == "public"
    if row["kind"] == "private_data":
        assert "contacts" not in meta


@pytest.mark.parametrize("row", [row for row in ANSWERABLE if row["kind"] == "private_data"], ids=lambda row: row["id"])
def test_private_data_is_in_no_document_with_public_contacts(row: dict[str, Any]) -> None:
    public = [path for path in documents() if metadata(path).get("contacts") == "public"]
    for path in public:
        text = text_of(path.relative_to(DOCUMENTS).as_posix())
        assert not any(folded(fact) in text for fact in row["facts"])


def test_ids_and_questions_are_unique() -> None:
    assert len({row["id"] for row in QUESTIONS}) == len(QUESTIONS)
    assert len({(row["question"], str(row["history"])) for row in QUESTIONS}) == len(QUESTIONS)


def test_shares() -> None:
    def count(kind: str) -> int:
        return sum(row["kind"] == kind for row in QUESTIONS)

    assert len(QUESTIONS) >= 72
    assert count("unanswerable") >= max(18, len(QUESTIONS) / 4)
    assert count("follow_up") >= 8
    assert count("public_contact") >= 10
    assert count("private_data") >= 10
    assert {row["kind"] for row in QUESTIONS} == KINDS


def test_half_of_the_questions_use_other_words_than_the_passage() -> None:
    other_words = [row for row in ANSWERABLE if shared_words(row) < 0.5]
    assert len(other_words) >= len(ANSWERABLE) / 2


def test_six_questions_are_samples_for_the_chat_page() -> None:
    samples = [row for row in QUESTIONS if row.get("sample")]
    expected = ["fact", "private_data", "public_contact", "superseded", "table", "unanswerable"]
    assert sorted(row["kind"] for row in samples) == expected
    assert not any(row["history"] for row in samples)
