"""Trees and proofs agree with the definition in RFC 6962, read literally, and with the vectors known from it."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.audit import merkle
from guardrails.audit.verifier import grown, leaf, root

leaves = st.lists(st.binary(max_size=4), min_size=1, max_size=70).map(lambda inputs: [leaf(data) for data in inputs])
VECTORS = [  # of the implementations of Certificate Transparency
    b"",
    b"\x00",
    b"\x10",
    b" !",
    b"01",
    b"@ABC",
    b"PQRSTUVW",
    b"`abcdefghijklmno",
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def naive(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    cut = max(2**power for power in range(12) if 2**power < len(hashes))
    return hashlib.sha256(b"\x01" + naive(hashes[:cut]) + naive(hashes[cut:])).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_that_others_compute(size: int) -> None:
    assert merkle.tree_hash([leaf(data) for data in VECTORS[:size]]).hex() == ROOTS[size]


@settings(deadline=None)
@given(leaves)
def test_a_tree_that_grows_has_the_root_of_the_definition(hashes: list[bytes]) -> None:
    edge: tuple[bytes, ...] = ()
    for size, hash in enumerate(hashes):
        edge = grown(edge, size, hash)
        assert root(edge) == naive(hashes[: size + 1])
        assert len(edge) == (size + 1).bit_count()


@settings(deadline=None)
@given(leaves, st.data())
def test_a_leaf_is_proved_where_it_is_and_nowhere_else(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    proof, whole = merkle.inclusion_proof(index, hashes), naive(hashes)
    assert merkle.included(hashes[index], index, len(hashes), proof, whole)
    assert len(proof) <= (len(hashes) - 1).bit_length()
    other = data.draw(st.integers(-1, len(hashes)))
    assert merkle.included(hashes[index], other, len(hashes), proof, whole) == (
        other == index
        or (
            0 <= other < len(hashes)
            and merkle.inclusion_proof(other, hashes) == proof
            and hashes[other] == hashes[index]
        )
    )
    assert not merkle.included(leaf(b"another"), index, len(hashes), proof, whole)
    assert not merkle.included(hashes[index], index, len(hashes), [*proof, whole], whole)
    for at in range(len(proof)):
        assert not merkle.included(hashes[index], index, len(hashes), proof[:at] + proof[at + 1 :], whole)
        changed = [*proof[:at], leaf(b"another"), *proof[at + 1 :]]
        assert not merkle.included(hashes[index], index, len(hashes), changed, whole)


@settings(deadline=None)
@given(leaves, st.data())
def test_a_tree_is_proved_to_begin_with_an_earlier_one_and_with_no_other(
    hashes: list[bytes], data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, len(hashes)))
    proof, old, whole = merkle.consistency_proof(size, hashes), naive(hashes[:size]), naive(hashes)
    assert merkle.consistent(size, len(hashes), proof, old, whole)
    assert not merkle.consistent(size, len(hashes), proof, leaf(b"another"), whole)
    assert not merkle.consistent(size, len(hashes), proof, old, leaf(b"another"))
    assert not merkle.consistent(size, len(hashes), [*proof, whole], old, whole)
    assert not merkle.consistent(len(hashes) + 1, len(hashes), proof, old, whole)
    for at in range(len(proof)):
        changed = [*proof[:at], leaf(b"another"), *proof[at + 1 :]]
        assert not merkle.consistent(size, len(hashes), changed, old, whole)
        assert not merkle.consistent(size, len(hashes), proof[:at] + proof[at + 1 :], old, whole)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    hashes = [leaf(b"a")]
    with pytest.raises(IndexError):
        merkle.inclusion_proof(1, hashes)
    with pytest.raises(IndexError):
        merkle.consistency_proof(0, hashes)
    assert not merkle.consistent(1, 2, [], hashes[0], leaf(b"b"))
    assert not merkle.consistent(3, 5, [], hashes[0], leaf(b"b"))
