"""Two models on the same rows: whether one is better, or chance explains the difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from analysis.model.artefact import Floats

LEVEL = 0.95
RESAMPLES = 1_000
FEWEST_ROWS = 20
"""With fewer, resamples are too much alike for an interval."""
BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference that these rows can show"
_SEED = 20261201
_DRAWN_AT_ONCE = 1 << 20
"""Rows: what bounds the memory, whatever the size of the table."""


def paired_intervals(actual: Floats, new: Floats, old: Floats) -> dict[str, list[float]] | None:
    """Return the interval of the difference in rmse, mae and r2 (the new model's less the old one's), seeded.

    actual: of shape (n,), never always the same; new, old: the models' predictions. Rows are drawn with replacement,
    the same for both models; the ends are percentiles of the differences. None for fewer than 20 rows.
    """
    if actual.size < FEWEST_ROWS:
        return None
    # Around the mean, and as differences, so that nothing small is lost between large squares.
    centred = actual - actual.mean()
    new_error, old_error = actual - new, actual - old
    columns = np.column_stack(
        [
            centred,
            centred**2,
            old_error**2,
            new_error**2 - old_error**2,
            np.abs(new_error) - np.abs(old_error),
        ]
    )
    mean, square, old_squared, change, absolute = np.concatenate(list(_resampled_means(columns))).T
    both = np.sqrt(np.maximum(old_squared + change, 0.0)) + np.sqrt(old_squared)
    variance = square - mean**2
    known = variance > 0.0
    differences = {
        "rmse": np.divide(change, both, out=np.zeros_like(change), where=both > 0.0),
        "mae": absolute,
        "r2": -change[known] / variance[known],
    }
    tails = [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0]
    return {name: [float(end) for end in np.quantile(found, tails)] for name, found in differences.items()}


def verdict(intervals: dict[str, list[float]] | None) -> str:
    """Say whether the new model is better or worse, by the error that a regression minimises: the RMSE."""
    low, high = (0.0, 0.0) if intervals is None else intervals["rmse"]
    if high < 0.0:
        return BETTER
    return WORSE if low > 0.0 else NO_DIFFERENCE


def compared(actual: Floats, new: Floats, old: Floats) -> dict[str, Any]:
    """Return the verdict with what it stands on."""
    intervals = paired_intervals(actual, new, old)
    return {
        "verdict": verdict(intervals),
        "rows": int(actual.size),
        "difference_intervals": intervals,
        "interval_level": LEVEL,
        "resamples": RESAMPLES if intervals else 0,
    }


def _resampled_means(columns: Floats) -> Iterator[Floats]:
    """Yield the means of the columns over resamples of their rows, some resamples at a time: (resamples, columns)."""
    random, rows = np.random.Generator(np.random.PCG64(_SEED)), columns.shape[0]
    at_once = max(1, _DRAWN_AT_ONCE // rows)
    for first in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - first)
        drawn = random.integers(0, rows, (count, rows))
        # How often each row was drawn: a product with that reads each row once, in order.
        drawn += np.arange(count)[:, np.newaxis] * rows
        times = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        yield times @ columns / rows
