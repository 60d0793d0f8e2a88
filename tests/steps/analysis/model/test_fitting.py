from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.features.profiles import FORECAST
from analysis.model.fitting import fit_linear_model
from analysis.runtime.errors import TrainingError


def table(rows: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.Generator(np.random.PCG64(7))
    features = pd.DataFrame({name: random.integers(0, 2, rows) for name in FORECAST.columns})
    for name in FORECAST.scaled:
        features[name] = random.uniform(5, 40, rows)
    target = (
        3000 * features["yr"] + 90.0 * features["temp"] - 700 * features["weathersit_3"] + random.normal(0, 50, rows)
    )
    return features, target.rename("cnt")


def test_predictions_and_intervals_equal_statsmodels() -> None:
    features, target = table()
    fit = fit_linear_model(features, target, FORECAST, 15, {})
    expected = fit.results.get_prediction(fit.results.model.exog).summary_frame(alpha=0.05)
    found = fit.model.predict(features.to_numpy(dtype=float))
    np.testing.assert_allclose(found.prediction, expected["mean"], rtol=1e-10)
    np.testing.assert_allclose(found.lower, expected["obs_ci_lower"], rtol=1e-9)
    np.testing.assert_allclose(found.upper, expected["obs_ci_upper"], rtol=1e-9)


def test_elimination_keeps_what_matters() -> None:
    features, target = table()
    fit = fit_linear_model(features, target, FORECAST, 3, {})
    assert set(fit.model.selected) == {"yr", "temp", "weathersit_3"}
    assert sorted(fit.ranking.values()) == [1, 1, *range(1, 28)]
    assert list(fit.model.bounds) == ["temp"]


def test_scaling_learns_from_the_rows_given() -> None:
    features, target = table()
    bounds = fit_linear_model(features, target, FORECAST, 29, {}).model.bounds
    assert {name: (limit.minimum, limit.maximum) for name, limit in bounds.items()} == {
        name: (features[name].min(), features[name].max()) for name in FORECAST.scaled
    }


def test_dependent_and_constant_columns_still_predict() -> None:
    features, target = table()
    features["mnth_2"] = 0
    features["workingday"] = 1 - features["holiday"]
    fit = fit_linear_model(features, target, FORECAST, 29, {})
    assert fit.model.training["rank"] == 28
    found = fit.model.predict(features.to_numpy(dtype=float)).prediction
    np.testing.assert_allclose(found, fit.results.fittedvalues, rtol=1e-9)


def test_too_few_rows_say_so() -> None:
    features, target = table(16)
    with pytest.raises(TrainingError, match="16 training rows can't determine 15 coefficients"):
        fit_linear_model(features, target, FORECAST, 15, {})


def test_a_constant_target_says_so() -> None:
    features, target = table()
    with pytest.raises(TrainingError, match="same value in all 200"):
        fit_linear_model(features, target * 0, FORECAST, 15, {})


@pytest.mark.parametrize("count", [0, 30])
def test_an_impossible_number_of_features_says_so(count: int) -> None:
    features, target = table()
    with pytest.raises(TrainingError, match="outside 1 to 29"):
        fit_linear_model(features, target, FORECAST, count, {})
