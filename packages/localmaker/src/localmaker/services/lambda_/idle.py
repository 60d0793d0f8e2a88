"""Processes of functions that wait for their next call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from localmaker.services.lambda_.execution import Execution
from localmaker.worker import Worker

# Lambda's are said to wait for minutes. Each holds some 60 MB here.
_IDLE_SECONDS = 300.0
_MOST = 8


class IdleExecutions:
    """Keeps processes that have answered, up to eight of them for up to five minutes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Execution] = []
        self._closed = False
        # A process ends with the thread that has started it, so that none outlives the endpoint.
        self._starters = ThreadPoolExecutor(_MOST, thread_name_prefix="function")
        self._worker = Worker("idle functions", self._expire)

    def take(self, key: object) -> Execution | None:
        """Return a process that waits for calls of a function as it is now; end those of an earlier state of it."""
        found: Execution | None = None
        outdated: list[Execution] = []
        with self._lock:
            for one in reversed(self._waiting):
                if found is None and one.function.key == key:
                    found = one
                elif one.function.replaced_by(key):
                    outdated.append(one)
            self._waiting = [one for one in self._waiting if one is not found and one not in outdated]
        for one in outdated:
            one.close()
        return found

    def start(self, work: Callable[[], None]) -> None:
        """Run what starts a process, in a thread that outlives the process."""
        self._starters.submit(work).result()

    def give(self, one: Execution) -> None:
        """Keep a process for the next call, if it is fit for that."""
        excess = [one]
        if one.clear():
            with self._lock:
                if not self._closed:
                    one.idle_since = time.monotonic()
                    self._waiting.append(one)
                    excess, self._waiting = self._waiting[:-_MOST], self._waiting[-_MOST:]
        for each in excess:
            each.close()
        self._worker.wake()

    def end(self, name: str) -> None:
        """End the processes of a function, in all its versions; one in the middle of a call is never taken again."""
        with self._lock:
            ended = [one for one in self._waiting if one.function.name == name]
            self._waiting = [one for one in self._waiting if one.function.name != name]
        for one in ended:
            one.close()

    def end_all(self) -> None:
        """End the processes that wait, of every function."""
        with self._lock:
            ended, self._waiting = self._waiting, []
        for one in ended:
            one.close()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        self._worker.close()
        for one in waiting:
            one.close()
        self._starters.shutdown(wait=False)

    def _expire(self) -> float | None:
        oldest = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            expired = [one for one in self._waiting if one.idle_since <= oldest]
            self._waiting = [one for one in self._waiting if one.idle_since > oldest]
            next_due = min((one.idle_since - oldest for one in self._waiting), default=None)
        for one in expired:
            one.close()
        return next_due
