"""The summary of a fit: every figure of it, coefficients with their errors and variance inflation factors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analysis.model.artefact import Floats
from analysis.model.fitting import Fit, Results


def regression_summary(fit: Fit) -> dict[str, Any]:
    """Compute the content of summary.json; figures that are infinite or undefined are None.

    figures: of the fit as a whole. coefficients: of the constant and each selected column (scaled as `scaler` of
    model.json says), with 95 % confidence bounds, robust standard error and variance inflation factor (None for the
    constant). robust_errors: how the robust ones were computed. first_fit: figures and coefficients of the fit on all
    candidates, None where there was no elimination. ranking, excluded: see Fit. The model's training metrics are
    included.
    """
    robust_p = fit.results.regression.p_values(_ratio(fit.results.regression.coefficients, fit.robust_errors))
    robust = zip(_coefficients(fit.results), fit.robust_errors, robust_p, strict=True)
    return {
        **fit.model.training,
        "profile": fit.model.profile,
        "figures": {"target": fit.model.target, **_figures(fit.results)},
        "coefficients": [
            entry | {"robust_standard_error": finite(error), "robust_p": finite(p)} for entry, error, p in robust
        ],
        "robust_errors": {
            "covariance_type": "HC1" if fit.lags is None else "HAC",
            "kernel": None if fit.lags is None else "Bartlett",
            "lags": fit.lags or 0,
        },
        "first_fit": None
        if fit.first is None
        else {"figures": _figures(fit.first), "coefficients": _coefficients(fit.first)},
        "ranking": fit.ranking,
        "excluded": fit.excluded,
    }


def _figures(results: Results) -> dict[str, Any]:
    fit = results.regression
    statistic, probability = fit.f_test()
    numbers = {
        "r_squared": fit.r_squared,
        "adjusted_r_squared": fit.adjusted_r_squared,
        "f_statistic": statistic,
        "f_probability": probability,
        "log_likelihood": fit.log_likelihood,
        "aic": fit.aic,
        "bic": fit.bic,
        **results.residuals.figures(),
        "condition_number": fit.condition_number,
        "smallest_eigenvalue": fit.singular_values[-1] ** 2,
        "residual_variance": fit.residual_variance,
        "residual_standard_error": math.sqrt(fit.residual_variance),
        "model_mean_square": fit.model_mean_square,
        "sum_of_squared_residuals": fit.residual_squares,
    }
    return {
        "method": "Least squares (OLS)",
        "observations": fit.rows,
        "df_residuals": fit.df_residuals,
        "df_model": fit.df_model,
        "rank": len(fit.names),
        "covariance_type": "nonrobust",
        **{name: finite(value) for name, value in numbers.items()},
    }


def coefficient_columns(results: Results) -> dict[str, Floats]:
    """Return figures of the coefficients, each of shape (coefficients,), the constant's first."""
    fit = results.regression
    half = fit.t_quantile() * fit.standard_errors
    t = _ratio(fit.coefficients, fit.standard_errors)
    return {
        "coefficient": fit.coefficients,
        "standard_error": fit.standard_errors,
        "t": t,
        "p": fit.p_values(t),
        "lower_95": fit.coefficients - half,
        "upper_95": fit.coefficients + half,
        "vif": np.array([math.nan, *fit.inflation]),
    }


def _coefficients(results: Results) -> list[dict[str, Any]]:
    columns = coefficient_columns(results)
    rows = zip(results.regression.names, *columns.values(), strict=True)
    # No column that others determine gets a coefficient, so no factor is infinite; earlier versions had such ones.
    return [
        {"name": name, **dict(zip(columns, map(finite, values), strict=True)), "infinite_vif": False}
        for name, *values in rows
    ]


def _ratio(coefficients: Floats, errors: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.divide(coefficients, errors)
    return found


def finite(value: Any) -> float | None:
    """Return `value` as a float, or None where it is not finite: JSON has no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
