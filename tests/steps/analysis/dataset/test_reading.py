"""Declarations are read whole, or refused with the field that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.dataset.columns import ImpossibleError, Kind, plain_name
from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import dataset_from, read_dataset
from analysis.runtime.errors import SettingsError

DECLARATIONS = sorted((Path(__file__).parents[4] / "datasets").glob("*.toml"))

Document = dict[str, Any]


def small(**changes: Any) -> Document:
    """Return a declaration with one column of most kinds, changed as asked; a value of None leaves the field out."""
    document = {
        "name": "towns",
        "title": "Towns",
        "description": "Towns.",
        "source": "Made up.",
        "words": {
            "row": {"one": "town", "many": "towns"},
            "target": "income",
            "unit": {"one": "dollar", "many": "dollars"},
            "use": "Guess incomes.",
        },
        "target": "income",
        "columns": {
            "town": {"kind": "identifier"},
            "when": {"kind": "date", "formats": {"standard": ["yyyy-mm-dd"]}},
            "size": {"kind": "measure", "unit": "km²", "minimum": 0, "maximum": 100},
            "land": {"kind": "category", "levels": {"n": "north", "s": "south", "e": "east"}},
            "coast": {"kind": "flag"},
            "income": {"kind": "measure"},
        },
        "profiles": {"forecast": {"description": "All."}},
        "gate": {"minimum_r_squared": 0.5},
    }
    for path, value in changes.items():
        place: Any = document
        *parents, last = path.split("__")
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return document


DATED: Document = {"time": "when", "key": ["town", "when"]}
SIZE_BEFORE: Document = {"column": "size", "description": "size of the day before", "days_ago": 1}
ONE_FORM = r"past\.size_1\.column: a feature of the past has one of rows_ago, .*; this one has "
PAST_PROBLEMS: list[tuple[Document, Document, str]] = [
    ({}, {}, ONE_FORM + "none"),
    ({"rows_ago": 1, "mean_of_days": 7}, {}, ONE_FORM + "rows_ago and mean_of_days"),
    ({"mean_of_rows": 0}, {}, r"past\.size_1\.mean_of_rows: has to be at least 1"),
    ({"days_ago": 1.5}, {}, r"past\.size_1\.days_ago: has to be a number \(int\), not 1\.5"),
    ({"column": "sise", "days_ago": 1}, {}, r"past\.size_1\.column: there is no column 'sise'; did you mean 'size'\?"),
    ({"column": "land", "days_ago": 1}, {}, r"past\.size_1\.column: land is of kind category, and not a number"),
    (
        {"days_ago": 1},
        {"columns__size__never_input": "it leaks"},
        r"past\.size_1\.column: size is neither an input nor",
    ),
    ({"days_ago": 1}, {"key": ["town"]}, "past: a series has one row at a time, so when has to be part of the key"),
]
"""Form of a feature of the past, what else is declared, and what is wrong."""


@pytest.mark.parametrize("path", DECLARATIONS, ids=lambda path: path.stem)
def test_the_declarations_of_the_project_are_valid(path: Path) -> None:
    dataset = read_dataset(path)
    assert dataset.target in dataset.columns
    assert dataset.inputs


def test_inputs_are_what_is_known_before_and_says_something() -> None:
    dataset = dataset_from(small(columns__size={"kind": "measure", "never_input": "it is a copy"}))
    assert dataset.inputs == ("land", "coast")
    assert dataset.known_before == ("town", "when", "size", "land", "coast")
    assert dataset.of_kind(Kind.MEASURE) == ("size", "income")


def test_the_reference_level_comes_first_and_rare_levels_are_not_modelled() -> None:
    land = {**small()["columns"]["land"], "reference": "s", "prepared_as": {"e": "n"}}
    assert dataset_from(small(columns__land=land)).columns["land"].modelled_levels == ("s", "n")


def test_the_unscaled_form_is_the_first() -> None:
    when = {"kind": "date", "formats": {"raw": ["yyyy-mm-dd"], "nice": ["dd.mm.yyyy"]}}
    size = {"kind": "measure", "minimum": 0, "maximum": 100, "scales": {"raw": 100}}
    assert dataset_from(small(columns__when=when, columns__size=size)).forms == ("nice", "raw")
    assert dataset_from(small(columns__when=None)).forms == ("standard",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": None}, "title: is missing"),
        ({"titel": "x"}, "titel: unknown field"),
        ({"title": 3}, "title: has to be text, in quotes, not 3"),
        ({"name": "Towns!"}, "name: use at most 20"),
        ({"target": "sum"}, "target: there is no column 'sum'"),
        ({"target": "town"}, "target: town is of kind identifier"),
        ({"time": "size"}, "time: size is of kind measure"),
        ({"key": ["income"]}, "key: income is only known afterwards"),
        ({"parts": ["size"]}, "parts: a sum has at least two"),
        ({"repeated_keys": "keep"}, "repeated_keys: a key names one row"),
        ({"repeated_rows": "perhaps"}, "repeated_rows: 'perhaps' is none of refuse, drop, keep"),
        ({"columns__size__levels": {"1": "a"}}, r"columns\.size\.levels: it is for category, flag"),
        ({"columns__size__minimum": "0"}, r"columns\.size\.minimum: has to be a number \(float\), not '0'"),
        ({"columns__size__maximum": -1}, r"columns\.size\.minimum: .* have to rise"),
        ({"columns__size__headers": ["Land "]}, r"columns\.land: files could not tell it from size by the name 'land'"),
        ({"columns__line": {"kind": "text"}}, r"columns\.line: jobs keep each row's line by this name; use line_"),
        ({"columns__size__bins": {"edges": [0, 50], "labels": ["a"]}}, r"columns\.size\.bins: the outer edges"),
        ({"columns__size__bins": {"edges": [0, 50, 100], "labels": ["a"]}}, r"columns\.size\.bins\.labels: 3 edges"),
        ({"columns__size__bins": {}}, r"columns\.size\.bins\.edges: bins have either"),
        ({"columns__size__scales": {"raw": 0}}, r"columns\.size\.scales: a scale is more than 0"),
        ({"columns__size__missing": "placeholder"}, r"columns\.size\.placeholder: it goes together"),
        ({"columns__size__indicator": True}, r"columns\.size\.indicator: it is for"),
        ({"columns__land__levels": {"n": "north"}}, r"columns\.land\.levels: name at least two"),
        ({"columns__land__reference": "w"}, r"columns\.land\.reference: 'w' is not one of the levels n, s, e"),
        ({"columns__land__prepared_as": {"n": "s", "s": "e"}}, r"columns\.land\.prepared_as: 's' can't also stand"),
        ({"columns__coast__levels": {"0": "no", "x": "yes"}}, r"columns\.coast\.levels: a flag has two"),
        ({"columns__when__formats": {"standard": ["dd-mm"]}}, r"columns\.when\.formats: 'dd-mm' needs one year"),
        (
            {"columns__when__formats": {"standard": ["yyyy-mm-ddzz"]}},
            r"columns\.when\.formats: 'yyyy-mm-ddzz' has a zone",
        ),
        ({"columns__when__formats": {"standard": ["zzyyyy-mm-dd HH"]}}, r"columns\.when\.formats: .* has a zone"),
        ({"columns__when__formats": {}}, r"columns\.when\.formats: say how it is written"),
        ({"columns__size__scales": {"raw": 2.0}}, r"columns\.when\.formats: say for each of the forms standard, raw"),
        ({"profiles": {}}, "profiles: at least one"),
        *(
            ({"profiles": {name: {"description": "All."}}}, rf"profiles\.{name}: use at most 40 small letters")
            for name in ("With_underscore", "x-latest", "a/b", "1st", "x" * 41)
        ),
        ({"profiles__forecast__inputs": ["town"]}, r"profiles\.forecast\.inputs: town is no input: it is of"),
        ({"profiles__forecast__binned": ["size"]}, r"profiles\.forecast\.binned: size is no input with bins"),
        (
            {"profiles__forecast__parts_of_target": True},
            r"profiles\.forecast\.parts_of_target: the target has",
        ),
        (
            {"published": [{"profile": "x", "source": "y", "figures": []}]},
            r"published\.0\.profile: there is no profile",
        ),
        *(
            ({**DATED, "past": {"size_1": {"column": "size", "description": "d", **form}}, **more}, message)
            for form, more, message in PAST_PROBLEMS
        ),
        ({"past": {"size_1": SIZE_BEFORE}}, r"past: only a table with a time has a past; name its column in time"),
        (
            {**DATED, "past": {"size_1": SIZE_BEFORE}, "profiles__forecast__past": ["size_2"]},
            r"profiles\.forecast\.past: there is no feature of the past 'size_2'; did you mean 'size_1'\?",
        ),
        *(
            ({**DATED, "past": {name: SIZE_BEFORE}}, rf"past\.{name}: {problem}")
            for name, problem in {
                "land": "a column has this name; use another",
                "land_n": "this is the name of a model column of land; use another",
                "history_gap": "jobs need this name; use another",
                "line": "jobs need this name; use another",
            }.items()
        ),
        ({"rules": [{"column": "size", "message": "m"}]}, r"rules\.0\.column: a rule has one of"),
        ({"rules": [{"column": "size", "message": "m", "at_most": "x"}]}, r"rules\.0: there is no column 'x'"),
        (
            {"rules": [{"column": "size", "message": "m", "equals": "land.year"}]},
            r"rules\.0: land is of kind category, not date or datetime",
        ),
        (
            {"rules": [{"column": "size", "message": "m", "equals": "when.moon"}]},
            r"rules\.0\.equals: use a column and one of year",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_field(changes: Document, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        dataset_from(small(**changes))


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        (
            {"columns__size__minimum": 200, "columns__size__indicator": True},
            ["minimum: minimum, usual_minimum", "indicator: it is for"],
        ),
        (
            {"name": "Towns!", "time": "size", "profiles__forecast__inputs": ["town", "x"]},
            [
                "name: use at most",
                "time: size is of kind",
                "profiles.forecast.inputs: town",
                "profiles.forecast.inputs: there",
            ],
        ),
        (
            {"target": "x", "key": ["y"], "profiles": {}},
            ["target: there is no", "key: there is no", "profiles: at least"],
        ),
        (
            {"columns__size__bins": {"edges": [1, 0], "labels": []}},
            ["labels: 2 edges have", "edges: they have to rise"],
        ),
    ],
)
def test_all_that_is_wrong_with_a_part_is_known(changes: Document, problems: list[str]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the chain below has what matters)
        dataset_from(small(**changes))
    error = caught.value
    while not isinstance(error, ImpossibleError):
        assert isinstance(error.__cause__, ValueError)
        error = error.__cause__
    assert len(error.problems) == len(problems)
    assert all(found.startswith(wanted) for found, wanted in zip(error.problems, problems, strict=True))


def test_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(SettingsError, match=r"can't be read: .*x\.toml"):
        read_dataset(path)
    path.write_text("name = 'a", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"x\.toml is not TOML: "):
        read_dataset(path)
    path.write_text("name = 'a'", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"x\.toml: title: is missing\."):
        read_dataset(path)


def test_names_are_compared_without_what_spreadsheets_change() -> None:
    assert {plain_name(name) for name in ("fixed acidity", " Fixed_Acidity ", "FIXED.ACIDITY")} == {"fixed acidity"}


def test_declarations_are_compared_by_their_content() -> None:
    assert dataset_from(small()) == dataset_from(small())
    assert isinstance(dataset_from(small()), Dataset)
