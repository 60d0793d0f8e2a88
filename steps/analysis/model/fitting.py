"""Fit the linear model on training rows only, by OLS on the columns that were selected, and summarise the fit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student_t
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression
from statsmodels.regression.linear_model import OLS, RegressionResultsWrapper
from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from analysis.features.profiles import Profile
from analysis.model.artefact import INTERVAL_LEVEL, Floats, LinearModel
from analysis.model.robust import lags_of, robust_results
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

CONSTANT = "const"
_INFINITE_FACTOR = 1e9
"""A variance inflation factor from which the column counts as a combination of the others, but for rounding."""


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
    )
    return Fit(model=model, results=results, ranking=ranks, excluded=excluded)


def _ranking(candidates: pd.DataFrame, target: pd.Series, procedure: Procedure) -> dict[str, int]:
    if procedure.kept is None:
        return dict.fromkeys(map(str, candidates.columns), 1)
    kept = min(procedure.kept, candidates.shape[1])
    elimination = RFE(LinearRegression(), n_features_to_select=kept).fit(candidates, target)
    return {str(name): int(rank) for name, rank in zip(candidates.columns, elimination.ranking_, strict=True)}


def _ordinary_least_squares(target: pd.Series, design: pd.DataFrame) -> RegressionResultsWrapper:
    """Fit OLS by the pseudo-inverse, so that dependent columns share a coefficient rather than break the fit.

    They are expected (a working day is neither holiday nor weekend), and `training.rank` records them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        return OLS(target, design).fit()


def regression_summary(fit: Fit, times: NDArray[Any] | None = None) -> dict[str, Any]:
    """Compute the content of summary.json; figures that are infinite or undefined are None.

    times: of the training rows, where they have one. figures: of the fit as a whole. coefficients: of the constant and
    each selected column (scaled as `scaler` of model.json says), with 95 % confidence bounds, robust standard error and
    variance inflation factor (None for the constant; "infinite" is True for columns that the others determine).
    robust_errors: how the robust ones were computed. ranking, excluded: see Fit. The model's training metrics are
    included.
    """
    return {
        **fit.model.training,
        "profile": fit.model.profile,
        "figures": _figures(fit),
        "coefficients": _coefficients(fit, robust_results(fit.results, times)),
        "robust_errors": {
            "covariance_type": "HC1" if times is None else "HAC",
            "kernel": None if times is None else "Bartlett",
            "lags": 0 if times is None else lags_of(len(times)),
        },
        "ranking": fit.ranking,
        "excluded": fit.excluded,
    }


def _figures(fit: Fit) -> dict[str, Any]:
    results = fit.results
    residuals = np.asarray(results.wresid, dtype=np.float64)
    omnibus, omnibus_probability = omni_normtest(residuals)
    jarque, jarque_probability, skew, kurtosis = jarque_bera(residuals)
    numbers = {
        "r_squared": results.rsquared,
        "adjusted_r_squared": results.rsquared_adj,
        "f_statistic": results.fvalue,
        "f_probability": results.f_pvalue,
        "log_likelihood": results.llf,
        "aic": results.aic,
        "bic": results.bic,
        "omnibus": omnibus,
        "omnibus_probability": omnibus_probability,
        "durbin_watson": durbin_watson(residuals),
        "jarque_bera": jarque,
        "jarque_bera_probability": jarque_probability,
        "skew": skew,
        "kurtosis": kurtosis,
        "condition_number": results.condition_number,
        "smallest_eigenvalue": results.eigenvals[-1],
        "residual_variance": results.mse_resid,
        "residual_standard_error": math.sqrt(results.mse_resid),
        "model_mean_square": results.mse_model,
        "sum_of_squared_residuals": results.ssr,
    }
    return {
        "method": "Least squares (OLS)",
        "target": fit.model.target,
        "observations": int(results.nobs),
        "df_residuals": round(float(results.df_resid)),
        "df_model": round(float(results.df_model)),
        "rank": int(results.model.rank),
        "covariance_type": str(results.cov_type),
        **{name: finite(value) for name, value in numbers.items()},
    }


def _coefficients(fit: Fit, robust: RegressionResultsWrapper) -> list[dict[str, Any]]:
    results = fit.results
    intervals = results.conf_int()
    factors = variance_inflation_factors(fit)
    return [
        {
            "name": str(name),
            "coefficient": float(results.params[name]),
            "standard_error": finite(results.bse[name]),
            "t": finite(results.tvalues[name]),
            "p": finite(results.pvalues[name]),
            "lower_95": finite(intervals.loc[name, 0]),
            "upper_95": finite(intervals.loc[name, 1]),
            "robust_standard_error": finite(robust.bse[position]),
            "robust_p": finite(robust.pvalues[position]),
            "vif": finite(factors[name]) if name in factors else None,
            "infinite_vif": name in factors and not math.isfinite(factors[name]),
        }
        for position, name in enumerate(results.params.index)
    ]


def variance_inflation_factors(fit: Fit) -> dict[str, float]:
    """Compute each selected column's factor: 1 / (1 - R-squared of that column on the others and the constant).

    Infinite for a column that the others determine. The other columns' factors are defined then too: where columns are
    dependent, their coefficients are not unique, and R-squared still is. (statsmodels has the same figure, but
    warns about every design with dependent columns.)
    """
    exog, names = fit.results.model.exog, fit.results.model.exog_names
    return {
        str(name): _inflation(exog[:, position], np.delete(exog, position, axis=1))
        for position, name in enumerate(names)
        if name != CONSTANT
    }


def _inflation(column: Floats, others: Floats) -> float:
    """Divide the column's sum of squares around its mean by that of its residuals on the others and the constant."""
    coefficients = np.linalg.lstsq(others, column, rcond=None)[0]
    residual = float(np.sum(np.square(column - others @ coefficients)))
    total = float(np.sum(np.square(column - column.mean())))
    return total / residual if residual * _INFINITE_FACTOR > total else math.inf


def finite(value: Any) -> float | None:
    """Return `value` as a float, or None where it is not finite: JSON has no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
