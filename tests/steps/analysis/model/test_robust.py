from __future__ import annotations

from tempfile import TemporaryFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.sandwich_covariance import cov_hac_simple, cov_hc1

from analysis.model import robust
from analysis.model.artefact import Floats
from analysis.model.factor import factors_of
from analysis.model.regression import regression
from analysis.model.residuals import ResidualMap
from analysis.model.robust import RobustErrors, lags_of, ranks_of

NAMES = ("x", "y")


def walk(rows: int = 300, seed: int = 5) -> tuple[Floats, np.ndarray]:
    """A regressor and a target whose errors last, in no order; and when each row happened."""
    random = np.random.Generator(np.random.PCG64(seed))
    errors = np.zeros(rows)
    for row in range(1, rows):
        errors[row] = 0.7 * errors[row - 1] + random.normal()
    x = np.cumsum(random.normal(size=rows)) / 5.0
    order = random.permutation(rows)
    return np.column_stack([x, 1.0 + x + errors])[order], np.arange(rows)[order]


def found(values: Floats, times: np.ndarray | None, batch: int = 1000) -> Floats:
    fit = regression(factors_of([values])[0], NAMES, [0], frozenset())
    with TemporaryFile() as scratch:
        errors = RobustErrors(fit, None if times is None else ranks_of(times), scratch)
        for start in range(0, len(values), batch):
            rows = values[start : start + batch]
            centred, residuals = ResidualMap.of([fit]).residuals(rows)
            errors.add(errors.scores(centred, residuals[:, 0]))
        return errors.standard_errors()


def results(values: Floats):
    return OLS(values[:, 1], np.column_stack([np.ones(len(values)), values[:, 0]])).fit()


def test_errors_are_those_of_newey_and_west_in_the_order_of_time() -> None:
    values, times = walk()
    ordered = results(values[np.argsort(times)])
    expected = np.sqrt(np.diag(cov_hac_simple(ordered, nlags=5, use_correction=True)))
    assert found(values, times) == pytest.approx(expected, rel=1e-12)
    # Errors that last make the classical ones too small.
    assert (found(values, times) > 1.5 * ordered.bse).all()


@given(seed=st.integers(0, 999), rows=st.integers(5, 120), batch=st.integers(1, 50), together=st.integers(3, 90))
def test_neither_batches_nor_the_order_of_rows_matter(seed: int, rows: int, batch: int, together: int) -> None:
    """Also where memory holds only some rows at a time to sort them."""
    values, times = walk(rows, seed)
    ordered = values[np.argsort(times)]
    expected = np.sqrt(np.diag(cov_hac_simple(results(ordered), nlags=lags_of(rows), use_correction=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robust, "_SORTED_TOGETHER", together)
        assert found(values, times, batch) == pytest.approx(expected, rel=1e-9)
    assert found(ordered, np.arange(rows), batch) == pytest.approx(expected, rel=1e-9)


def test_without_a_time_they_are_whites() -> None:
    values, _ = walk()
    assert found(values, None, 7) == pytest.approx(np.sqrt(np.diag(cov_hc1(results(values)))), rel=1e-12)


@pytest.mark.parametrize(("rows", "lags"), [(30, 3), (100, 4), (510, 5), (10_000, 11)])
def test_the_rule_of_thumb(rows: int, lags: int) -> None:
    assert lags_of(rows) == lags
