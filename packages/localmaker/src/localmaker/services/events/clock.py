"""The time that schedules go by: the machine's, until somebody moves it. Nothing else goes by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that can be moved, and goes on from there."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the time."""
        return self.at(datetime.now(UTC))

    def at(self, moment: datetime) -> datetime:
        """Return what it shows when the machine's clock shows a moment."""
        return moment + self._ahead

    def move(self, to: datetime) -> None:
        """Move it."""
        self._ahead = to - datetime.now(UTC)
