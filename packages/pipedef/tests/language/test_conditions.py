"""Comparisons, and the logic around them."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedef.language.conditions import check_condition, evaluate, evaluate_all
from pipedef.language.expressions import ExpressionError

TRUE = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
FALSE = {"Type": "Equals", "LeftValue": 1, "RightValue": 2}
numbers = st.integers(-5, 5) | st.floats(-5, 5)


def compare(kind, left, right):
    return {"Type": kind, "LeftValue": left, "RightValue": right}


@settings(deadline=None)
@given(numbers, numbers)
def test_numbers_compare_as_in_python(left, right):
    for kind, function in (
        ("Equals", operator.eq),
        ("GreaterThan", operator.gt),
        ("GreaterThanOrEqualTo", operator.ge),
        ("LessThan", operator.lt),
        ("LessThanOrEqualTo", operator.le),
    ):
        assert evaluate(compare(kind, left, right), None) is function(left, right)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [(1, 1.0, True), ("a", "a", True), ("1", 1, False), (True, 1, False), (True, True, True), (None, None, True)],
)
def test_equality_keeps_json_types_apart(left, right, equal):
    assert evaluate(compare("Equals", left, right), None) is equal
    assert evaluate({"Type": "In", "QueryValue": left, "Values": ["no", right]}, None) is equal


@pytest.mark.parametrize(("left", "right"), [("1", 1), (True, 2), (None, 1), ([], 1)])
def test_what_has_no_order_is_an_error(left, right):
    with pytest.raises(ExpressionError, match="Cannot compare"):
        evaluate(compare("LessThan", left, right), None)


def test_logic():
    assert evaluate({"Type": "Not", "Condition": FALSE}, None)
    assert evaluate({"Type": "Or", "Conditions": [FALSE, TRUE]}, None)
    assert not evaluate({"Type": "Or", "Conditions": [FALSE, FALSE]}, None)
    assert evaluate_all([TRUE, TRUE], None)
    assert not evaluate_all([TRUE, FALSE], None)
    assert evaluate_all([], None)


def test_a_broken_condition_is_not_hidden_by_a_false_one():
    with pytest.raises(ExpressionError):
        evaluate_all([FALSE, compare("LessThan", "1", 1)], None)


@pytest.mark.parametrize(
    "condition",
    [
        {"Type": "Near", "LeftValue": 1, "RightValue": 1},
        {"Type": "Equals", "LeftValue": 1},
        {"Type": "Equals", "LeftValue": 1, "RightValue": 1, "Extra": 1},
        {"Type": "In", "QueryValue": 1, "Values": 1},
        {"Type": "Or", "Conditions": []},
        {"Type": "Not", "Condition": {"Type": "Equals"}},
        {"Type": ["Equals"]},
        "Equals",
    ],
)
def test_malformed_conditions_are_refused(condition):
    with pytest.raises(ExpressionError, match="Invalid condition"):
        check_condition(condition)
