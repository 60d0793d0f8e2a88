"""What each column may hold: levels and ranges, and values that are possible but strange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.forms import scale_of
from analysis.checking.problems import Findings, Lines, Mask
from analysis.checking.values import FLAG_LEVELS, allowed_levels, where
from analysis.dataset.columns import NUMBERS, Column, Kind
from analysis.dataset.declaration import Dataset


@dataclass(frozen=True)
class Broken:
    """A rule, and where it is broken.

    kind: what is wrong, without the value. message: what to say of the row at a position.
    """

    column: str
    kind: str
    mask: Mask
    message: Callable[[int], str]


def broken_domains(rows: pa.Table, dataset: Dataset, form: str) -> Iterator[Broken]:
    """Yield the cells that hold no declared level, or a number beyond the column's smallest and largest value."""
    for name, column in dataset.columns.items():
        if name not in rows.column_names:
            continue
        if column.kind in {Kind.CATEGORY, Kind.FLAG}:
            yield _other_levels(rows[name], name, column)
        elif column.kind in NUMBERS:
            yield from _out_of_range(rows[name], name, column, form)


def notice_unusual(rows: pa.Table, dataset: Dataset, findings: Findings) -> None:
    """Record the values that are possible but strange."""
    lines = lines_of(rows)
    for name, column in dataset.columns.items():
        if name in rows.column_names:
            unit = f" {column.unit}" if column.unit else ""
            if column.usual_minimum is not None:
                low = where(pc.less(rows[name], column.usual_minimum))
                findings.notice(name, f"less than the usual {column.usual_minimum:g}{unit}", lines[low])
            if column.usual_maximum is not None:
                high = where(pc.greater(rows[name], column.usual_maximum))
                findings.notice(name, f"more than the usual {column.usual_maximum:g}{unit}", lines[high])


def _other_levels(values: pa.ChunkedArray, name: str, column: Column) -> Broken:
    levels = pa.array([*(column.levels or FLAG_LEVELS)], pa.string())
    known = pc.is_in(pc.cast(values, pa.string()), value_set=levels)
    kind = f"is not one of {allowed_levels(column)}"
    return Broken(name, kind, where(pc.and_(pc.invert(known), pc.is_valid(values))), _after_value(values, kind))


def _out_of_range(values: pa.ChunkedArray, name: str, column: Column, form: str) -> Iterator[Broken]:
    low, high = column.minimum, column.maximum
    if low is None and column.kind is Kind.COUNT:
        low = 0.0
    outside = np.zeros(len(values), dtype=np.bool_)
    if low is not None:
        outside |= where(pc.less(values, low))
    if high is not None:
        outside |= where(pc.greater(values, high))
    if low is None and high is None:
        return
    scale = scale_of(column, form)
    unit = f" {column.unit}" if column.unit else ""
    if scale != 1.0:
        assert low is not None  # noqa: S101 - a declaration with scales has both
        assert high is not None  # noqa: S101
        kind = f"is outside {low / scale:g} to {high / scale:g}: this form has values divided by {scale:g}"
    elif low is not None and high is not None:
        kind = f"is outside {low:g} to {high:g}{unit}"
    elif low is not None:
        kind = "is negative" if low == 0 else f"is less than {low:g}{unit}"
    else:
        kind = f"is more than {high:g}{unit}"
    yield Broken(name, kind, outside, _after_value(values, kind, scale))


def _after_value(values: pa.ChunkedArray, kind: str, scale: float = 1.0) -> Callable[[int], str]:
    def message(row: int) -> str:
        value = values[row].as_py()
        return f"{value / scale:.6g} {kind}" if scale != 1.0 else f"{shown(value)} {kind}"

    return message


def shown(value: Any) -> str:
    """Return a value as messages have it: days and moments in ISO form."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def lines_of(rows: pa.Table) -> Lines:
    """Return the line of each row."""
    lines: Lines = rows["line"].to_numpy()
    return lines
