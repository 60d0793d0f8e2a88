"""Rules that can't be asked of their columns are found with the declaration, before any file comes."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.dataset.columns import Column, Kind
from analysis.dataset.operands import problems_of_operands
from analysis.dataset.rules import Case, Rule

COLUMNS = {
    "land": Column(kind=Kind.CATEGORY, levels={"n": "north", "s": "south"}),
    "grade": Column(kind=Kind.CATEGORY, levels={"1": "low", "2": "high"}),
    "size": Column(kind=Kind.MEASURE),
    "count": Column(kind=Kind.COUNT),
    "coast": Column(kind=Kind.FLAG),
    "note": Column(kind=Kind.TEXT),
    "day": Column(kind=Kind.DATE, formats={"standard": ("yyyy-mm-dd",)}),
    "at": Column(kind=Kind.DATETIME, formats={"standard": ("yyyy-mm-dd HH:MM",)}),
}


def found(column: str, **form: Any) -> list[str]:
    return list(problems_of_operands(Rule(column=column, message="m", **form), COLUMNS))


@pytest.mark.parametrize(
    ("column", "form"),
    [
        ("size", {"sum_of": ("count", "size")}),
        ("size", {"at_most": "count"}),
        ("day", {"at_most": "day"}),
        ("grade", {"equals": "day.month"}),
        ("count", {"equals": "at.hour"}),
        ("land", {"follows": "day"}),
        ("note", {"one_to_one": "land"}),
        ("note", {"cases": (Case(when={"day": ("2024-02-29",), "at": ("2024-02-29T23:00:00",)}, then=("x",)),)}),
        ("coast", {"cases": (Case(when={"land": ("n",), "size": ("-1.5",), "note": ("x",)}, then=("0", "1")),)}),
    ],
)
def test_rules_that_can_be_asked(column: str, form: dict[str, Any]) -> None:
    assert found(column, **form) == []


@pytest.mark.parametrize(
    ("column", "form", "problem"),
    [
        ("size", {"sum_of": ("land", "size")}, "sum_of: land is of kind category, and only numbers have a sum"),
        ("note", {"sum_of": ("size", "size")}, "sum_of: note is of kind text, and only numbers have a sum"),
        ("size", {"at_most": "day"}, "at_most: size and day can't be compared; use two numbers, dates or moments"),
        ("day", {"at_most": "at"}, "at_most: day and at can't be compared; use two numbers, dates or moments"),
        ("coast", {"follows": "day"}, "follows: coast has no levels that could follow one another"),
        ("land", {"equals": "day.month"}, "equals: a part of a date is a whole number, and land has none"),
        ("count", {"equals": "day.hour"}, "equals: day is a date and has no hour"),
        ("count", {"one_to_one": "day.hour"}, "one_to_one: day is a date and has no hour"),
        ("land", {"cases": (Case(when={"grade": ("3",)}, then=("n",)),)}, "cases.0.when.grade: grade can't be '3'"),
        ("land", {"cases": (Case(when={"grade": ("1",)}, then=("N",)),)}, "cases.0.then: land can't be 'N'"),
        ("coast", {"cases": (Case(when={"size": ("big",)}, then=("0",)),)}, "cases.0.when.size: size can't be 'big'"),
        (
            "coast",
            {"cases": (Case(when={"day": ("2023-02-29",)}, then=("0",)),)},
            "cases.0.when.day: day can't be '2023-02-29'",
        ),
        ("coast", {"cases": (Case(when={"size": ("1",)}, then=("2",)),)}, "cases.0.then: coast can't be '2'"),
    ],
)
def test_rules_that_cannot_be_asked(column: str, form: dict[str, Any], problem: str) -> None:
    assert found(column, **form) == [problem]
