from __future__ import annotations

from analysis.columns import TARGET, Purpose
from analysis.quality import QualityLimits, check_days
from analysis.table import read_table
from pipeline.sample import INPUT_COLUMNS, TARGET_COLUMNS


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
