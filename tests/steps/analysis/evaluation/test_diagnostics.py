from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.diagnostic import acorr_ljungbox, het_breuschpagan
from statsmodels.stats.stattools import durbin_watson, jarque_bera

from analysis.evaluation.diagnostics import equal_variance, independence, is_exact, normality
from analysis.model.artefact import read_model

RANDOM = np.random.Generator(np.random.PCG64(8))
COLUMNS = [RANDOM.uniform(0, 1, 300), RANDOM.integers(0, 2, 300).astype(float)]
RESIDUALS = RANDOM.normal(0.0, 1.0, 300) * (1.0 + 3.0 * COLUMNS[0])


def test_normality_equals_statsmodels() -> None:
    found = normality(RESIDUALS)
    expected = jarque_bera(RESIDUALS)
    assert (found["statistic"], found["p"], found["skew"], found["kurtosis"]) == pytest.approx(expected, rel=1e-9)


def test_equal_variance_equals_statsmodels() -> None:
    found = equal_variance(RESIDUALS, COLUMNS)
    statistic, p, _, _ = het_breuschpagan(RESIDUALS, np.column_stack([np.ones(300), *COLUMNS]))
    assert (found["statistic"], found["p"]) == pytest.approx((statistic, p), rel=1e-9)
    assert found["degrees_of_freedom"] == 2
    assert found["p"] < 0.01


def test_independence_equals_statsmodels() -> None:
    walk = np.convolve(RESIDUALS, [1.0, 0.6, 0.3], mode="valid")
    found = independence(walk)
    expected = acorr_ljungbox(walk, lags=[7])
    assert found["statistic"] == pytest.approx(float(expected["lb_stat"].iloc[0]), rel=1e-9)
    assert found["p"] == pytest.approx(float(expected["lb_pvalue"].iloc[0]), rel=1e-9)
    assert found["durbin_watson"] == pytest.approx(durbin_watson(walk), rel=1e-9)


def test_a_column_that_repeats_another_is_counted_once() -> None:
    once, twice = equal_variance(RESIDUALS, COLUMNS), equal_variance(RESIDUALS, [*COLUMNS, COLUMNS[0] * 2])
    assert twice["degrees_of_freedom"] == once["degrees_of_freedom"]
    assert twice["p"] == pytest.approx(once["p"], rel=1e-9)


def test_figures_without_a_meaning_are_none() -> None:
    nothing = np.zeros(20)
    assert normality(nothing)["p"] is None
    assert equal_variance(nothing, [])["p"] is None
    assert independence(nothing)["p"] is None
    assert independence(np.ones(3))["p"] is None


def test_rounding_noise_is_told_from_errors() -> None:
    actual = RANDOM.normal(4000, 1500, 300)
    assert is_exact(RESIDUALS * 1e-13, actual)
    assert not is_exact(RESIDUALS, actual)


def test_time_is_restored_from_the_shuffled_split(trained) -> None:
    """The lag-1 correlation of evaluation.json is that of the residuals by date, not by row."""
    model = read_model(trained.root / "model")
    parts = []
    for side in ("train", "test"):
        folder = trained.root / "prepared" / side
        rows = pd.read_csv(folder / f"{side}.csv", float_precision="round_trip")
        predicted = model.predict(rows[list(model.input_columns)].to_numpy(dtype=float)).prediction
        parts.append(pd.Series((rows["cnt"] - predicted).to_numpy(), index=pd.read_csv(folder / "days.csv")["date"]))
    by_day = pd.concat(parts).sort_index().to_numpy()
    found = trained.evaluation["diagnostics"]["in_order_of_days"]
    assert found["durbin_watson"] == pytest.approx(durbin_watson(by_day), rel=1e-9)
