"""A comma is a decimal mark where nothing speaks against it; what can be read in two ways is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.reading.cell_file import CellFile
from analysis.runtime.errors import InputError


def read(path: Path) -> list[dict[str, str]]:
    return [row for batch in CellFile(path, {}).batches() for row in batch.drop_columns([" line"]).to_pylist()]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("1,5;2", ["1.5", "2"]),
        ("-0,25;,5", ["-0.25", ".5"]),
        ("1,5e-3;7,", ["1.5e-3", "7."]),
        ("0,125;1,125", ["0.125", "1.125"]),
        ("1,25;Smith, John", ["1.25", "Smith, John"]),
        ("Smith, John;1.5", ["Smith, John", "1.5"]),
        ("1,25;01.02.2018", ["1.25", "01.02.2018"]),
        ("1,25;v1.5", ["1.25", "v1.5"]),
    ],
)
def test_commas_of_numbers_become_points(write, text: str, cells: list[str]) -> None:
    assert read(write(f"a;b\n{text}\n")) == [dict(zip("ab", cells, strict=True))]


@pytest.mark.parametrize(
    ("rows", "line", "column", "says"),
    [
        ("1,234;5\n2,500;6", 2, "a", "'1,234' may be a fraction or thousands"),
        ("1,5;x\n2,5;1.234,5", 3, "b", "'1.234,5' separates thousands"),
        ("1,5;x\n2,5;1 234,5", 3, "b", "'1 234,5' separates thousands"),
        ("1;x\n2;1,234.5", 3, "b", "'1,234.5' separates thousands"),
        ("1;x\n2;1,234,567", 3, "b", "'1,234,567' separates thousands"),
        ("1,5;2\n1,5;2.5", 3, "b", "'2.5' has a decimal point, but '1,5' in line 2, column a has a decimal comma"),
        ("1,5;2\n2.5;2", 3, "a", "'2.5' has a decimal point"),
        ("1,5;1.234", 2, "b", "'1.234' has a decimal point"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways(write, rows: str, line: int, column: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write(f"a;b\n{rows}\n"))
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(line, column)]
    assert says in str(caught.value)


def test_among_commas_as_delimiters_a_quoted_comma_stays(write) -> None:
    assert read(write('a,b\n"1,5",2\n')) == [{"a": "1,5", "b": "2"}]


def test_a_mistake_in_a_column_leaves_its_numbers_readable(write) -> None:
    assert [row["a"] for row in read(write("a;b\n1,5;1\nwarm;1\n2,5;1\n"))] == ["1.5", "warm", "2.5"]
