"""What an endpoint came up with, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Restored:
    """What the endpoint came up with.

    Attributes:
        generation: the number of the last stored change.
        changed: when that was; seconds since 1970, 0 for an empty state.
        pieces: how many of each kind.
        after_kill: whether the endpoint before this one was killed.
        set_aside: what could not be used, and where it is now; empty as a rule.
    """

    generation: int
    changed: float
    pieces: dict[str, int]
    after_kill: bool
    set_aside: str = ""

    def __str__(self) -> str:
        if self.generation == 0:
            text = "new state"
        else:
            when = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            counts = ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in sorted(self.pieces.items()))
            ended = "was killed" if self.after_kill else "had stopped in order"
            text = f"state {self.generation} of {when} ({counts or 'empty'}); the endpoint before {ended}"
        return f"{text}; {self.set_aside}" if self.set_aside else text
