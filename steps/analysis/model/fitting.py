"""Fit the linear model on training rows only: scaling, recursive feature elimination, OLS, and the fit's summary."""

from __future__ import annotations

import math
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
from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from analysis.features.profiles import Profile
from analysis.model.artefact import Bounds, Floats, LinearModel
from analysis.runtime.errors import TrainingError

INTERVAL_LEVEL = 0.95
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
    scaled = features.astype("float64")
    bounds = {}
    for name in profile.scaled:
        scaler = MinMaxScaler().fit(scaled[[name]])
        bounds[name] = Bounds(float(scaler.data_min_[0]), float(scaler.data_max_[0]))
        scaled[name] = (scaled[name] - bounds[name].minimum) / bounds[name].width
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


def _excluded(scaled: pd.DataFrame, removed: Mapping[str, str]) -> dict[str, str]:
    """Map the columns that are not candidates to the reason: removed ones, and those constant in the training rows."""
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
        raise TrainingError(f"--feature-count {feature_count} is outside 1 to {columns}, the number of columns.")
    kept = min(feature_count, candidates.shape[1])
    elimination = RFE(LinearRegression(), n_features_to_select=kept).fit(candidates, target)
    return {str(name): int(rank) for name, rank in zip(candidates.columns, elimination.ranking_, strict=True)}


def _ordinary_least_squares(target: pd.Series, design: pd.DataFrame) -> RegressionResultsWrapper:
    """Fit OLS by the pseudo-inverse, so that dependent columns share a coefficient rather than break the fit.

    They are expected (a working day is neither holiday nor weekend), and `training.rank` records them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        return OLS(target, design).fit()


def regression_summary(fit: Fit) -> dict[str, Any]:
    """Compute the content of summary.json; figures that are infinite or undefined are None.

    figures: of the fit as a whole. coefficients: of the constant and each selected column (scaled as `scaler` of
    model.json says), with 95 % confidence bounds and variance inflation factor (None for the constant; "infinite" is
    True for columns that the others determine). ranking, excluded: see Fit. The model's training metrics are included.
    """
    return {
        **fit.model.training,
        "profile": fit.model.profile,
        "figures": _figures(fit),
        "coefficients": _coefficients(fit),
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


def _coefficients(fit: Fit) -> list[dict[str, Any]]:
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
            "vif": finite(factors[name]) if name in factors else None,
            "infinite_vif": name in factors and not math.isfinite(factors[name]),
        }
        for name in results.params.index
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
