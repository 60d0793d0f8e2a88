"""The calls of functions that run now."""

from __future__ import annotations

import threading
from collections.abc import Callable


class RunningFunctions:
    """The functions that deliveries have called and wait for, so that they can be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: list[Callable[[bool], None]] = []
        self.stopped = False

    def add(self, stop: Callable[[bool], None]) -> None:
        """Remember how to end one; it is ended at once where all are."""
        with self._lock:
            self._stop.append(stop)
            stopped = self.stopped
        if stopped:
            stop(True)

    def stop_all(self) -> None:
        """End them; their deliveries stay in the outbox."""
        with self._lock:
            self.stopped = True
            running = list(self._stop)
        for stop in running:
            stop(True)
