"""Fits the linear model: scaling bounds, recursive feature elimination and OLS, on training rows only."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student_t
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MinMaxScaler
from statsmodels.regression.linear_model import OLS, RegressionResultsWrapper
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from analysis.features.profiles import Profile
from analysis.model.artefact import Bounds, LinearModel
from analysis.runtime.errors import TrainingError

INTERVAL_LEVEL = 0.95
CONSTANT = "const"


@dataclass(frozen=True)
class Fit:
    """The model as data, and the statsmodels results that it was taken from.

    ranking: RFE's rank of each candidate column (1 = selected); all 1 where the profile does not select.
    excluded: columns that were no candidates, with the reason.
    """

    model: LinearModel
    results: RegressionResultsWrapper
    ranking: dict[str, int]
    excluded: dict[str, str]


def fit_linear_model(
    features: pd.DataFrame,
    target: pd.Series,
    profile: Profile,
    feature_count: int,
    provenance: dict[str, Any],
    *,
    removed: Mapping[str, str] | None = None,
) -> Fit:
    """Fit `target` on `features` (the profile's columns, unscaled).

    feature_count: how many columns recursive feature elimination keeps, for profiles that select; all of the candidates
        where there are fewer.
    removed: columns that the data preparation takes out, with the reason; heeded by profiles that select.
    Raises TrainingError where no degrees of freedom are left or the target never changes.
    """
    if target.nunique() < 2:  # noqa: PLR2004
        raise TrainingError(f"{target.name} has the same value in all {len(target)} training rows: nothing to learn.")
    bounds = _bounds(features, profile)
    scaled = features.astype("float64")
    for name, limit in bounds.items():
        scaled[name] = (scaled[name] - limit.minimum) / limit.width
    excluded = _excluded(scaled, removed or {}) if profile.selects else {}
    ranking = _ranking(scaled.drop(columns=list(excluded)), target, profile, feature_count, scaled.shape[1])
    selected = [name for name, rank in ranking.items() if rank == 1]
    if len(target) <= len(selected) + 1:
        raise TrainingError(
            f"{len(target)} training rows can't determine {len(selected)} coefficients and an intercept. "
            "Train on more rows, or lower --feature-count."
        )
    design = scaled[selected].copy()
    design.insert(0, CONSTANT, 1.0)
    results = _ordinary_least_squares(target.astype("float64"), design)
    freedom = round(float(results.df_resid))
    model = LinearModel(
        profile=profile.name,
        target=str(target.name),
        input_columns=tuple(features.columns),
        selected=tuple(selected),
        intercept=float(results.params[CONSTANT]),
        coefficients=tuple(float(results.params[name]) for name in selected),
        bounds={name: limit for name, limit in bounds.items() if name in selected},
        residual_variance=float(results.mse_resid),
        residual_degrees_of_freedom=freedom,
        covariance=tuple(tuple(float(value) for value in row) for row in np.asarray(results.cov_params())),
        interval_level=INTERVAL_LEVEL,
        t_quantile=float(student_t.ppf((1 + INTERVAL_LEVEL) / 2, freedom)),
        training={
            "rows": int(results.nobs),
            "r2": float(results.rsquared),
            "adjusted_r2": float(results.rsquared_adj),
            "rmse": float(np.sqrt(np.mean(np.square(results.resid)))),
            "mae": float(np.mean(np.abs(results.resid))),
            "rank": int(results.model.rank),
        },
        provenance=provenance,
    )
    return Fit(model=model, results=results, ranking=ranking, excluded=excluded)


def _bounds(features: pd.DataFrame, profile: Profile) -> dict[str, Bounds]:
    if not profile.scaled:
        return {}
    scaler = MinMaxScaler().fit(features[list(profile.scaled)].astype("float64"))
    return {
        name: Bounds(float(low), float(high))
        for name, low, high in zip(profile.scaled, scaler.data_min_, scaler.data_max_, strict=True)
    }


def _excluded(scaled: pd.DataFrame, removed: Mapping[str, str]) -> dict[str, str]:
    """Columns that are no candidates: removed ones, and those that never change in the training rows."""
    excluded = {str(name): removed[name] for name in scaled.columns if name in removed}
    for name in scaled.columns:
        if name not in excluded and scaled[name].nunique() < 2:  # noqa: PLR2004
            excluded[str(name)] = "it never changes in the training rows"
    if len(excluded) == scaled.shape[1]:
        raise TrainingError("No input column is left to learn from: each one is constant or was removed.")
    return excluded


def _ranking(
    candidates: pd.DataFrame, target: pd.Series, profile: Profile, feature_count: int, columns: int
) -> dict[str, int]:
    if not profile.selects:
        return dict.fromkeys(candidates.columns, 1)
    if not 1 <= feature_count <= columns:
        raise TrainingError(f"--feature-count {feature_count} is outside 1 to {columns}, the columns there are.")
    kept = min(feature_count, candidates.shape[1])
    elimination = RFE(LinearRegression(), n_features_to_select=kept).fit(candidates, target)
    return {str(name): int(rank) for name, rank in zip(candidates.columns, elimination.ranking_, strict=True)}


def _ordinary_least_squares(target: pd.Series, design: pd.DataFrame) -> RegressionResultsWrapper:
    """OLS by the pseudo-inverse, so that dependent columns share a coefficient rather than break the fit.

    They are expected (a working day is no holiday and no weekend), and `training.rank` records that they were there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        return OLS(target, design).fit()
