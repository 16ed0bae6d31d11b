"""The key that vouches for the log: made at first use, readable by its owner only, never replaced by itself.

Whoever holds it can write another log; whoever does not, cannot, and the public key shows it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from guardrails.audit.verifier import origin


class LogError(Exception):
    """The log cannot be carried on, and nothing may be shown. The message says why, and what to do."""


class SigningKey:
    """Signs statements about the log."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """Raises ``LogError`` when there is none, or it cannot be used."""
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except FileNotFoundError:
            raise LogError(
                f"the key that signs the log, {path}, is gone; restore it, or move the whole record away to begin anew"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise LogError(f"the key that signs the log, {path}, cannot be read ({type(error).__name__})") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise LogError(f"the key that signs the log, {path}, is of another kind")
        return cls(key)

    @classmethod
    def read_or_make(cls, path: Path) -> SigningKey:
        """The caller sees to it that nobody else makes one at the same time."""
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            new = path.with_suffix(".new")
            new.unlink(missing_ok=True)
            append(new, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            new.replace(path)
        return cls.read(path)

    def pem(self) -> str:
        """The public key."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, kind: str, values: Mapping[str, Any]) -> str:
        """A statement as one line of canonical JSON, which ``verifier.statement`` takes apart."""
        said = {"type": kind, "origin": origin(self.public), **values}
        signature = self._key.sign(rfc8785.dumps(said)).hex()
        return rfc8785.dumps(said | {"signature": signature}).decode()


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature verifies; the same as ``verifier.signed``, much faster."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def append(path: Path, data: bytes) -> None:
    """Add to a file that only its owner may read; when this returns, the disk has it."""
    made = not path.exists()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    finally:
        os.close(file)
    if made and os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
