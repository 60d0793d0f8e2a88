"""Follow a job's processes from start to end: output, time limit, stop signal, and limits that were exceeded."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localmaker.sandbox import limits
from localmaker.sandbox.limits import Limits
from localmaker.sandbox.sandbox import SandboxProcess
from localmaker.services.sagemaker.jobs.running.instances import Instance

_READ_BYTES = 256 * 1024
# The system calls accept no timeout of weeks, as a job may have.
_LONGEST_WAIT_SECONDS = 86_400


@dataclass(frozen=True)
class ProcessEnd:
    """The end of a job's processes.

    Attributes:
        instance: the instance that decides how the job ends: the first that failed, else the last to end.
        code: its exit status, 128 + signal number where a signal ended it.
        timed_out: the time limit was reached.
        stopped: a stop was requested.
        exceeded: the limit that ended it, named as in :mod:`localmaker.sandbox.guard.limits`.
    """

    instance: Instance
    code: int
    timed_out: bool
    stopped: bool
    exceeded: str | None = None


class StopSignal:
    """A request to stop a job, from any thread; wakes the job's thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._lock = threading.Lock()
        self.requested = False
        self.at_once = False

    def request(self, *, at_once: bool = False) -> None:
        """Ask the job to end; with ``at_once`` it gets no grace period."""
        with self._lock:
            self.requested = True
            self.at_once = self.at_once or at_once
            if self._write >= 0:
                os.write(self._write, b"\0")

    def fileno(self) -> int:
        """Return a file descriptor that becomes readable with each request."""
        return self._read

    def clear(self) -> None:
        """Consume the requests that were made so far."""
        os.read(self._read, _READ_BYTES)

    def close(self) -> None:
        """Close the descriptors; later requests are only remembered."""
        with self._lock:
            os.close(self._read)
            os.close(self._write)
            self._write = -1


class Follower:
    """Follows the processes of one job's instances, in one thread.

    Args:
        processes: the running processes with their instances.
        stop: the job's stop signal.
        grace_seconds: time between asking the processes to end and killing them.
        allowed: the limits of the processes.
        together: the failure of one process ends the others.
        on_time_limit: called when the time limit is reached, before the processes are asked to end.
    """

    def __init__(
        self,
        processes: Sequence[tuple[Instance, SandboxProcess]],
        stop: StopSignal,
        grace_seconds: float,
        allowed: Limits,
        *,
        together: bool = True,
        on_time_limit: Callable[[], None] = lambda: None,
    ) -> None:
        self._running = list(processes)
        self._stop = stop
        self._grace_seconds = grace_seconds
        self._allowed = allowed
        self._together = together
        self._on_time_limit = on_time_limit
        self._selector = selectors.DefaultSelector()
        self._kill_at: float | None = None
        self._timed_out = self._stopped = False
        self._decisive: tuple[Instance, int, str | None] | None = None

    def follow(self, seconds: float | None) -> ProcessEnd:
        """Read the output until all have ended. End them at the time limit, on a stop request, or when one fails.

        Args:
            seconds: time limit; None for none.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._selector:
            self._selector.register(self._stop, selectors.EVENT_READ)
            for entry in self._running:
                self._selector.register(entry[1].output(), selectors.EVENT_READ)
                self._selector.register(entry[1].life(), selectors.EVENT_READ)
            if self._stop.requested:
                self._stop.request()
            while self._running:
                ready = self._wait(deadline)
                for entry in list(self._running):
                    self._handle(entry, ready)
                present = time.monotonic()
                if self._stop.fileno() in ready:
                    self._stop.clear()
                    self._stopped = True
                    self._end_all()
                if deadline is not None and present >= deadline:
                    self._timed_out, deadline = True, None
                    self._on_time_limit()
                    self._end_all()
                if self._kill_at is not None and (present >= self._kill_at or self._stop.at_once):
                    for _, process in self._running:
                        process.kill()
                    self._kill_at = None
        if self._decisive is None:
            raise ValueError("no process to follow")
        instance, code, limit = self._decisive
        return ProcessEnd(instance, code, self._timed_out, self._stopped, limit)

    def _wait(self, deadline: float | None) -> set[int]:
        logs = [instance.log for instance, _ in self._running]
        moments = [
            moment for moment in (deadline, self._kill_at, *(log.flush_due for log in logs)) if moment is not None
        ]
        wait = max(0.0, min(moments) - time.monotonic()) if moments else None
        ready = self._selector.select(None if wait is None else min(wait, _LONGEST_WAIT_SECONDS))
        for log in logs:
            if log.flush_due is not None and time.monotonic() >= log.flush_due:
                log.flush()
        return {key.fd for key, _ in ready}

    def _handle(self, entry: tuple[Instance, SandboxProcess], ready: set[int]) -> None:
        instance, process = entry
        if process.life() in ready:
            self._running.remove(entry)
            self._take_end(instance, process)
        elif process.output() in ready and not _take_output(instance, process):
            self._selector.unregister(process.output())

    def _take_end(self, instance: Instance, process: SandboxProcess) -> None:
        self._selector.unregister(process.life())
        if process.output() in self._selector.get_map():
            self._selector.unregister(process.output())
        os.set_blocking(process.output(), False)
        while _take_output(instance, process):
            pass
        code = process.wait()
        if process.exceeded is not None:
            instance.log.say(limits.explanation(process.exceeded, self._allowed))
        if self._decisive is None or self._decisive[1] == 0:
            self._decisive = (instance, code, process.exceeded)
            if code != 0 and self._together:
                self._end_all()

    def _end_all(self) -> None:
        for _, process in self._running:
            process.terminate()
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_seconds


def _take_output(instance: Instance, process: SandboxProcess) -> bool:
    try:
        data = os.read(process.output(), _READ_BYTES)
    except BlockingIOError:
        return False
    instance.log.write(data)
    return bool(data)
