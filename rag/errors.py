"""Everything that ``rag`` raises on purpose.

* CandorError
  x SettingsError      the settings cannot be used; nothing was started
  x InstallationError  a model file or package is missing or not what it should be
  x LoadError          one source file cannot be read; the other files still are
    + NoText           the file is sound, but holds no text
    + NotUnderstood    what is said of it, and so of who may read it, is not understood
    + LoaderFailed     its loader crashed, hung or ran out of memory: a fault of the loader, not only of the file
  x NoPicture          a page cannot be shown as a picture; its words still are
  x StoreError         the index cannot be reached, or was built with another embedding model
  x StillLoading       the parts are not ready yet
  x OwnedElsewhere     another process holds the state folder
  x ModelError         the generative model gave no usable reply
  x AnswerFailed       a part broke that an answer cannot do without
  x NotRecorded        the audit log cannot be written; nothing more is shown
  x NotAllowed         the reader's role does not permit this
  x DataError          labelled data for a measurement cannot be used
"""

from __future__ import annotations

from pathlib import Path


class CandorError(Exception):
    """Base class. The message is written for the person who can act on it; it never quotes a question or document."""


class SettingsError(CandorError):
    """The settings cannot be used; nothing was started."""


class InstallationError(CandorError):
    """A model file or package is missing or not what it should be."""


class LoadError(CandorError):
    """One source file cannot be read; the other files still are."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"cannot read {path}: {reason}")
        self.path = path
        self.reason = reason


class NoText(LoadError):
    """The file is sound, but holds no text."""


class NotUnderstood(LoadError):
    """What is said of the file, and of who may read it, is not understood: an older version may not be read either."""


class LoaderFailed(LoadError):
    """Its loader crashed, hung or ran out of memory: a fault of the loader, not only of the file."""


class NoPicture(CandorError):
    """A page cannot be shown as a picture; its words still are."""


class StoreError(CandorError):
    """The index cannot be reached, or was built with another embedding model."""


class StillLoading(CandorError):
    """The parts are not ready yet; worth trying again in a few seconds."""


class OwnedElsewhere(CandorError):
    """Another process holds the state folder."""


class ModelError(CandorError):
    """The generative model gave no usable reply."""


class ModelLooped(ModelError):
    """The generative model wrote the same words over and over."""


class NotAllowed(CandorError):
    """The reader's role does not permit this."""


class AnswerFailed(CandorError):
    """A part broke that an answer cannot do without; recorded, and logged without its words."""


class NotRecorded(CandorError):
    """The audit log cannot be written; nothing more is shown."""


class DataError(CandorError):
    """Labelled data for a measurement cannot be used; names the file and line."""
