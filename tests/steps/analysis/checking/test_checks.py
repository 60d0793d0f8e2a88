"""From text to checked rows: types, gaps, repetitions, domains, limits, the report; every refusal has its place."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.checking.checks import CheckedRows, check_rows
from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.checking.quality_report import Origin
from analysis.dataset.declaration import Repeated
from analysis.runtime.errors import InputError, ModelError
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import BIKE, WINE, Cells, batches_of, checked, readings, towns

DAYS = sample_rows(rows=90)
TOWNS = towns()


def refused(rows: Cells, *arguments: Any, **options: Any) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(InputError) as caught:
        checked(rows, *arguments, **options)
    assert str(caught.value).startswith("raw/days.csv: ")
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


def places(rows: Cells, *arguments: Any, **options: Any) -> list[tuple[int | None, str | None]]:
    return [(line, column) for line, column, _ in refused(rows, *arguments, **options)]


@pytest.fixture
def days() -> Cells:
    return [dict(row) for row in DAYS]


@pytest.fixture
def hours() -> Cells:
    return readings()


def test_columns_have_the_types_of_their_kinds(hours: Cells) -> None:
    rows = checked(hours, TOWNS).rows
    assert {field.name: str(field.type) for field in rows.schema} == {
        "line": "int64",
        "town": "string",
        "at": "timestamp[us]",
        "hour": "int64",
        "land": "string",
        "grade": "string",
        "heat": "double",
        "wind": "double",
        "rain": "double",
        "coast": "int64",
        "note": "string",
        "day load": "double",
        "night load": "double",
        "load": "double",
    }
    assert str(checked([dict(row) for row in DAYS]).rows.schema.field("dteday").type) == "date32[day]"


def test_rows_are_sorted_by_time_and_then_by_key(hours: Cells) -> None:
    for row in hours:
        row["at"] = "2024-05-01 00:30" if row["town"] == "A" else "2024-05-01 01:30"
        row["hour"] = row["at"][11:13]
    for number, row in enumerate(hours):
        row["town"] += str(9 - number)
    rows = checked(hours, TOWNS).rows
    assert rows["town"].to_pylist() == ["A4", "A6", "A8", "B5", "B7", "B9"]
    assert rows["line"].to_pylist() == [7, 5, 3, 6, 4, 2]


def test_a_column_is_missing(days: Cells) -> None:
    header = [name for name in days[0] if name not in {"temp", "instant"}]
    assert refused(days, header=header) == [(1, "temp", "the column is missing")]


def test_a_name_that_is_nearly_right_is_shown(days: Cells) -> None:
    rows = [{("Temprature" if name == "temp" else name): cell for name, cell in row.items()} for row in days]
    origin = Origin(file="raw/days.csv", header_line=3, near={"temp": "Temprature"})
    assert refused(rows, origin=origin) == [(3, "temp", "the column is missing: found 'Temprature', expected 'temp'")]


def test_a_file_without_rows() -> None:
    schema = pa.schema([("line", pa.int64()), *((name, pa.string()) for name in DAYS[0])])
    for batches in ([], [pa.record_batch([[] for _ in schema], schema=schema)]):
        with pytest.raises(InputError, match="no rows"):
            check_rows(
                batches, BIKE, Purpose.TRAINING, required=["cnt"], limits=QualityLimits(),
                repeated_rows=Repeated.REFUSE, origin=Origin(file="x"),
            )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("temp", "warm", "'warm' is not a number"),
        ("temp", "1e999", "'1e999' is too large for a double"),
        ("temp", "4\x00", "'4\\x00' is not a number"),
        ("season", "1.5", "'1.5' is not one of 1 (winter), 2 (spring), 3 (summer), 4 (autumn)"),
        ("yr", "1.5", "'1.5' is not a whole number"),
        ("season", "winter", "'winter' is not one of 1 (winter), 2 (spring), 3 (summer), 4 (autumn)"),
        ("hum", "x" * 60, "'" + "x" * 37 + "...' is not a number"),
        ("season", "7", "7 is not one of 1 (winter), 2 (spring), 3 (summer), 4 (autumn)"),
        ("holiday", "2", "2 is not one of 0 (no), 1 (yes)"),
        ("temp", "41.5", "41.5 is outside 0 to 41 degrees Celsius"),
        ("yr", "-1", "-1 is negative"),
    ],
)
def test_wrong_cells(days: Cells, column: str, text: str, message: str) -> None:
    days[4][column] = text
    assert (6, column, message) in refused(days)


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("land", "North", "North is not one of n (north), s (south), none (sea)"),
        ("coast", "2", "2 is not one of 0 (no), 1 (yes)"),
        ("hour", "24", "24 is outside 0 to 23"),
    ],
)
def test_wrong_cells_of_other_kinds(hours: Cells, column: str, text: str, message: str) -> None:
    hours[1][column] = text
    assert (3, column, message) in refused(hours, TOWNS)


@pytest.mark.parametrize("mark", ["", " ", "NA", "n/a", "NaN", "null", "-", "?"])
def test_empty_cells_mean_what_their_column_says(hours: Cells, mark: str) -> None:
    for row, column in zip(hours, ("land", "heat", "wind", "rain", "note"), strict=False):
        row[column] = mark
    now = checked(hours, TOWNS)
    assert now.rows["line"].to_pylist() == [2, 3, 4, 6, 7]
    nulls = {name: now.rows[name].null_count for name in now.rows.column_names if now.rows[name].null_count}
    assert nulls == {"land": 1, "heat": 1, "wind": 1, "note": 1}
    assert {"what": "rows without rain dropped", "rows": 1, "lines": [5]} in now.report["repairs"]
    assert sum(now.report["missing_cells"].values()) == 5
    hours[0]["grade"] = mark
    assert refused(hours, TOWNS) == [(2, "grade", "the cell is empty")]
    assert (
        checked(hours, TOWNS, limits=QualityLimits(missing_rows=1, minimum_training_rows=1)).report["rows"]["used"] == 4
    )


def test_a_column_without_any_value_is_one_problem(days: Cells) -> None:
    for row in days:
        row["temp"] = ""
    assert refused(days) == [(2, "temp", "the column has no value in any of the 90 rows")]


def test_a_column_that_is_filled_later_may_lack_every_value(hours: Cells) -> None:
    for row in hours:
        row["heat"] = ""
    report = checked(hours, TOWNS, removes_columns=True).report
    assert {"column": "heat", "action": "removed", "reason": "constant: it has no value"} in report["removed_columns"]


def test_answers_may_be_empty_where_they_are_not_asked_for(hours: Cells) -> None:
    hours[0]["load"] = ""
    assert places(hours, TOWNS) == [(2, "load")]
    now = checked(hours, TOWNS, Purpose.SCORING)
    assert now.rows["load"].null_count == 1
    for row in hours:
        row["load"] = ""
    assert checked(hours, TOWNS, Purpose.SCORING).report["has_target"] is False


@pytest.mark.parametrize("gap", ["column", "cell"])
def test_a_model_that_needs_answers_can_score_nothing_new(days: Cells, gap: str) -> None:
    """Nobody who uploads such a file is to blame."""
    header = [name for name in days[0] if name != "casual" or gap == "cell"]
    for row in days:
        row["casual"] = ""
    with pytest.raises(ModelError, match="Nothing is wrong with the file") as caught:
        checked(days, purpose=Purpose.SCORING, required=["casual", "registered"], header=header)
    assert "it takes casual as inputs" in str(caught.value)
    assert "bikeshare model approve VERSION" in str(caught.value)


def test_neither_can_a_model_of_what_is_declared_to_be_known_afterwards(days: Cells) -> None:
    columns = {**BIKE.columns, "windspeed": replace(BIKE.columns["windspeed"], known_afterwards=True)}
    header = [name for name in days[0] if name != "windspeed"]
    with pytest.raises(ModelError, match="it takes windspeed as inputs"):
        checked(days, replace(BIKE, columns=columns), purpose=Purpose.SCORING, required=["windspeed"], header=header)


@pytest.mark.parametrize("times", [2, 3])
def test_repeated_rows_mean_what_the_caller_says(times: int) -> None:
    cells = [dict.fromkeys(WINE.columns, "1") | {"alcohol": str(9 + number), "quality": "5"} for number in range(5)]
    rows = cells * times
    assert len(checked(rows, WINE, size=3).rows) == 5 * times
    now = checked(rows, WINE, repeated_rows=Repeated.DROP, size=3)
    assert now.rows["line"].to_pylist() == [2, 3, 4, 5, 6]
    assert now.report["repairs"][0]["rows"] == 5 * (times - 1)
    problem = refused(rows, WINE, repeated_rows=Repeated.REFUSE)[0]
    assert problem[:2] == (7, "fixed acidity")
    assert problem[2].startswith("the row repeats line 2")
    limits = QualityLimits(duplicate_rows=5 * (times - 1), minimum_training_rows=1)
    assert len(checked(rows, WINE, repeated_rows=Repeated.REFUSE, limits=limits).rows) == 5


def test_a_row_is_repeated_however_it_is_written(days: Cells) -> None:
    days.insert(1, {**days[0], "temp": f"{float(days[0]['temp']):+.12f}", "season": "01"})
    assert refused(days) == [(3, "dteday", "the row repeats line 2")]


def test_repeated_keys(days: Cells) -> None:
    days.append({**days[4], "temp": "1"})
    assert refused(days) == [(92, "dteday", "2018-01-05 is already on line 6, and each dteday may appear only once")]
    now = checked(days, limits=QualityLimits(duplicate_keys=1))
    assert len(now.rows) == 90
    assert now.report["repairs"] == [{"what": "further rows of the same dteday dropped", "rows": 1, "lines": [92]}]


def test_repeated_keys_of_several_columns_may_be_dropped(hours: Cells) -> None:
    hours.append({**hours[0], "heat": "1"})
    assert refused(hours, TOWNS)[0][:2] == (8, "town")
    assert "B, 2024-05-01T00:30:00 is already on line 2" in refused(hours, TOWNS)[0][2]
    assert len(checked(hours, towns(repeated_keys="drop")).rows) == 6


def test_rare_levels_are_prepared_as_others_and_counted(days: Cells) -> None:
    days[3]["weathersit"] = "4"
    now = checked(days)
    assert now.rows["weathersit"].to_pylist()[3] == "3"
    assert now.report["repairs"] == [{"what": "weathersit 4 prepared as 3", "rows": 1, "lines": [5]}]


def test_too_few_rows_to_train_on(days: Cells) -> None:
    assert refused(days[:59], limits=QualityLimits()) == [
        (None, None, "59 usable rows are too few to train on; 60 are needed")
    ]
    assert len(checked(days[:1], purpose=Purpose.SCORING, limits=QualityLimits()).rows) == 1


def test_every_row_may_be_dropped_but_then_nothing_is_left(hours: Cells) -> None:
    for row in hours:
        row["coast"] = "7"
    assert "no row is left" in refused(hours, TOWNS, limits=QualityLimits(invalid_rows=6))[0][2]


@pytest.mark.parametrize("column", ["temp", "dteday", "season", "cnt"])
def test_a_mistake_in_very_many_rows_is_one_problem(column: str) -> None:
    count = 20_000
    problems = refused([{**DAYS[0], column: "?!"}] * count, size=5_000)
    assert [name for _, name, _ in problems] == [column]
    assert problems[0][0] == 2
    assert problems[0][2].endswith((f"and {count - 4} more)", f"{count - 1} more rows)"))


def test_very_many_repeated_rows_are_one_problem() -> None:
    problems = refused([DAYS[0]] * 20_000, size=5_000)
    assert problems == [(3, "dteday", "the row repeats line 2 (likewise lines 4, 5, 6 and 19995 more)")]


def test_the_report_is_json_and_complete(hours: Cells) -> None:
    hours[0]["heat"] = ""
    dialect = {"delimiter": ";", "notes": ["semicolons"]}
    origin = Origin(file="raw/x.csv", sha256="ab", size=12, dialect=lambda: dialect)
    rows = [{**row, "extra": "x"} for row in hours]
    report = json.loads(json.dumps(checked(rows, TOWNS, origin=origin).report))
    assert list(report) == [
        "file", "sha256", "bytes", "dialect", "notes", "dataset", "form", "purpose", "rows", "history", "first", "last",
        "has_target", "columns", "missing_cells", "checks", "removed_columns", "repairs", "findings", "limits",
    ]  # fmt: skip
    assert report["dialect"] == {"delimiter": ";"}
    assert (report["file"], report["sha256"], report["bytes"], report["notes"]) == (
        "raw/x.csv",
        "ab",
        12,
        ["semicolons"],
    )
    assert (report["first"], report["last"]) == ("2024-05-01T00:30:00", "2024-05-01T05:30:00")
    columns = {entry["column"]: entry for entry in report["columns"]}
    assert columns["land"]["levels"] == {"n": 2, "s": 2, "none": 2}
    assert columns["heat"]["missing"] == 1
    assert columns["heat"]["minimum"] == 280.125
    assert {entry["check"]: entry["outcome"] for entry in report["checks"]} == {
        "every cell can be read as its type": "passed",
        "no row twice": "passed",
        "rain: no value missing": "passed",
        "no value missing where one is needed": "passed",
        "levels, ranges and rules as declared": "passed",
        "each town and at once": "passed",
        "load = day load + night load": "passed",
        "at least 1 rows to train on": "passed",
    }


@given(
    st.sampled_from([9, 1000]),
    st.permutations(list(DAYS[0])),
    st.randoms(use_true_random=False),
    st.sampled_from(["{}", "{:g}", "{:.1f}", "0{}", "+{}"]),
    st.sampled_from(BIKE.forms),
)
def test_any_writing_of_a_table_gives_the_same_rows(
    size: int, header: list[str], order: random.Random, style: str, form: str
) -> None:
    whole = ("season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit", "casual", "registered", "cnt")
    plain = DAYS[:20]
    written = [{**row, **{name: style.format(int(row[name])) for name in whole}} for row in plain]
    if form == "original":
        written = [in_original_form(row) for row in written]
    expected, now = checked(plain), checked(order.sample(written, len(written)), header=header, size=size)
    assert now.report["form"] == form
    assert now.rows.schema == expected.rows.schema
    for name in expected.rows.column_names[1:]:
        values = expected.rows[name].to_pylist()
        rounded = pytest.approx(values, rel=1e-14) if BIKE.columns[name].scales else values
        assert now.rows[name].to_pylist() == rounded


def in_original_form(row: dict[str, str]) -> dict[str, str]:
    day, month, year = row["dteday"].split("-")
    scales = {name: column.scales["original"] for name, column in BIKE.columns.items() if column.scales}
    scaled = {name: repr(float(row[name]) / scale) for name, scale in scales.items()}
    return {**row, **scaled, "dteday": f"20{year}-{month}-{day}"}


@given(st.integers(1, 1000), st.randoms(use_true_random=False))
def test_a_table_without_key_and_time_keeps_the_order_of_the_file(size: int, order: random.Random) -> None:
    cells = [dict.fromkeys(WINE.columns, "1") | {"alcohol": str(9 + number)} for number in range(9)]
    rows = order.sample(cells, len(cells))
    assert checked(rows, WINE, size=size).rows["alcohol"].to_pylist() == [float(row["alcohol"]) for row in rows]


@given(st.lists(st.floats(-1e300, 1e300), min_size=6, max_size=6))
def test_numbers_pass_unchanged(values: list[float]) -> None:
    rows = [{**row, "wind": repr(value)} for row, value in zip(readings(), values, strict=True)]
    assert checked(rows, TOWNS).rows["wind"].to_pylist() == values


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(list(readings()[0])),
            st.text(max_size=5)
            | st.sampled_from(
                ["", "?", "1", "-1", "1e308", "9" * 400, "none", "2024-05-01 00:30", "2024-02-30 00:30", "\x00"]
            ),
        ),
        max_size=4,
    ),
    st.sampled_from(list(Purpose)),
)
def test_any_cells_are_taken_or_refused_with_line_and_column(
    changes: list[tuple[int, str, str]], purpose: Purpose
) -> None:
    rows = readings()
    for number, column, text in changes:
        rows[number][column] = text
    outcome = taken_or_refused(rows, purpose)
    if isinstance(outcome, InputError):
        assert all(problem.line is not None and problem.column in rows[0] for problem in outcome.problems)
    else:
        assert 0 < len(outcome.rows) <= 6
        json.dumps(outcome.report, allow_nan=False)


def taken_or_refused(rows: Cells, purpose: Purpose) -> CheckedRows | InputError:
    try:
        return checked(rows, TOWNS, purpose)
    except InputError as error:
        return error


def test_batches_are_read_one_at_a_time() -> None:
    """A file that is refused by its header is not read on."""

    def batches():
        yield next(batches_of([{"hr": "1"}]))
        raise AssertionError("read on")

    with pytest.raises(InputError, match="hourly table"):
        check_rows(
            batches(), BIKE, Purpose.TRAINING, required=["cnt"], limits=QualityLimits(),
            repeated_rows=Repeated.REFUSE, origin=Origin(file="x"),
        )  # fmt: skip
