"""The encoder: the same vectors as the library gives, words that fit their text, and no network."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.encoder import BATCH, Encoder, _batches
from guardrails.weights import MINILM, Weights, WeightsError


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    encoder = Encoder()
    encoder.load()
    return encoder


def test_vectors_are_the_librarys_own_in_order(encoder: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [f"text {'word ' * n}" for n in (3, 300, 1, 40)] + [""]
    own = SentenceTransformer(str(MINILM.path.parent), device="cpu", local_files_only=True)
    theirs = own.encode(texts, show_progress_bar=False)
    ours = encoder.embed(texts)
    assert ours.dtype == np.float32
    assert (ours * theirs).sum(axis=1).min() > 0.9999
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_a_processor_without_bfloat16_computes_as_the_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers import SentenceTransformer

    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True})
    texts = [f"text {'word ' * n}" for n in (3, 300, 1, 40)]
    own = SentenceTransformer(str(MINILM.path.parent), device="cpu", local_files_only=True)
    assert np.allclose(Encoder().embed(texts), own.encode(texts, show_progress_bar=False), atol=1e-5)


@given(st.lists(st.integers(0, 300), max_size=60))
def test_batches_hold_every_text_once_and_little_else(lengths: list[int]) -> None:
    batches = list(_batches(lengths))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[index] for index in batch) <= BATCH for batch in batches)


def test_few_shapes_are_computed(encoder: Encoder) -> None:
    """Memory is kept for each shape: it grew by 600 MB over 4 000 passages."""
    lengths = {encoder._padded([[7] * length, [7]])["input_ids"].shape[1] for length in range(255)}
    assert max(lengths) == 256
    assert len(lengths) == 16


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, encoder.dimensions)
    assert encoder.word_vectors([]) == []


@given(st.lists(st.text(max_size=80), max_size=4))
@settings(max_examples=30, deadline=None)
def test_words_lie_in_the_text_and_their_vectors_have_length_one(encoder: Encoder, texts: list[str]) -> None:
    for text, found in zip(texts, encoder.word_vectors(texts), strict=True):
        assert len(found.offsets) == len(found.vectors)
        assert all(0 <= start <= end <= len(text) for start, end in found.offsets)
        assert all(a[1] <= b[0] for a, b in zip(found.offsets, found.offsets[1:], strict=False))
        assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-4)


def test_a_text_longer_than_the_window_loses_no_word(encoder: Encoder) -> None:
    text = " ".join(f"word{n}" for n in range(900))
    (found,) = encoder.word_vectors([text])
    assert [text[start:end] for start, end in found.offsets] == text.split()
    assert np.linalg.norm(found.vectors, axis=1).min() > 0.99


def test_a_word_has_another_meaning_in_another_place(encoder: Encoder) -> None:
    money, river, also_money = encoder.word_vectors(
        ["The bank raised interest rates.", "They sat on the river bank.", "The bank lent us money."]
    )
    assert money.vectors[1] @ also_money.vectors[1] > money.vectors[1] @ river.vectors[5]


def test_half_characters_do_no_harm(encoder: Encoder) -> None:
    (found,) = encoder.word_vectors(["one \ud800 two"])
    assert tuple(found.offsets[-1]) == (6, 9)
    assert encoder.embed(["one \ud800 two"]).shape == (1, encoder.dimensions)


def test_threads_share_one_encoder(encoder: Encoder) -> None:
    texts = [f"sentence number {n} {'more ' * n}" for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(lambda text: encoder.embed([text])[0], texts))
        words = list(pool.map(lambda text: encoder.word_vectors([text])[0], texts))
    assert (np.stack(vectors) * encoder.embed(texts)).sum(axis=1).min() > 0.9999
    assert [len(found.offsets) for found in words] == [len(found.offsets) for found in encoder.word_vectors(texts)]


def test_loading_uses_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert Encoder().embed(["text"]).shape == (1, Encoder.dimensions)


def test_altered_weights_are_refused() -> None:
    altered = Weights(MINILM.name, MINILM.package, MINILM.file, "0" * 64, MINILM.licence)
    with pytest.raises(WeightsError, match="install it again"):
        Encoder(altered).embed(["text"])
