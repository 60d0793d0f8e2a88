"""Sums of realised errors that add up: of two files' sums the sum is that of both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


class Cell(NamedTuple):
    """What one realised prediction is counted under: the version that made it, and a day."""

    version: str
    day: str


@dataclass(frozen=True)
class Sums:
    """Sums of the errors of `rows` predictions (actual minus prediction), absolute and squared ones.

    covered: how many of their intervals hold the outcome.
    """

    rows: int = 0
    error: float = 0.0
    absolute: float = 0.0
    squared: float = 0.0
    covered: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.rows + other.rows,
            self.error + other.error,
            self.absolute + other.absolute,
            self.squared + other.squared,
            self.covered + other.covered,
        )

    @property
    def figures(self) -> dict[str, float]:
        """The means; there has to be a row."""
        return {
            "coverage": self.covered / self.rows,
            "mae": self.absolute / self.rows,
            "rmse": math.sqrt(self.squared / self.rows),
            "mean_error": self.error / self.rows,
        }


def sums_of(prediction: str, lower: str, upper: str, actual: str) -> Sums:
    """Return the sums of one prediction; an outcome on the border of the interval is in it."""
    value = float(actual)
    error = value - float(prediction)
    return Sums(1, error, abs(error), error * error, int(float(lower) <= value <= float(upper)))


Table = dict[Cell, Sums]


def added(tables: Iterable[Mapping[Cell, Sums]]) -> Table:
    """Return the sums of several tables, cell by cell."""
    total: Table = {}
    for table in tables:
        for cell, sums in table.items():
            total[cell] = total.get(cell, Sums()) + sums
    return total


def by_version(table: Mapping[Cell, Sums]) -> dict[str, Sums]:
    """Return the sums of each version."""
    versions = added({Cell(cell.version, ""): sums} for cell, sums in table.items())
    return {cell.version: sums for cell, sums in versions.items()}


def document_of(table: Mapping[Cell, Sums]) -> dict[str, dict[str, Any]]:
    """Return a table as it stands in a summary: version → day → sums."""
    versions: dict[str, dict[str, Any]] = {}
    for cell in sorted(table):
        versions.setdefault(cell.version, {})[cell.day] = asdict(table[cell])
    return versions


def table_of(document: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the table that a summary has."""
    return {Cell(version, day): Sums(**sums) for version, days in document.items() for day, sums in days.items()}
