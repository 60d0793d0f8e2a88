"""The checks before a start by hand."""

import pytest

from pipeline.errors import ExecutionError
from pipeline.executions.parameters import check_parameters

DEFINITION = {
    "Parameters": [
        {"Name": "InputKey", "Type": "String"},
        {"Name": "Seed", "Type": "Integer", "DefaultValue": 1},
        {"Name": "TrainFraction", "Type": "Float", "DefaultValue": 0.7},
        {"Name": "Strict", "Type": "Boolean", "DefaultValue": True},
        {"Name": "Profile", "Type": "String", "DefaultValue": "forecast", "EnumValues": ["forecast", "parity"]},
    ]
}


def test_what_the_definition_takes_passes():
    given = {"InputKey": "x", "Seed": "-2", "TrainFraction": "0.5", "Strict": "false", "Profile": "parity"}
    check_parameters("p", DEFINITION, given)
    check_parameters("p", DEFINITION, {"InputKey": "x", "TrainFraction": "5e-1"})


@pytest.mark.parametrize(("given", "meant"), [("Sed", "Seed"), ("seed", "Seed"), ("trainfraction", "TrainFraction")])
def test_an_unknown_parameter_is_named_with_the_one_that_may_be_meant(given, meant):
    with pytest.raises(ExecutionError, match=rf"no parameter {given}\. Did you mean {meant}\?") as caught:
        check_parameters("p", DEFINITION, {"InputKey": "x", given: "2"})
    assert "It has InputKey, Profile, Seed" in str(caught.value)


def test_nothing_is_suggested_where_nothing_is_like_it():
    with pytest.raises(ExecutionError, match=r"no parameter colour\.\n"):
        check_parameters("p", DEFINITION, {"InputKey": "x", "colour": "2"})


def test_a_missing_parameter_is_named():
    with pytest.raises(ExecutionError, match="needs a value for InputKey"):
        check_parameters("p", DEFINITION, {"Seed": "2"})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Profile", "partiy", r"Profile can't be 'partiy'\. Did you mean parity\?\n.*forecast, parity"),
        ("Seed", "1_0", "Seed has to be a number of type Integer, not '1_0'"),
        ("TrainFraction", "nan", "TrainFraction has to be a number of type Float"),
        ("Seed", "1.5", "Seed has to be a number of type Integer, not '1.5'"),
        ("TrainFraction", "half", "TrainFraction has to be a number of type Float"),
        ("Strict", "yes", "Strict has to be true or false"),
        ("Profile", "", r"Profile can't be empty\.\n.*Give it a value, or leave it out for its default, 'forecast'\."),
        ("InputKey", "", r"InputKey can't be empty\.\n.*Give it a value\."),
    ],
)
def test_a_value_that_the_definition_does_not_take_is_refused(name, value, words):
    with pytest.raises(ExecutionError, match=words):
        check_parameters("p", DEFINITION, {"InputKey": "x", name: value})
