"""Every field of every document that Python can read is found in its line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.locations import line_of, locate

DATASETS = sorted((Path(__file__).parents[3] / "datasets").glob("*.toml"))


def test_every_way_to_write_a_field_is_known() -> None:
    text = '''# a comment with = and [brackets]
title = "a # b = [c]"
"quoted.name" = 1
'literal name' = 1.5
a.b . "c.d" = 2
when = 1979-05-27 07:32:00  # a space in it
long = """
[not.a.table]
x = "1"
"""
after = \'\'\'
''quotes''\'\'\'
five = """""a"""""
list = [
  # nothing
  "one", [2, 3],
  { four = 4, "f i v e" = [
    5,
  ] },
]

[table."with.dot"]
x = {y = {z = 1}}

[[rules]]
column = "a"

[[rules]]
[rules.sub]
column = "b"

[[rules.cases]]
then = []
'''
    found = locate(text)
    expected = {
        ("title",): 2,
        ("quoted.name",): 3,
        ("literal name",): 4,
        ("a", "b", "c.d"): 5,
        ("when",): 6,
        ("long",): 7,
        ("after",): 11,
        ("five",): 13,
        ("list", 1, 1): 16,
        ("list", 2): 17,
        ("list", 2, "four"): 17,
        ("list", 2, "f i v e", 0): 18,
        ("table", "with.dot"): 22,
        ("table", "with.dot", "x", "y", "z"): 23,
        ("rules", 0): 25,
        ("rules", 1): 28,
        ("rules", 1, "sub", "column"): 30,
        ("rules", 1, "cases", 0, "then"): 33,
    }
    assert {path: found.get(path) for path in expected} == expected
    assert set(found) == set(_paths(tomllib.loads(text)))


def test_what_is_missing_is_looked_for_around_it() -> None:
    lines = locate("a = 1\n[b]\nc = { d = 1 }\n")
    assert line_of(lines, ("b", "c", "e")) == 3
    assert line_of(lines, ("b", "x", "y")) == 2
    assert line_of(lines, ("gate",)) == 1


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [inner for name, item in items for inner in [(*path, name), *_paths(item, (*path, name))]]


@pytest.mark.parametrize("path", DATASETS, ids=lambda path: path.stem)
def test_every_field_of_the_declarations_of_the_project_has_its_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = locate(text)
    assert set(found) == set(_paths(tomllib.loads(text)))
    for field, line in found.items():
        if isinstance(field[-1], str):
            assert field[-1] in text.splitlines()[line - 1]


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8)
_SCALARS = _TEXT | st.integers(-(10**6), 10**6) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=6
)
_TABLES = st.recursive(
    st.dictionaries(_TEXT, _VALUES, max_size=4),
    lambda inner: st.dictionaries(_TEXT, _VALUES | inner | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=8,
)


class _Writer:
    """Writes a document in one of the ways in which it can be, and remembers the line of each field."""

    def __init__(self, draw: Any) -> None:
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._draw = draw

    def _mark(self, path: tuple[str | int, ...]) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def _key(self, name: str) -> str:
        bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        ways = [_quoted(name), *([name] if bare else [])]
        ways += [f"'{name}'"] if name.isprintable() and "'" not in name else []
        return str(self._draw(st.sampled_from(ways)))

    def table(self, table: dict[str, Any], path: tuple[str | int, ...] = (), names: tuple[str, ...] = ()) -> None:
        """Write the fields of a table, then the tables in it that get a header."""
        later = []
        for name, item in table.items():
            own = isinstance(item, dict) or (isinstance(item, list) and item and all(isinstance(x, dict) for x in item))
            if own and self._draw(st.booleans()):
                later.append((name, item))
                continue
            self.text += self._draw(st.sampled_from(["", "\n", "# [x] = 'y\n", "  "]))
            self._mark((*path, name))
            self.text += f"{self._key(name)} = "
            self._value(item, (*path, name))
            self.text += "\n"
        for name, item in later:
            for number, one in enumerate(item if isinstance(item, list) else [item]):
                place = (*path, name, number) if isinstance(item, list) else (*path, name)
                brackets = ("[[", "]]") if isinstance(item, list) else ("[", "]")
                self._mark((*path, name))
                self._mark(place)
                keys = (*names, self._key(name))
                self.text += f"{brackets[0]}{' . '.join(keys)}{brackets[1]} # = [\n"
                self.table(one, place, keys)

    def _value(self, value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            self.text += "{"
            for number, (name, item) in enumerate(value.items()):
                self.text += ", " if number else " "
                self._mark((*path, name))
                self.text += f"{self._key(name)} = "
                self._value(item, (*path, name))
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for number, item in enumerate(value):
                self.text += self._draw(st.sampled_from(["", "\n", " # ]\n"]))
                self._mark((*path, number))
                self._value(item, (*path, number))
                self.text += ","
            self.text += "]"
        elif isinstance(value, str) and self._draw(st.booleans()):
            body = value.replace("\\", "\\\\").replace('"', '\\"')
            self.text += (
                f'"""\n{"".join(c if c.isprintable() or c == chr(10) else f"{chr(92)}U{ord(c):08X}" for c in body)}"""'
            )
        else:
            self.text += _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@given(table=_TABLES, data=st.data())
def test_fields_are_found_however_a_document_is_written(table: dict[str, Any], data: st.DataObject) -> None:
    writer = _Writer(data.draw)
    writer.table(table)
    assert tomllib.loads(writer.text) == table
    assert locate(writer.text) == writer.lines
