"""The summary of a fit: every figure of it, coefficients with their errors and variance inflation factors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.regression.linear_model import RegressionResultsWrapper
from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest

from analysis.model.artefact import CONSTANT, Floats
from analysis.model.fitting import Fit
from analysis.model.robust import lags_of, robust_results

_INFINITE_FACTOR = 1e9
"""A variance inflation factor from which the column counts as a combination of the others, but for rounding."""


def regression_summary(fit: Fit, times: NDArray[Any] | None = None) -> dict[str, Any]:
    """Compute the content of summary.json; figures that are infinite or undefined are None.

    times: of the training rows, where they have one. figures: of the fit as a whole. coefficients: of the constant and
    each selected column (scaled as `scaler` of model.json says), with 95 % confidence bounds, robust standard error and
    variance inflation factor (None for the constant; "infinite" is True for columns that the others determine).
    robust_errors: how the robust ones were computed. first_fit: figures and coefficients of the fit on all candidates,
    None where there was no elimination. ranking, excluded: see Fit. The model's training metrics are included.
    """
    return {
        **fit.model.training,
        "profile": fit.model.profile,
        "figures": {"target": fit.model.target, **_figures(fit.results)},
        "coefficients": _with_robust_errors(_coefficients(fit.results), robust_results(fit.results, times)),
        "robust_errors": {
            "covariance_type": "HC1" if times is None else "HAC",
            "kernel": None if times is None else "Bartlett",
            "lags": 0 if times is None else lags_of(len(times)),
        },
        "first_fit": _first_fit(fit.first),
        "ranking": fit.ranking,
        "excluded": fit.excluded,
    }


def _first_fit(results: RegressionResultsWrapper | None) -> dict[str, Any] | None:
    if results is None:
        return None
    return {"figures": _figures(results), "coefficients": _coefficients(results)}


def _figures(results: RegressionResultsWrapper) -> dict[str, Any]:
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
        "observations": int(results.nobs),
        "df_residuals": round(float(results.df_resid)),
        "df_model": round(float(results.df_model)),
        "rank": int(results.model.rank),
        "covariance_type": str(results.cov_type),
        **{name: finite(value) for name, value in numbers.items()},
    }


def _coefficients(results: RegressionResultsWrapper) -> list[dict[str, Any]]:
    intervals = results.conf_int()
    factors = variance_inflation_factors(results)
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


def _with_robust_errors(coefficients: list[dict[str, Any]], robust: RegressionResultsWrapper) -> list[dict[str, Any]]:
    errors = zip(coefficients, robust.bse, robust.pvalues, strict=True)
    return [entry | {"robust_standard_error": finite(error), "robust_p": finite(p)} for entry, error, p in errors]


def variance_inflation_factors(results: RegressionResultsWrapper) -> dict[str, float]:
    """Compute each column's factor: 1 / (1 - R-squared of that column on the others and the constant).

    Infinite for a column that the others determine. The other columns' factors are defined then too: where columns are
    dependent, their coefficients are not unique, and R-squared still is. (statsmodels has the same figure, but
    warns about every design with dependent columns.)
    """
    exog, names = results.model.exog, results.model.exog_names
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
