from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from analysis.evaluation.metrics import adjusted_r_squared, all_metrics, coverage, resampled_deviations

RANDOM = np.random.Generator(np.random.PCG64(3))
ACTUAL = RANDOM.normal(4000, 1500, 120)
PREDICTED = ACTUAL + RANDOM.normal(0, 700, 120)


def test_metrics_equal_scikit_learns() -> None:
    found = all_metrics(ACTUAL, PREDICTED, 15)
    assert found["rows"] == 120
    assert found["r2"] == pytest.approx(reference.r2_score(ACTUAL, PREDICTED), rel=1e-12)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(ACTUAL, PREDICTED), rel=1e-12)
    assert found["mse"] == pytest.approx(reference.mean_squared_error(ACTUAL, PREDICTED), rel=1e-12)
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(ACTUAL, PREDICTED), rel=1e-12)
    percentage = reference.mean_absolute_percentage_error(ACTUAL, PREDICTED) * 100
    assert found["mape"] == pytest.approx(percentage, rel=1e-12)


def test_figures_without_a_meaning_are_none() -> None:
    same = np.full(5, 3.0)
    assert all_metrics(same, same, 1)["r2"] is None
    assert all_metrics(np.zeros(5), same, 1)["mape"] is None
    assert adjusted_r_squared(0.5, 10, 9) is None


def test_days_without_rides_are_left_out_of_the_percentage() -> None:
    assert all_metrics(np.array([0.0, 100.0]), np.array([50.0, 110.0]), 1)["mape"] == pytest.approx(10.0)


def test_deviations_are_repeatable_and_plausible() -> None:
    first = resampled_deviations(ACTUAL, PREDICTED)
    assert first == resampled_deviations(ACTUAL, PREDICTED)
    errors = np.abs(ACTUAL - PREDICTED)
    assert first["mae"] == pytest.approx(errors.std(ddof=1) / math.sqrt(errors.size), rel=0.2)


def test_coverage_counts_the_bounds_in() -> None:
    actual = np.array([1.0, 2.0, 3.0, 4.0])
    assert coverage(actual, np.array([1.0, 2.5, 0.0, 0.0]), np.array([1.0, 3.0, 3.0, 3.9])) == 0.5
