"""What a page says of the rows of a file, gathered while they are written, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.publishing.buckets import Buckets, Point

_MOST_NAMED = 10
_LONGEST_NAME = 60


@dataclass
class Errors:
    """How far predictions are from actual values, of the rows where these are known."""

    rows: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    signed: float = 0.0
    inside: int = 0

    def add(self, error: float, *, inside: bool) -> None:
        """Take one row."""
        self.rows += 1
        self.absolute += abs(error)
        self.squared += error * error
        self.signed += error
        self.inside += inside

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return self.absolute / self.rows

    @property
    def rmse(self) -> float:
        """Root of the mean squared error."""
        return math.sqrt(self.squared / self.rows)

    @property
    def bias(self) -> float:
        """Mean of actual minus predicted values."""
        return self.signed / self.rows

    @property
    def coverage(self) -> float:
        """Share of the actual values inside their interval."""
        return self.inside / self.rows


@dataclass
class Observed:
    """Of all rows. timed: whether their order is that of their times; otherwise they are ordered by prediction.

    width, total: sums of the intervals' widths and of predictions. errors: by role. outside: names of the first rows
    that lie outside the training ranges.
    """

    timed: bool
    time: int = 0
    """Position of what says when a row happened, among what names it."""
    without_key: bool = False
    """Whether the last two of those are an identifier, which nobody can read, and the row's line."""
    rows: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    total: float = 0.0
    width: float = 0.0
    errors: dict[str, Errors] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    buckets: Buckets = field(default_factory=Buckets)

    def add(self, named: Sequence[str], numbers: tuple[float, float, float], actual: str, mark: str, role: str) -> None:
        """Take one row: what names it, prediction with interval, and what is known of it."""
        prediction, lower, upper = numbers
        self.rows += 1
        if not self.lowest <= prediction <= self.highest:
            self.lowest, self.highest = min(self.lowest, prediction), max(self.highest, prediction)
        self.total += prediction
        self.width += upper - lower
        known = _number(actual) if actual else None
        if known is not None:
            if role not in self.errors:
                self.errors[role] = Errors()
            self.errors[role].add(known - prediction, inside=lower <= known <= upper)
        is_outside = mark == "1"
        if is_outside and len(self.outside) < _MOST_NAMED:
            names = [*named[:-2], f"line {named[-1]}"] if self.without_key else named
            self.outside.append(", ".join(names)[:_LONGEST_NAME])
        name = named[self.time][:_LONGEST_NAME] if self.timed else ""
        order = float(self.rows) if self.timed else prediction
        # By position: by name it takes half as long again, for each of millions of rows.
        self.buckets.add(
            Point(order, 1, prediction, lower, upper, known is not None, known or 0.0, is_outside, name, name)
        )

    def errors_of(self, *roles: str) -> Errors | None:
        """Return the errors of all rows of these roles; None where no actual value is known."""
        found = [self.errors[role] for role in roles if role in self.errors]
        if not found:
            return None
        return Errors(*(sum(getattr(one, name) for one in found) for name in Errors.__dataclass_fields__))


def _number(written: str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
