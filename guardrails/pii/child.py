"""Detection in a process of its own: an expression that hangs holds Python's lock, and only a kill ends it.

``python -m guardrails.pii.child`` is that process.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import OrderedDict
from dataclasses import astuple

from guardrails.pii.detect import DetectionTimeout, Detector
from guardrails.pii.detection import Detection
from guardrails.process import Child, ChildFailed, ChildTimeout, serve

logger = logging.getLogger(__name__)

SECONDS = 5.0  # for one text; 25 ms are usual
START_SECONDS = 120.0  # five are usual; many more on a machine that is busy or cold
REMEMBERED = 4096  # texts: the same passages come up again and again


class ChildDetector:
    """What ``Detector`` finds, found in another process. Safe under threads; remembers results, never texts."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._child = Child("guardrails.pii.child", start_seconds=START_SECONDS)
        self._seconds = seconds
        self._found: OrderedDict[bytes, tuple[Detection, ...]] = OrderedDict()
        self._changing = threading.Lock()

    def load(self) -> None:
        """Start the process and have it get ready, which takes some seconds."""
        self.detect("")

    def close(self) -> None:
        self._child.close()

    def detect(self, text: str) -> tuple[Detection, ...]:
        """As ``Detector.detect``.

        Raises:
            DetectionTimeout: the text was not looked through in time; the process was killed.
            ChildFailed: the process died of the text, or cannot be started.
        """
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._changing:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        try:
            answer = json.loads(self._child.ask(json.dumps(text), self._seconds))
        except ChildFailed as error:
            threading.Thread(target=self._start_again, daemon=True).start()
            if isinstance(error, ChildTimeout):
                raise DetectionTimeout("a text was not looked through for personal data in time") from None
            raise
        found = tuple(Detection(*values) for values in answer)
        with self._changing:
            self._found[key] = found
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
        return found

    def _start_again(self) -> None:
        """At once, not with the next text: its time would pass with starting."""
        try:
            self._child.start()
        except ChildFailed as error:
            logger.error("the process that looks for personal data is gone: %s", error)


def main() -> None:
    """Serve requests until standard input ends. A text that cannot be looked through ends the process."""
    detector = Detector()
    detector.load()
    serve(lambda line: json.dumps([astuple(found) for found in detector.detect(json.loads(line))]))


if __name__ == "__main__":
    main()
