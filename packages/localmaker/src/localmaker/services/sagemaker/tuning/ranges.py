"""The ranges of hyperparameters that a tuning job searches, and their values as the text that a training job gets.

A value is searched on a scale of its own: Logarithmic covers each order of magnitude alike, ReverseLogarithmic does so
close to 1. Auto, which leaves the choice to SageMaker, is Linear here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

#: A value on the scale on which it is searched.
Searched = str | int | float


class RangeKind(StrEnum):
    """The kind of a range, spelled as in the names of a request's members."""

    INTEGER = "Integer"
    CONTINUOUS = "Continuous"
    CATEGORICAL = "Categorical"


@dataclass(frozen=True)
class Range:
    """One hyperparameter and what it may be: from ``low`` to ``high``, or one of ``values``."""

    name: str
    kind: RangeKind
    low: float = 0.0
    high: float = 0.0
    scaling: str = "Auto"
    values: tuple[str, ...] = ()

    @property
    def is_logarithmic(self) -> bool:
        """Whether it is searched on a logarithmic scale, from either end."""
        return self.scaling in ("Logarithmic", "ReverseLogarithmic")

    def distribution(self) -> BaseDistribution:
        """Return the range on its scale, in optuna's terms."""
        from optuna import distributions

        if self.kind is RangeKind.CATEGORICAL:
            return distributions.CategoricalDistribution(self.values)
        if self.kind is RangeKind.INTEGER:
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.is_logarithmic)
        low, high = (1 - self.high, 1 - self.low) if self._is_reverse else (self.low, self.high)
        return distributions.FloatDistribution(low, high, log=self.is_logarithmic)

    def text(self, value: Searched) -> str:
        """Return a value as a training job gets it."""
        if self.kind is RangeKind.CONTINUOUS:
            return repr(self._within(1 - float(value) if self._is_reverse else float(value)))
        return str(value)

    def read(self, text: str) -> Searched | None:
        """Return the value of a text on the scale of the range; None where it is not in the range."""
        if self.kind is RangeKind.CATEGORICAL:
            return text if text in self.values else None
        try:
            number = float(text)
        except ValueError:
            return None
        if not self.low <= number <= self.high:
            return None
        if self.kind is RangeKind.INTEGER:
            return int(number)
        # 1 - (1 - x) may lie beside x.
        return min(max(1 - number, 1 - self.high), 1 - self.low) if self._is_reverse else number

    @property
    def _is_reverse(self) -> bool:
        return self.scaling == "ReverseLogarithmic"

    def _within(self, number: float) -> float:
        return min(max(number, self.low), self.high)


Space = tuple[Range, ...]


def space_of(ranges: Mapping[str, Any]) -> Space:
    """Return the ranges of a ParameterRanges structure.

    Raises:
        ValueError: a bound is no number, or no whole number for an integer.
    """
    return tuple(_ranges(ranges))


def _ranges(ranges: Mapping[str, Any]) -> Iterator[Range]:
    for kind in (RangeKind.INTEGER, RangeKind.CONTINUOUS):
        for item in ranges.get(f"{kind}ParameterRanges", []):
            low, high = (_bound(item, member, kind) for member in ("MinValue", "MaxValue"))
            yield Range(item["Name"], kind, low, high, item.get("ScalingType", "Auto"))
    for item in ranges.get("CategoricalParameterRanges", []):
        yield Range(item["Name"], RangeKind.CATEGORICAL, values=tuple(item["Values"]))


def _bound(item: Mapping[str, str], member: str, kind: RangeKind) -> float:
    try:
        number = float(item[member])
    except ValueError:
        raise ValueError(f"{member} of [{item['Name']}] is not a number: {item[member]}") from None
    if kind is RangeKind.INTEGER and not number.is_integer():
        raise ValueError(f"{member} of [{item['Name']}] is not a whole number: {item[member]}")
    return number


def texts(space: Space, values: Mapping[str, Searched]) -> dict[str, str]:
    """Return the values of a training job as text, by name."""
    return {one.name: one.text(values[one.name]) for one in space}


def read_all(space: Space, given: Mapping[str, str]) -> dict[str, Searched] | None:
    """Return the values of an earlier training job on the scales of a space; None where it lies outside."""
    found: dict[str, Searched] = {}
    for one in space:
        value = one.read(given[one.name]) if one.name in given else None
        if value is None:
            return None
        found[one.name] = value
    return found
