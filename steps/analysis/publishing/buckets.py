"""Rows of any number as a bounded number of points: neighbours are merged into means."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

MOST_POINTS = 240
"""At most twice as many are kept."""


@dataclass(slots=True)
class Point:
    """Sums over neighbouring rows. first, last: what names the first and the last of them."""

    order: float
    count: int
    prediction: float
    lower: float
    upper: float
    known: int
    actual: float
    extrapolated: int
    first: str
    last: str

    def take(self, other: Point) -> None:
        """Take in another one that comes later. Written out, as it is done for each of millions of rows."""
        self.count += other.count
        self.prediction += other.prediction
        self.lower += other.lower
        self.upper += other.upper
        self.known += other.known
        self.actual += other.actual
        self.extrapolated += other.extrapolated
        self.last = other.last

    def mean(self, name: str) -> float:
        """Return the mean of prediction, lower or upper."""
        return float(getattr(self, name)) / self.count

    @property
    def mean_actual(self) -> float | None:
        """The mean of the known actual values; None where none is known."""
        return self.actual / self.known if self.known else None


class Buckets:
    """Points in their order, so many that a chart can tell them apart, whatever the number of rows."""

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self._points: list[Point] = []
        self._rows = 0

    def add(self, point: Point) -> None:
        """Take one row."""
        self._points.append(point)
        self._rows += point.count
        if len(self._points) > 8 * self._most:
            self._compress()

    def points(self) -> list[Point]:
        """Return all points; each row is one of its own where they are few enough."""
        if len(self._points) > self._most or any(point.count > 1 for point in self._points):
            self._compress()
        return sorted(self._points, key=attrgetter("order"))

    def _compress(self) -> None:
        # Two neighbours together exceed the size, so no more than twice as many are left as it would make of equals.
        size = -(-self._rows // self._most)
        left: list[Point] = []
        for point in sorted(self._points, key=attrgetter("order")):
            if left and left[-1].count + point.count <= size:
                left[-1].take(point)
            else:
                left.append(point)
        self._points = left
