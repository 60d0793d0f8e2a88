"""The calls of functions in progress."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakSet

from localmaker.sandbox.network import Door
from localmaker.services.lambda_.idle import IdleExecutions


class RunningFunctions:
    """Calls of functions in progress, so that they can be stopped.

    Attributes:
        idle: processes that wait for their next call.
        door: the only way out of the network of functions with a VpcConfig; without one they have the machine's.
    """

    def __init__(self) -> None:
        self.door: Door | None = None
        self.idle = IdleExecutions()
        self._lock = threading.Lock()
        # Each call holds its own for as long as it runs.
        self._stop: WeakSet[Callable[[bool], None]] = WeakSet()
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether all calls were stopped."""
        return self._stopped.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait; return whether all calls were stopped meanwhile."""
        return self._stopped.wait(seconds)

    def add(self, stop: Callable[[bool], None]) -> None:
        """Register how to stop a call; stop it at once if all calls have been stopped."""
        with self._lock:
            self._stop.add(stop)
            stopped = self._stopped.is_set()
        if stopped:
            stop(True)

    def stop_all(self) -> None:
        """Stop all calls and end all processes; deliveries of the calls stay in the outbox."""
        with self._lock:
            self._stopped.set()
            running = list(self._stop)
        for stop in running:
            stop(True)
        self.idle.close()
