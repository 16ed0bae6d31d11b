"""A process of our own that answers line by line and can be killed: for code that may crash, hang or hold the lock.

Of Python, that is: a deadline in a thread is none for code that never lets go of the interpreter. One line of JSON
asks, one answers: whatever happens in there, it cannot send objects that run code here.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

READY = "ready"
GRACE_SECONDS = 5  # for a process that closed its end to be gone


class ChildFailed(Exception):
    """The process gave no answer. The message says how, and quotes nothing."""


class ChildTimeout(ChildFailed):
    """The answer did not come in time; the process was killed."""


class ChildNotStarted(ChildFailed):
    """The process did not come up."""


class Child:
    """``python -m module arguments``, started when first asked and again when it was lost. Safe to share.

    Args:
        start_seconds: within which it must be ready.
    """

    def __init__(self, module: str, *arguments: str, start_seconds: float = 30.0) -> None:
        self._command = [sys.executable, "-P", "-m", module, *arguments]  # -P: no module of the working folder
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._one_at_a_time = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it now rather than at the first question.

        Raises:
            ChildNotStarted: it did not come up.
        """
        with self._one_at_a_time:
            self._running()

    def ask(self, line: str, seconds: float) -> str:
        """The answer to one line. Those who ask wait for each other; ``seconds`` count from one's turn.

        Raises:
            ChildTimeout: it was killed, because the answer did not come in time.
            ChildFailed: it ended by itself, or did not come up.
        """
        with self._one_at_a_time:
            process = self._running()
            try:
                _pipe(process.stdin).write(line + "\n")
                _pipe(process.stdin).flush()
                answer = self._answers.get(timeout=seconds)
            except queue.Empty:
                self._end()
                raise ChildTimeout(f"no answer within {seconds:.0f} s") from None
            except OSError:
                answer = None
            if answer is None:
                raise ChildFailed(self._why_it_ended())
            return answer

    def interrupt(self) -> None:
        """Kill the process in the middle of whatever it does; who waits for its answer gets ``ChildFailed``."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process. The next question starts another."""
        with self._one_at_a_time:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = process = _start(self._command)
        self._answers = queue.SimpleQueue()
        threading.Thread(target=_collect, args=(_pipe(process.stdout), self._answers), daemon=True).start()
        try:
            ready = self._answers.get(timeout=self._start_seconds)
        except queue.Empty:
            ready = None
        if ready != READY:
            self._end()
            raise ChildNotStarted("it could not be started; run candor doctor")
        return process

    def _why_it_ended(self) -> str:
        process = self._process
        try:
            status = process.wait(timeout=GRACE_SECONDS) if process else 0
        except subprocess.TimeoutExpired:
            status = 0
        self._end()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:
                logger.debug("a pipe of the ended process was closed already")


def serve(answer: Callable[[str], str]) -> None:
    """Be such a process: answer each line of standard input. When the parent is gone, end at once, whatever runs."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not break the protocol
    questions: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_watch, args=(questions,), daemon=True).start()
    print(READY, file=answers, flush=True)
    while True:
        said = answer(questions.get())
        print(said.replace("\n", " "), file=answers, flush=True)  # a second line would be the next question's answer


def _watch(questions: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        questions.put(line.rstrip("\n"))
    os._exit(0)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("the process was started without pipes")
    return pipe


def _start(command: list[str]) -> subprocess.Popen[str]:
    package = str(Path(__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what a library prints may quote the text
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [package, known])), "PYTHONUTF8": "1"},
        encoding="utf-8",
        bufsize=1,
    )


def _collect(pipe: IO[str], answers: queue.SimpleQueue[str | None]) -> None:
    """Put each line into ``answers``, then None when the process has closed its end."""
    try:
        for line in pipe:
            answers.put(line.rstrip("\n"))
    except (OSError, ValueError):
        logger.debug("the pipe was closed while it was read")
    answers.put(None)
