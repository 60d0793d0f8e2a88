"""Regression metrics with their definitions, each over arrays of shape (n,) in the target's unit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 500
_SEED = 20260101


def r_squared(actual: Floats, predicted: Floats) -> float | None:
    """Return 1 - residual / total sum of squares; None where the actual values never change and it has no meaning."""
    total = float(((actual - actual.mean()) ** 2).sum())
    return None if total == 0.0 else 1.0 - float(((actual - predicted) ** 2).sum()) / total


def adjusted_r_squared(r2: float | None, rows: int, features: int) -> float | None:
    """Adjust R-squared for the number of features; None with too few rows."""
    freedom = rows - features - 1
    return None if r2 is None or freedom <= 0 else 1.0 - (1.0 - r2) * (rows - 1) / freedom


def mean_absolute_error(actual: Floats, predicted: Floats) -> float:
    """Average the absolute errors."""
    return float(np.abs(actual - predicted).mean())


def mean_squared_error(actual: Floats, predicted: Floats) -> float:
    """Average the squared errors."""
    return float(((actual - predicted) ** 2).mean())


def mean_absolute_percentage_error(actual: Floats, predicted: Floats) -> float | None:
    """Average the errors in percent, over the rows whose actual value is not 0; None where there is none."""
    some = actual != 0
    return float((np.abs(actual[some] - predicted[some]) / np.abs(actual[some])).mean() * 100.0) if some.any() else None


def all_metrics(actual: Floats, predicted: Floats, features: int) -> dict[str, Any]:
    """Compute rows, r2, adjusted_r2, mae, mse, rmse, mape (percent) and mean_error (actual - predicted)."""
    r2 = r_squared(actual, predicted)
    mse = mean_squared_error(actual, predicted)
    return {
        "rows": int(actual.size),
        "r2": r2,
        "adjusted_r2": adjusted_r_squared(r2, int(actual.size), features),
        "mae": mean_absolute_error(actual, predicted),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "mape": mean_absolute_percentage_error(actual, predicted),
        "mean_error": float((actual - predicted).mean()),
    }


def resampled_deviations(actual: Floats, predicted: Floats) -> dict[str, float | None]:
    """Return the standard deviation of r2, mae, mse and rmse over seeded bootstrap resamples of the rows."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    drawn: dict[str, list[float]] = {"r2": [], "mae": [], "mse": [], "rmse": []}
    for _ in range(RESAMPLES):
        rows = random.integers(0, actual.size, actual.size)
        mse = mean_squared_error(actual[rows], predicted[rows])
        r2 = r_squared(actual[rows], predicted[rows])
        drawn["mae"].append(mean_absolute_error(actual[rows], predicted[rows]))
        drawn["mse"].append(mse)
        drawn["rmse"].append(math.sqrt(mse))
        if r2 is not None:
            drawn["r2"].append(r2)
    return {name: float(np.std(values, ddof=1)) if len(values) > 1 else None for name, values in drawn.items()}


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Return the share of rows whose actual value lies within its interval, 0 to 1."""
    return float(((actual >= lower) & (actual <= upper)).mean())
