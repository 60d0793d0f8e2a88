"""Every kind of bad file is refused with a message that names file, line (as an editor counts) and column."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from analysis.checking.checks import CheckedRows
from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.runtime.errors import InputError, Problem
from tests.steps.analysis.checking.batches import BIKE, ROOT

CASES = ROOT.parent / "shared" / "cases" / "inputs"
INPUT_COLUMNS, TARGET = BIKE.known_before, BIKE.target
HEADER = (*INPUT_COLUMNS, *BIKE.answers)


@pytest.fixture
def table(csv_of, rows):
    return csv_of, rows


def checked(path: Path, purpose: Purpose = Purpose.TRAINING, **options: Any) -> CheckedRows:
    return checked_file(path, BIKE, purpose, required=(TARGET,) if purpose is Purpose.TRAINING else (), **options)


def refusal(path: Path, purpose: Purpose = Purpose.TRAINING, limits: QualityLimits | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        checked(path, purpose, limits=limits, name="raw/training/days.csv")
    assert str(caught.value).startswith("raw/training/days.csv: ")
    return caught.value


def places(error: InputError) -> list[tuple[int | None, str | None]]:
    return [(problem.line, problem.column) for problem in error.problems]


@pytest.mark.parametrize("content", [b"", b"\n\n  \r\n", b"\xef\xbb\xbf"])
def test_empty_file(write, content: bytes) -> None:
    error = refusal(write(content))
    assert places(error) == [(1, None)]
    assert "empty" in str(error)


def test_header_only(write) -> None:
    error = refusal(write(",".join(HEADER) + "\n\n"))
    assert places(error) == [(2, None)]
    assert "no rows" in str(error)


@pytest.mark.parametrize("column", [*INPUT_COLUMNS[1:], TARGET])
def test_missing_column(write, csv_of, rows, column: str) -> None:
    error = refusal(write(csv_of(rows, tuple(name for name in HEADER if name != column))))
    assert places(error) == [(1, column)]
    assert "missing" in str(error)


@pytest.mark.parametrize("text", ["warm", "1,5", "0x10", "1_000", "inf", "1e", "١٢"])
def test_text_in_a_number_column(write, csv_of, rows, text: str) -> None:
    rows[4]["temp"] = f'"{text}"'
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(6, "temp")]
    assert text in str(error)


def test_fraction_in_a_whole_number_column(write, csv_of, rows) -> None:
    rows[0]["season"] = "1.5"
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(2, "season")]
    assert "'1.5' is not one of 1 (winter)" in str(error)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("30-02-18", "not a day of the calendar"),
        ("01-13-18", "not a day of the calendar"),
        ("yesterday", "is not a date"),
        ("2018/01/05", "is not a date"),
        ("2018-01-05", "another form"),
        ("05-01-2018 10:00", "is not a date"),
    ],
)
def test_impossible_date(write, csv_of, rows, text: str, says: str) -> None:
    rows[4]["dteday"] = text
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(6, "dteday")]
    assert says in str(error)


def test_impossible_iso_date(write, csv_of, uci_of, rows) -> None:
    converted = uci_of(rows)
    converted[2]["dteday"] = "2018-02-30"
    assert places(refusal(write(csv_of(converted)))) == [(4, "dteday")]


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("season", "7", "7 is not one of 1 (winter), 2 (spring), 3 (summer), 4 (autumn)"),
        ("season", "0", "0 is not one of"),
        ("mnth", "13", "13 is not one of"),
        ("weekday", "7", "7 is not one of"),
        ("weathersit", "5", "5 is not one of"),
        ("holiday", "-1", "-1 is not one of"),
        ("temp", "41.5", "41.5 is outside 0 to 41 degrees Celsius"),
        ("atemp", "-0.1", "-0.1 is outside 0 to 50 degrees Celsius"),
        ("hum", "101", "101.0 is outside 0 to 100 percent"),
        ("windspeed", "1e400", "'1e400' is too large for a double"),
    ],
)
def test_out_of_range(write, table, column: str, value: str, says: str) -> None:
    csv_of, rows = table
    rows[9][column] = value
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(11, column)]
    assert says in str(error)


def test_negative_count(write, csv_of, rows) -> None:
    rows[9].update(casual="-5", registered="5", cnt="0")
    assert places(refusal(write(csv_of(rows)))) == [(11, "casual")]


def test_month_that_is_not_the_month_of_the_date(write, csv_of, rows) -> None:
    """Also catches dates written month first: 02-01-18 for 1 February."""
    rows[1]["mnth"] = "2"
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(3, "mnth")]
    assert "2018-01-02" in str(error)


def test_not_utf8(write, csv_of, rows) -> None:
    rows[2]["hum"] = "\u00e4"
    error = refusal(write(csv_of(rows).encode("latin-1")))
    assert places(error) == [(4, "hum")]
    assert "0xe4 is not UTF-8" in str(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04rest of a workbook", "Excel workbook"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PAR1abc", "Parquet"),
        (b"\x7fELF\x01\x00\x00", "binary"),
        ("instant,dteday\n1,2".encode("utf-16-le"), "UTF-16 without a byte order mark"),
    ],
)
def test_binary_file(write, content: bytes, says: str) -> None:
    error = refusal(write(content))
    assert places(error) == [(1, None)]
    assert says in str(error)


def test_nul_byte_deep_in_the_file(write, csv_of, rows) -> None:
    rows[7]["season"] = "\0"
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(9, "season")]
    assert "binary" in str(error)


def test_duplicate_rows(write, csv_of, rows) -> None:
    rows.insert(10, rows[3])
    error = refusal(write(csv_of(rows)))
    assert (12, "dteday") in places(error)
    assert "the row repeats line 5" in str(error)


def test_repeated_rows_are_counted_rather_than_listed_without_end(write, csv_of, rows) -> None:
    error = refusal(write(csv_of([*rows[:2], *[rows[0]] * 400, *[rows[1]] * 400])))
    assert error.problems == (Problem("the row repeats line 2 (likewise lines 5, 6, 7 and 796 more)", 4, "dteday"),)


def test_a_misspelled_column_is_named(write, csv_of, rows) -> None:
    error = refusal(write(csv_of(rows).replace("temp", "Temprature", 1)))
    assert places(error) == [(1, "temp")]
    assert "found 'Temprature', expected 'temp'" in str(error)


def test_the_report_says_how_the_file_is_written(write, csv_of, rows) -> None:
    text = csv_of(rows).replace(",", ";").replace(".", ",") + ";" * 15 + "\n"
    report = checked(write(text)).report
    assert report["rows"] == {"read": 90, "used": 90}
    assert report["dialect"] == {
        "compression": "none",
        "encoding": "UTF-8",
        "line_ends": ["LF"],
        "delimiter": ";",
        "decimal_commas": ["temp", "atemp", "hum", "windspeed"],
        "blank_lines": 1,
    }
    assert report["notes"] == [
        "Columns are separated by semicolons.",
        "Numbers have a decimal comma in temp, atemp, hum, windspeed.",
        "1 line without a value left out, the first is line 92.",
    ]


def test_duplicate_days(write, csv_of, rows) -> None:
    rows.insert(10, {**rows[3], "instant": "999", "hum": "50"})
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(12, "dteday")]
    assert "2018-01-04 is already on line 5" in str(error)


@pytest.mark.parametrize("column", ["temp", "season", "dteday", "cnt"])
def test_all_null_column(write, csv_of, rows, column: str) -> None:
    for row in rows:
        row[column] = ""
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(2, column)]
    assert "no value in any of the 90 rows" in str(error)


@pytest.mark.parametrize("mark", ["", "  ", "NA", "null", "NaN"])
def test_empty_cell(write, csv_of, rows, mark: str) -> None:
    rows[5]["windspeed"] = mark
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(7, "windspeed")]
    assert "empty" in str(error)


def test_quoted_line_break(write, csv_of, rows) -> None:
    rows[5]["weathersit"] = '"1\n"'
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(7, "weathersit")]
    assert "line break" in str(error)


def test_lines_after_a_line_break_keep_the_editors_number(write, csv_of, rows) -> None:
    rows[5]["weathersit"] = '"1\n"'
    rows[8]["hum"] = "1,2"
    assert places(refusal(write(csv_of(rows)))) == [(7, "weathersit"), (11, "cnt")]


def test_blank_lines_are_skipped_and_counted(write, csv_of, rows) -> None:
    lines = csv_of(rows).splitlines()
    rows_with_gap = [*lines[:3], "", *lines[3:]]
    rows_with_gap[8] = rows_with_gap[8].replace(",1,0,", ",9,0,", 1)
    error = refusal(write("\n".join(rows_with_gap)))
    assert places(error) == [(9, "season")]


def test_windows_line_ends_and_byte_order_mark(write, csv_of, rows) -> None:
    text = "\ufeff" + csv_of(rows).replace("\n", "\r\n")
    found = checked(write(text))
    assert len(found.rows) == 90


def test_unbalanced_quotes(write, csv_of, rows) -> None:
    rows[88]["hum"] = '"50'
    assert "quotes" in str(refusal(write(csv_of(rows))))


def test_too_few_and_too_many_values(write, csv_of, rows) -> None:
    lines = csv_of(rows).splitlines()
    lines[3] = lines[3].rpartition(",")[0]
    lines[5] += ",1"
    error = refusal(write("\n".join(lines)))
    assert places(error) == [(4, "cnt"), (6, "cnt")]
    assert "15 values, the header names 16 columns" in str(error)


def test_no_header(write, csv_of, rows) -> None:
    error = refusal(write("\n".join(csv_of(rows).splitlines()[1:])))
    assert places(error) == [(1, None)]
    assert "not a header" in str(error)


def test_column_named_twice(write, csv_of, rows) -> None:
    error = refusal(write(csv_of(rows).replace("atemp", "temp", 1)))
    assert places(error) == [(1, "temp")]


def test_one_row_is_too_few_to_train_on(write, csv_of, rows) -> None:
    error = refusal(write(csv_of(rows[:1])))
    assert "1 usable row is too few to train on; 60 are needed" in str(error)


def test_one_row_can_be_scored(write, csv_of, rows) -> None:
    path = write(csv_of(rows[:1], INPUT_COLUMNS))
    assert checked(path, Purpose.SCORING).rows.num_rows == 1


def test_physical_values_under_iso_dates(write, csv_of, uci_of, rows) -> None:
    converted = uci_of(rows)
    converted[3]["temp"] = "14.2"
    error = refusal(write(csv_of(converted)))
    assert places(error) == [(5, "temp")]
    assert "14.2 is outside 0 to 1: this form has values divided by 41" in str(error)


def test_scaled_values_under_day_first_dates(write, csv_of, uci_of, rows) -> None:
    mixed = [{**scaled, "dteday": row["dteday"]} for scaled, row in zip(uci_of(rows), rows, strict=True)]
    error = refusal(write(csv_of(mixed)))
    assert sorted(places(error)) == [(2, "atemp"), (2, "hum"), (2, "temp"), (2, "windspeed")]


def test_count_that_is_not_the_sum_of_its_parts(write, csv_of, rows) -> None:
    rows[20]["cnt"] = "1"
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(22, "cnt")]
    assert "casual + registered" in str(error)


def test_a_long_list_of_problems_is_cut_and_counted(write, csv_of, rows) -> None:
    for row in rows:
        row["season"] = "7"
    error = refusal(write(csv_of(rows)))
    assert places(error) == [(2, "season")]
    assert "(likewise lines 3, 4, 5 and 86 more)" in str(error)
    assert len(str(error)) < 1024


def test_the_file_is_left_as_it_was(write, csv_of, rows) -> None:
    rows[0]["season"] = "7"
    path = write(csv_of(rows))
    before = path.read_bytes()
    refusal(path)
    assert path.read_bytes() == before


def test_limits_turn_refusals_into_counted_repairs(write, csv_of, rows) -> None:
    rows.insert(10, rows[3])
    rows[30]["hum"] = ""
    rows[40]["cnt"] = "5"
    limits = QualityLimits(duplicate_rows=1, missing_rows=1, unequal_sums=1)
    found = checked(write(csv_of(rows)), limits=limits)
    assert len(found.rows) == 89
    assert found.report["rows"] == {"read": 91, "used": 89}
    assert [(repair["what"], repair["lines"]) for repair in found.report["repairs"]] == [
        ("duplicate rows dropped", [12]),
        ("rows with a missing value dropped", [32]),
        ("rows kept although cnt is not casual + registered", [42]),
    ]


def test_a_file_of_which_nothing_is_left(write, csv_of, rows) -> None:
    rows[0]["hum"], rows[1]["temp"] = "", ""
    error = refusal(write(csv_of(rows[:2])), Purpose.SCORING, QualityLimits(missing_rows=5))
    assert "no row is left" in str(error)


def test_rows_outside_their_range_may_be_dropped(write, csv_of, rows) -> None:
    rows[3]["season"], rows[3]["hum"], rows[9]["temp"] = "7", "-1", "60"
    report = checked(write(csv_of(rows)), limits=QualityLimits(invalid_rows=2)).report
    assert report["repairs"] == [{"what": "rows outside their domain or range dropped", "rows": 2, "lines": [5, 11]}]
    assert report["rows"] == {"read": 90, "used": 88}
    assert len(refusal(write(csv_of(rows)), limits=QualityLimits(invalid_rows=1)).problems) == 3


def test_further_rows_of_a_day_may_be_dropped(write, csv_of, rows) -> None:
    rows.append({**rows[4], "temp": "20.5"})
    found = checked(write(csv_of(rows)), limits=QualityLimits(duplicate_keys=1))
    assert found.report["repairs"] == [{"what": "further rows of the same dteday dropped", "rows": 1, "lines": [92]}]
    assert len(set(found.rows["dteday"].to_pylist())) == 90


def test_every_check_leaves_a_line(write, csv_of, rows) -> None:
    report = checked(write(csv_of(rows))).report
    assert [(check["check"], check["outcome"]) for check in report["checks"]] == [
        ("every cell can be read as its type", "passed"),
        ("no row twice", "passed"),
        ("no value missing where one is needed", "passed"),
        ("levels, ranges and rules as declared", "passed"),
        ("each dteday once", "passed"),
        ("cnt = casual + registered", "passed"),
        ("at least 60 rows to train on", "passed"),
    ]
    assert set(report["missing_cells"]) == set(HEADER)
    assert not any(report["missing_cells"].values())


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("eol_trailing_comma_row.csv", "1 line without a value left out, the first is line 732."),
        ("del_semicolon_decimal_comma.csv", "Numbers have a decimal comma in temp, atemp, hum, windspeed."),
        ("hdr_upper.csv", "Names of columns are written otherwise: 'INSTANT' is instant, "),
        ("hdr_one_case.csv", "Names of columns are written otherwise: 'Temp' is temp."),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_in_another_dialect_has_the_values_of_the_table(
    real_csv: Path, tmp_path: Path, name: str, note: str, compressed: bool
) -> None:
    path = CASES / name
    if not path.is_file():
        pytest.skip(f"the cases are not at {CASES}")
    if compressed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((CASES / name).read_bytes()))
    found, expected = checked(path), checked(real_csv)
    assert found.rows.num_rows == 730
    assert found.rows.equals(expected.rows)
    assert any(sentence.startswith(note) for sentence in found.report["notes"])
