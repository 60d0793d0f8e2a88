from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.diagnostic import acorr_ljungbox, het_breuschpagan
from statsmodels.stats.stattools import durbin_watson, jarque_bera

from analysis.evaluation.diagnostics import check_leakage, equal_variance, independence, is_exact, normality
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
        rows = pd.read_parquet(folder / f"{side}.parquet")
        predicted = model.fitted(rows[list(model.input_columns)].to_numpy(dtype=float))
        parts.append(
            pd.Series((rows["cnt"] - predicted).to_numpy(), index=pd.read_parquet(folder / "labels.parquet")["date"])
        )
    by_day = pd.concat(parts).sort_index().to_numpy()
    found = trained.evaluation["diagnostics"]["in_order_of_time"]
    assert found["durbin_watson"] == pytest.approx(durbin_watson(by_day), rel=1e-9)


def table(seed: int = 1, rows: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.Generator(np.random.PCG64(seed))
    features = pd.DataFrame(random.normal(size=(rows, 6)), columns=[f"x{index}" for index in range(6)])
    features["warm"] = random.integers(0, 2, rows)
    casual, registered = random.integers(0, 900, rows), random.integers(0, 4000, rows)
    features["p"], features["q"] = casual, registered
    return features, pd.Series(casual + registered, name="cnt")


def test_an_honest_table_passes() -> None:
    features, target = table()
    check = check_leakage(features.drop(columns="p"), target)
    assert (check.verdict, check.columns) == ("pass", [])


def test_parts_of_the_target_are_found_under_any_name() -> None:
    features, target = table()
    check = check_leakage(features, target)
    assert check.verdict == "fail"
    assert set(check.columns) == {"p", "q"}
    assert check.adjusted_r2 == pytest.approx(1.0, abs=1e-12)


def test_what_the_profile_knows_is_known() -> None:
    features, target = table()
    assert check_leakage(features, target, known=["p", "q"]).verdict == "known"
    assert check_leakage(features, target, known=["p"]).verdict == "fail"


def test_a_rescaled_noisy_copy_of_the_target_is_found() -> None:
    features, target = table()
    noise = np.random.Generator(np.random.PCG64(5)).normal(size=len(target))
    features["copy"] = target * -0.001 + 7 + noise * 0.001
    check = check_leakage(features.drop(columns=["p", "q"]), target)
    assert (check.verdict, check.columns) == ("fail", ["copy"])


def test_few_rows_and_many_columns_are_no_leakage() -> None:
    random = np.random.Generator(np.random.PCG64(2))
    check = check_leakage(pd.DataFrame(random.normal(size=(10, 20))), pd.Series(random.normal(size=10)))
    assert (check.verdict, check.adjusted_r2) == ("pass", 0.0)


def test_constant_columns_and_a_constant_target_do_no_harm() -> None:
    features, target = table()
    assert check_leakage(features.assign(same=3.0), target).verdict == "fail"
    assert check_leakage(features, target * 0).verdict == "pass"


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(9)))
def test_the_order_of_columns_does_not_change_who_is_guilty(seed: int, order: list[int]) -> None:
    features, target = table(seed)
    assert set(check_leakage(features.iloc[:, order], target).columns) == {"p", "q"}
