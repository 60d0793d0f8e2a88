"""Checks of a fitted model: tests of its residuals, and whether its inputs give the target away.

Residuals are actual - predicted, of shape (rows,), in the target's unit. A figure without a meaning is None: tests on
fewer rows than coefficients, or on residuals that are rounding noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.model.artefact import Floats
from analysis.model.distributions import chi_squared_tail
from analysis.model.factor import Factor, factors_of
from analysis.model.numbers import Features
from analysis.model.regression import DEPENDENT
from analysis.model.rows import rows_of_frame

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
    """Check rows that are in memory; see :func:`leakage_of`."""
    rows = rows_of_frame(features, target)
    return leakage_of(factors_of(rows.batches())[0], rows.names, known, threshold)


def leakage_of(
    factor: Factor, names: Sequence[str], known: Iterable[str] = (), threshold: float = NEAR_EXACT
) -> LeakageCheck:
    """Regress the target, a factor's last column, on all others; where the fit is near-exact, drop while it stays so.

    Column names play no part: a renamed copy of the target is found as well. Rows must outnumber columns for a fit to
    mean anything: with fewer the check passes with adjusted_r2 0, and no model can be trained on such rows either.
    """
    # Columns of length 1, so that the rank decision does not depend on their units; 0 for one that never changes.
    lengths = np.linalg.norm(factor.centred, axis=0)
    standard = factor.centred / np.where((factor.low < factor.high) & (lengths > 0.0), lengths, np.inf)
    inputs, answer = standard[:, :-1], standard[:, -1]

    def adjusted_r2(columns: list[int]) -> float:
        solution, _, rank, _ = np.linalg.lstsq(inputs[:, columns], answer, rcond=DEPENDENT)
        freedom = factor.rows - int(rank) - 1
        if freedom <= 0 or not answer.any():
            return 0.0
        residual = answer - inputs[:, columns] @ solution
        return float(1.0 - float(residual @ residual) * (factor.rows - 1) / freedom)

    columns = list(range(inputs.shape[1]))
    overall = adjusted_r2(columns)
    if overall < threshold:
        return LeakageCheck("pass", [], overall, threshold)
    # The least related to the target by itself first.
    for column in map(int, np.argsort(np.abs(inputs.T @ answer), kind="stable")):
        fewer = [other for other in columns if other != column]
        if fewer and adjusted_r2(fewer) >= threshold:
            columns = fewer
    found = [str(names[column]) for column in columns]
    return LeakageCheck("known" if set(found) <= set(known) else "fail", found, overall, threshold)
