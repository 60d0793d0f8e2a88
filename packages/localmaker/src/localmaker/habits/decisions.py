"""What happens to a call: drawn from a seed, by operation and resource, so that a run can be repeated.

A draw depends on the seed, on what it is for, and on how many draws for the same came before it; never on time, nor on
the order of calls to different resources, which the threads of a client decide.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import Enum

#: Refusals and lost answers in a row of one operation on one resource: fewer than the attempts of every AWS client.
_LONGEST_ROW = 3


class Fate(Enum):
    """What becomes of a call."""

    ANSWERED = "answered"
    THROTTLED = "refused: too many requests"
    FAILED = "refused by a failure of the service, which has done nothing"
    LOST = "done, and answered with a failure"
    CUT_OFF = "done, and the connection is closed instead of an answer"


#: Fate → how likely it is, for a call that reads and for one that changes something.
_READING = {Fate.THROTTLED: 0.06, Fate.FAILED: 0.02}
_CHANGING = {Fate.THROTTLED: 0.08, Fate.FAILED: 0.04, Fate.LOST: 0.06, Fate.CUT_OFF: 0.06}


@dataclass(frozen=True)
class Subject:
    """An operation on a resource.

    Attributes:
        operation: ``service:Operation``.
        resource: its ARN, or another name that tells it from others.
    """

    operation: str
    resource: str


class Decisions:
    """Draws for one run of the endpoint. Not safe for threads: its user holds a lock.

    Args:
        seed: the same seed and the same calls have the same fates.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: Counter[tuple[str, Subject]] = Counter()
        self._row: Counter[Subject] = Counter()

    def fate(self, subject: Subject, *, changes: bool) -> Fate:
        """Return what becomes of the next call."""
        left = self._draw("fate", subject)
        if self._row[subject] < _LONGEST_ROW:
            for fate, likelihood in (_CHANGING if changes else _READING).items():
                left -= likelihood
                if left < 0:
                    self._row[subject] += 1
                    return fate
        self._row[subject] = 0
        return Fate.ANSWERED

    def count(self, habit: str, subject: Subject, most: int) -> int:
        """Return for how many calls a habit lasts, from none to ``most``."""
        return int(self._draw(habit, subject) * (most + 1))

    def _draw(self, purpose: str, subject: Subject) -> float:
        """Return the next number for a purpose, at least 0 and less than 1."""
        self._drawn[purpose, subject] += 1
        number = self._drawn[purpose, subject]
        text = f"{self._seed}/{purpose}/{subject.operation}/{subject.resource}/{number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
