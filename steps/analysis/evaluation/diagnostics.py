"""Checks of a fitted model: tests of its residuals, and whether its inputs give the target away.

Residuals are actual - predicted, of shape (rows,), in the target's unit. A figure without a meaning is None: tests on
fewer rows than coefficients, or on residuals that are rounding noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.model.artefact import Floats
from analysis.model.distributions import chi_squared_tail
from analysis.model.numbers import Features

SIGNIFICANCE = 0.05
LAGS = 7
"""Rows over which autocorrelation is summed: of daily rows a week."""
NEAR_EXACT = 0.999
"""Adjusted R-squared of the target on the inputs from which it counts as leakage."""
_NOISE = 1e-9
"""Residuals smaller than this share of the target's spread are rounding noise: the fit is exact."""


def is_exact(residuals: Floats, actual: Floats) -> bool:
    """Return whether the model reproduces the target but for rounding, so that its residuals say nothing."""
    return float(np.sqrt(np.mean(residuals**2))) <= _NOISE * float(actual.std() or 1.0)


def normality(residuals: Floats) -> dict[str, Any]:
    """Compute skew, kurtosis (3 for a normal distribution) and the Jarque-Bera test of normality."""
    result: dict[str, Any] = {"test": "Jarque-Bera", "statistic": None, "p": None, "skew": None, "kurtosis": None}
    count = residuals.size
    centred = residuals - residuals.mean()
    variance = float(np.mean(centred**2))
    if count < 3 or variance <= 0.0:  # noqa: PLR2004
        return result
    skew = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2
    statistic = count / 6.0 * (skew**2 + (kurtosis - 3.0) ** 2 / 4.0)
    # Chi-squared with 2 degrees of freedom has this closed form.
    return result | {"statistic": statistic, "p": math.exp(-statistic / 2.0), "skew": skew, "kurtosis": kurtosis}


def equal_variance(residuals: Floats, columns: list[Floats]) -> dict[str, Any]:
    """Test by Breusch-Pagan, in Koenker's form, whether the size of the residuals depends on the features."""
    result: dict[str, Any] = {"test": "Breusch-Pagan", "statistic": None, "p": None, "degrees_of_freedom": None}
    count = residuals.size
    design = np.column_stack([np.ones(count), *columns])
    squares = residuals**2
    solution, _, rank, _ = np.linalg.lstsq(design, squares, rcond=None)
    spread = float(((squares - squares.mean()) ** 2).sum())
    freedom = int(rank) - 1
    if spread <= 0.0 or freedom < 1 or count <= freedom + 1:
        return result
    explained = 1.0 - float(((squares - design @ solution) ** 2).sum()) / spread
    statistic = count * explained
    p = chi_squared_tail(max(statistic, 0.0), freedom)
    return result | {"statistic": statistic, "p": p, "degrees_of_freedom": freedom}


def no_order() -> dict[str, Any]:
    """Return the result of :func:`independence` for rows that have no time."""
    return {"test": "Ljung-Box", **dict.fromkeys(("lags", "statistic", "p", "durbin_watson", "lag_1"))}


def independence(residuals: Floats) -> dict[str, Any]:
    """Test residuals in the order of time: Durbin-Watson, the lag-1 correlation, and Ljung-Box over LAGS rows."""
    result = no_order() | {"lags": LAGS}
    count = residuals.size
    squares = float((residuals**2).sum())
    centred = residuals - residuals.mean()
    spread = float((centred**2).sum())
    if count <= LAGS + 1 or spread <= 0.0:
        return result
    correlations = np.array([float((centred[lag:] * centred[:-lag]).sum()) / spread for lag in range(1, LAGS + 1)])
    statistic = count * (count + 2.0) * float((correlations**2 / (count - np.arange(1, LAGS + 1))).sum())
    return result | {
        "statistic": statistic,
        "p": chi_squared_tail(statistic, LAGS),
        "durbin_watson": float((np.diff(residuals) ** 2).sum()) / squares,
        "lag_1": float(correlations[0]),
    }


@dataclass(frozen=True)
class LeakageCheck:
    """The result of the leakage check. verdict: "pass", "known" (the profile declares all columns found) or "fail".

    columns: the smallest set, found by elimination, that still determines the target; empty when it passes.
    adjusted_r2: of the target on all features; threshold: what it was compared with.
    """

    verdict: str
    columns: list[str]
    adjusted_r2: float
    threshold: float


def check_leakage(
    features: Features, target: ArrayLike, known: Iterable[str] = (), threshold: float = NEAR_EXACT
) -> LeakageCheck:
    """Regress `target` on `features`; where the fit is near-exact, drop columns as long as it stays so.

    Column names play no part: a renamed copy of the target is found as well. Rows must outnumber columns for a fit to
    mean anything: with fewer the check passes with adjusted_r2 0, and no model can be trained on such rows either.
    """
    values = features.to_numpy(dtype=np.float64)
    answer = np.asarray(target, dtype=np.float64)
    columns = list(range(values.shape[1]))
    overall = _adjusted_r2(values, answer)
    if overall < threshold:
        return LeakageCheck("pass", [], overall, threshold)
    for column in _least_related_first(values, answer):
        fewer = [other for other in columns if other != column]
        if fewer and _adjusted_r2(values[:, fewer], answer) >= threshold:
            columns = fewer
    names = list(map(str, features.columns))
    found = [names[column] for column in columns]
    verdict = "known" if set(found) <= set(known) else "fail"
    return LeakageCheck(verdict, found, overall, threshold)


def _least_related_first(values: Floats, answer: Floats) -> list[int]:
    """Sort columns by the strength of their own correlation with the target, weakest first."""
    centred = values - values.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    strength = np.abs(centred.T @ (answer - answer.mean())) / np.where(scale > 0, scale, 1.0)
    return [int(column) for column in np.argsort(strength, kind="stable")]


def _adjusted_r2(values: Floats, answer: Floats) -> float:
    """Return adjusted R-squared of least squares with a constant; 0 with too few rows or a constant target."""
    rows = values.shape[0]
    # Columns are standardised, so that the rank decision does not depend on their units.
    spread = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    centred = answer - answer.mean()
    total = float(centred @ centred)
    solution, _, rank, _ = np.linalg.lstsq(standard, centred, rcond=None)
    freedom = rows - int(rank) - 1
    if freedom <= 0 or total <= 0.0:
        return 0.0
    residual = centred - standard @ solution
    return float(1.0 - (float(residual @ residual) / freedom) / (total / (rows - 1)))
