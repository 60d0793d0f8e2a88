"""Calibrated intervals on tables that are made up here; day.csv and wine are in test_validation.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.evaluation.metrics import coverage
from analysis.model.calibration import (
    FOLDS,
    LATEST,
    calibrate,
    calibration_rows,
    conformal_half_width,
    fewest_rows,
    start_of_moment,
)
from analysis.model.refit import refit
from analysis.model.selection import Procedure

PLAIN = Procedure(scaled=("x",))


def table(seed: int, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.Generator(np.random.PCG64(seed))
    x = random.uniform(size=rows)
    return pd.DataFrame({"x": x}), 3.0 * x + random.standard_t(3, rows)


def test_the_quantile_is_that_of_a_finite_sample() -> None:
    errors = np.arange(1.0, 91.0) * np.where(np.arange(90) % 2, 1.0, -1.0)
    # Position 0.95 * 91 / 90 of the way from the first to the 90th.
    assert conformal_half_width(errors) == pytest.approx(1.0 + 89.0 * 0.95 * 91.0 / 90.0)
    assert conformal_half_width(errors[:19]) == pytest.approx(19.0)
    assert conformal_half_width(np.array([2.0])) == 2.0


@pytest.mark.parametrize(
    ("rows", "count"),
    [(0, 0), (56, 0), (57, 19), (104, 34), (270, 90), (365, 90), (510, 90), (900, 90), (17_379, 1737)],
)
def test_how_many_of_the_latest_rows(rows: int, count: int) -> None:
    assert calibration_rows(rows) == count


def test_as_many_errors_are_needed_as_the_level_asks_for() -> None:
    assert [fewest_rows(level) for level in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]


@given(times=st.lists(st.integers(0, 9), min_size=1, max_size=40).map(sorted), position=st.integers(0, 40))
def test_a_moment_is_never_split(times: list[int], position: int) -> None:
    start = start_of_moment(np.array(times), min(position, len(times)))
    assert min(position, len(times)) <= start <= len(times)
    assert not set(times[:start]) & set(times[start:])


def test_the_latest_rows_are_predicted_from_those_before() -> None:
    features, target = table(1, 300)
    times = np.arange(300)
    before = refit(features[:210], target[:210], PLAIN)
    errors = target[210:] - before.fitted(features[210:].to_numpy())
    found = calibrate(features, target, PLAIN, times)
    assert found is not None
    assert (found.method, found.rows) == (LATEST, 90)
    assert found.half_width == pytest.approx(conformal_half_width(errors), rel=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 9999))
def test_the_order_of_the_rows_does_not_matter_where_they_have_a_time(seed: int) -> None:
    features, target = table(2, 120)
    times = np.array([f"{2000 + row}-01-01" for row in range(120)])
    order = np.random.Generator(np.random.PCG64(seed)).permutation(120)
    expected, found = (
        calibrate(features, target, PLAIN, times),
        calibrate(features.iloc[order], target[order], PLAIN, times[order]),
    )
    assert expected is not None
    assert found is not None
    assert found.half_width == pytest.approx(expected.half_width, rel=1e-9)


def test_older_values_make_the_interval_wider() -> None:
    """A random walk, predicted from what it was: after g more steps its errors are sqrt(g + 1) as large."""
    random = np.random.Generator(np.random.PCG64(7))
    steps = np.cumsum(random.standard_normal(1200))
    older = {gap: pd.DataFrame({"before": pd.Series(steps).shift(1 + gap)[101:].to_numpy()}) for gap in (0, 1, 3, 8)}
    features, target, times = older.pop(0), steps[101:], np.arange(1099)
    found = calibrate(features, target, Procedure(scaled=("before",)), times, by_gap=older)
    assert found is not None
    assert [gap for gap, _ in found.by_gap] == [0, 1, 3, 8]
    assert found.by_gap[0] == (0, found.half_width)
    widths = np.array([width for _, width in found.by_gap])
    assert widths / widths[0] == pytest.approx(np.sqrt([1.0, 2.0, 4.0, 9.0]), rel=0.25)
    plain = calibrate(features, target, Procedure(scaled=("before",)), times)
    assert plain == replace(found, by_gap=())


def test_a_width_never_falls_with_the_gap_and_ends_with_the_rows() -> None:
    features, target = table(4, 100)
    times = np.arange(100)
    noisy = features + np.random.Generator(np.random.PCG64(1)).uniform(0.0, 9.0, (100, 1))
    short = features.assign(x=np.where(times < 85, np.nan, features["x"]))
    found = calibrate(features, target, PLAIN, times, by_gap={6: short, 1: noisy, 2: features})
    assert found is not None
    (_, first), (one, wide), (two, same) = found.by_gap
    assert (one, two) == (1, 2)
    assert first < wide == same


def test_too_few_rows_are_not_calibrated_on() -> None:
    features, target = table(1, 300)
    assert calibrate(features[:56], target[:56], PLAIN, np.arange(56)) is None
    assert calibrate(features[:19], target[:19], PLAIN) is None
    # All of one moment: there is nothing before the latest rows.
    assert calibrate(features, target, PLAIN, np.zeros(300)) is None
    # More coefficients than rows before the latest ones.
    wide = pd.DataFrame(np.random.Generator(np.random.PCG64(1)).normal(size=(60, 45)))
    assert calibrate(wide, target[:60], Procedure(), np.arange(60)) is None


@pytest.mark.parametrize("timed", [True, False])
def test_intervals_hold_what_they_promise_whatever_the_errors(timed: bool) -> None:
    """Student-t errors with 3 degrees of freedom; mean over 40 tables."""
    shares = []
    for seed in range(40):
        features, target = table(seed, 600)
        known = slice(0, 400)
        found = calibrate(features[known], target[known], PLAIN, np.arange(400) if timed else None)
        assert found is not None
        assert timed or (found.method, found.rows) == (FOLDS, 400)
        model = replace(refit(features[known], target[known], PLAIN), calibration=found)
        new = model.predict(features[400:].to_numpy())
        shares.append(coverage(target[400:], new.lower, new.upper))
    assert 0.94 <= float(np.mean(shares)) <= 0.96
