"""Metrics and plots in the forms that SageMaker's card schemas have for them.

What has no finite value is left out: a card can't say "unknown" with a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.card.texts import LABEL, LINE, NAME, fitting, rounded

Metric = dict[str, Any]
_LARGEST_MATRIX = 20
"""Rows and columns that a matrix may have."""


def number(name: str, value: Any, notes: str = "") -> list[Metric]:
    """Return a figure; nothing where there is none."""
    found = rounded(value)
    return [] if found is None else [_metric(name, "number", found, notes)]


def text(name: str, value: str, notes: str = "") -> list[Metric]:
    """Return a verdict or another short text."""
    return [_metric(name, "string", fitting(value, LABEL), notes)] if value else []


def bars(name: str, heights: Mapping[str, Any], axis: str, notes: str = "") -> list[Metric]:
    """Return a bar chart: label → height; axis: what is measured."""
    known = {label: found for label, value in heights.items() if (found := rounded(value)) is not None}
    if not known:
        return []
    names = {"x_axis_name": [fitting(label, LABEL) for label in known], "y_axis_name": fitting(axis, LABEL)}
    return [_metric(name, "bar_chart", list(known.values()), notes) | names]


def line(name: str, points: Iterable[tuple[Any, Any]], axes: tuple[str, str], notes: str = "") -> list[Metric]:
    """Return a graph through points, in their order."""
    pairs = [[rounded(x), rounded(y)] for x, y in points]
    known = [pair for pair in pairs if None not in pair]
    if not known:
        return []
    names = dict(zip(("x_axis_name", "y_axis_name"), (fitting(axis, LABEL) for axis in axes), strict=True))
    return [_metric(name, "linear_graph", known, notes) | names]


def matrix(name: str, rows: Mapping[str, Sequence[Any]], columns: Sequence[str], notes: str = "") -> list[Metric]:
    """Return a table of numbers: label of the row → its numbers; only the first twenty that are complete."""
    complete = {label: [rounded(value) for value in values] for label, values in rows.items()}
    known = [(label, values) for label, values in complete.items() if None not in values][:_LARGEST_MATRIX]
    if not known:
        return []
    names = {
        "x_axis_name": [fitting(column, LABEL) for column in columns],
        "y_axis_name": [fitting(label, LABEL) for label, _ in known],
    }
    return [_metric(name, "matrix", [values for _, values in known], notes) | names]


def group(name: str, *metrics: list[Metric]) -> list[dict[str, Any]]:
    """Return a group of metrics; nothing for an empty one."""
    found = [metric for some in metrics for metric in some]
    return [{"name": fitting(name, LABEL), "metric_data": found}] if found else []


def _metric(name: str, kind: str, value: Any, notes: str) -> Metric:
    metric = {"name": fitting(name, NAME), "type": kind, "value": value}
    return metric | ({"notes": fitting(notes, LINE)} if notes else {})
