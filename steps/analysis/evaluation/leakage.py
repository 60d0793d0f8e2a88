"""Finds out from the data whether the target is (nearly) a linear combination of features.

Column names play no part: a renamed copy of the answer is found as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.features.profiles import NEAR_EXACT


@dataclass(frozen=True)
class LeakageCheck:
    """verdict: "pass", "known" (all columns found are known to the profile) or "fail".

    columns: the smallest set, found by elimination, that still determines the target; empty when it passes.
    adjusted_r2: of the target on all features; threshold: what it was compared with.
    """

    verdict: str
    columns: tuple[str, ...]
    adjusted_r2: float
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "columns": list(self.columns),
            "adjusted_r2": self.adjusted_r2,
            "threshold": self.threshold,
        }


def check_leakage(
    features: pd.DataFrame, target: pd.Series, known: Iterable[str] = (), threshold: float = NEAR_EXACT
) -> LeakageCheck:
    """Regress `target` on `features`; where the fit is near-exact, drop columns as long as it stays so.

    Rows must outnumber columns for a fit to mean anything: with fewer the check passes with adjusted_r2 0, and no
    model can be trained on such rows either.
    """
    values = features.to_numpy(dtype=np.float64)
    answer = target.to_numpy(dtype=np.float64)
    columns = list(range(values.shape[1]))
    overall = _adjusted_r2(values, answer)
    if overall < threshold:
        return LeakageCheck("pass", (), overall, threshold)
    for column in _least_related_first(values, answer):
        fewer = [other for other in columns if other != column]
        if fewer and _adjusted_r2(values[:, fewer], answer) >= threshold:
            columns = fewer
    guilty = tuple(str(features.columns[column]) for column in columns)
    verdict = "known" if set(guilty) <= set(known) else "fail"
    return LeakageCheck(verdict, guilty, overall, threshold)


def _least_related_first(values: NDArray[np.float64], answer: NDArray[np.float64]) -> list[int]:
    """Columns by the strength of their own correlation with the target: the innocent are tried first."""
    centred = values - values.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    strength = np.abs(centred.T @ (answer - answer.mean())) / np.where(scale > 0, scale, 1.0)
    return [int(column) for column in np.argsort(strength, kind="stable")]


def _adjusted_r2(values: NDArray[np.float64], answer: NDArray[np.float64]) -> float:
    """Adjusted R-squared of least squares with a constant; 0 where there are too few rows or the target is constant."""
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
