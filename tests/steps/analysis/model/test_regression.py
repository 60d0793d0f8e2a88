"""Least squares from a factor, against statsmodels, scikit-learn and arithmetic of 60 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest

from analysis.model.artefact import Floats
from analysis.model.factor import factors_of
from analysis.model.regression import Regression, determined, eliminated, regression
from analysis.model.residuals import ResidualMap, Residuals

NAMES = ("a", "b", "c", "d", "e", "y")
CLOSE = {"rtol": 1e-9}


def random_of(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def table(seed: int, rows: int) -> Floats:
    random = random_of(seed)
    inputs = random.normal(size=(rows, 5)) * 10.0 ** random.integers(-2, 3, 5) + random.normal(size=5)
    target = 3.0 + inputs @ random.normal(size=5) + random.standard_t(4, rows)
    return np.column_stack([inputs, target])


def fitted(values: Floats, batch: int = 10_000, scaled: frozenset[str] = frozenset()) -> Regression:
    factor = factors_of(values[start : start + batch] for start in range(0, len(values), batch))[0]
    return regression(factor, (*NAMES[: values.shape[1] - 1], "y"), range(values.shape[1] - 1), scaled)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 9999), rows=st.integers(10, 400), batch=st.integers(1, 100), scaled=st.booleans())
def test_every_figure_equals_statsmodels(seed: int, rows: int, batch: int, scaled: bool) -> None:
    values = table(seed, rows)
    fit = fitted(values, batch, frozenset(NAMES) if scaled else frozenset())
    inputs = values[:, :-1]
    if scaled:
        inputs = (inputs - inputs.min(axis=0)) / (inputs.max(axis=0) - inputs.min(axis=0))
    design = np.column_stack([np.ones(rows), inputs])
    expected = OLS(values[:, -1], design).fit()
    size = float(np.abs(expected.params).max())
    np.testing.assert_allclose(fit.coefficients, expected.params, rtol=1e-9, atol=1e-11 * size)
    np.testing.assert_allclose(fit.standard_errors, expected.bse, **CLOSE)
    np.testing.assert_allclose(fit.covariance, expected.cov_params(), rtol=1e-9, atol=1e-11 * fit.covariance.max())
    np.testing.assert_allclose(fit.p_values(expected.tvalues), expected.pvalues, **CLOSE)
    np.testing.assert_allclose(fit.f_test(), (expected.fvalue, expected.f_pvalue), rtol=1e-8)
    np.testing.assert_allclose(
        [fit.r_squared, fit.adjusted_r_squared, fit.log_likelihood, fit.aic, fit.bic, fit.residual_variance],
        [expected.rsquared, expected.rsquared_adj, expected.llf, expected.aic, expected.bic, expected.mse_resid],
        **CLOSE,
    )
    np.testing.assert_allclose(fit.condition_number, expected.condition_number, rtol=1e-8)
    np.testing.assert_allclose(fit.singular_values[-1] ** 2, expected.eigenvals[-1], rtol=1e-8)
    factors = [variance_inflation_factor(design, position) for position in range(1, 6)]
    np.testing.assert_allclose(fit.inflation, factors, rtol=1e-8)
    residuals, found = Residuals(), ResidualMap.of([fit])
    for start in range(0, rows, batch):
        residuals.add(found.residuals(values[start : start + batch])[1][:, 0])
    errors = expected.resid
    omnibus, omnibus_p = omni_normtest(errors)
    bera, bera_p, skew, kurtosis = jarque_bera(errors)
    assert residuals.figures() == pytest.approx(
        {
            "omnibus": omnibus,
            "omnibus_probability": omnibus_p,
            "durbin_watson": durbin_watson(errors),
            "jarque_bera": bera,
            "jarque_bera_probability": bera_p,
            "skew": skew,
            "kurtosis": kurtosis,
        },
        rel=1e-8,
        abs=1e-10,
    )
    assert residuals.mean_absolute == pytest.approx(float(np.abs(errors).mean()), rel=1e-9)
    assert residuals.root_mean_square == pytest.approx(float(np.sqrt(np.mean(errors**2))), rel=1e-9)


def exactly(values: Floats) -> tuple[Floats, Floats]:
    """Return coefficients and standard errors by the normal equations in 60 digits."""
    with mpmath.workdps(60):
        columns = [[mpmath.mpf(1)] * len(values), *([mpmath.mpf(float(v)) for v in column] for column in values.T)]
        *inputs, target = columns
        square = mpmath.matrix([[mpmath.fdot(one, other) for other in inputs] for one in inputs])
        inverse, right = square**-1, mpmath.matrix([mpmath.fdot(one, target) for one in inputs])
        found = inverse * right
        rest = mpmath.fdot(target, target) - mpmath.fdot(list(found), list(right))
        variance = rest / (len(values) - len(inputs))
        errors = [float(mpmath.sqrt(variance * inverse[place, place])) for place in range(len(inputs))]
        return np.array([float(value) for value in found]), np.array(errors)


def nearly_dependent(random: np.random.Generator) -> Floats:
    inputs = random.normal(size=(1000, 5))
    inputs[:, 4] = inputs[:, 0] - 2.0 * inputs[:, 1] + 3e-8 * inputs[:, 4]
    return inputs


def far_from_zero(random: np.random.Generator) -> Floats:
    return random.normal(size=(1000, 5)) + 1e8 * random.uniform(0.5, 1.0, 5)


def of_all_sizes(random: np.random.Generator) -> Floats:
    return random.normal(size=(1000, 5)) * 10.0 ** np.array([-4, 0, 4, 2, -2])


def powers(random: np.random.Generator) -> Floats:
    return random.uniform(30.0, 31.0, 1000)[:, None] ** np.array([1, 2, 3])


@pytest.mark.parametrize("inputs_of", [nearly_dependent, far_from_zero, of_all_sizes, powers])
@pytest.mark.parametrize("seed", range(5))
def test_digits_are_kept_at_condition_numbers_of_1e8(inputs_of, seed: int) -> None:
    random = random_of(seed)
    inputs = inputs_of(random)
    target = 1.0 + inputs @ random.normal(size=inputs.shape[1]) + random.normal(size=1000)
    values = np.column_stack([inputs, target])
    assert not determined(factors_of([values])[0], NAMES, range(inputs.shape[1]))
    fit = fitted(values, 130)
    assert fit.condition_number > 0.8e8
    coefficients, errors = exactly(values)
    np.testing.assert_allclose(fit.coefficients, coefficients, rtol=1e-6)
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-7)


@given(seed=st.integers(0, 9999), rows=st.integers(20, 200), kept=st.integers(1, 5))
def test_elimination_goes_as_scikit_learns(seed: int, rows: int, kept: int) -> None:
    values = table(seed, rows)
    factor = factors_of([values])[0]
    gone = eliminated(factor, range(5), np.ones(5), kept)
    ranks = RFE(LinearRegression(tol=0.0), n_features_to_select=kept).fit(values[:, :-1], values[:, -1]).ranking_
    assert [int(ranks[column]) for column in reversed(gone)] == [*range(2, 7 - kept)]
    assert all(ranks[column] == 1 for column in range(5) if column not in gone)


@given(seed=st.integers(0, 9999), batch=st.integers(1, 60), size=st.sampled_from([1e-9, 1.0, 1e9]))
def test_what_others_determine_is_named(seed: int, batch: int, size: float) -> None:
    """A column that repeats another, one that is a combination of others, and one that only nearly is."""
    random = random_of(seed)
    a, b = random.normal(size=120), random.integers(0, 2, 120).astype(np.float64)
    values = np.column_stack([a, b, size * b, 7.0 - a + 3.0 * b, a + 1e-9 * random.normal(size=120), a])
    factor = factors_of(values[start : start + batch] for start in range(0, 120, batch))[0]
    found = determined(factor, NAMES, range(6))
    assert found == {
        "c": "it repeats b" if size == 1.0 else "it is determined by b",
        "d": "it is determined by a, b",
        "y": "it repeats a",
    }


def test_levels_that_sum_to_the_constant_and_columns_beyond_the_rows_are_named() -> None:
    levels = random_of(1).integers(0, 3, 90)
    values = np.column_stack([*(levels == level for level in range(3)), random_of(2).normal(size=90)]).astype(float)
    names = ("low", "middle", "high", "y")
    assert determined(factors_of([values])[0], names, range(3)) == {"high": "it is determined by low, middle"}
    few = random_of(3).normal(size=(4, 6))
    assert list(determined(factors_of([few])[0], NAMES, range(5))) == ["d", "e"]


def test_a_column_that_changes_by_rounding_alone_never_changes() -> None:
    values = np.column_stack([0.1 + 1e-17 * np.arange(50.0), 0.3 + 5e-17 * np.arange(50.0), np.arange(50.0)])
    assert len(set(values[:, 1])) > 1
    found = determined(factors_of([values])[0], ("a", "b", "y"), [1])
    assert found == {"b": "it never changes in the training rows, but for rounding"}


@pytest.mark.parametrize("rows", [3, 7, 8])
def test_omnibus_needs_eight_rows(rows: int) -> None:
    residuals = Residuals()
    residuals.add(random_of(rows).normal(size=rows))
    assert np.isfinite(residuals.figures()["omnibus"]) == (rows == 8)
