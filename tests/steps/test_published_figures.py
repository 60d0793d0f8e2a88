"""The reference results of the real table (see its README), reproduced through the scripts' own functions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.evaluation.diagnostics import check_leakage
from analysis.evaluation.metrics import all_metrics, coverage
from analysis.features.prepared import split_rows
from analysis.features.profiles import FORECAST, PARITY
from analysis.features.transform import model_columns
from analysis.model.fitting import Fit, fit_linear_model
from analysis.reading.columns import TARGET
from analysis.reading.limits import QualityLimits
from analysis.reading.purpose import Purpose
from analysis.reading.quality import CheckedDays, check_days
from analysis.reading.table import read_table


@pytest.fixture(scope="module")
def checked(real_csv) -> CheckedDays:
    return check_days(read_table(real_csv), Purpose.TRAINING, (TARGET,), QualityLimits())


@pytest.fixture(scope="module")
def sides(checked) -> tuple[pd.DataFrame, pd.DataFrame]:
    train, test = split_rows(len(checked.days), 0.7, 333)
    return checked.days.iloc[train], checked.days.iloc[test]


def fitted(sides, profile, count: int = 15) -> tuple[Fit, dict[str, float]]:
    train, test = sides
    fit = fit_linear_model(model_columns(train, profile), train[TARGET], profile, count, {})
    predicted = fit.model.predict(model_columns(test, profile).to_numpy(dtype=float))
    actual = test[TARGET].to_numpy(dtype=float)
    metrics = all_metrics(actual, predicted.prediction, len(fit.model.selected))
    return fit, {**metrics, "coverage": coverage(actual, predicted.lower, predicted.upper)}


def test_the_whole_table_is_read(checked) -> None:
    assert checked.report["rows"] == {"read": 730, "used": 730}
    assert checked.report["repairs"] == []
    assert (checked.report["first_day"], checked.report["last_day"]) == ("2018-01-01", "2019-12-31")


def test_the_honest_forecast(sides) -> None:
    fit, test = fitted(sides, FORECAST)
    assert (fit.model.training["rows"], test["rows"]) == (510, 219)
    assert len(fit.model.selected) == 15
    assert round(fit.model.training["r2"], 3) == 0.842
    assert round(fit.model.training["adjusted_r2"], 3) == 0.837
    assert round(test["r2"], 3) == 0.834
    assert round(test["rmse"]) == 778
    assert 0.92 <= test["coverage"] <= 0.98


def test_the_honest_forecast_with_all_features(sides) -> None:
    _, test = fitted(sides, FORECAST, 29)
    assert round(test["r2"], 3) == 0.842


def test_the_published_analysis(sides) -> None:
    fit, test = fitted(sides, PARITY)
    assert fit.results.rsquared == pytest.approx(1.0, abs=1e-9)
    assert (int(fit.results.df_resid), int(fit.results.df_model)) == (494, 15)
    assert fit.model.coefficients[:2] == pytest.approx((1.0, 1.0), abs=1e-9)
    assert round(fit.results.condition_number, 2) == 46284.03
    others = np.abs([fit.model.intercept, *fit.model.coefficients[2:]])
    assert others.max() < 1e-9
    assert test["r2"] == pytest.approx(1.0, abs=1e-9)
    assert math.isfinite(fit.model.residual_variance)


def test_leakage_is_found_whatever_the_columns_are_called(sides) -> None:
    train, _ = sides
    features = model_columns(train, FORECAST).assign(visitors=train["casual"], members=train["registered"])
    check = check_leakage(features, train[TARGET])
    assert check.verdict == "fail"
    assert set(check.columns) == {"visitors", "members"}
    assert check_leakage(model_columns(train, FORECAST), train[TARGET]).verdict == "pass"


def test_the_uci_form_gives_the_same_model(real_csv, sides, tmp_path) -> None:
    """The table written in UCI's form: same days, same split, same figures."""
    frame = pd.read_csv(real_csv)
    frame["dteday"] = pd.to_datetime(frame["dteday"], format="%d-%m-%y").dt.strftime("%Y-%m-%d")
    for name, scale in (("temp", 41.0), ("atemp", 50.0), ("hum", 100.0), ("windspeed", 67.0)):
        frame[name] = frame[name] / scale
    path = tmp_path / "uci.csv"
    frame.to_csv(path, index=False)
    days = check_days(read_table(path), Purpose.TRAINING, (TARGET,), QualityLimits()).days
    train, test = split_rows(len(days), 0.7, 333)
    fit, metrics = fitted((days.iloc[train], days.iloc[test]), FORECAST)
    original, expected = fitted(sides, FORECAST)
    assert fit.model.selected == original.model.selected
    assert metrics["r2"] == pytest.approx(expected["r2"], rel=1e-10)
