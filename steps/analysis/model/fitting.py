"""Fit the linear model on training rows only, by OLS on the columns that were selected, and summarise the fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import lstsq
from scipy.stats import t as student_t
from statsmodels.regression.linear_model import OLS, RegressionResultsWrapper
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from analysis.features.profiles import Profile
from analysis.model.artefact import CONSTANT, INTERVAL_LEVEL, LinearModel
from analysis.model.selection import (
    Procedure,
    excluded_columns,
    procedure_of,
    refuse_too_few,
    refuse_wrong_count,
    scaled_columns,
    training_ranges,
)
from analysis.runtime.errors import TrainingError


@dataclass(frozen=True)
class Fit:
    """The model as data, and the statsmodels results that it was taken from.

    ranking: RFE's rank of each candidate column (1 = selected); all 1 where the profile does not select.
    excluded: columns that were no candidates, with the reason.
    first: results on all candidates, before elimination; None where none was eliminated, or the rows are too few.
    """

    model: LinearModel
    results: RegressionResultsWrapper
    ranking: dict[str, int]
    excluded: dict[str, str]
    first: RegressionResultsWrapper | None = None


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
    removed: columns that the data preparation removes, with the reason; profiles that select leave them out.
    Raises TrainingError where no degrees of freedom are left or the target never changes.
    """
    if target.nunique() < 2:  # noqa: PLR2004
        raise TrainingError(f"{target.name} has the same value in all {len(target)} training rows: nothing to learn.")
    procedure = procedure_of(profile, feature_count, removed)
    scaled, bounds = scaled_columns(features, procedure)
    excluded = excluded_columns(scaled, procedure)
    refuse_wrong_count(procedure, scaled.shape[1])
    ranks = _ranking(scaled.drop(columns=list(excluded)), target, procedure)
    selected = [name for name, rank in ranks.items() if rank == 1]
    refuse_too_few(len(target), selected)
    results = _ordinary_least_squares(target, scaled[selected])
    first = None
    if len(selected) < len(ranks) < len(target) - 1:
        first = _ordinary_least_squares(target, scaled[[*ranks]])
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
        ranges=training_ranges(features),
        training={
            "rows": int(results.nobs),
            "r2": float(results.rsquared),
            "adjusted_r2": float(results.rsquared_adj),
            "rmse": float(np.sqrt(np.mean(np.square(results.resid)))),
            "mae": float(np.mean(np.abs(results.resid))),
            "rank": int(results.model.rank),
        },
        provenance=provenance,
        has_past=bool(profile.past),
    )
    return Fit(model=model, results=results, ranking=ranks, excluded=excluded, first=first)


def _ranking(candidates: pd.DataFrame, target: pd.Series, procedure: Procedure) -> dict[str, int]:
    """Rank as scikit-learn's RFE of a LinearRegression does (tolerance included), whose import takes longer."""
    ranks = dict.fromkeys(map(str, candidates.columns), 1)
    values, actual, left = np.asarray(candidates, np.float64), target.to_numpy(np.float64), list(range(len(ranks)))
    while procedure.kept is not None and len(left) > procedure.kept:
        columns = values[:, left]
        weights = lstsq(columns - np.average(columns, axis=0), actual - np.average(actual), cond=1e-6)[0]
        del left[int(np.argmin(np.square(weights)))]
        ranks |= {name: rank + 1 for position, (name, rank) in enumerate(ranks.items()) if position not in left}
    return ranks


def _ordinary_least_squares(target: pd.Series, columns: pd.DataFrame) -> RegressionResultsWrapper:
    """Fit OLS with a constant, by the pseudo-inverse: dependent columns share a coefficient rather than break the fit.

    They are expected (a working day is neither holiday nor weekend), and `training.rank` records them.
    """
    design = columns.copy()
    design.insert(0, CONSTANT, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        return OLS(target.astype("float64"), design).fit()
