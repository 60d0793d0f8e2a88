"""A file has one form, in which all its columns agree."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.checking.purpose import Purpose
from analysis.dataset.declaration import Dataset
from analysis.runtime.errors import InputError
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import BIKE, Cells, checked, towns

SCALED = {name: column.scales["original"] for name, column in BIKE.columns.items() if column.scales}


def scaled(rows: Cells, *names: str) -> Cells:
    return [{**row, **{name: repr(float(row[name]) / SCALED[name]) for name in names}} for row in rows]


def with_iso_dates(rows: Cells) -> Cells:
    return [{**row, "dteday": f"20{row['dteday'][6:]}-{row['dteday'][3:5]}-{row['dteday'][:2]}"} for row in rows]


def refused(rows: Cells, *arguments: Any, **options: Any) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(InputError) as caught:
        checked(rows, *arguments, **options)
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


@pytest.fixture
def days() -> Cells:
    return sample_rows(rows=90)


def test_scaled_measures_with_iso_dates_are_the_original_form(days: Cells) -> None:
    now = checked(scaled(with_iso_dates(days), *SCALED))
    assert now.report["form"] == "original"
    assert now.rows["temp"].to_pylist() == pytest.approx([float(row["temp"]) for row in days])


@pytest.mark.parametrize("count", [1, 90])
def test_scaled_measures_need_iso_dates(days: Cells, count: int) -> None:
    problems = refused(scaled(days[:count], *SCALED), purpose=Purpose.SCORING)
    assert {column for _, column, _ in problems} == set(SCALED)


def test_iso_dates_need_scaled_measures(days: Cells) -> None:
    problems = refused(with_iso_dates(days))
    assert {column for _, column, _ in problems} == set(SCALED)
    assert all("where values divided by" in message for _, _, message in problems)


@pytest.mark.parametrize("column", sorted(SCALED))
def test_one_measure_of_another_scale_is_named(days: Cells, column: str) -> None:
    assert [name for _, name, _ in refused(scaled(days, column))] == [column]


@pytest.mark.parametrize("column", sorted(SCALED))
def test_one_measure_in_units_is_named_in_the_scaled_form(days: Cells, column: str) -> None:
    others = [name for name in SCALED if name != column]
    assert [name for _, name, _ in refused(scaled(with_iso_dates(days), *others))] == [column]


def test_one_date_of_another_form_is_named(days: Cells) -> None:
    days[3]["dteday"] = "2018-01-04"
    ((line, column, message),) = refused(days)
    assert (line, column) == (5, "dteday")
    assert message.startswith("'2018-01-04' is written in another form than the other dates of the file (dd-mm-yy or")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("30-02-18", "is not a day of the calendar"),
        ("01-13-18", "is not a day of the calendar"),
        ("yesterday", "is not a date; write dd-mm-yy or dd-mm-yyyy or yyyy-mm-dd"),
        ("05-01-2018 10:00", "is not a date"),
    ],
)
def test_impossible_dates(days: Cells, text: str, says: str) -> None:
    days[4]["dteday"] = text
    ((line, column, message),) = refused(days)
    assert (line, column) == (6, "dteday")
    assert says in message


def test_one_sentence_for_dates_that_are_all_wrong(days: Cells) -> None:
    problems = refused([{**row, "dteday": row["dteday"].replace("-", "/")} for row in days])
    assert len(problems) == 1
    assert problems[0][2].endswith("(likewise 89 more rows)")


def heights(**changes: Any) -> Dataset:
    """A table whose only sign of its form is one column."""
    columns = {
        "height": {"kind": "measure", "unit": "m", "minimum": 0, "maximum": 1000, "scales": {"kilometres": 1000}},
        "width": {"kind": "measure"},
        "load": {"kind": "measure"},
        **changes,
    }
    return towns(columns=columns, parts=[], key=[], time=None, rules=[], repeated_rows="keep")


def tall(heights: list[float]) -> Cells:
    return [{"height": repr(height), "width": "1", "load": str(number)} for number, height in enumerate(heights)]


@pytest.mark.parametrize(("form", "factor"), [("standard", 1.0), ("kilometres", 0.001)])
def test_measures_alone_can_tell_the_form(form: str, factor: float) -> None:
    now = checked(tall([factor * (number + 2) for number in range(90)]), heights())
    assert now.report["form"] == form
    assert now.rows["height"].to_pylist() == pytest.approx([number + 2 for number in range(90)])


def test_few_values_that_could_be_of_two_forms_are_refused() -> None:
    ((line, column, message),) = refused(tall([0.2, 0.3]), heights(), Purpose.SCORING)
    assert (line, column) == (2, "height")
    assert "send more rows" in message


@pytest.mark.parametrize(("trained", "form"), [((100.0, 500.0), "kilometres"), ((0.1, 0.9), "standard")])
def test_the_training_rows_tell_the_form_of_few_values(trained: tuple[float, float], form: str) -> None:
    now = checked(tall([0.2, 0.3]), heights(), Purpose.SCORING, ranges={"height": trained})
    assert now.report["form"] == form


def test_a_measure_that_is_mostly_zero_is_no_scaled_one(days: Cells) -> None:
    for row in days:
        row["windspeed"] = "0"
    days[0]["windspeed"] = "0.5"
    assert checked(days).report["form"] == "published"


def test_a_measure_far_from_all_training_rows_is_refused() -> None:
    rows = tall([700.0, 720.0, 10.0])
    ranges = {"height": (5.0, 20.0), "width": (1.0, 1.0)}
    found = checked(rows, heights(), Purpose.SCORING, ranges=ranges).report["findings"]
    assert [(entry["column"], entry["lines"]) for entry in found] == [("height", [2, 3])]
    assert found[0]["what"] == "outside the range of the training rows, 5 to 20 m"
    ((line, column, message),) = refused(rows[:2], heights(), Purpose.SCORING, ranges=ranges)
    assert (line, column) == (2, "height")
    assert message == "its values, 700 to 720 m, are far from all that the model was trained on, 5 to 20 m"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 0.0)])
def test_a_count_may_go_on_but_not_be_another_quantity(low: float, high: float) -> None:
    days = sample_rows(rows=40)
    later = [{**row, "yr": "9"} for row in days]
    found = checked(later, purpose=Purpose.SCORING, ranges={"yr": (low, high)}).report["findings"]
    assert ("yr", 40) in [(entry["column"], entry["rows"]) for entry in found]
    years = [{**row, "yr": "2019"} for row in days]
    ((line, column, message),) = refused(years, purpose=Purpose.SCORING, ranges={"yr": (low, high)})
    assert (line, column) == (2, "yr")
    assert f"its values, 2019 to 2019, are far from all that the model was trained on, 0 to {high:g}" in message


def test_a_part_of_a_file_that_is_scaled_is_named(days: Cells) -> None:
    rows = [*days[:20], *scaled(days[20:85], "temp"), *days[85:]]
    ((line, column, message),) = refused(rows)
    assert (line, column) == (22, "temp")
    assert message.startswith("65 of its values are on another scale than the table's form")


@pytest.mark.parametrize("column", ["temp", "atemp", "hum", "windspeed"])
def test_rows_of_two_scales_in_turn_are_named(column: str) -> None:
    days = sample_rows(rows=200)
    turned = scaled(days, column)
    rows = [turned[place] if place % 2 else row for place, row in enumerate(days)]
    ((line, found, message),) = refused(rows)
    assert (line, found) == (3, column)
    assert "of its values are on another scale than the table's form" in message


@pytest.mark.parametrize("step", [1.0, 0.5])
def test_small_values_with_others_close_by_are_of_one_scale(step: float) -> None:
    days = sample_rows(rows=730)
    for place, row in enumerate(days):
        row["temp"] = repr(step + step * (place % 8))
    assert checked(days).report["form"] == "published"


def test_few_small_values_are_a_finding(days: Cells) -> None:
    rows = [{**row, "windspeed": "0.5"} for row in days[:10]]
    found = checked(rows, purpose=Purpose.SCORING).report["findings"]
    assert [(entry["column"], entry["what"], entry["rows"]) for entry in found] == [
        ("windspeed", "so small that they could be of the form original", 10)
    ]
