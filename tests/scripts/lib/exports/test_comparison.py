from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.dataset.columns import Column, Kind
from analysis.features.profiles import past_of, profile_of
from analysis.model.artefact import Calibration, LinearModel, read_model
from analysis.runtime.errors import InputError, ModelError
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import sample_rows
from scripts.lib.exports.comparison import predictions_table, prepare, summary
from scripts.lib.program import ExportRefusedError
from tests.scripts.conftest import trained_on

BIKES, WINE = declared("bike_sharing"), declared("red_wine")
SCALES = {name: column.scales["original"] for name, column in BIKES.columns.items() if column.scales}


@pytest.fixture
def model(trained) -> LinearModel:
    return read_model(trained.model_dir)


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return sample_rows(rows=20)


def test_days_are_prepared_as_the_pipeline_prepares_them(trained, model) -> None:
    prepared = prepare(trained.raw, model, BIKES)
    text = (trained.prepared / "scoring" / "features.csv").read_text()
    assert np.array_equal(prepared.inputs, [[float(cell) for cell in line.split(",")] for line in text.splitlines()])
    days = pd.read_csv(trained.prepared / "rows" / "rows.csv", dtype=str, keep_default_na=False)
    assert list(prepared.labels) == ["date"]
    assert prepared.labels["date"].tolist() == days["date"].tolist()
    assert prepared.actual.tolist() == [float(value) for value in days["actual"]]


def test_both_published_forms_predict_the_same(tmp_path, rows, model) -> None:
    uci = []
    for row in rows:
        day, month, year = row["dteday"].split("-")
        scaled = {name: repr(float(row[name]) / scale) for name, scale in SCALES.items()}
        uci.append({**row, **scaled, "dteday": f"20{year}-{month}-{day}"})
    one = predictions_table(model, prepare(written(tmp_path / "a.csv", rows), model, BIKES), "x", "y")
    other = predictions_table(model, prepare(written(tmp_path / "b.csv", uci), model, BIKES), "x", "y")
    assert one["date"].tolist() == other["date"].tolist()
    assert one["prediction"].tolist() == pytest.approx(other["prediction"].tolist(), rel=1e-12)


def test_errors_per_row_and_their_summary(tmp_path, rows, model) -> None:
    prepared = prepare(written(tmp_path / "days.csv", rows), model, BIKES)
    table = predictions_table(model, prepared, "m.pickle", "days.csv")
    counts = [int(row["cnt"]) for row in rows]
    errors = [count - prediction for count, prediction in zip(counts, table["prediction"], strict=True)]
    assert table["actual"].tolist() == counts
    assert table["error"].tolist() == pytest.approx(errors, rel=1e-15)
    inside = [low <= count <= up for low, up, count in zip(table["lower_95"], table["upper_95"], counts, strict=True)]
    assert table["within"].tolist() == [int(value) for value in inside]
    result = summary(model, prepared)
    assert (result["rows"], result["compared"], result["trained_on_this_file"]) == (20, 20, False)
    assert result["rmse"] == pytest.approx(math.sqrt(sum(error**2 for error in errors) / 20), rel=1e-12)
    assert result["mae"] == pytest.approx(sum(map(abs, errors)) / 20, rel=1e-12)
    mean = sum(counts) / 20
    r2 = 1 - sum(error**2 for error in errors) / sum((count - mean) ** 2 for count in counts)
    assert result["r2"] == pytest.approx(r2, rel=1e-12)
    assert result["coverage"] == sum(inside) / 20
    worst = max(range(20), key=lambda row: abs(errors[row]))
    assert result["largest_error"]["date"] == table["date"][worst]
    assert result["largest_error"]["error"] == pytest.approx(errors[worst], rel=1e-12)


def test_days_without_counts(tmp_path, rows, model) -> None:
    for row in rows:
        for name in ("casual", "registered", "cnt"):
            del row[name]
    prepared = prepare(written(tmp_path / "days.csv", rows), model, BIKES)
    table = predictions_table(model, prepared, "x", "y")
    assert table["prediction"].notna().all()
    assert table[["actual", "error", "within"]].isna().all(axis=None)
    assert summary(model, prepared) == {"rows": 20, "compared": 0, "trained_on_this_file": False}


def test_only_days_with_a_count_are_compared(tmp_path, rows, model) -> None:
    for row in rows[5:]:
        row["cnt"] = row["casual"] = row["registered"] = ""
    prepared = prepare(written(tmp_path / "days.csv", rows), model, BIKES)
    table = predictions_table(model, prepared, "x", "y")
    assert table["actual"].notna().tolist() == [True] * 5 + [False] * 15
    assert table["error"].notna().tolist() == [True] * 5 + [False] * 15
    result = summary(model, prepared)
    assert (result["rows"], result["compared"]) == (20, 5)
    assert math.isfinite(result["rmse"])


def test_a_count_beyond_a_double_is_named(tmp_path, rows, model) -> None:
    rows[4]["cnt"], rows[5]["cnt"] = "", "9" * 400
    with pytest.raises(InputError, match=r"days\.csv: line 7, column cnt: '9{30,}.* is too large for a double"):
        prepare(written(tmp_path / "days.csv", rows), model, BIKES)


def test_errors_whose_squares_are_beyond_a_double_are_refused(tmp_path, rows, model) -> None:
    prepared = prepare(written(tmp_path / "days.csv", rows), model, BIKES)
    with pytest.raises(ExportRefusedError, match="more than a double holds"):
        summary(replace(model, intercept=1e200), prepared)


def test_predictions_beyond_a_double_are_refused(tmp_path, rows, model) -> None:
    prepared = prepare(written(tmp_path / "days.csv", rows), model, BIKES)
    large = replace(model, coefficients=tuple(1e308 for _ in model.coefficients), intercept=1.7e308)
    with pytest.raises(ExportRefusedError, match="more than a double holds"):
        predictions_table(large, prepared, "x", "y")


def test_one_day(tmp_path, rows, model) -> None:
    result = summary(model, prepare(written(tmp_path / "days.csv", rows[:1]), model, BIKES))
    assert result["compared"] == 1
    assert result["r2"] is None


def test_the_file_that_it_was_trained_on_is_recognised(trained, model) -> None:
    assert summary(model, prepare(trained.raw, model, BIKES))["trained_on_this_file"] is True


def test_names_can_not_start_a_formula(tmp_path, rows, model) -> None:
    prepared = prepare(written(tmp_path / "days.csv", rows), model, BIKES)
    table = predictions_table(model, prepared, "=cmd|'/c calc'!A1.pickle", "@days.csv")
    assert table["model"][0] == "'=cmd|'/c calc'!A1.pickle"
    assert table["source_file"][0] == "'@days.csv"


def test_a_wrong_cell_is_named(tmp_path, rows, model) -> None:
    rows[2]["season"] = "7"
    with pytest.raises(InputError, match=r"days\.csv: line 4, column season: 7 is not one of"):
        prepare(written(tmp_path / "days.csv", rows), model, BIKES)


@pytest.mark.parametrize("options", [("--first-levels", "keep"), ("--measures", "bins")])
def test_rows_are_prepared_as_the_model_s_variant_was(trained, tmp_path, options) -> None:
    variant = trained_on(trained.raw, "forecast", tmp_path, options=options)
    model = read_model(variant.model_dir)
    assert model.input_columns != read_model(trained.model_dir).input_columns
    prepared = prepare(trained.raw, model, BIKES)
    text = (variant.prepared / "scoring" / "features.csv").read_text()
    assert np.array_equal(prepared.inputs, [[float(cell) for cell in line.split(",")] for line in text.splitlines()])


def test_a_model_of_other_columns_is_refused(trained, model) -> None:
    other = replace(model, input_columns=(*model.input_columns, "humour"))
    with pytest.raises(ModelError, match="takes other columns"):
        prepare(trained.raw, other, BIKES)


def test_rows_without_key_and_time_are_named_by_record_and_line(trained_on_wine) -> None:
    model = read_model(trained_on_wine.model_dir)
    prepared = prepare(trained_on_wine.raw, model, WINE)
    text = (trained_on_wine.prepared / "scoring" / "features.csv").read_text()
    assert np.array_equal(prepared.inputs, [[float(cell) for cell in line.split(",")] for line in text.splitlines()])
    wines = pd.read_csv(trained_on_wine.prepared / "rows" / "rows.csv", dtype=str, keep_default_na=False)
    assert prepared.labels.to_dict("list") == wines[["record", "line"]].to_dict("list")
    table = predictions_table(model, prepared, "m.pickle", "wines.csv")
    assert list(table)[:6] == ["record", "line", "prediction", "lower_95", "upper_95", "actual"]
    result = summary(model, prepared)
    worst = int(table["error"].abs().argmax())
    assert result["largest_error"]["line"] == table["line"][worst]
    assert result["rows"] == result["compared"] == 730


def test_a_model_of_another_table_is_refused(trained, model, trained_on_wine) -> None:
    with pytest.raises(ModelError):
        prepare(trained_on_wine.raw, model, WINE)
    with pytest.raises(ModelError):
        prepare(trained.raw, read_model(trained_on_wine.model_dir), BIKES)


@pytest.mark.parametrize("name", ["error", "within", "model", "source_file"])
def test_a_row_may_be_named_by_a_column_that_is_called_as_ours(tmp_path, rows, model, name: str) -> None:
    columns = {name: Column(kind=Kind.IDENTIFIER), **BIKES.columns}
    dataset = replace(BIKES, columns=columns, key=(name, "dteday"))
    named = [{**row, name: f"T{number}"} for number, row in enumerate(rows)]
    prepared = prepare(written(tmp_path / "cars.csv", named), model, dataset)
    table = predictions_table(model, prepared, "m", "cars.csv")
    assert list(table)[:3] == [f"{name}_", "date", "prediction"]
    assert table[f"{name}_"].tolist() == [f"T{number}" for number in range(20)]
    worst = int(table["error"].abs().argmax())
    assert summary(model, prepared)["largest_error"][f"{name}_"] == f"T{worst}"


def test_features_of_the_past_are_made_of_the_file(tmp_path, rows, model) -> None:
    names = profile_of(BIKES, "forecast-lagged").names
    widths = Calibration("split conformal", 100.0, 90, ((0, 100.0), (20, 300.0)))
    lagged = replace(
        model, profile="forecast-lagged", input_columns=names, ranges={}, has_past=True, calibration=widths,
        bounds=model.bounds, preparation={"past": past_of(profile_of(BIKES, "forecast-lagged"), BIKES)},
    )  # fmt: skip
    known = [row if number < 4 else row | {"cnt": ""} for number, row in enumerate(rows)]
    for row in known:
        del row["casual"], row["registered"]
    prepared = prepare(written(tmp_path / "a.csv", known), lagged, BIKES)
    # The first day has no day before.
    assert prepared.gaps is not None
    assert prepared.gaps.tolist() == [0, 0, 0, 0, *range(1, 16)]
    assert prepared.inputs[:, names.index("cnt_1")].tolist()[:5] == [float(row["cnt"]) for row in rows[:4]] + [
        float(rows[3]["cnt"])
    ]
    table = predictions_table(lagged, prepared, "x", "y")
    half_widths = table["upper_95"] - table["prediction"]
    assert half_widths.tolist() == pytest.approx([100.0 + 10.0 * gap for gap in prepared.gaps])
    unknown = written(tmp_path / "b.csv", [row | {"cnt": ""} for row in known])
    with pytest.raises(InputError, match="no earlier value of cnt is known for any day"):
        prepare(unknown, lagged, BIKES)
