"""Small declarations of tables that nobody has, for properties that hold for any."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import dataset_from

WORDS = {
    "row": {"one": "reading", "many": "readings"},
    "target": "load",
    "unit": {"one": "unit", "many": "units"},
    "use": "Nothing.",
}
LEVELS = [{"1": "low", "2": "high"}, {"north": "North", "south, east": "South", "none": "None", "?": "Unknown"}]
FORMATS = {
    "date": ["yyyy-mm-dd", "dd.mm.yy"],
    "datetime": ["yyyy-mm-dd HH:MM", "dd/mm/yyyy HH:MM:SS", "yyyy-mm-ddTHH:MM"],
}


@st.composite
def numbers(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw a measure or count, with as much of a range as declarations give."""
    width = draw(st.sampled_from([1e-3, 1.0, 5.0, 250.0, 1e6] if kind == "measure" else [1, 2, 23, 1000]))
    low = draw(st.sampled_from([0, 3, 1000] if kind == "count" else [0.0, -40.0, 0.95, 1000.0]))
    given_low, given_high = draw(st.booleans()), draw(st.booleans())
    column: dict[str, Any] = {"kind": kind}
    if given_low:
        column["minimum"] = low
    if given_high:
        column["maximum"] = low + width if given_low else width
    return column


@st.composite
def categories(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a category or flag."""
    if draw(st.booleans()):
        return {"kind": "flag"}
    levels = draw(st.sampled_from(LEVELS))
    rare = draw(st.booleans()) and len(levels) > 2
    return {"kind": "category", "levels": levels} | ({"prepared_as": {"?": "none"}} if rare else {})


@st.composite
def keys(draw: st.DrawFn) -> tuple[dict[str, Any], list[str], str | None]:
    """Draw the columns that name a row, which of them are the key, and which one is the time."""
    kind = draw(st.sampled_from(["date", "datetime"]))
    when = {"kind": kind, "formats": {"sent": [draw(st.sampled_from(FORMATS[kind]))]}}
    site = draw(
        st.sampled_from(
            [
                {"kind": "category", "levels": LEVELS[1]},
                {"kind": "count", "minimum": 0, "maximum": 23},
                {"kind": "identifier"},
                {"kind": "text"},
                {"kind": "count"},
            ]
        )
    )
    return draw(
        st.sampled_from(
            [
                ({}, [], None),
                ({"when": when}, ["when"], "when"),
                ({"when": when, "site": site}, ["when", "site"], "when"),
                ({"site": site, "when": when}, ["site", "when"], "when"),
                ({"when": when, "id": {"kind": "identifier"}}, ["id"], "when"),
                ({"id": {"kind": "identifier"}, "site": site}, ["site", "id"], None),
            ]
        )
    )


@st.composite
def rules(draw: st.DrawFn, columns: dict[str, Any], time: str | None) -> list[dict[str, Any]]:
    """Draw rules, with the columns that they need."""
    found: list[dict[str, Any]] = []
    if draw(st.booleans()):
        columns["open"] = {"kind": "flag"}
        columns["staff"] = {"kind": "count", "minimum": 0, "maximum": 9}
        cases = [{"when": {"open": ["0"]}, "then": ["0"]}, {"when": {"open": ["1"]}, "then": ["2", "3", "4"]}]
        found.append({"column": "staff", "message": "is closed", "cases": cases})
    if draw(st.booleans()):
        columns["part"] = {"kind": "measure", "minimum": 2, "maximum": 90}
        columns["whole"] = {"kind": "measure", "minimum": 0, "maximum": 100}
        found.append({"column": "part", "message": "is more than the whole", "at_most": "whole"})
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["measure", "count"]))
        for name in ("first", "second", "third"):
            columns[name] = {"kind": kind, "minimum": 0, "maximum": 50}
        columns["total"] = {"kind": kind, "minimum": 0, "maximum": draw(st.sampled_from([60, 150]))}
        found.append({"column": "total", "message": "is no sum", "sum_of": ["first", "second", "third"]})
    if time is not None and draw(st.booleans()):
        columns["month"] = {"kind": "category", "levels": {str(number): f"month {number}" for number in range(1, 13)}}
        columns["year"] = {"kind": "count"}
        columns["weekday"] = {"kind": "category", "levels": {str(number): f"day {number}" for number in range(7)}}
        columns["hour"] = {"kind": "count", "maximum": 23}
        found += [
            {"column": "month", "message": "is another month", "equals": f"{time}.month"},
            {"column": "year", "message": "is another year", "one_to_one": f"{time}.year"},
            {"column": "weekday", "message": "is another weekday", "follows": time},
        ]
        if columns[time]["kind"] == "datetime":
            found.append({"column": "hour", "message": "is another hour", "equals": f"{time}.hour"})
    if "site" in columns and draw(st.booleans()) and columns["site"].get("maximum") is None:
        columns["district"] = {"kind": draw(st.sampled_from(["text", "count"]))}
        found.append({"column": "district", "message": "is elsewhere", "one_to_one": "site"})
    return draw(st.permutations(found))


@st.composite
def declarations(draw: st.DrawFn) -> Dataset:
    """Draw a declaration of a table."""
    named, key, time = draw(keys())
    columns = dict(named)
    for number in range(draw(st.integers(1, 3))):
        columns[f"input {number}"] = draw(st.one_of(numbers("measure"), numbers("count"), categories()))
    declared_rules = draw(rules(columns, time))
    kind = draw(st.sampled_from(["measure", "count"]))
    parts = draw(st.sampled_from([[], ["one", "two"], ["one", "two", "three"]]))
    columns |= {name: {"kind": kind, "minimum": 0} for name in parts}
    target = draw(numbers(kind))
    if parts:
        target["minimum"] = 0
        target.pop("maximum", None)
    columns["load"] = target
    return dataset_from(
        {
            "name": "drawn",
            "title": "Drawn",
            "description": "A table.",
            "source": "Nobody.",
            "words": WORDS,
            "columns": dict(draw(st.permutations([*columns.items()]))),
            "target": "load",
            "parts": parts,
            "key": key,
            "repeated_rows": "refuse" if key else "keep",
            "rules": declared_rules,
            "profiles": {"all": {"description": "All."}},
            "gate": {"minimum_r_squared": 0.5},
            **({} if time is None else {"time": time}),
        }
    )
