"""What is told of an error that nobody raised on purpose: to the log where it happened, to the reader that it did."""

from __future__ import annotations

import logging
import traceback

logger = logging.getLogger(__name__)

SOMETHING_WRONG = "Something went wrong; the details are in the log."


def told(what: str, error: BaseException) -> str:
    """Log the kind of error and its place in the code, never its message, which may quote; returns what to show."""
    frames = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-4:]))
    logger.error("%s: %s at %s", what, type(error).__name__, place or "an unknown place")
    return SOMETHING_WRONG
