"""Champion and challenger: what the same rows can show of two models."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evaluation import paired
from analysis.evaluation.metrics import all_metrics
from analysis.evaluation.paired import BETTER, NO_DIFFERENCE, WORSE, compared, paired_intervals, verdict


def rows(count: int, noise: float, seed: int = 0):
    """Return actual values, and the predictions of two models, the second one of which errs more by `noise`."""
    random = np.random.default_rng(seed)
    actual = random.normal(4000.0, 1500.0, count)
    new = actual + random.normal(0.0, 700.0, count)
    return actual, new, new + random.normal(0.0, noise, count)


def test_a_clear_difference_is_called_by_its_side() -> None:
    actual, new, old = rows(200, 700.0)
    assert compared(actual, new, old)["verdict"] == BETTER
    assert compared(actual, old, new)["verdict"] == WORSE


def test_a_model_is_no_better_than_itself() -> None:
    actual, new, _ = rows(50, 0.0)
    found = compared(actual, new, new)
    assert (found["verdict"], found["difference_intervals"]) == (
        NO_DIFFERENCE,
        {name: [0.0, 0.0] for name in ("rmse", "mae", "r2")},
    )


def test_exact_models_are_compared_too() -> None:
    actual, new, _ = rows(50, 0.0)
    assert compared(actual, actual, actual)["difference_intervals"]["rmse"] == [0.0, 0.0]
    assert compared(actual, actual, new)["verdict"] == BETTER


def test_a_few_rows_show_nothing() -> None:
    actual, new, old = rows(19, 5000.0)
    assert compared(actual, new, old) == {
        "verdict": NO_DIFFERENCE, "rows": 19, "difference_intervals": None, "interval_level": 0.95, "resamples": 0,
    }  # fmt: skip


def test_the_same_rows_give_the_same_interval_and_the_other_way_round_its_mirror() -> None:
    actual, new, old = rows(100, 300.0)
    forth, back = paired_intervals(actual, new, old), paired_intervals(actual, old, new)
    assert forth == paired_intervals(actual, new, old)
    assert forth is not None
    assert back is not None
    for name, (low, high) in forth.items():
        assert back[name] == pytest.approx([-high, -low])


def test_resamples_are_those_of_the_metrics_themselves() -> None:
    """Drawn one by one, with the metrics that evaluation.json has."""
    actual, new, old = rows(60, 400.0)
    random = np.random.Generator(np.random.PCG64(paired._SEED))
    drawn = random.integers(0, 60, (paired.RESAMPLES, 60))
    differences = {name: [] for name in ("rmse", "mae", "r2")}
    for one in drawn:
        first, second = (all_metrics(actual[one], side[one], 0) for side in (new, old))
        for name, found in differences.items():
            found.append(first[name] - second[name])
    wanted = {name: pytest.approx(np.quantile(found, [0.025, 0.975]).tolist()) for name, found in differences.items()}
    assert paired_intervals(actual, new, old) == wanted


def test_the_interval_holds_the_difference_as_often_as_it_says() -> None:
    """Of samples of one population, with a known difference of the RMSE."""
    truth = np.hypot(700.0, 500.0) - 700.0
    held = 0
    for seed in range(200):
        actual, new, old = rows(150, 500.0, seed)
        low, high = paired_intervals(actual, old, new)["rmse"]
        held += low <= truth <= high
    assert 180 <= held <= 199


@given(st.floats(-10, 10), st.floats(0, 10))
def test_the_verdict_follows_the_interval(low, width) -> None:
    high = low + width
    expected = BETTER if high < 0 else WORSE if low > 0 else NO_DIFFERENCE
    assert verdict({"rmse": [low, high], "mae": [-1.0, 1.0], "r2": [-1.0, 1.0]}) == expected


def test_memory_does_not_grow_with_resamples_times_rows(monkeypatch) -> None:
    monkeypatch.setattr(paired, "RESAMPLES", 20)
    actual, new, old = rows(400_000, 300.0)
    tracemalloc.start()
    try:
        assert paired_intervals(actual, new, old) is not None
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()
