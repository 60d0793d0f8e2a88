"""What is to be sent next: records that wait for another attempt, and fresh ones while there is room for them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

from analysis.ingestion.records import Record


class Sending(NamedTuple):
    """A record, how often it was sent, and what became of it the last time."""

    record: Record
    attempts: int = 0
    reason: str = ""


class Backlog:
    """Records in the order in which they are due."""

    def __init__(self, fresh: Iterator[Record], batch: int, room: int) -> None:
        """Take records to be sent for the first time.

        batch: how many are sent together. room: how many are at most under way, sent or waiting.
        """
        self._fresh: Iterator[Record] | None = fresh
        self._batch, self._room = batch, room
        self._waiting: list[tuple[float, int, Sending]] = []
        self._number = count()
        self._under_way = 0

    def next_batch(self, now: float) -> list[Sending]:
        """Return what to send now: records that are due again, filled up with fresh ones; empty where nothing is."""
        due: list[Sending] = []
        while self._waiting and self._waiting[0][0] <= now and len(due) < self._batch:
            due.append(heapq.heappop(self._waiting)[2])
        free = self._batch - len(due)
        if self._fresh is not None and self._under_way + free <= self._room:
            taken = [Sending(record) for record in islice(self._fresh, free)]
            self._under_way += len(taken)
            if len(taken) < free:
                self._fresh = None
            due += taken
        return due

    def repeat(self, sending: Sending, reason: str, due: float) -> None:
        """Let a record be sent again at `due`."""
        heapq.heappush(self._waiting, (due, next(self._number), Sending(sending.record, sending.attempts + 1, reason)))

    def settled(self, records: int) -> None:
        """Take note that so many records need no further attempt."""
        self._under_way -= records

    @property
    def is_done(self) -> bool:
        """Whether nothing is left, neither here nor sent."""
        return self._fresh is None and not self._under_way

    @property
    def next_due(self) -> float | None:
        """When a record is due again."""
        return self._waiting[0][0] if self._waiting else None

    def left(self) -> Iterator[Sending]:
        """Yield what was never sent or waits, and forget it."""
        waiting, self._waiting = self._waiting, []
        yield from (sending for _, _, sending in sorted(waiting))
        fresh, self._fresh = self._fresh, None
        yield from map(Sending, fresh or ())
