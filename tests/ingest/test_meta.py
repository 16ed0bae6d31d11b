"""What a document says of itself is understood, or the document is refused: never shown to everyone by mistake."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import LoadError, NotUnderstood
from rag.ingest.files import hash_of
from rag.ingest.load import load
from rag.ingest.meta import FOLDER, from_json, is_sidecar, rules_of, sidecar_of, to_json
from rag.types import EVERYONE, Document, Meta

FULL = Meta("Leave", date(2025, 2, 3), "Ines Kowalczyk", True, frozenset({"hr", "managers"}), "hr/leave-2026.md")


def loaded(folder: Path, text: str, name: str = "a.md", sidecar: str | None = None) -> Document:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    if sidecar is not None:
        sidecar_of(path).write_text(sidecar, encoding="utf-8")
    return load(path, folder)


def test_front_matter_is_read_and_is_no_text(tmp_path: Path) -> None:
    document = loaded(
        tmp_path,
        "---\ntitle: Leave\ndate: 2025-02-03\nowner: Ines Kowalczyk\ncontacts: public\ngroups: [hr, managers]\n"
        "superseded_by: hr/leave-2026.md\nlayout: page\n---\n\n# Heading\n\nWords.\n",
    )
    assert document.meta == FULL
    assert document.title == "Leave"
    assert document.text == "# Heading\n\nWords.\n"


def test_tags_of_a_page_are_read(tmp_path: Path) -> None:
    said = {"title": "Leave", "date": "2025-02-03", "owner": "Ines Kowalczyk", "contacts": "public"}
    said |= {"groups": "hr, managers", "superseded_by": "hr/leave-2026.md", "other": "x"}
    tags = "".join(f'<meta name="candor:{key}" content="{value}">' for key, value in said.items())
    assert loaded(tmp_path, f"<head>{tags}</head><p>Words.", "a.html").meta == FULL


def test_a_sidecar_describes_any_file_and_wins(tmp_path: Path) -> None:
    sidecar = (
        'title = "Leave"\ndate = 2025-02-03\nowner = "Ines Kowalczyk"\ncontacts = "public"\n'
        'groups = ["hr", "managers"]\nsuperseded_by = "hr/leave-2026.md"\n'
    )
    assert loaded(tmp_path, "Words.", "a.txt", sidecar).meta == FULL
    document = loaded(tmp_path, "---\ntitle: Old\nowner: Ada\n---\nWords.", "a.md", 'title = "New"')
    assert (document.title, document.meta.owner) == ("New", "Ada")


def test_a_document_that_says_nothing_is_for_everyone(tmp_path: Path) -> None:
    assert loaded(tmp_path, "# Leave\n\nWords.").meta == Meta()


@pytest.mark.parametrize(
    "text",
    [
        "---\nA line between two rules.\n---\nWords.",
        "---\nNote: this: that\n---\nWords.",
        "---\nno end\n",
        "Words.\n---\ntitle: x\n---\n",
    ],
)
def test_what_only_looks_like_front_matter_is_text(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).text == text


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (
            "title: Leave: all of it",
            r"its front matter is not valid YAML \(line 2\); put values with a colon in quotes",
        ),
        ("groups: []", "its front matter gives groups wrongly: it must be a list of at least one group name"),
        ("groups:", "gives groups wrongly"),
        ("groups: [1]", "gives groups wrongly"),
        ("groups: ''", "gives groups wrongly"),
        ("groups: {hr: true}", "gives groups wrongly"),
        ("contacts: everyone", 'gives contacts wrongly: it must be the word "public", or left out'),
        ("date: in spring", "gives date wrongly: it must be a day such as 2025-02-03"),
        ("title: [a]", "gives title wrongly: it must be words"),
    ],
)
def test_front_matter_that_is_not_understood_refuses_the_document(tmp_path: Path, block: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        loaded(tmp_path, f"---\n{block}\n---\nWords.")


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        ("group = ['hr']\nauthor = 'x'", "its side-car a.txt.meta.toml has author, group; known: title, date, owner"),
        ("groups = [", "its side-car a.txt.meta.toml is not valid TOML in UTF-8"),
        ("groups = []", "its side-car a.txt.meta.toml gives groups wrongly"),
    ],
)
def test_a_sidecar_that_is_not_understood_refuses_the_document(tmp_path: Path, sidecar: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        loaded(tmp_path, "Words.", "a.txt", sidecar)


def ruled(folder: Path, *rules: str) -> Path:
    """A chain of folders, each with its rule; the innermost. "" stands for none."""
    for rule in rules:
        folder = folder / "below"
        folder.mkdir()
        if rule:
            (folder / FOLDER).write_text(rule, encoding="utf-8")
    return folder


def test_a_folder_says_who_may_read_what_lies_below_it(tmp_path: Path) -> None:
    rule = 'groups = ["hr"]\nowner = "Ada"\ncontacts = "public"'
    folder = ruled(tmp_path, rule, "", "")
    said = Meta(owner="Ada", public_contacts=True, groups=frozenset({"hr"}))
    for name, text in (("a.txt", "Words."), ("a.md", "Words."), ("a.html", "<p>Words."), ("a.csv", "a,b\n1,2")):
        assert loaded(folder, text, name).meta == said


def test_the_nearest_says_it_and_each_key_alone(tmp_path: Path) -> None:
    folder = ruled(tmp_path, 'groups = ["hr"]\nowner = "Ada"', 'groups = ["managers"]')
    assert loaded(folder, "Words.").meta == Meta(owner="Ada", groups=frozenset({"managers"}))
    assert loaded(folder, "---\ngroups: [everyone]\n---\nWords.").meta.groups == {EVERYONE}
    assert loaded(folder, "Words.", "b.txt", 'groups = ["everyone"]').meta.groups == {EVERYONE}


def test_a_rule_above_what_was_ingested_counts(tmp_path: Path) -> None:
    folder = ruled(tmp_path, 'groups = ["hr"]', "")
    assert loaded(folder, "Words.").meta.groups == {"hr"}  # whose root is the folder itself


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (
            "group = ['hr']",
            "the rule of the folder below, _folder.meta.toml, has group; known: owner, contacts, groups",
        ),
        ("title = 'x'", "has title; known: owner, contacts, groups"),
        ("groups = [", "is not valid TOML in UTF-8"),
        ("groups = []", "gives groups wrongly"),
    ],
)
def test_a_rule_that_is_not_understood_refuses_what_lies_below_it(tmp_path: Path, rule: str, reason: str) -> None:
    folder = ruled(tmp_path, rule, 'groups = ["hr"]')
    for name in ("a.txt", "a.md"):
        with pytest.raises(NotUnderstood, match=reason):
            loaded(folder, "Words.", name)


def test_a_rule_that_leads_nowhere_refuses_too(tmp_path: Path) -> None:
    (tmp_path / FOLDER).symlink_to(tmp_path / "gone.toml")
    with pytest.raises(NotUnderstood, match=r"_folder.meta.toml, cannot be opened: No such file"):
        loaded(tmp_path, "Words.")


def test_every_file_that_counts_changes_the_hash(tmp_path: Path) -> None:
    folder = ruled(tmp_path, "", "")
    path = folder / "a.md"
    path.write_text("Words.")
    hashes = {hash_of(path)}
    for file in (folder.parent / FOLDER, folder / FOLDER, sidecar_of(path)):
        file.write_text('groups = ["hr"]')
        hashes.add(hash_of(path))
    assert rules_of(path) == [folder.parent / FOLDER, folder / FOLDER, sidecar_of(path)]
    assert len(hashes) == 4


def test_sidecars_are_known_by_their_name() -> None:
    assert sidecar_of(Path("hr/leave.pdf")) == Path("hr/leave.pdf.meta.toml")
    assert is_sidecar(Path("hr/leave.pdf.meta.toml"))
    assert is_sidecar(Path("hr") / FOLDER)
    assert not is_sidecar(Path("hr/leave.toml"))


words = st.text(max_size=20)


@given(st.builds(Meta, words, st.none() | st.dates(), words, st.booleans(), st.frozensets(words), words))
def test_meta_comes_back_from_json(meta: Meta) -> None:
    assert from_json(to_json(meta)) == meta
