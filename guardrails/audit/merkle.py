"""Proofs in a Merkle tree: RFC 6962, 2.1. Pure functions over the hashes of leaves.

How leaves and nodes are hashed, and how a tree grows, stands in ``verifier.py``, which must be whole in one file.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.audit.verifier import grown, node, root


def edge_of(leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """The roots of the full subtrees of a tree, the largest first."""
    edge: tuple[bytes, ...] = ()
    for size, hash in enumerate(leaves):
        edge = grown(edge, size, hash)
    return edge


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    return root(edge_of(leaves))


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """What proves that a leaf, counted from 0, is in the tree: RFC 6962, 2.1.1. The lowest hash comes first."""
    if not 0 <= index < len(leaves):
        raise IndexError("there is no such leaf")
    if len(leaves) == 1:
        return []
    cut = _cut(len(leaves))
    if index < cut:
        return [*inclusion_proof(index, leaves[:cut]), tree_hash(leaves[cut:])]
    return [*inclusion_proof(index - cut, leaves[cut:]), tree_hash(leaves[:cut])]


def consistency_proof(size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """What proves that a tree begins with the tree of its first ``size`` leaves: RFC 6962, 2.1.2."""
    if not 0 < size <= len(leaves):
        raise IndexError("a tree of this size is no part of this one")
    return _subproof(size, leaves, whole=True)


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows a leaf's hash to be in a tree of this size and root: RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    hash, last = leaf, size - 1
    for other in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            hash = node(other, hash)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            hash = node(hash, other)
        index, last = index >> 1, last >> 1
    return last == 0 and hash == root


def consistent(old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """Whether a proof shows the tree of ``old_root`` to be the beginning of the other: RFC 9162, 2.1.4.2."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    index, last = old_size - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    if not path:
        return False
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node(other, old), node(other, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node(new, other)
        index, last = index >> 1, last >> 1
    return last == 0 and (old, new) == (old_root, root)


def _subproof(size: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    cut = _cut(len(leaves))
    if size <= cut:
        return [*_subproof(size, leaves[:cut], whole=whole), tree_hash(leaves[cut:])]
    return [*_subproof(size - cut, leaves[cut:], whole=False), tree_hash(leaves[:cut])]


def _cut(size: int) -> int:
    """The largest power of two below a size of at least 2: where a tree is cut into its two halves."""
    return 1 << (size - 1).bit_length() - 1
