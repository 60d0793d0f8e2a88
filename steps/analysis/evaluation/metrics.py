"""Regression metrics with their definitions, each over arrays of shape (n,) in the target's unit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analysis.model.artefact import Floats

RESAMPLES = 500
_SEED = 20260101


def adjusted_r_squared(r2: float | None, rows: int, features: int) -> float | None:
    """Adjust R-squared for the number of features; None with too few rows."""
    freedom = rows - features - 1
    return None if r2 is None or freedom <= 0 else 1.0 - (1.0 - r2) * (rows - 1) / freedom


def all_metrics(actual: Floats, predicted: Floats, features: int) -> dict[str, Any]:
    """Compute rows, r2, adjusted_r2, mae, mse, rmse, mape (percent) and mean_error (actual - predicted).

    r2 is 1 - residual / total sum of squares, None where the actual values never change; mape is over the rows whose
    actual value is not 0, None where there is none.
    """
    errors, total, some = actual - predicted, float(((actual - actual.mean()) ** 2).sum()), actual != 0
    r2 = None if total == 0.0 else 1.0 - float((errors**2).sum()) / total
    mse = float((errors**2).mean())
    return {
        "rows": int(actual.size),
        "r2": r2,
        "adjusted_r2": adjusted_r_squared(r2, int(actual.size), features),
        "mae": float(np.abs(errors).mean()),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "mape": float((np.abs(errors[some]) / np.abs(actual[some])).mean() * 100.0) if some.any() else None,
        "mean_error": float(errors.mean()),
    }


def resampled_deviations(actual: Floats, predicted: Floats) -> dict[str, float | None]:
    """Return the standard deviation of r2, mae, mse and rmse over seeded bootstrap resamples of the rows."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    samples = (random.integers(0, actual.size, actual.size) for _ in range(RESAMPLES))
    drawn = [all_metrics(actual[rows], predicted[rows], 0) for rows in samples]
    known = {name: [draw[name] for draw in drawn if draw[name] is not None] for name in ("r2", "mae", "mse", "rmse")}
    return {name: float(np.std(values, ddof=1)) if len(values) > 1 else None for name, values in known.items()}


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Return the share of rows whose actual value lies within its interval, 0 to 1."""
    return float(((actual >= lower) & (actual <= upper)).mean())
