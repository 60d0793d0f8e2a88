"""A file to score beside the rows that the model was trained on: what lies outside of them, and how far."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.domains import lines_of
from analysis.checking.forms import Ranges
from analysis.checking.limits import QualityLimits
from analysis.checking.problems import Findings
from analysis.dataset.columns import NUMBERS, Column, Kind
from analysis.dataset.declaration import Dataset

_STEPS_OF_COUNTS = 20.0
"""Years since the first one may go on for decades; calendar years in their place are two thousand."""


def compare_with_training(
    rows: pa.Table, dataset: Dataset, ranges: Ranges, limits: QualityLimits, findings: Findings
) -> None:
    """Record values outside the training rows' range; refuse columns that are another quantity as a whole.

    Counts go on where those of the training rows ended (years do), so they may go further than measures.
    """
    lines = lines_of(rows)
    for name, (low, high) in ranges.items():
        column = dataset.columns.get(name)
        if column is None or column.kind not in NUMBERS or name not in rows.column_names:
            continue
        values = pc.cast(rows[name], pa.float64()).to_numpy()
        known = ~np.isnan(values)
        outside = known & ((values < low) | (values > high))
        if not outside.any():
            continue
        unit = f" {column.unit}" if column.unit else ""
        bounds = f"{low:.6g} to {high:.6g}{unit}"
        gap = max(low - float(values[known].max()), float(values[known].min()) - high)
        if gap > limits.outside_width * _most_widths(column, low, high):
            found = f"{float(values[known].min()):.6g} to {float(values[known].max()):.6g}"
            message = f"its values, {found}{unit}, are far from all that the model was trained on, {bounds}"
            findings.refuse(message, int(lines[outside][0]), name)
        elif outside.sum() > limits.outside_share * known.sum():
            findings.notice(name, f"outside the range of the training rows, {bounds}", lines[outside])


def _most_widths(column: Column, low: float, high: float) -> float:
    """Return how far from the range a whole column may lie: as far as it is wide, a count many times as far."""
    if column.kind is Kind.COUNT:
        return _STEPS_OF_COUNTS * max(high - low, 1.0)
    return high - low if column.kind is Kind.MEASURE and high > low else math.inf
