"""What is generated from the declaration's classes is current, and is what it says."""

from __future__ import annotations

import json
import re
import tomllib
from enum import StrEnum
from typing import Any

import jsonschema
import pytest

from analysis.dataset.columns import Column
from analysis.dataset.declaration import Dataset
from pipeline.datasets.reference import PAGE, SCHEMA, attribute_docstrings, page, schema
from pipeline.datasets.validation import check_declaration

DECLARATIONS = sorted(SCHEMA.parent.glob("*.toml"))


def test_the_schema_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "run python -m pipeline.datasets.reference"


def test_the_page_is_current() -> None:
    current = PAGE.read_text(encoding="utf-8")
    assert current == page(current), "run python -m pipeline.datasets.reference"


def test_the_page_keeps_what_people_wrote_and_has_every_field() -> None:
    current = PAGE.read_text(encoding="utf-8")
    changed = page("# Mine\n" + current[current.index("<!-- Generated") :].replace("`minimum`", "x"))
    assert changed.startswith("# Mine\n<!--")
    assert "| `minimum` | number | The smallest possible value; smaller ones are refused. |" in changed
    assert "- `fill`: The median of the training rows" in changed
    with pytest.raises(ValueError, match="has no line"):
        page("# Mine\n")


@pytest.mark.parametrize("path", DECLARATIONS, ids=lambda path: path.stem)
def test_editors_find_the_schema_and_take_the_declarations(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    directive = re.match(r"#:schema (.+)\n", text)
    assert directive is not None
    assert (path.parent / directive[1]).resolve() == SCHEMA
    validator = jsonschema.Draft7Validator(json.loads(schema()))
    document = tomllib.loads(text)
    assert list(validator.iter_errors(document)) == []
    document["columns"][document["target"]]["colour"] = "red"
    assert [error.validator for error in validator.iter_errors(document)] == ["additionalProperties"]


def test_editors_show_what_every_field_means() -> None:
    made = json.loads(schema())
    column = made["$defs"]["Column"]["properties"]
    assert set(column) == set(attribute_docstrings(Column))
    assert column["minimum"]["description"].startswith("The smallest")
    assert {name for name, field in made["properties"].items() if not {"description", "$ref"} & set(field)} == set()


def test_the_example_of_the_page_is_a_declaration() -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    assert isinstance(check_declaration(example[1].encode()), Dataset)


def test_docstrings_of_attributes_are_read_from_the_source() -> None:
    class Colour(StrEnum):
        """Of it."""

        RED = "red"
        """Warm."""
        BLUE = "blue"

    assert attribute_docstrings(Colour) == {"RED": "Warm."}
