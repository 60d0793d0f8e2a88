"""How long somebody waits for an environment: until a stop is requested, or until a moment."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from localmaker.errors import LocalmakerError

_READ_BYTES = 64 * 1024
_KEPT_BYTES = 4000
_LONGEST_WAIT_SECONDS = 86_400


class Stop(Protocol):
    """A request to stop, from another thread."""

    def fileno(self) -> int:
        """Return a file descriptor that is readable from the request on."""


class StoppedWaitingError(LocalmakerError):
    """A stop was requested."""


class TimeExceededError(LocalmakerError):
    """The moment came."""


@dataclass(frozen=True)
class Patience:
    """When to give up; by default never.

    Attributes:
        stop: its requests are left for others to consume.
        deadline: on the clock of ``time.monotonic``.
    """

    stop: Stop | None = None
    deadline: float | None = None

    def wait(self, *descriptors: int, seconds: float | None = None) -> set[int]:
        """Return which descriptors are readable; none after the seconds.

        Raises:
            StoppedWaitingError: a stop was requested.
            TimeExceededError: the deadline has passed.
        """
        left = None if self.deadline is None else self.deadline - time.monotonic()
        waits = [wait for wait in (left, seconds) if wait is not None]
        with selectors.DefaultSelector() as selector:
            for descriptor in descriptors:
                selector.register(descriptor, selectors.EVENT_READ)
            if self.stop is not None:
                selector.register(self.stop, selectors.EVENT_READ)
            timeout = min(max(0.0, min(waits)), _LONGEST_WAIT_SECONDS) if waits else None
            ready = {key.fd for key, _ in selector.select(timeout)}
        if self.stop is not None and self.stop.fileno() in ready:
            raise StoppedWaitingError("stopped")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise TimeExceededError("out of time")
        return ready

    def until(self, succeeds: Callable[[], bool], *, every_seconds: float) -> None:
        """Try until it succeeds.

        Raises:
            StoppedWaitingError: a stop was requested.
            TimeExceededError: the deadline has passed.
        """
        while not succeeds():
            self.wait(seconds=every_seconds)

    def last_words(self, output: int, *ends: int) -> str:
        """Return the end of an output, at most 4000 bytes, once it is closed or another descriptor is readable.

        Raises:
            StoppedWaitingError: a stop was requested.
            TimeExceededError: the deadline has passed.
        """
        kept = b""
        os.set_blocking(output, False)
        while ready := self.wait(output, *ends) or {-1}:
            try:
                data = os.read(output, _READ_BYTES)
            except BlockingIOError:
                if ready.isdisjoint(ends):
                    continue
                break
            kept = (kept + data)[-_KEPT_BYTES:]
            if not data:
                break
        return kept.decode(errors="replace")


FOREVER = Patience()
