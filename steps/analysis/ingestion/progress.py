"""How far the ingestion is, said every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

_SECONDS = 5.0


@dataclass
class Progress:
    """Says how many records are written, how fast, and about how long the rest takes.

    written: how many are. share_read: how much of the files was read, 0 to 1.
    """

    written: Callable[[], int]
    share_read: Callable[[], float]
    started: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        """Say it, if it is time."""
        now = time.monotonic()
        if now - self._said < _SECONDS:
            return
        self._said = now
        print(f"ingest: {in_words(self.written(), self.share_read(), now - self.started)}", flush=True)


def in_words(written: int, share_read: float, seconds: float) -> str:
    """Say how far it is; how much was read tells how much is left."""
    text = f"{written:,} records written, {written / seconds:,.0f} a second"
    if not written or not share_read:
        return text
    return f"{text}, about {timedelta(seconds=round(seconds * (1.0 - share_read) / share_read))} left"
