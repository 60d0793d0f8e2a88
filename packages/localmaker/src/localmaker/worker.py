"""A thread for work in the background: woken by requests, or by the clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 3600.0
_AFTER_A_FAILURE_SECONDS = 10.0


class Worker:
    """Works when it is woken, and when its next time has come, until it is closed. Its thread starts when first woken.

    Work that fails, as on a full disk, is tried again after 10 seconds.

    Args:
        name: of the thread, and of the work in the log.
        work: does what is due; returns the seconds until it is due again, None to sleep until the next wake.
        delay: seconds from a wake to the work; what wakes it meanwhile is done together.
        finishes: whether work that it was woken for is done before it closes.
    """

    def __init__(
        self, name: str, work: Callable[[], float | None], *, delay: float = 0.0, finishes: bool = False
    ) -> None:
        self._name, self._work = name, work
        self._delay, self._finishes = delay, finishes
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._woken = False
        self._closed = False

    @property
    def is_started(self) -> bool:
        """Whether it has been woken before."""
        return self._thread is not None

    def wake(self) -> None:
        """Let it work soon; return at once. A closed worker stays closed."""
        with self._changed:
            if self._closed:
                return
            self._woken = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Stop, and wait until what it is doing is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause: float | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._closed, pause)
                self._changed.wait_for(lambda: self._closed, self._delay)
                woken, self._woken = self._woken, False
                if self._closed and not (woken and self._finishes):
                    return
            try:
                seconds = self._work()
            except Exception:  # the thread must outlive every failure
                logger.exception("%s failed, and is tried again in %d s", self._name, _AFTER_A_FAILURE_SECONDS)
                seconds = _AFTER_A_FAILURE_SECONDS
            pause = None if seconds is None else max(0.0, min(seconds, _LONGEST_PAUSE_SECONDS))
