"""Prediction intervals that were measured rather than assumed: split conformal prediction.

The errors of predictions of rows that a model had not seen say how wide its interval has to be, whatever the errors'
distribution. Where rows have a time, these are the latest training rows, predicted by a model fitted on the rows before
them: what is predicted later is of the time after, too, and errors grow with distance. Features of the past say less
the older their values are, so the same rows are also predicted from older ones: a width for each history gap. Without a
time, every training row is predicted by a model fitted without its fold (cross-conformal).
docs/decisions/calibrated-intervals.md and docs/decisions/features-of-the-past.md compare.

Sources: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005); Lei, G'Sell, Rinaldo, Tibshirani,
Wasserman, "Distribution-free predictive inference for regression", JASA 113 (2018); Vovk, "Cross-conformal predictors",
Annals of Mathematics and Artificial Intelligence 74 (2015); Barber, Candes, Ramdas, Tibshirani, "Predictive inference
with the jackknife+", Annals of Statistics 49 (2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.model.artefact import INTERVAL_LEVEL, Calibration, Floats, LinearModel
from analysis.model.refit import refit
from analysis.model.selection import Procedure
from analysis.runtime.errors import TrainingError

LATEST, FOLDS = "split conformal, latest training rows", "cross-conformal, seeded folds of the training rows"
USUAL_ROWS = 90
_LARGEST_SHARE, _LARGE_SHARE = 3, 10
_FOLDS = 10
_SEED = 20260101

Times = NDArray[Any]
"""When each row happened: anything that sorts, shape (n,); ISO dates do."""
Rows = NDArray[np.intp]
"""Positions of rows."""


def conformal_half_width(errors: Floats, level: float = INTERVAL_LEVEL) -> float:
    """Return the finite-sample quantile of the absolute `errors` (shape (n,)): that of level (1 + 1/n).

    It interpolates between neighbours: with n = 90 these are the fourth and fifth largest errors, which are far apart.
    """
    return float(np.quantile(np.abs(errors), min(1.0, level * (1.0 + 1.0 / errors.size))))


def fewest_rows(level: float = INTERVAL_LEVEL) -> int:
    """Return how many errors the quantile needs to be one of them rather than beyond the largest: 19 for 95 %."""
    return math.ceil(round(level / (1.0 - level), 9))


def calibration_rows(rows: int) -> int:
    """Return how many of the latest training rows calibrate: 90, or a tenth of a large table, a third of a small one.

    0 where a third is too few for the quantile, that is below 57 rows.
    """
    count = min(max(USUAL_ROWS, rows // _LARGE_SHARE), rows // _LARGEST_SHARE)
    return count if count >= fewest_rows() else 0


def start_of_moment(times: Times, position: int) -> int:
    """Return the first position from `position` on that begins another time than its predecessor's; n for none.

    times: sorted. So that what happened at one moment is never split between past and future.
    """
    if 0 < position < len(times) and times[position] == times[position - 1]:
        return int(np.searchsorted(times, times[position], side="right"))
    return position


def calibrate(
    features: pd.DataFrame,
    target: Floats,
    procedure: Procedure,
    times: Times | None = None,
    *,
    rows: int | None = None,
    level: float = INTERVAL_LEVEL,
    by_gap: Mapping[int, pd.DataFrame] | None = None,
) -> Calibration | None:
    """Measure the half-width of the interval on training rows alone; None where they are too few.

    features, target, times: of n training rows in any order; times None for rows without one. rows: how many of the
    latest rows calibrate, by default :func:`calibration_rows`. by_gap: history gap → features of the past as they would
    be with it, of the same rows, NaN where they would have none.
    """
    try:
        if times is None:
            errors = _errors_of_folds(features, target, procedure, level)
            return Calibration(FOLDS, conformal_half_width(errors, level), errors.size) if errors.size else None
        order = np.argsort(times, kind="stable")
        count = calibration_rows(len(order)) if rows is None else rows
        start = start_of_moment(times[order], len(order) - count)
        before, latest = order[:start], order[start:]
        if latest.size < fewest_rows(level):
            return None
        model = refit(features.iloc[before], target[before], procedure)
        unseen = features.iloc[latest], target[latest]
        errors = _errors(model, *unseen)
        half_width = conformal_half_width(errors, level)
        older = {gap: past.set_axis(features.index).iloc[latest] for gap, past in (by_gap or {}).items()}
        wider = _wider(model, unseen, older, half_width, level)
        return Calibration(LATEST, half_width, errors.size, tuple(wider))
    except TrainingError:
        return None


def _errors_of_folds(features: pd.DataFrame, target: Floats, procedure: Procedure, level: float) -> Floats:
    count = len(target)
    if count < max(2 * _FOLDS, fewest_rows(level)):
        return np.empty(0)
    shuffled = np.random.Generator(np.random.PCG64(_SEED)).permutation(count)
    folds = np.array_split(shuffled, _FOLDS)
    others = [np.setdiff1d(shuffled, fold) for fold in folds]
    models = [refit(features.iloc[known], target[known], procedure) for known in others]
    pairs = zip(models, folds, strict=True)
    return np.concatenate([_errors(model, features.iloc[fold], target[fold]) for model, fold in pairs])


def _errors(model: LinearModel, features: pd.DataFrame, target: Floats) -> Floats:
    """Return the errors of predicting rows that the model was not fitted on."""
    return target - model.fitted(features.to_numpy(dtype=np.float64))


def _wider(
    model: LinearModel,
    unseen: tuple[pd.DataFrame, Floats],
    older: Mapping[int, pd.DataFrame],
    first: float,
    level: float,
) -> Iterator[tuple[int, float]]:
    """Yield history gap and half-width, of rows predicted from older values; nothing where there are none.

    unseen: the rows' features and target; older: their features of the past by gap; first: the width without a gap. An
    interval is never narrower for knowing less, so no width is below the one before it. It ends where too few rows have
    values so old.
    """
    features, target = unseen
    widest = first
    if older:
        yield 0, first
    for gap, past in sorted(older.items()):
        complete = past.notna().all(axis=1).to_numpy()
        if complete.sum() < fewest_rows(level):
            return
        errors = _errors(model, features.assign(**past)[complete], target[complete])
        widest = max(widest, conformal_half_width(errors, level))
        yield gap, widest
