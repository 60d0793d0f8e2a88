"""Rules between columns: what they find, in which line, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.checking.limits import QualityLimits
from analysis.checking.purpose import Purpose
from analysis.runtime.errors import InputError
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import BIKE, Cells, checked, readings, towns


def refused(rows: Cells, *arguments: Any, **options: Any) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(InputError) as caught:
        checked(rows, *arguments, **options)
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


@pytest.fixture
def days() -> Cells:
    return sample_rows(rows=90)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("mnth", "3", "3 is not the month of the date (2018-01-10)"),
        ("workingday", "0", "0 contradicts weekday and holiday (weekday 3, holiday 0)"),
        ("holiday", "1", "1 contradicts weekday and holiday (weekday 3, holiday 1)"),
        ("season", "2", "2 is no season of that month (mnth 1)"),
        ("yr", "1", "1 is not the same for all days of a calendar year (2018-01-10)"),
        ("weekday", "4", "4 does not follow the weekday of the day before (2018-01-10)"),
        ("cnt", "1", "1 is not casual + registered"),
    ],
)
def test_each_rule_names_the_line_of_the_one_wrong_value(days: Cells, column: str, value: str, message: str) -> None:
    days[9][column] = value
    problems = refused(days)
    assert (11, column) in {(line, name) for line, name, _ in problems} or column == "holiday"
    assert {line for line, _, _ in problems} == {11}
    assert any(text.startswith(message) for _, _, text in problems)


def test_rows_of_no_case_are_not_looked_at() -> None:
    rule = {"column": "coast", "message": "is odd", "cases": [{"when": {"land": ["n"], "grade": ["2"]}, "then": ["1"]}]}
    rows = readings()
    dataset = towns(rules=[rule])
    for row in rows:
        row["coast"] = "0"
    assert [line for line, _, _ in refused(rows, dataset)] == [5]
    for row in rows:
        row["land"] = ""
    assert len(checked(rows, dataset, Purpose.SCORING).rows) == 6


@pytest.mark.parametrize(("day", "value"), [("28-02-18", True), ("05-03-18", False)])
def test_levels_follow_one_another_but_after_the_excepted_days(days: Cells, day: str, value: bool) -> None:
    """From one day on all weekdays are one too late: only after 28 February nobody minds."""
    start = next(number for number, row in enumerate(days) if row["dteday"] == day)
    for row in days[start + 1 :]:
        weekday = (int(row["weekday"]) + 1) % 7
        row.update(weekday=str(weekday), workingday=str(int(weekday in range(1, 6))), holiday="0")
    if value:
        checked(days)
    else:
        assert {column for _, column, _ in refused(days)} == {"weekday"}


def test_days_that_are_not_next_to_each_other_need_not_follow(days: Cells) -> None:
    checked(days[::2])


def test_a_real_sum_may_differ_by_rounding() -> None:
    rows = readings()
    assert any(float(row["load"]) != round(float(row["load"]), 6) for row in rows)
    rows[0]["load"] = "0.3000000001"
    checked(rows, towns())
    rows[0]["load"] = "0.3000001"
    assert refused(rows, towns()) == [(2, "load", "0.3000001 is not day load + night load (0.3)")]


def test_unequal_sums_are_kept_within_the_limit(days: Cells) -> None:
    days[3]["cnt"] = "1"
    now = checked(days, limits=QualityLimits(unequal_sums=1))
    assert len(now.rows) == 90
    repair = {"what": "rows kept although cnt is not casual + registered", "rows": 1, "lines": [5]}
    assert now.report["repairs"] == [repair]


def test_a_rule_may_be_no_more_than_a_finding() -> None:
    rows = readings()
    rows[2].update(heat="0.5", rain="1")
    found = checked(rows, towns()).report["findings"]
    assert found == [{"column": "rain", "what": "is more than the heat", "rows": 1, "lines": [4]}]


def test_the_hour_is_a_part_of_the_moment() -> None:
    rows = readings()
    rows[1]["hour"] = "7"
    assert refused(rows, towns()) == [(3, "hour", "7 is not the hour (2024-05-01T01:30:00)")]


def test_broken_rules_are_dropped_within_the_limit(days: Cells) -> None:
    days[9]["mnth"] = "3"
    days[19]["hum"] = "101"
    now = checked(days, limits=QualityLimits(invalid_rows=2))
    assert [row["lines"] for row in now.report["repairs"]] == [[11, 21]]
    assert len(refused(days, limits=QualityLimits(invalid_rows=1))) == 2


def test_rules_of_absent_columns_are_not_looked_at(days: Cells) -> None:
    rows = [{name: cell for name, cell in row.items() if name not in BIKE.answers} for row in days]
    assert checked(rows, purpose=Purpose.SCORING).report["has_target"] is False


@pytest.mark.parametrize(
    ("rule", "change", "lines"),
    [
        ({"column": "coast", "cases": [{"when": {"at": ["2024-05-06T02:30:00"]}, "then": ["1"]}]}, {"coast": "0"}, [4]),
        ({"column": "coast", "cases": [{"when": {"heat": ["280.25"]}, "then": ["1"]}]}, {"coast": "0"}, [4]),
        ({"column": "coast", "cases": [{"when": {"note": ["no. 2"]}, "then": ["1"]}]}, {"coast": "0"}, [4]),
        ({"column": "note", "one_to_one": "at.hour"}, {"note": "no. 1"}, [4]),
        ({"column": "wind", "equals": "at.hour"}, {"wind": "7"}, [4]),
        ({"column": "grade", "equals": "at.weekday"}, {"grade": "2"}, [4]),
    ],
)
def test_rules_can_be_asked_of_every_kind(rule: dict[str, Any], change: dict[str, str], lines: list[int]) -> None:
    """6 May 2024 is a Monday, which is weekday 1."""
    rows = readings(4)
    for row in rows:
        row.update(at=row["at"].replace("-01 ", "-06 "), grade="1")
    dataset = towns(rules=[{**rule, "message": "is odd"}])
    assert len(checked(rows, dataset).rows) == 4
    assert [line for line, _, _ in refused([*rows[:2], {**rows[2], **change}, *rows[3:]], dataset)] == lines
