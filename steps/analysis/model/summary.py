"""Every figure of the statsmodels regression table as plain numbers, and the variance inflation factors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest

from analysis.model.fitting import CONSTANT, Fit

_INFINITE_FACTOR = 1e9
"""A variance inflation factor from which on the column is a combination of the others, but for rounding."""


def regression_summary(fit: Fit) -> dict[str, Any]:
    """The content of summary.json; figures that are infinite or undefined are None.

    figures: of the fit as a whole. coefficients: of the constant and each selected column (scaled as `scaler` of
    model.json says), with 95 % confidence bounds and variance inflation factor (None for the constant; "infinite" is
    True for columns that the others determine). ranking, excluded: see Fit. The model's training metrics stand beside.
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
    """Factor of each selected column: 1 / (1 - R-squared of that column on the others and the constant).

    Infinite for a column that the others determine. The other columns' factors are defined then too: where columns are
    dependent, their coefficients are not unique, and R-squared still is. (statsmodels has the same figure, and warns
    of every design with dependent columns.)
    """
    exog, names = fit.results.model.exog, fit.results.model.exog_names
    return {
        str(name): _inflation(exog[:, position], np.delete(exog, position, axis=1))
        for position, name in enumerate(names)
        if name != CONSTANT
    }


def _inflation(column: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Sum of squares of a column around its mean over that of its residuals on the others, the constant among them."""
    coefficients = np.linalg.lstsq(others, column, rcond=None)[0]
    residual = float(np.sum(np.square(column - others @ coefficients)))
    total = float(np.sum(np.square(column - column.mean())))
    return total / residual if residual * _INFINITE_FACTOR > total else math.inf


def finite(value: Any) -> float | None:
    """`value` as a float, or None where it is not finite: JSON has no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
