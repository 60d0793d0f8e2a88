"""References, paths, Join and JsonGet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedef.language.expressions import (
    ExecutionReference,
    ExpressionError,
    ParameterReference,
    StepReference,
    follow,
    parse_path,
    parse_reference,
    references,
    resolve,
)


class Scope:
    """Values that a test gives."""

    def __init__(self, **parameters: Any) -> None:
        self._parameters = parameters

    def parameter(self, name: str) -> Any:
        return self._parameters[name]

    def execution_variable(self, name: str) -> str:
        return f"<{name}>"

    def step_properties(self, step: str) -> Mapping[str, Any]:
        return {"Name": step, "Outputs": [{"OutputName": "train", "Uri": "s3://b/t"}], "Nested": {"a.b": [1, 2]}}

    def property_file(self, step: str, name: str) -> Any:
        return {"step": step, "file": name, "rows": [{"n": 1}, {"n": 2}]}

    def json_document(self, s3_uri: str) -> Any:
        return {"uri": s3_uri}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A.B", ("A", "B")),
        ("Outputs['train'].S3Output.S3Uri", ("Outputs", "train", "S3Output", "S3Uri")),
        ('Map["a.b"][0][12].x', ("Map", "a.b", 0, 12, "x")),
        ("$.a.b", ("a", "b")),
        ("$", ()),
        ("metrics.r-2.value_1", ("metrics", "r-2", "value_1")),
    ],
)
def test_paths_are_split(text, expected):
    assert parse_path(text) == expected


@pytest.mark.parametrize("text", ["a[", "a['x", "a[x]", "a..b", "a]"])
def test_broken_paths_are_refused(text):
    with pytest.raises(ExpressionError, match="Invalid path"):
        parse_path(text)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 9), st.text(st.characters(exclude_characters="'", exclude_categories=["Cs"]), min_size=1)
        ),
        min_size=1,
    )
)
def test_every_quoted_path_is_read_back(tokens):
    text = "".join(f"[{token}]" if isinstance(token, int) else f"['{token}']" for token in tokens)
    assert parse_path(text) == tuple(tokens)


def test_references_are_parsed():
    assert parse_reference("Parameters.Input-Key") == ParameterReference("Input-Key")
    assert parse_reference("Execution.PipelineExecutionId") == ExecutionReference("PipelineExecutionId")
    assert parse_reference("Steps.A-b_c.X['k'][0]") == StepReference("A-b_c", ("X", "k", 0), "Steps.A-b_c.X['k'][0]")
    for text in ("Other.x", "Parameters", "Steps."):
        with pytest.raises(ExpressionError, match="Invalid reference"):
            parse_reference(text)


def test_references_are_found_in_nested_expressions():
    value = {
        "a": [{"Get": "Parameters.P"}, {"x": {"Std:Join": {"On": "/", "Values": ["s", {"Get": "Steps.S.Name"}]}}}],
        "b": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.F"}, "Path": {"Get": "Parameters.Q"}}},
        "c": {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "", "Values": [{"Get": "Steps.U.Name"}]}}, "Path": "n"}},
    }
    names = [getattr(item, "name", None) or item.step for item in references(value)]
    assert names == ["P", "S", "E", "Q", "U"]


@pytest.mark.parametrize(
    "value",
    [
        {"Get": 1},
        {"Std:Join": {"On": "/"}},
        {"Std:Join": []},
        {"Std:JsonGet": {"Path": "x"}},
        {"Std:JsonGet": {"PropertyFile": {}, "S3Uri": "", "Path": "x"}},
        {"Std:JsonGet": {"PropertyFile": {}}},
    ],
)
def test_malformed_expressions_are_refused(value):
    with pytest.raises(ExpressionError, match="Invalid"):
        list(references(value))


def test_values_keep_their_type_outside_of_strings():
    scope = Scope(N=3, F=0.25, B=True, S="text")
    value = {"n": {"Get": "Parameters.N"}, "list": [{"Get": "Parameters.F"}, {"Get": "Parameters.B"}, 1, None]}
    assert resolve(value, scope) == {"n": 3, "list": [0.25, True, 1, None]}
    joined = {"Std:Join": {"On": "-", "Values": [{"Get": f"Parameters.{name}"} for name in "NFBS"] + [7, "x"]}}
    assert resolve(joined, scope) == "3-0.25-true-text-7-x"


def test_json_get_reads_files_documents_and_nested_joins():
    scope = Scope(Index="rows[1].n")
    get = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.F"}, "Path": {"Get": "Parameters.Index"}}}
    assert resolve(get, scope) == 2
    document = {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", "b"]}}, "Path": "uri"}}
    assert resolve({"Std:Join": {"On": "", "Values": [get, document]}}, scope) == "2s3://b"


def test_properties_are_found_by_name_index_and_key():
    scope = Scope()
    assert resolve({"Get": "Steps.S.Outputs['train'].Uri"}, scope) == "s3://b/t"
    assert resolve({"Get": "Steps.S.Outputs[0].Uri"}, scope) == "s3://b/t"
    assert resolve({"Get": "Steps.S.Nested['a.b'][1]"}, scope) == 2


@pytest.mark.parametrize(
    "key",
    ["OutputName", "InputName", "ChannelName", "MetricName", "VariantName", "ContainerHostname", "Name"],
)
def test_whatever_names_the_items_of_a_list_finds_them(key):
    document = {"Items": [{key: "other", "Value": 1}, {key: "val:rmse", "Value": 2}]}
    assert follow(document, parse_path("Items['val:rmse'].Value"), "here") == 2


def test_lists_and_objects_are_json_inside_of_strings():
    scope = Scope()
    scope.parameter = {"L": [1, "a", None], "O": {"k": True}, "Z": None}.__getitem__
    joined = {"Std:Join": {"On": " ", "Values": [{"Get": f"Parameters.{name}"} for name in "LOZ"]}}
    assert resolve(joined, scope) == '[1, "a", null] {"k": true} null'


@pytest.mark.parametrize("path", ["Outputs['test']", "Outputs[1]", "Name.x", "Missing"])
def test_a_missing_property_is_named(path):
    with pytest.raises(ExpressionError, match=r"Cannot resolve \[Steps.S"):
        resolve({"Get": f"Steps.S.{path}"}, Scope())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(json_values)
def test_literals_resolve_to_themselves(value):
    if not any(key in str(value) for key in ("Get", "Std:")):
        assert resolve(value, Scope()) == value
        assert list(references(value)) == []


@settings(deadline=None)
@given(json_values, st.data())
def test_every_leaf_is_found_by_its_path(document, data):
    value, path = document, []
    while isinstance(value, dict | list) and value:
        token = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        path.append(token)
        value = value[token]
    assert follow(document, path, "x") is value
