"""Figures of days to come: the reference results of bike sharing and wine, and what has to hold for any table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.evaluation.validation import (
    TimedTable,
    chronological_figure,
    registered_figure,
    rolling_figure,
    validation,
)
from analysis.features.labels import row_labels
from analysis.features.preparation import learn
from analysis.features.profiles import profile_of
from analysis.features.transform import model_columns
from analysis.model.calibration import FOLDS, calibrate
from analysis.model.refit import refit
from analysis.model.selection import Procedure, procedure_of
from analysis.runtime.errors import TrainingError
from pipeline.datasets.shipped import declared

BIKES = declared("bike_sharing")
FORECAST = profile_of(BIKES, "forecast")


@pytest.fixture(scope="module")
def days(real_csv) -> TimedTable:
    rows = checked_file(real_csv, BIKES, Purpose.TRAINING, required=(BIKES.target,)).rows
    # In no order, as a table may come.
    rows = rows.take(np.random.Generator(np.random.PCG64(1)).permutation(rows.num_rows))
    times = row_labels(rows, BIKES, row_identities(rows, BIKES))["date"].to_numpy(zero_copy_only=False)
    features = model_columns(rows, FORECAST.columns, BIKES, learn(rows, BIKES)).to_pandas()
    return TimedTable(features, rows[BIKES.target].to_numpy().astype(np.float64), times.astype(np.str_))


def printed(figure: dict) -> tuple[str, ...]:
    """R-squared, RMSE, MAE, mean error and the classical interval's coverage with the reference table's digits."""
    classical = figure["intervals"]["classical"]["coverage"]
    digits = {"r2": 4, "rmse": 1, "mae": 1, "mean_error": 1}
    return (*(f"{figure[name]:.{digit}f}" for name, digit in digits.items()), f"{classical:.3f}")


@pytest.mark.parametrize(
    ("kept", "expected"),
    [(15, ("0.5673", "1086.3", "838.8", "113.3", "0.805")), (29, ("0.5892", "1058.5", "818.5", "90.8", "0.832"))],
)
def test_the_chronological_hold_out_of_bike_sharing(days, kept: int, expected: tuple[str, ...]) -> None:
    found = chronological_figure(days, procedure_of(FORECAST, kept))
    assert (found["rows"], found["refits"], found["trained_on"]) == (220, 1, {"fewest": 510, "most": 510})
    assert (found["first"], found["last"]) == ("2019-05-26", "2019-12-31")
    assert printed(found) == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [(15, ("0.5942", "1132.5", "882.8", "295.8")), (29, ("0.6072", "1114.2", "850.4", "251.1"))],
)
def test_the_rolling_origin_of_bike_sharing(days, kept: int, expected: tuple[str, ...]) -> None:
    found = rolling_figure(days, procedure_of(FORECAST, kept))
    assert found == rolling_figure(days, procedure_of(FORECAST, kept), first=365, fold=30)
    assert (found["rows"], found["refits"], found["trained_on"]) == (365, 13, {"fewest": 365, "most": 725})
    assert printed(found)[:4] == expected
    assert 0.93 <= found["intervals"]["calibrated"]["coverage"] <= 0.97
    # The registered model predicts counts, so no lower than 0.
    bounded = rolling_figure(replace(days, lower_bound=0.0), procedure_of(FORECAST, kept))
    assert bounded["intervals"]["calibrated"]["coverage"] == found["intervals"]["calibrated"]["coverage"]
    assert bounded["intervals"]["calibrated"]["mean_width"] < found["intervals"]["calibrated"]["mean_width"]


def test_the_intervals_of_the_rolling_origin(days) -> None:
    intervals = rolling_figure(days, procedure_of(FORECAST, 29))["intervals"]
    shown = {name: (f"{found['coverage']:.3f}", f"{found['mean_width']:,.0f}") for name, found in intervals.items()}
    assert shown == {"classical": ("0.800", "2,671"), "calibrated": ("0.942", "4,639")}


def test_the_evaluation_has_them_side_by_side(real_runs) -> None:
    found = real_runs["forecast"].evaluation["validation"]
    assert (found["headline"], found["level"]) == ("chronological", 0.95)
    assert printed(found["random"]) == ("0.8337", "777.9", "586.8", "26.0", "0.950")
    assert printed(found["chronological"]) == ("0.5673", "1086.3", "838.8", "113.3", "0.805")
    assert printed(found["rolling"])[:4] == ("0.5942", "1132.5", "882.8", "295.8")
    assert 0.93 <= found["rolling"]["intervals"]["calibrated"]["coverage"] <= 0.97
    assert [found[name]["model"] for name in ("random", "chronological", "rolling")] == [
        "registered", "refitted", "refitted",
    ]  # fmt: skip


def test_wine_has_no_later_rows_to_measure_on(wine_runs) -> None:
    for run in wine_runs.values():
        found = run.evaluation["validation"]
        assert found["headline"] == "random"
        assert found["chronological"] == found["rolling"] == {"r2": None, "reason": "The rows have no time."}
        assert found["random"]["model"] == "registered"


def table(rows: int, seed: int = 1, moments: int | None = None) -> TimedTable:
    """Rows of a table that drifts; `moments`: how many different times they have."""
    random = np.random.Generator(np.random.PCG64(seed))
    x = random.uniform(size=rows)
    times = np.arange(rows) * (moments or rows) // rows
    return TimedTable(pd.DataFrame({"x": x}), 5.0 * x + times * 0.01 + random.normal(size=rows), times)


@settings(deadline=None, max_examples=15)
@given(rows=st.integers(10, 300), moments=st.integers(2, 300), seed=st.integers(0, 999))
def test_each_row_is_predicted_once_by_earlier_moments_alone(rows: int, moments: int, seed: int) -> None:
    procedure, one = Procedure(scaled=("x",)), table(rows, seed, min(rows, moments))
    try:
        found = rolling_figure(one, procedure)
    except TrainingError as error:
        assert "at least two times" in str(error) or "can't determine" in str(error)  # noqa: PT017
        return
    assert found["rows"] == rows - found["trained_on"]["fewest"]
    assert found["first"] != str(one.times[found["trained_on"]["fewest"] - 1])
    # What comes last is in no training rows, so that its targets change no prediction of what comes before it.
    last = one.times == one.times[-1]
    later = replace(one, target=np.where(last, one.target + 1e6, one.target))
    changed = rolling_figure(later, procedure)
    squares = found["rows"] * (changed["mse"] - found["mse"])
    assert squares == pytest.approx(int(last.sum()) * 1e12, rel=1e-3)


@pytest.mark.parametrize(("rows", "refits"), [(104, 13), (730, 13), (731, 13), (20, 10), (17_379, 13)])
def test_the_number_of_refits_does_not_grow_with_the_rows(rows: int, refits: int) -> None:
    assert rolling_figure(table(rows), Procedure())["refits"] == refits


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 9999))
def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    procedure, one = Procedure(scaled=("x",)), table(150)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(150)
    other = TimedTable(one.features.iloc[order], one.target[order], one.times[order])
    for compute in (chronological_figure, rolling_figure):
        assert compute(other, procedure) == compute(one, procedure)


def test_what_can_not_be_measured_has_a_reason() -> None:
    registered = {"r2": 0.8}
    found = validation(registered, None, Procedure(), 0.95)
    assert found["headline"] == "random"
    assert found["chronological"] == found["rolling"] == {"r2": None, "reason": "The rows have no time."}
    found = validation(registered, replace(table(50), times=np.zeros(50)), Procedure(), 0.95)
    assert "at least two times" in found["rolling"]["reason"]
    found = validation(registered, table(8), Procedure(kept=1), 0.95)
    assert found["headline"] == "chronological"
    assert found["chronological"]["intervals"]["calibrated"] == found["chronological"]["intervals"]["classical"]
    constant = replace(table(80), target=np.where(np.arange(80) < 40, np.arange(80.0), 7.0))
    found = validation(registered, constant, Procedure(), 0.95)
    assert found["rolling"]["reason"] == "The latest rows all have the same actual value."


def test_the_rolling_origin_begins_where_the_procedure_has_rows_enough() -> None:
    random = np.random.Generator(np.random.PCG64(1))
    wide = TimedTable(pd.DataFrame(random.normal(size=(48, 29))), random.normal(size=48), np.arange(48))
    found = rolling_figure(wide, Procedure())
    assert (found["trained_on"], found["refits"], found["rows"]) == ({"fewest": 32, "most": 46}, 8, 16)
    with pytest.raises(TrainingError, match="can't determine 29 coefficients"):
        chronological_figure(wide, Procedure(), 0.5)


def test_a_gate_on_a_figure_that_is_missing_is_refused(sample_runs, evaluate_run, tmp_path, call_script) -> None:
    root = sample_runs["forecast"].root
    for name in ("archive", "prepared"):
        (tmp_path / name).symlink_to(root / name)
    rows = pd.read_csv(root / "prepared" / "rows" / "rows.csv")
    (tmp_path / "rows").mkdir()
    rows.assign(date="2026-01-01").to_csv(tmp_path / "rows" / "rows.csv", index=False)
    folders = {"model": "archive", "train": "prepared/train", "test": "prepared/test", "quality": "prepared/quality"}
    options = [f"--{name}-dir={root / folder}" for name, folder in folders.items()]
    options += [f"--scoring-dir={root / 'prepared' / 'scoring'}", f"--rows-dir={tmp_path / 'rows'}"]
    done = call_script("evaluate.py", *options, f"--output-dir={tmp_path / 'out'}", "--gate-figure=chronological")
    assert done.code == 1
    assert "R-squared of the chronological figure, and there is none: 730 rows of at least two times" in done.message
    assert "quality.gate_figure to random" in done.message


@pytest.fixture(scope="module")
def wine(wine_csv) -> tuple[pd.DataFrame, np.ndarray]:
    found = pd.read_csv(wine_csv)
    return found.drop(columns="quality"), found["quality"].to_numpy(dtype=np.float64)


def wine_figure(wine: tuple[pd.DataFrame, np.ndarray], seed: int) -> dict:
    """All rows, 11 features: what the registered model of that split measures on its test rows."""
    features, target = wine
    procedure = Procedure(scaled=tuple(features.columns))
    train, test = train_test_split(np.arange(len(target)), train_size=0.7, test_size=0.3, random_state=seed)
    known = (features.iloc[train], target[train])
    model = replace(refit(*known, procedure), calibration=calibrate(*known, procedure))
    assert model.calibration is not None
    assert model.calibration.method == FOLDS
    return registered_figure(model, features.iloc[test].to_numpy(), target[test], len(train))


def test_the_published_split_of_wine(wine) -> None:
    found = wine_figure(wine, 333)
    assert (f"{found['r2']:.4f}", f"{found['rmse']:.4f}") == ("0.3596", "0.6819")
    assert f"{found['intervals']['classical']['coverage']:.4f}" == "0.9417"
    assert f"{found['intervals']['calibrated']['coverage']:.4f}" == "0.9458"


@pytest.mark.randomised("splits")
def test_the_intervals_of_wine_hold_over_many_splits(wine, pytestconfig) -> None:
    splits = pytestconfig.getoption("splits")
    shares = [wine_figure(wine, seed)["intervals"]["calibrated"]["coverage"] for seed in range(splits)]
    # The standard deviation of one split's coverage is 0.013.
    slack = 0.01 if splits >= 50 else 0.03
    assert 0.95 - slack <= float(np.mean(shares)) <= 0.95 + slack
