from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.sandwich_covariance import cov_hac_simple, cov_hc1

from analysis.model.robust import lags_of, robust_results


def results(rows: int = 300):
    random = np.random.Generator(np.random.PCG64(5))
    errors = np.zeros(rows)
    for row in range(1, rows):
        errors[row] = 0.7 * errors[row - 1] + random.normal()
    x = np.cumsum(random.normal(size=rows)) / 5.0
    times = np.array([f"2026-{1 + row // 28:02d}-{1 + row % 28:02d}" for row in range(rows)])
    shuffled = random.permutation(rows)
    design = pd.DataFrame({"const": 1.0, "x": x})
    return OLS((1.0 + x + errors)[shuffled], design.iloc[shuffled]).fit(), times[shuffled]


def test_errors_are_those_of_newey_and_west_in_the_order_of_time() -> None:
    fit, times = results()
    order = np.argsort(times)
    ordered = OLS(fit.model.endog[order], fit.model.exog[order]).fit()
    expected = np.sqrt(np.diag(cov_hac_simple(ordered, nlags=5, use_correction=True)))
    found = robust_results(fit, times)
    assert found.bse == pytest.approx(expected, rel=1e-12)
    assert found.params == pytest.approx(fit.params.to_numpy(), rel=1e-9)
    # Errors that last make the classical ones too small.
    assert (found.bse > 1.5 * fit.bse.to_numpy()).all()


def test_without_a_time_they_are_whites() -> None:
    fit, _ = results()
    expected = np.sqrt(np.diag(cov_hc1(OLS(fit.model.endog, fit.model.exog).fit())))
    assert robust_results(fit, None).bse == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("rows", "lags"), [(30, 3), (100, 4), (510, 5), (10_000, 11)])
def test_the_rule_of_thumb(rows: int, lags: int) -> None:
    assert lags_of(rows) == lags
