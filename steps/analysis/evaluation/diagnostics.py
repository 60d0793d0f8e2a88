"""What residuals say about the model: normality, equal variance, independence in time.

Residuals are actual - predicted, of shape (rows,), in the target's unit. A figure without a meaning is None: tests on
fewer rows than coefficients, or on residuals that are rounding noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

Floats = NDArray[np.float64]

SIGNIFICANCE = 0.05
LAGS = 7
"""Days over which autocorrelation is added up: a week, the longest rhythm that the features speak of."""
_NOISE = 1e-9
"""Residuals smaller than this share of the target's spread are rounding noise: the fit is exact."""


def is_exact(residuals: Floats, actual: Floats) -> bool:
    """Whether the model reproduces the target but for rounding, so that its residuals say nothing."""
    return float(np.sqrt(np.mean(residuals**2))) <= _NOISE * float(actual.std() or 1.0)


def normality(residuals: Floats) -> dict[str, Any]:
    """Skew, kurtosis (3 for a normal distribution) and the Jarque-Bera test that they are a normal distribution's."""
    count = residuals.size
    centred = residuals - residuals.mean()
    variance = float(np.mean(centred**2))
    if count < 3 or variance <= 0.0:  # noqa: PLR2004
        return {"test": "Jarque-Bera", "statistic": None, "p": None, "skew": None, "kurtosis": None}
    skew = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2
    statistic = count / 6.0 * (skew**2 + (kurtosis - 3.0) ** 2 / 4.0)
    # Chi-squared with 2 degrees of freedom has this closed form.
    return {
        "test": "Jarque-Bera",
        "statistic": statistic,
        "p": math.exp(-statistic / 2.0),
        "skew": skew,
        "kurtosis": kurtosis,
    }


def equal_variance(residuals: Floats, columns: list[Floats]) -> dict[str, Any]:
    """Breusch-Pagan test in Koenker's form: does the size of the residuals depend on the features?"""
    count = residuals.size
    design = np.column_stack([np.ones(count), *columns])
    squares = residuals**2
    solution, _, rank, _ = np.linalg.lstsq(design, squares, rcond=None)
    spread = float(((squares - squares.mean()) ** 2).sum())
    freedom = int(rank) - 1
    if spread <= 0.0 or freedom < 1 or count <= freedom + 1:
        return {"test": "Breusch-Pagan", "statistic": None, "p": None, "degrees_of_freedom": None}
    explained = 1.0 - float(((squares - design @ solution) ** 2).sum()) / spread
    statistic = count * explained
    return {
        "test": "Breusch-Pagan",
        "statistic": statistic,
        "p": float(chdtrc(freedom, max(statistic, 0.0))),
        "degrees_of_freedom": freedom,
    }


def independence(residuals: Floats) -> dict[str, Any]:
    """Of residuals in the order of their days: Durbin-Watson, the lag-1 correlation, and Ljung-Box over a week."""
    count = residuals.size
    squares = float((residuals**2).sum())
    centred = residuals - residuals.mean()
    spread = float((centred**2).sum())
    result: dict[str, Any] = {
        "test": "Ljung-Box",
        "lags": LAGS,
        "statistic": None,
        "p": None,
        "durbin_watson": None,
        "lag_1": None,
    }
    if count <= LAGS + 1 or spread <= 0.0:
        return result
    correlations = np.array([float((centred[lag:] * centred[:-lag]).sum()) / spread for lag in range(1, LAGS + 1)])
    statistic = count * (count + 2.0) * float((correlations**2 / (count - np.arange(1, LAGS + 1))).sum())
    return {
        **result,
        "statistic": statistic,
        "p": float(chdtrc(LAGS, statistic)),
        "durbin_watson": float((np.diff(residuals) ** 2).sum()) / squares,
        "lag_1": float(correlations[0]),
    }


def side_diagnostics(residuals: Floats, columns: list[Floats]) -> dict[str, Any]:
    """Both tests that need no order of the rows."""
    return {"normality": normality(residuals), "equal_variance": equal_variance(residuals, columns)}
