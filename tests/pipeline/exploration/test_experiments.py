"""An experiment is what the pipeline's programs make of a file, and tables and figures tell of it."""

from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.reading import read_dataset
from analysis.runtime.errors import InputError
from pipeline.aws.clients import Aws
from pipeline.demo.sample import write_sample
from pipeline.exploration import figures, tables
from pipeline.exploration.experiments import experiment, with_bins
from pipeline.exploration.session import Session
from pipeline.settings.environment import load_settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    aws = Aws(load_settings("local"))
    return Session(aws, write_sample(folder, dataset=aws.settings.declared), folder, Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def lagged(session):
    """A profile with features of the past."""
    return experiment(session, "forecast-lagged", feature_count=5)


def test_it_keeps_as_many_columns_as_asked_for(lagged):
    assert len(lagged.archive.model.selected) == 5
    assert lagged.evaluation["model"]["provenance"] == lagged.archive.model.provenance


def test_more_columns_than_there_are_is_all_of_them(session):
    found = experiment(session, "forecast", feature_count=10_000)
    assert len(found.archive.model.selected) == len(found.profile.columns)
    # Nothing was eliminated, so there is no other first fit.
    assert set(tables.elimination(found)["rank"]) == {1}
    assert "OLS Regression Results" in found.first_fit()


def test_a_file_that_cannot_be_used_is_refused_where_it_is_wrong(session, tmp_path):
    wrong = tmp_path / "wrong.csv"
    lines = session.data.read_text().splitlines()
    wrong.write_text("\n".join([*lines[:3], lines[3].replace(",", ",9,", 1), *lines[4:]]))
    with pytest.raises(InputError, match=r"wrong\.csv.*line 4"):
        experiment(replace(session, data=wrong))


def test_bins_are_declared_for_measures_without_any(session):
    bikes, wines = (
        session.dataset,
        replace(session, aws=Aws(session.settings.model_copy(update={"dataset": "red_wine"}))),
    )
    assert read_dataset(with_bins(session)).columns == bikes.columns
    binned = read_dataset(with_bins(wines, quantiles=3))
    assert {column.bins.quantiles for name, column in binned.columns.items() if name != "quality"} == {3}


def test_what_is_wrong_with_a_raw_file_is_counted(session, tmp_path):
    lines = session.data.read_text().splitlines()
    first = lines[1].split(",")
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text("\n".join([*lines[:4], ",".join(["n/a", *first[1:]]), lines[1]]) + "\n")
    raw = tables.raw_table(replace(session, data=spoilt))
    missing = tables.missing_cells(raw, session.dataset)["empty cells"]
    assert missing[missing > 0].to_dict() == {"instant": 1}
    repeated = tables.repeated_rows(raw, session.dataset)
    assert repeated["rows"].to_dict() == {"equal to an earlier row": 1, "with the dteday of an earlier row": 2}
    assert repeated["the first on line"].to_list() == ["6", "5"]


def test_tables_of_a_checked_file(session):
    checked = checked_file(session.data, session.dataset, Purpose.TRAINING, required=("cnt",), removes_columns=True)
    assert "instant" in tables.redundant_columns(checked).index
    assert tables.categories(checked, session.dataset).loc[("season", "1"), "means"] == "winter"
    assert set(tables.checks(checked)["outcome"]) == {"passed"}


def test_a_table_without_rows_says_why(capsys):
    assert tables.show(pd.DataFrame(), "There is nothing.") is None
    assert capsys.readouterr().out == "There is nothing.\n"


def test_figures_are_pictures_that_say_what_they_are(lagged):
    for figure in (figures.bins(lagged), figures.residuals(lagged)):
        png, metadata = figure._repr_png_()
        assert Image.open(io.BytesIO(png)).width == 1000
        assert metadata == {"alt": figure.alternative}
    assert lagged.evaluation["leakage"]["verdict"] == "pass"


@pytest.mark.parametrize("time", ["date", None])
def test_predictions_and_errors_without_every_actual_value(time):
    rows = 400
    table = pd.DataFrame(
        {
            "date": pd.date_range("2026-01-01", periods=rows).strftime("%Y-%m-%d"),
            "prediction": range(rows),
            "lower_95": range(-1, rows - 1),
            "upper_95": range(1, rows + 1),
            "actual": [1.0, None] * (rows // 2),
            "error": [0.5, None] * (rows // 2),
            "within": pd.array([1, None] * (rows // 2), dtype="Int64"),
        }
    )
    drawn = figures.predictions(table, time)
    assert f"150 of {rows} rows" in drawn.places[0].get_title()
    assert drawn.places[0].get_legend() is not None
    assert figures.errors(table, time)._repr_png_()[0].startswith(b"\x89PNG")
