"""Records are sent over several connections at the same time until each is written or refused, or time is up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from analysis.ingestion.backlog import Backlog, Sending
from analysis.ingestion.calls import BATCH, Verdict
from analysis.ingestion.records import Record
from analysis.runtime.aws import backoff

_READY = 2
"""Batches for each connection, sent or ready: making them goes on while answers are waited for."""
_ROOM = 8
"""Batches for each connection, those that wait for another attempt included."""
_LONGEST_PAUSE = 2.0
"""Seconds. Since the records under way are bounded, a service that is down gets a few calls a second."""
_LOOK_SECONDS = 1.0
_Answer = tuple[list[Sending], Verdict | None]


@dataclass
class Delivery:
    """The state of one delivery.

    write: makes one call; it is used by several threads. workers: how many of them. deadline: moment of
    time.monotonic() at which sending ends. lost: called with each record that is not written, and the reason.
    progress: called often.
    """

    write: Callable[[Sequence[Record]], Verdict]
    workers: int
    deadline: float
    lost: Callable[[Record, str], None]
    progress: Callable[[], None] = lambda: None
    written: int = 0
    stop: str | None = None
    """Why sending has ended early."""
    _tasks: queue.SimpleQueue[list[Sending] | None] = field(default_factory=queue.SimpleQueue)
    _answers: queue.SimpleQueue[_Answer] = field(default_factory=queue.SimpleQueue)
    _sent: dict[int, list[Sending]] = field(default_factory=dict)

    def deliver(self, records: Iterator[Record]) -> None:
        """Send the records, and send again what may succeed yet; returns once the fate of each is known.

        Where the service hangs, calls may still be waiting for their answers afterwards: nobody waits for them.
        """
        backlog = Backlog(records, BATCH, self.workers * _ROOM * BATCH)
        for _ in range(self.workers):
            threading.Thread(target=self._work, daemon=True).start()
        try:
            while self.stop is None and not backlog.is_done:
                self._send(backlog)
                self._settle(backlog)
                self.progress()
                if time.monotonic() >= self.deadline and not backlog.is_done:
                    self.stop = "the deadline has passed"
            self._end(backlog)
        finally:
            for _ in range(self.workers):
                self._tasks.put(None)

    def _send(self, backlog: Backlog) -> None:
        while len(self._sent) < self.workers * _READY and (batch := backlog.next_batch(time.monotonic())):
            self._sent[id(batch)] = batch
            self._tasks.put(batch)

    def _settle(self, backlog: Backlog) -> None:
        """Wait for an answer, the next record that is due, or the deadline; take in all answers that are there."""
        moments = [self.deadline, time.monotonic() + _LOOK_SECONDS]
        if len(self._sent) < self.workers * _READY and backlog.next_due is not None:
            moments.append(backlog.next_due)
        timeout = max(0.0, min(moments) - time.monotonic())
        while True:
            try:
                batch, verdict = self._answers.get(timeout=timeout) if timeout else self._answers.get_nowait()
            except queue.Empty:
                return
            timeout = 0.0
            self._take(batch, verdict, backlog)

    def _take(self, batch: list[Sending], verdict: Verdict | None, backlog: Backlog) -> None:
        if verdict is None:
            raise RuntimeError("A thread that writes records has died; the traceback above says of what.")
        del self._sent[id(batch)]
        for position, reason in verdict.refused.items():
            self.lost(batch[position].record, reason)
        # One moment for all, so that what failed together stays together.
        attempts = 1 + max((batch[position].attempts for position in verdict.again), default=0)
        due = time.monotonic() + backoff(attempts, _LONGEST_PAUSE)
        for position, reason in verdict.again.items():
            backlog.repeat(batch[position], reason, due)
        settled = len(batch) - len(verdict.again)
        self.written += settled - len(verdict.refused)
        backlog.settled(settled)
        self.stop = self.stop or verdict.stop

    def _end(self, backlog: Backlog) -> None:
        """Account for every record that is neither written nor refused, once sending has ended."""
        while not self._tasks.empty():
            batch = self._tasks.get()
            if batch is not None:
                self._give_up(self._sent.pop(id(batch)), "not sent")
        while self._sent and time.monotonic() < self.deadline:
            self._settle(backlog)
        while not self._answers.empty():
            self._take(*self._answers.get(), backlog)
        for batch in self._sent.values():
            self._give_up(batch, "sent, and not answered, so it may be written")
        for sending in backlog.left():
            self._give_up([sending], "not sent")
            self.progress()

    def _give_up(self, batch: list[Sending], state: str) -> None:
        for sending in batch:
            tried = f"attempt {sending.attempts}: {sending.reason}" if sending.attempts else state
            self.lost(sending.record, f"{self.stop}; {tried}")

    def _work(self) -> None:
        while (batch := self._tasks.get()) is not None:
            verdict = None
            try:
                verdict = self.write([sending.record for sending in batch])
            finally:
                self._answers.put((batch, verdict))
