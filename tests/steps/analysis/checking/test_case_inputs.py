"""Inputs that once went wrong, each standing for a whole kind, and the tables that have to pass."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analysis.checking.forms import Ranges
from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.runtime.errors import InputError
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import BIKE, ROOT, WINE, Cells, cells_of, checked

SHARED = ROOT.parent / "shared"


@pytest.fixture
def days(real_csv: Path) -> Cells:
    """The published daily table."""
    return cells_of(real_csv, BIKE)


@pytest.fixture
def case():
    """Rows of one of the shared inputs."""

    def rows(name: str) -> Cells:
        path = SHARED / "cases" / "inputs" / name
        if not path.is_file():
            pytest.skip(f"the input is not at {path}")
        return cells_of(path, BIKE)

    return rows


@pytest.fixture
def trained(days: Cells) -> Ranges:
    """What a model that was trained on the published table has seen."""
    rows = checked(days).rows
    numeric = [name for name in BIKE.inputs if not pa.types.is_string(rows[name].type)]
    return {name: (float(pc.min(rows[name]).as_py()), float(pc.max(rows[name]).as_py())) for name in numeric}


def original(days: Cells) -> Cells:
    """The form of the UCI repository: ISO dates from 2011 on, scaled measures, and the 29 February of 2012."""
    converted = []
    for row in days:
        day, month, year = row["dteday"].split("-")
        scaled = {
            name: repr(float(row[name]) / column.scales["original"])
            for name, column in BIKE.columns.items()
            if column.scales
        }
        converted.append({**row, **scaled, "dteday": f"{2011 + int(year) - 18}-{month}-{day}"})
    before = next(number for number, row in enumerate(converted) if row["dteday"] == "2012-02-28")
    weekday = str((int(converted[before]["weekday"]) + 1) % 7)
    leap_day = {**converted[before], "dteday": "2012-02-29", "weekday": weekday, "instant": "425"}
    return [*converted[: before + 1], leap_day, *converted[before + 1 :]]


def refused(rows: Cells, **options: object) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(InputError) as caught:
        checked(rows, **options)
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


def test_the_published_table_has_the_values_that_it_had(real_csv: Path, days: Cells) -> None:
    now = checked(days, limits=QualityLimits())
    before = pd.read_csv(real_csv, float_precision="round_trip")
    assert now.rows["line"].to_pylist() == list(range(2, 732))
    dates = pd.to_datetime(before["dteday"], format="%d-%m-%y")
    assert now.rows["dteday"].to_pylist() == [day.date() for day in dates]
    for name in before.columns.drop("dteday"):
        values = now.rows[name]
        numbers = pc.cast(values, pa.float64()) if pa.types.is_string(values.type) else values
        assert numbers.to_pylist() == before[name].tolist()
    assert now.report["rows"] == {"read": 730, "used": 730}
    assert (now.report["first"], now.report["last"]) == ("2018-01-01", "2019-12-31")
    assert [(found["column"], found["lines"]) for found in now.report["findings"]] == [("hum", [70])]
    assert {entry["column"]: entry["reason"] for entry in now.report["removed_columns"]} == {
        "instant": "identifier: names the day and says nothing about it",
        "casual": "adds up to the target: cnt = casual + registered",
        "registered": "adds up to the target: cnt = casual + registered",
    }


def test_the_original_form_passes(days: Cells) -> None:
    now = checked(original(days), limits=QualityLimits())
    assert now.report["form"] == "original"
    assert now.report["rows"] == {"read": 731, "used": 731}
    published = checked(days).rows.filter(pc.field("line") < 426)
    for name in ("temp", "atemp", "hum", "windspeed"):
        assert now.rows[name].to_pylist()[: len(published)] == pytest.approx(published[name].to_pylist(), rel=1e-14)


def test_the_generated_sample_passes() -> None:
    assert checked(sample_rows(), limits=QualityLimits()).report["rows"] == {"read": 730, "used": 730}


@pytest.mark.parametrize("writing", ["{}", "{:f}"])
def test_red_wine_passes(writing: str) -> None:
    path = SHARED / "data" / "wine_quality" / "winequality-red.csv"
    if not path.is_file():
        pytest.skip(f"the wine table is not at {path}")
    cells = [{name: writing.format(float(cell)) for name, cell in row.items()} for row in cells_of(path, WINE)]
    now = checked(cells, WINE, limits=QualityLimits())
    assert now.report["rows"] == {"read": 1599, "used": 1599}
    assert now.report["first"] is now.report["last"] is None
    assert now.rows.schema.field("quality").type == pa.int64()
    assert now.rows["line"].to_pylist() == list(range(2, 1601))


@pytest.mark.parametrize(
    "name",
    [
        "del_semicolon_decimal_comma.csv",
        "eol_trailing_comma_row.csv",
        "hdr_one_case.csv",
        "hdr_upper.csv",
        "num_absurd_count.csv",
    ],
)
def test_cases_that_are_taken(case, name: str) -> None:
    assert checked(case(name), limits=QualityLimits()).report["rows"] == {"read": 730, "used": 730}


@pytest.mark.parametrize(
    ("name", "columns"), [("msr_temps_scaled.csv", {"temp", "atemp"}), ("msr_only_hum_scaled.csv", {"hum"})]
)
def test_a_column_on_another_scale_is_named(case, name: str, columns: set[str]) -> None:
    problems = refused(case(name))
    assert {column for _, column, _ in problems} == columns
    assert all(line == 2 and "another scale than the table's form" in message for line, _, message in problems)


def test_the_refusal_of_a_scale_says_what_was_found_and_what_is_meant(case) -> None:
    (atemp, temp) = refused(case("msr_temps_scaled.csv"))
    assert temp[2] == (
        "its values are on another scale than the table's form: 0.0591 to 0.862, where degrees Celsius are meant"
    )
    assert atemp[1] == "atemp"


def test_a_scaled_column_to_score_is_refused_with_the_bounds_of_the_training_rows(case, trained: Ranges) -> None:
    problems = refused(case("sc_temps_scaled.csv"), purpose=Purpose.SCORING, ranges=trained)
    assert [column for _, column, _ in problems] == ["atemp", "temp"]
    assert problems[1][2].endswith("degrees Celsius are meant; the model was trained on 2.42 to 35.3")


@pytest.mark.parametrize("column", ["temp", "atemp", "hum", "windspeed"])
def test_each_measure_alone_is_refused_where_only_it_is_scaled(days: Cells, trained: Ranges, column: str) -> None:
    rows = [
        {**row, column: repr(float(row[column]) / BIKE.columns[column].scales["original"])} for row in days[150:180]
    ]
    problems = refused(rows, purpose=Purpose.SCORING, ranges=trained)
    assert [name for _, name, _ in problems] == [column]


def test_an_inverted_working_day_contradicts_weekday_and_holiday(case) -> None:
    (problem,) = refused(case("lvl_workingday_contradicts.csv"))
    assert problem == (
        2,
        "workingday",
        "1 contradicts weekday and holiday (weekday 6, holiday 0) (likewise lines 3, 4, 5 and 726 more)",
    )


def test_a_gap_in_a_part_hides_no_wrong_sum(case) -> None:
    assert refused(case("num_na_in_casual_hides_sum.csv")) == [(11, "cnt", "9999 is not casual + registered (1321)")]


def test_a_gap_in_a_part_alone_stays_a_gap(days: Cells) -> None:
    days[4]["casual"] = ""
    rows = checked(days).rows
    assert rows["casual"].to_pylist()[4] is None
    assert rows["casual"].null_count == 1


def test_the_hourly_table_is_recognised(case) -> None:
    ((line, column, message),) = refused(case("str_hour_csv.csv"))
    assert (line, column) == (1, "hr")
    assert message.startswith("this is the hourly table")


def test_known_answers_of_a_file_to_score_are_kept(case, trained: Ranges) -> None:
    now = checked(case("sc_targets_partly.csv"), purpose=Purpose.SCORING, ranges=trained)
    assert len(now.rows) == 30
    assert now.rows["cnt"].null_count == 10
    assert now.report["has_target"]


def test_a_table_of_one_day_repeated_is_refused_by_its_calendar(case) -> None:
    assert {column for _, column, _ in refused(case("msr_constant_all.csv"))} == {"weekday", "season", "yr"}


def test_a_year_after_the_training_years_is_a_finding(days: Cells, trained: Ranges) -> None:
    rows = []
    for row in days[400:430]:
        day, month, _ = row["dteday"].split("-")
        weekday = (date(2023, int(month), int(day)) + timedelta(days=1)).weekday()
        working = str(int(weekday in range(1, 6)))
        new = {"dteday": f"{day}-{month}-23", "yr": "5", "weekday": str(weekday), "workingday": working, "holiday": "0"}
        rows.append({**row, **new})
    found = checked(rows, purpose=Purpose.SCORING, ranges=trained).report["findings"]
    assert [(entry["column"], entry["rows"]) for entry in found] == [("yr", 30)]
