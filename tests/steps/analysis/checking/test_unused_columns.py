"""Columns that carry nothing of their own are named with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.checking.limits import QualityLimits
from analysis.checking.unused_columns import exact_sums
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import WINE, Cells, checked, readings, towns


def found(rows: Cells, *arguments: Any, **options: Any) -> dict[str, tuple[str, str]]:
    report = checked(rows, *arguments, **{"removes_columns": True, **options}).report
    return {entry["column"]: (entry["action"], entry["reason"]) for entry in report["removed_columns"]}


@pytest.fixture
def days() -> Cells:
    return sample_rows(rows=90)


def test_each_unused_column_has_its_reason(days: Cells) -> None:
    for row in days:
        row.update(operator="ada", atemp=row["temp"], hum="50")
    assert found(days) == {
        "instant": ("removed", "identifier: names the day and says nothing about it"),
        "casual": ("not an input", "adds up to the target: cnt = casual + registered"),
        "registered": ("not an input", "adds up to the target: cnt = casual + registered"),
        "operator": ("removed", "unknown: the declared table has no such column"),
        "yr": ("removed", "constant: every day has 0"),
        "hum": ("removed", "constant: every day has 50.0"),
        "atemp": ("removed", "perfectly correlated with temp"),
    }
    assert found(days, removes_columns=False)["atemp"] == ("kept", "perfectly correlated with temp")
    assert found(days, required=["cnt", "casual"])["casual"][0] == "kept"


def test_what_adds_up_to_the_target_is_found_under_any_name(days: Cells) -> None:
    parts = [{**row, "walk_ins": row["casual"], "members": row["registered"]} for row in days]
    header = [name for name in parts[0] if name not in {"casual", "registered"}]
    for name in ("walk_ins", "members"):
        action, reason = found(parts, header=header)[name]
        assert action == "removed"
        assert reason.endswith("it adds up to the target: cnt = walk_ins + members")


def test_a_sum_is_found_although_some_answers_are_not_known(days: Cells) -> None:
    days[5]["casual"] = ""
    assert found(days)["casual"][1] == "adds up to the target: cnt = casual + registered"


def test_an_input_that_is_the_sum_of_others_is_removed(days: Cells) -> None:
    for row in days:
        hum, wind = float(row["hum"]) / 8, float(row["windspeed"]) / 8
        row.update(temp="10", atemp=str(hum + wind), extra=str(hum), more=str(wind))
    assert found(days)["atemp"] == ("removed", "exact sum of others: atemp = extra + more")
    assert found(days)["temp"] == ("removed", "constant: every day has 10.0")


def test_an_affine_copy_is_removed() -> None:
    cells = [dict.fromkeys(WINE.columns, "1") for _ in range(12)]
    for number, row in enumerate(cells):
        row.update({"pH": repr(2 + number / 16), "alcohol": repr(6 + number / 4), "density": "1", "quality": "5"})
    assert found(cells, WINE)["alcohol"] == ("removed", "perfectly correlated with pH")


def test_levels_that_are_words_are_compared_by_their_place() -> None:
    rows = readings(9)
    for row in rows:
        row["wind"] = str(3 - 2 * ("n", "s", "none").index(row["land"]))
    assert found(rows, towns())["wind"] == ("removed", "perfectly correlated with land")


def test_free_text_is_never_an_input() -> None:
    assert found(readings(), towns())["note"] == ("removed", "text: nothing is learned from free text")


def test_thresholds_decide_what_counts_as_constant_or_repeated(days: Cells) -> None:
    for number, row in enumerate(days):
        row["atemp"] = str(float(row["temp"]) + (number == 3) / 1000)
        row["hum"] = "50" if number else "60"
    assert not {"atemp", "hum"} & set(found(days))
    limits = QualityLimits(correlation=0.999, constant_share=0.98)
    assert found(days, limits=limits)["hum"] == ("removed", "constant: 89 of 90 days have 50.0")
    assert found(days, limits=limits)["atemp"] == ("removed", "perfectly correlated with temp")


def test_sums_need_every_row_and_three_of_them() -> None:
    columns = {"a": [1.0, 2, 4], "b": [2.0, 5, 1], "c": [3.0, 7, 5], "zero": [0.0, 0, 0]}
    numbers = {name: np.array(values) for name, values in columns.items()}
    assert exact_sums(numbers) == {"c": ("a", "b")}
    assert exact_sums({name: values[:2] for name, values in numbers.items()}) == {}
    assert exact_sums({**numbers, "c": np.array([3.0, 7, 6])}) == {}


@pytest.mark.parametrize("unit", [1e-20, 1e-9, 1.0, 1e9, 1e200])
def test_sums_are_found_in_any_unit_and_only_they(unit: float) -> None:
    columns = {"a": [0.1, 0.2, 0.4], "b": [2.3, 5.1, 1.7], "c": [2.4, 5.3, 2.1], "d": [2.4, 5.3, 2.1000001]}
    assert exact_sums({name: unit * np.array(values) for name, values in columns.items()}) == {"c": ("a", "b")}
