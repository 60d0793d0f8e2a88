from __future__ import annotations

import json

import pandas as pd

from analysis.model.artefact import read_model
from analysis.reading.columns import TARGET
from analysis.reading.limits import QualityLimits
from analysis.reading.purpose import Purpose
from analysis.reading.quality import check_days
from analysis.reading.redundancy import exact_sums
from analysis.reading.table import read_table
from pipeline.datasets.shipped import declared

INPUT_COLUMNS = declared("bike_sharing").known_before
TARGET_COLUMNS = declared("bike_sharing").answers


def findings(path) -> dict[str, tuple[str, str]]:
    report = check_days(read_table(path), Purpose.TRAINING, (TARGET,), QualityLimits(), removes_columns=True).report
    return {entry["column"]: (entry["action"], entry["reason"]) for entry in report["removed_columns"]}


def test_each_unused_column_has_its_reason(write, csv_of, rows) -> None:
    for row in rows:
        row.update(operator="ada", atemp=row["temp"], hum="50")
    found = findings(write(csv_of(rows, (*INPUT_COLUMNS, *TARGET_COLUMNS, "operator"))))
    assert found["instant"][0] == "removed"
    assert "identifier" in found["instant"][1]
    assert found["operator"] == ("removed", "unknown: the published table has no such column")
    assert (
        found["casual"] == found["registered"] == ("not an input", "adds up to the target: cnt = casual + registered")
    )
    assert found["hum"] == ("removed", "constant: every day has 50.0")
    assert found["atemp"] == ("removed", "perfectly correlated with temp")


def test_a_count_that_is_not_needed_may_be_empty(write, csv_of, rows) -> None:
    rows[2]["casual"] = ""
    assert findings(write(csv_of(rows)))["casual"][0] == "removed"


def test_parts_of_the_target_are_found_under_any_name(write, csv_of, rows) -> None:
    """Rename casual and registered: only the numbers say what they are, and no model gets them."""
    for row in rows:
        row.update(walk_ins=row["casual"], members=row["registered"])
    found = findings(write(csv_of(rows, (*INPUT_COLUMNS, "walk_ins", "members", "cnt"))))
    for name in ("walk_ins", "members"):
        action, reason = found[name]
        assert action == "removed"
        assert reason.endswith("it adds up to the target: cnt = walk_ins + members")


def test_an_input_that_is_the_sum_of_others_is_removed(write, csv_of, rows) -> None:
    for row in rows:
        row.update(temp="10", atemp=str(float(row["hum"]) / 8 + float(row["windspeed"]) / 8))
    for row in rows:
        row["extra"], row["more"] = str(float(row["hum"]) / 8), str(float(row["windspeed"]) / 8)
    found = findings(write(csv_of(rows, (*INPUT_COLUMNS, *TARGET_COLUMNS, "extra", "more"))))
    assert found["atemp"] == ("removed", "exact sum of others: atemp = extra + more")
    assert found["temp"] == ("removed", "constant: every day has 10.0")


def test_sums_need_every_row_and_three_of_them() -> None:
    table = pd.DataFrame({"a": [1, 2, 3, 4], "b": [5, 1, 2, 9], "c": [6, 3, 5, 13], "zero": [0, 0, 0, 0]})
    assert exact_sums(table) == {"c": ("a", "b")}
    assert exact_sums(table.assign(c=[6, 3, 5, 14])) == {}
    assert exact_sums(table.head(2)) == {}


def test_thresholds_decide_what_counts_as_constant_or_repeated(write, csv_of, rows) -> None:
    for index, row in enumerate(rows):
        row["hum"] = "50" if index else "51"
        row["atemp"] = str(float(row["temp"]) + (0.2 if index % 2 else 0.0))
    table = read_table(write(csv_of(rows)))
    strict = check_days(table, Purpose.TRAINING, (TARGET,), QualityLimits(), removes_columns=True).report
    loose = check_days(
        table, Purpose.TRAINING, (TARGET,), QualityLimits(correlation=0.99, constant_share=0.95), removes_columns=True
    ).report
    names = [{entry["column"] for entry in report["removed_columns"]} for report in (strict, loose)]
    assert not {"hum", "atemp"} & names[0]
    assert {"hum", "atemp"} <= names[1]


def test_removed_columns_get_no_coefficient(call_script, write, csv_of, rows, tmp_path) -> None:
    for row in rows:
        row["atemp"] = row["temp"]
    write(csv_of(rows), "raw/days.csv")
    prepared = tmp_path / "prepared"
    for name, arguments in (
        ("preprocess.py", ["--input-file", tmp_path / "raw" / "days.csv", "--output-dir", prepared]),
        ("train.py", ["--train-dir", prepared / "train", "--model-dir", tmp_path / "m", "--output-data-dir", tmp_path]),
    ):
        done = call_script(name, *arguments)
        assert done.code == 0, done.err
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["excluded"]["atemp"] == "atemp is perfectly correlated with temp"
    assert summary["excluded"]["mnth_12"] == "it never changes in the training rows"
    assert not {"atemp", "mnth_12"} & set(read_model(tmp_path / "m").selected)
    assert "atemp" in read_model(tmp_path / "m").input_columns
