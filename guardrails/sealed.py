"""Words at rest: encrypted with a key that lies apart, so that to destroy the key is to destroy the words.

AES-256-GCM. A sealed text is a random nonce, then the ciphertext; what it belongs to is authenticated with it, so that
one that was put elsewhere does not open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12  # random: good for 2**32 texts under one key


class Unreadable(Exception):
    """A sealed text does not open: it was changed or moved, or the key is not its own."""


def new_key() -> bytes:
    return AESGCM.generate_key(256)


def combined(keys: Sequence[bytes]) -> bytes:
    """One key out of several, in their order. Without any one of them it cannot be made again."""
    return HKDF(SHA256(), 32, None, b"candor combined").derive(b"".join(keys))


def seal(text: str, key: bytes, belongs_to: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text.encode("utf-8", "surrogatepass"), belongs_to.encode())


def unseal(sealed: bytes, key: bytes, belongs_to: str) -> str:
    """The text that was sealed.

    Raises:
        Unreadable: it was changed, or sealed with another key or for another place.
    """
    try:
        text = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], belongs_to.encode())
    except (InvalidTag, ValueError, TypeError):  # a cell may hold another type or length: SQLite lets it
        raise Unreadable("a sealed text does not open with this key") from None
    return text.decode("utf-8", "surrogatepass")
