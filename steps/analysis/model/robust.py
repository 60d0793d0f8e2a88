"""Standard errors of the coefficients that hold where errors are neither independent nor equally large."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.regression.linear_model import OLS, RegressionResultsWrapper
from statsmodels.tools.sm_exceptions import SingularMatrixWarning


def lags_of(rows: int) -> int:
    """Return up to how many rows apart errors count as correlated: floor(4 (n / 100)^(2/9)).

    Source: the rule of thumb for the Bartlett kernel of Newey and West, "Automatic lag selection in covariance matrix
    estimation", Review of Economic Studies 61 (1994).
    """
    return int(4.0 * (rows / 100.0) ** (2.0 / 9.0))


def robust_results(results: RegressionResultsWrapper, times: NDArray[Any] | None) -> RegressionResultsWrapper:
    """Return the fit with the same coefficients and robust standard errors, t and p (Student's t).

    times: of the rows that were fitted, in their order; the rows are sorted by them for HAC errors (heteroscedasticity
    and autocorrelation consistent; Newey and West, Econometrica 55, 1987; Bartlett kernel). A random split leaves gaps,
    so a lag is one to the next training row, at least a moment. None, for rows without a time, means lag 0: White's
    errors, with the factor n / (n - k) (HC1), which hold where errors are not equally large.
    """
    rows = int(results.nobs)
    order = np.arange(rows) if times is None else np.argsort(times, kind="stable")
    lags = 0 if times is None else lags_of(rows)
    model = results.model
    with warnings.catch_warnings():
        # Dependent columns are expected: see fitting.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        ordered = OLS(model.endog[order], model.exog[order])
        options = {"maxlags": lags, "use_correction": True}
        return ordered.fit(cov_type="HAC", cov_kwds=options, use_t=True)
