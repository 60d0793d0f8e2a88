"""The reference results of the real tables (see their READMEs), reproduced through the steps and their functions."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

from analysis.checking.checks import CheckedRows
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.evaluation.diagnostics import check_leakage
from analysis.evaluation.metrics import all_metrics, coverage
from analysis.evaluation.validation import TimedTable, rolling_figure
from analysis.features.history import rows_with_past
from analysis.features.preparation import Preparation, learn
from analysis.features.prepared import split_rows
from analysis.features.profiles import Profile, profile_of
from analysis.features.transform import model_columns
from analysis.model.fitting import Fit, fit_linear_model
from analysis.model.rows import rows_of_frame
from analysis.model.selection import procedure_of
from pipeline.datasets.shipped import declared

BIKES = declared("bike_sharing")
TARGET = BIKES.target
FORECAST, PARITY = profile_of(BIKES, "forecast"), profile_of(BIKES, "parity")

WINE = {
    "complete": {
        "rows": (1119, 480),
        "r_squared": ("0.3577", "0.3514"),
        "f": "56.05",
        "criteria": ("2168.9", "2229.1"),
        "durbin_watson": "1.969",
        "condition_number": "42.44",
        "test": ("0.3596", "0.6819"),
        "coverage": "0.9417",
    },
    "forecast": {
        "rows": (1119, 480),
        "r_squared": ("0.3575", "0.3529"),
        "f": "77.20",
        "criteria": ("2163.3", "2208.5"),
        "durbin_watson": "1.968",
        "condition_number": "21.61",
        "test": ("0.3585", "0.6824"),
        "coverage": "0.9396",
    },
    "distinct": {
        "rows": (951, 408),
        "r_squared": ("0.3586", "0.3510"),
        "f": "47.72",
        "criteria": ("1923.7", "1982.0"),
        "durbin_watson": "1.948",
        "condition_number": "41.14",
        "test": ("0.3667", "0.6600"),
        "coverage": "0.9485",
    },
}
"""The reference table of red wine, as printed."""


@pytest.fixture(scope="module")
def checked(real_csv) -> CheckedRows:
    return checked_file(real_csv, BIKES, Purpose.TRAINING, required=(*BIKES.parts, TARGET))


@pytest.fixture(scope="module")
def sides(checked) -> tuple[pa.Table, pa.Table]:
    return sides_of(checked.rows)


def sides_of(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    train, test = split_rows(rows.num_rows, 0.7, 333)
    return rows.take(train), rows.take(test)


def features_of(sides: tuple[pa.Table, pa.Table], profile: Profile) -> list[pd.DataFrame]:
    learned = learn(sides[0], BIKES)
    return [model_columns(rows, profile.columns, BIKES, learned).to_pandas() for rows in sides]


def fitted(sides: tuple[pa.Table, pa.Table], profile: Profile, count: int = 15) -> tuple[Fit, dict[str, float]]:
    train, test = features_of(sides, profile)
    answers = [rows[TARGET].to_pandas().rename(TARGET) for rows in sides]
    fit = fit_linear_model(rows_of_frame(train, answers[0]), profile, count, {})
    predicted = fit.model.predict(test.to_numpy(dtype=float))
    actual = answers[1].to_numpy(dtype=float)
    metrics = all_metrics(actual, predicted.prediction, len(fit.model.selected))
    return fit, {**metrics, "coverage": coverage(actual, predicted.lower, predicted.upper)}


def test_the_whole_table_is_read(checked) -> None:
    assert checked.report["rows"] == {"read": 730, "used": 730}
    assert checked.report["repairs"] == []
    assert (checked.report["first"], checked.report["last"]) == ("2018-01-01", "2019-12-31")


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


LAGGED = profile_of(BIKES, "forecast-lagged")
ROLLING = {("forecast", 30): 0.607, ("forecast", 7): 0.691, (LAGGED.name, 30): 0.719, (LAGGED.name, 7): 0.748}
"""The reference table of features of the past: R-squared by profile and days of a fold."""


@pytest.mark.parametrize(("name", "fold"), ROLLING)
def test_the_days_before_in_a_rolling_origin_with_all_features(checked, name: str, fold: int) -> None:
    profile = profile_of(BIKES, name)
    past = rows_with_past(checked.rows, None, BIKES, profile)
    table = TimedTable(
        features=model_columns(past.rows, profile.columns, BIKES, Preparation()).to_pandas(),
        target=past.rows[TARGET].to_numpy().astype(float),
        times=past.rows[BIKES.time].to_numpy(),
        lower_bound=0.0,
    )
    # The first year is trained on, all days of it that the profile can use.
    first = int((table.times < np.datetime64("2019-01-01")).sum())
    assert first == {"forecast": 365, LAGGED.name: 364}[name]
    with threadpool_limits(limits=1):
        figure = rolling_figure(table, procedure_of(profile, len(profile.columns)), first, fold)
    assert (figure["rows"], figure["first"]) == (365, "2019-01-01")
    assert figure["r2"] == pytest.approx(ROLLING[name, fold], abs=0.005)
    assert 0.93 <= figure["intervals"]["calibrated"]["coverage"] <= 0.97


def test_the_published_analysis(sides) -> None:
    fit, test = fitted(sides, PARITY)
    found = fit.results.regression
    assert found.r_squared == pytest.approx(1.0, abs=1e-9)
    assert (found.df_residuals, found.df_model) == (494, 15)
    assert fit.model.coefficients[:2] == pytest.approx((1.0, 1.0), abs=1e-9)
    assert round(found.condition_number, 2) == 46284.03
    others = np.abs([fit.model.intercept, *fit.model.coefficients[2:]])
    assert others.max() < 1e-9
    assert test["r2"] == pytest.approx(1.0, abs=1e-9)
    assert math.isfinite(fit.model.residual_variance)


def test_leakage_is_found_whatever_the_columns_are_called(sides) -> None:
    train, target = features_of(sides, FORECAST)[0], sides[0][TARGET].to_pandas()
    parts = {"visitors": sides[0]["casual"].to_numpy(), "members": sides[0]["registered"].to_numpy()}
    check = check_leakage(train.assign(**parts), target)
    assert check.verdict == "fail"
    assert set(check.columns) == {"visitors", "members"}
    assert check_leakage(train, target).verdict == "pass"


def test_the_uci_form_gives_the_same_model(real_csv, sides, tmp_path) -> None:
    """The table written in UCI's form: same days, same split, same figures."""
    frame = pd.read_csv(real_csv)
    frame["dteday"] = pd.to_datetime(frame["dteday"], format="%d-%m-%y").dt.strftime("%Y-%m-%d")
    for name, scale in (("temp", 41.0), ("atemp", 50.0), ("hum", 100.0), ("windspeed", 67.0)):
        frame[name] = frame[name] / scale
    path = tmp_path / "uci.csv"
    frame.to_csv(path, index=False)
    read = checked_file(path, BIKES, Purpose.TRAINING, required=(TARGET,))
    assert read.report["form"] == "original"
    fit, metrics = fitted(sides_of(read.rows), FORECAST)
    original, expected = fitted(sides, FORECAST)
    assert fit.model.selected == original.model.selected
    assert metrics["r2"] == pytest.approx(expected["r2"], rel=1e-10)


@pytest.mark.parametrize("profile", WINE)
def test_every_printed_digit_of_wine(wine_runs, profile: str) -> None:
    run = wine_runs[profile]
    figures, test = run.document("data/summary.json")["figures"], run.evaluation["validation"]["random"]
    assert {
        "rows": (figures["observations"], test["rows"]),
        "r_squared": (f"{figures['r_squared']:.4f}", f"{figures['adjusted_r_squared']:.4f}"),
        "f": f"{figures['f_statistic']:.2f}",
        "criteria": (f"{figures['aic']:.1f}", f"{figures['bic']:.1f}"),
        "durbin_watson": f"{figures['durbin_watson']:.3f}",
        "condition_number": f"{figures['condition_number']:.2f}",
        "test": (f"{test['r2']:.4f}", f"{test['rmse']:.4f}"),
        "coverage": f"{test['intervals']['classical']['coverage']:.4f}",
    } == WINE[profile]


def test_the_measures_that_elimination_keeps_of_wine(wine_runs) -> None:
    kept = "volatile acidity, citric acid, chlorides, free sulfur dioxide, total sulfur dioxide, pH, sulphates, alcohol"
    assert wine_runs["forecast"].evaluation["model"]["selected_features"] == kept.split(", ")
    for profile in ("complete", "distinct"):
        assert len(wine_runs[profile].evaluation["model"]["selected_features"]) == 11


@pytest.mark.parametrize("profile", WINE)
def test_the_reference_figures_of_wine_stand_beside_those_of_the_run(wine_runs, profile: str) -> None:
    run = wine_runs[profile]
    published = run.evaluation["published"]
    assert published["same_data"]
    assert len(published["figures"]) == 12
    assert {figure["agrees"] for figure in published["figures"]} == {True}
    assert "Published and reproduced figures, on the published file:" in run.log
    assert re.search(rf"Condition number +({WINE[profile]['condition_number']}) +\1 +equal", run.log)
    section = run.report.partition('<section id="published"')[2].partition("</section>")[0]
    assert "This is the file that the figures were published for." in section
    assert section.count('<td class="text">equal</td>') == 12
    assert "different" not in section.replace("Figures of rounding noise differ", "")


def test_repeated_wines_are_kept_or_dropped_as_the_profile_says(wine_runs) -> None:
    quality = {name: run.document("prepared/quality/quality.json") for name, run in wine_runs.items()}
    assert {name: report["rows"] for name, report in quality.items()} == {
        "forecast": {"read": 1599, "used": 1599},
        "complete": {"read": 1599, "used": 1599},
        "distinct": {"read": 1599, "used": 1359},
    }
    assert sum(repair["rows"] for repair in quality["distinct"]["repairs"]) == 240


def test_the_original_form_of_wine_gives_the_same_rows(wine_csv, tmp_path) -> None:
    """As the UCI repository has it: with semicolons and quoted names."""
    header, *lines = wine_csv.read_text().splitlines()
    quoted = ";".join(f'"{name}"' for name in header.split(","))
    original = tmp_path / "winequality-red.csv"
    original.write_text("\n".join([quoted, *(line.replace(",", ";") for line in lines)]) + "\n")
    wine = declared("red_wine")
    one, other = (
        checked_file(path, wine, Purpose.TRAINING, required=("quality",)).rows for path in (wine_csv, original)
    )
    assert one.equals(other)
