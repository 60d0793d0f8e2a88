"""Values that a declaration allows a column: levels, ranges, and how a number is written."""

import math
from decimal import Decimal

from analysis.dataset.columns import Column, Kind

#: Range of a number where a declaration gives one end of it, or none.
_WIDTH = 100.0
#: Of that range, kept free at ends that are possible but not usual.
_MARGIN = 0.03
#: Longer ranges of whole numbers are no list to choose from.
_MOST_CHOICES = 1000
_DIGITS = 4


def levels(column: Column) -> tuple[str, ...]:
    """Return the levels that rows have: not those that are prepared as another one."""
    return column.modelled_levels if column.kind is Kind.CATEGORY else tuple(column.levels) or ("0", "1")


def limits(column: Column) -> tuple[float, float]:
    """Return the smallest and the largest possible value; infinite where none is declared."""
    low = 0.0 if column.minimum is None and column.kind is Kind.COUNT else column.minimum
    return -math.inf if low is None else low, math.inf if column.maximum is None else column.maximum


def usual_range(column: Column, width: float = _WIDTH) -> tuple[float, float]:
    """Return the usual range, whole for counts; ``width`` is that of a range with an open end."""
    low, high = column.minimum, column.maximum
    first = column.usual_minimum if column.usual_minimum is not None else low
    last = column.usual_maximum if column.usual_maximum is not None else high
    if first is None:
        first = 0.0 if last is None or last > 0 else last - width
    if last is None:
        last = first + width
    if column.kind is Kind.COUNT:
        return float(math.ceil(first)), float(math.floor(last))
    margin = _MARGIN * (last - first)
    return (
        first + margin if column.usual_minimum is None and low is not None else first,
        last - margin if column.usual_maximum is None and high is not None else last,
    )


def choices(column: Column) -> tuple[str, ...]:
    """Return all values of a column that can have only a few; nothing for others."""
    if column.kind in {Kind.CATEGORY, Kind.FLAG}:
        return levels(column)
    low, high = limits(column)
    if column.kind is Kind.COUNT and high - low < _MOST_CHOICES:
        return tuple(str(value) for value in range(math.ceil(low), math.floor(high) + 1))
    return ()


def number_text(column: Column, value: float) -> str:
    """Write a number as files have it: whole, or with four digits of the column's range after the point at least."""
    if column.kind is not Kind.MEASURE:
        return str(round(value))
    low, high = usual_range(column)
    wide = math.floor(math.log10(high - low)) if high > low else 0
    return f"{value:.{max(_DIGITS, _DIGITS - wide)}f}"


def exact_sum(texts: list[str]) -> str:
    """Add numbers as they are written."""
    return str(sum(map(Decimal, texts), Decimal()))


def standing(column: Column, text: str) -> float:
    """Return where a value stands between the column's first and last, 0 to 1."""
    if column.kind in {Kind.CATEGORY, Kind.FLAG}:
        known = levels(column)
        return known.index(text) / max(1, len(known) - 1) if text in known else 0.5
    low, high = usual_range(column)
    return (float(text) - low) / ((high - low) or 1.0)
