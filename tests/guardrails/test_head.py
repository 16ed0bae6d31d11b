"""What the head of the grounding guard reads, and that it reads no orders."""

from __future__ import annotations

import numpy as np
import pytest

from guardrails.encoder import Encoder
from guardrails.grounding.align import Reading
from guardrails.grounding.evidence import CHARACTERS, evidence
from guardrails.grounding.head import SENTENCE, Kind, Part, pieces
from guardrails.trained import PIECES
from guardrails.training.minilm import original_tokenizer

ENCODER = Encoder()
LEAVE = "Full-time staff have 28 days of leave. The canteen opens at noon. Leave lapses on 31 March."
OTHER = "The depot lies at the river. Bicycles are leased for 36 months."


def read(*texts: str) -> list[Reading]:
    return [Reading(text, vectors) for text, vectors in zip(texts, ENCODER.word_vectors(texts), strict=True)]


def test_the_sentences_that_cover_the_claim_are_chosen() -> None:
    claim, leave, other = read("Bicycles are leased for 36 months and leave lapses in March.", LEAVE, OTHER)
    texts = [(leave, other)[one.passage].text[one.start : one.end] for one in evidence(claim, [leave, other])]
    assert "Leave lapses on 31 March" in texts
    assert "Bicycles are leased for 36 months" in texts


def test_of_long_passages_no_more_is_read_than_fits() -> None:
    claim, long = read("Staff have leave.", f"{LEAVE} {OTHER} " * 40)
    chosen = evidence(claim, [long])
    assert sum(one.size for one in chosen[:-1]) < CHARACTERS
    found = pieces(original_tokenizer(), *read("staff " * 300, "leave " * 300), [long] * 5)
    assert len(found.ids) == PIECES
    assert len(found.offsets) == SENTENCE


@pytest.mark.parametrize("text", ["", " ", "\ud800", "🙂" * 300, "0"])
def test_any_text_can_be_read(text: str) -> None:
    claim, question, passage = read(text or "x", text, text)
    found = pieces(original_tokenizer(), claim, question, [passage])
    assert len(found.ids) == len(found.kinds) == len(found.parts)


def test_each_word_is_told_what_is_known_of_it() -> None:
    claim, question, leave = read("Staff never have 29 days of bonus.", "Is there a bonus?", LEAVE)
    found = pieces(original_tokenizer(), claim, question, [leave])
    kinds = {claim.text[start:end]: Kind(kind) for (start, end), kind in zip(found.offsets, found.kinds, strict=False)}
    assert kinds["Staff"] is Kind.IN_EVIDENCE
    assert kinds["never"] is Kind.NEGATION
    assert kinds["29"] is Kind.NEW_NUMBER
    assert kinds["bonus"] is Kind.IN_EVIDENCE  # the question has it
    assert kinds["of"] is Kind.OF_SENTENCE
    assert np.unique(found.parts).tolist() == sorted({Part.SENTENCE, Part.QUESTION, Part.EVIDENCE, Part.PASSAGE})
