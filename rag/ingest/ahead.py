"""Reading ahead: files are read in a thread while others are embedded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE = 2.0  # seconds that a closed reader gets to end


class Ahead(Generic[T]):
    """Draws from an iterator in a thread, as far ahead as ``most`` of what ``weight`` weighs. For one consumer.

    Args:
        interrupt: called on closing; whatever the iterator waits for ends then.
        cancelled: when set, nothing more is drawn or given out.
    """

    def __init__(
        self,
        items: Iterator[T],
        weight: Callable[[T], int],
        most: int,
        interrupt: Callable[[], None],
        cancelled: threading.Event,
    ) -> None:
        self._items = items
        self._weight = weight
        self._most = most
        self._interrupt = interrupt
        self._cancelled = cancelled
        self._closed = False
        self._drawn: deque[T] = deque()
        self._over = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._draw, name="reading ahead", daemon=True)

    def __enter__(self) -> Ahead[T]:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._interrupt()
        self._thread.join(PATIENCE)

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                while not (self._drawn or self._over):
                    if self._cancelled.is_set():
                        return
                    self._changed.wait(0.2)
                if self._cancelled.is_set():
                    return
                if not self._drawn:
                    if self._error:
                        raise self._error
                    return
                item = self._drawn.popleft()
                self._changed.notify_all()
            yield item

    def _draw(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._drawn.append(item)
                    self._changed.notify_all()
                    while not self._closed and sum(map(self._weight, self._drawn)) >= self._most:
                        self._changed.wait()
                    if self._closed or self._cancelled.is_set():
                        break
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
