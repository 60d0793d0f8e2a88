"""A declaration's author sees everything that is wrong, with its line and what is allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import read_dataset
from pipeline.datasets.validation import check_declaration, read_declaration
from pipeline.errors import DeclarationError, InputFileError

DATASETS = Path(__file__).parents[3] / "datasets"
WINE = (DATASETS / "red_wine.toml").read_text(encoding="utf-8")


def problems(text: str | bytes) -> list[str]:
    found = check_declaration(text if isinstance(text, bytes) else text.encode())
    assert not isinstance(found, Dataset)
    return [str(problem) for problem in found]


def line(text: str, fragment: str) -> int:
    """Return the line of a text that has a fragment."""
    return text[: text.index(fragment)].count("\n") + 1


@pytest.mark.parametrize("path", sorted(DATASETS.glob("*.toml")), ids=lambda path: path.stem)
def test_jobs_and_authors_read_the_same(path: Path) -> None:
    assert read_declaration(path) == read_dataset(path)


def test_every_problem_is_named_at_once() -> None:
    text = """name = "wine"
titel = "Wine"
description = '''
in two lines'''
source = 1979-05-27
target = "quality"
words = { row = { one = "a", many = "b" }, target = "q", unit = { one = "p", many = "q" }, use = "u", lmits = "x" }
[columns."fixed. acidity"]
kind = "measur"
minimum = "3"
colour = "red"
[columns.quality]
kind = "count"
usual_minimum = 5
minimum = 9
indicator = true
optional = 1
[[rules]]
column = "quality"
message = "m"
cases = [
  { when = { a = ["1"] } },
  { when = { a = "1" }, then = ["x"] },
]
[profiles.forecast]
description = "d"
"""
    assert problems(text) == [
        "1: gate: is missing",
        "1: title: is missing",
        "2: titel: unknown field; did you mean title?",
        "5: source: has to be text, in quotes, not the date 1979-05-27 without quotes",
        "7: words.lmits: unknown field; did you mean limits?",
        (
            "9: columns.fixed. acidity.kind: 'measur' is none of measure, count, category, flag, identifier, text, "
            "date, datetime"
        ),
        "10: columns.fixed. acidity.minimum: has to be a number, not '3'",
        (
            "11: columns.fixed. acidity.colour: unknown field; there are kind, description, unit, headers, minimum, "
            "maximum, usual_minimum, usual_maximum, scales, formats, levels, reference, prepared_as, bins, "
            "missing, placeholder, indicator, never_input, optional, known_afterwards"
        ),
        "17: columns.quality.optional: has to be true or false, not 1",
        "22: rules.0.cases.0.then: is missing",
        "23: rules.0.cases.1.when.a: has to be a list, in square brackets, not '1'",
    ]
    text = text.replace("optional = 1\n", "")
    wanted = "15: columns.quality.minimum: minimum, usual_minimum, usual_maximum and maximum have to rise"
    assert wanted in problems(text)


def test_what_a_column_says_twice_is_named_twice() -> None:
    text = WINE.replace("maximum = 1.1\n", "maximum = 0.1\nindicator = true\nbins = { edges = [1, 0], labels = [] }\n")
    assert [problem.partition(",")[0] for problem in problems(text)] == [
        f"{line(text, 'bins = {')}: columns.density.bins.edges: they have to rise",
        f"{line(text, 'bins = {')}: columns.density.bins.labels: 2 edges have 1 intervals between them",
    ]
    text = text.replace("bins = { edges = [1, 0], labels = [] }\n", "")
    assert [problem.partition(" it is")[0] for problem in problems(text)] == [
        (
            f"{line(text, 'minimum = 0.95')}: columns.density.minimum: "
            "minimum, usual_minimum, usual_maximum and maximum have to rise"
        ),
        f"{line(text, 'indicator')}: columns.density.indicator:",
    ]


def test_names_that_lead_nowhere_are_named_with_the_nearest() -> None:
    text = WINE.replace('target = "quality"\n', 'target = "qualty"\nkey = ["a.b: c"]\n', 1)
    text = text.replace('at_most = "total', 'at_most = "totl')
    assert problems(text) == [
        f"{line(text, 'target = ')}: target: there is no column 'qualty'; did you mean 'quality'?",
        f"{line(text, 'key = ')}: key: there is no column 'a.b: c'",
        (
            f"{line(text, '[[rules]]')}: rules.0: there is no column 'totl sulfur dioxide'; "
            "did you mean 'total sulfur dioxide'?"
        ),
    ]


def test_columns_may_have_any_name() -> None:
    text = WINE.replace("[columns.pH]", '[columns."a: b.c"]').replace("maximum = 7", "maximum = 7\nindicator = true")
    assert problems(text) == [
        (
            f'{line(text, "indicator")}: columns.a: b.c.indicator: it is for missing = "fill" or "placeholder", where '
            "rows with empty cells stay"
        )
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'a = "', "1: not TOML: Unterminated string"),
        (b"a = 1\nb = 1 1\n", "2: not TOML: Expected newline or end of document after a statement, at column 7"),
        (b"a = 1\n\na = 2\n", "3: not TOML: Cannot overwrite a value, at column 6"),
        (b"\na = '\xff'", "2: byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfa = 1", "1: not TOML: Invalid statement, at column 1"),
        (b"a = " + b"[" * 100_000, "1: not TOML: maximum recursion depth exceeded"),
        (b"a = 0x" + b"f" * 10_000, "1: not TOML: Exceeds the limit"),
    ],
)
def test_what_is_no_toml_is_named_by_its_line(content: bytes, problem: str) -> None:
    (found,) = problems(content)
    assert found.startswith(problem)


def test_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wine.toml"
    with pytest.raises(InputFileError, match=r"wine\.toml can't be read: No such file"):
        read_declaration(path)
    path.write_text(WINE.replace('title = "', 'titel = "').replace('name = "', 'name = "!'), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        read_declaration(path)
    assert caught.value.message.splitlines() == [
        f"2 problems in {path}",
        f"{path}:1: title: is missing",
        f"{path}:{line(WINE, 'title')}: titel: unknown field; did you mean title?",
    ]


def test_what_python_takes_for_a_boundary_is_none_in_toml() -> None:
    text = WINE.replace("[columns.pH]", "# a\u2028b\n[columns.pH]") + "x = 1\n"
    assert tomllib.loads(text)
    assert problems(text)[0].startswith(f"{text.count(chr(10))}: card.x: unknown field")
