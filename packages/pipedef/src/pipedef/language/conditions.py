"""Conditions of a Condition step: Equals, comparisons, In, Not, Or. A step's list of conditions is joined by AND."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipedef.language.expressions import ExpressionError, Scope, resolve

_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_FIELDS: Mapping[str, frozenset[str]] = {
    "Equals": frozenset({"LeftValue", "RightValue"}),
    **{name: frozenset({"LeftValue", "RightValue"}) for name in _ORDERINGS},
    "In": frozenset({"QueryValue", "Values"}),
    "Not": frozenset({"Condition"}),
    "Or": frozenset({"Conditions"}),
}


def check_condition(condition: Any) -> None:
    """Check the structure of one condition, and of those inside it.

    Raises:
        ExpressionError: its type is unknown or a field is missing or unknown.
    """
    if not isinstance(condition, Mapping):
        raise ExpressionError(f"Invalid condition [{condition}]: expecting a Json Object.")
    kind = condition.get("Type")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise ExpressionError(f"Invalid condition type [{kind}]. Known types: {', '.join(_FIELDS)}.")
    given = frozenset(condition) - {"Type"}
    if unknown := sorted(given - fields):
        raise ExpressionError(
            f"Invalid condition of type [{kind}]: Cannot parse object, unknown property '{unknown[0]}'. "
            f"It takes {', '.join(sorted(fields))}."
        )
    if given != fields:
        raise ExpressionError(f"Invalid condition of type [{kind}]: it needs {', '.join(sorted(fields - given))}.")
    if kind == "Not":
        check_condition(condition["Condition"])
    elif kind == "Or":
        if not isinstance(condition["Conditions"], list) or not condition["Conditions"]:
            raise ExpressionError("Invalid condition of type [Or]: Conditions must be a list that is not empty.")
        for inner in condition["Conditions"]:
            check_condition(inner)
    elif kind == "In" and not isinstance(condition["Values"], list):
        raise ExpressionError("Invalid condition of type [In]: Values must be a list.")


def evaluate_all(conditions: Sequence[Mapping[str, Any]], scope: Scope) -> bool:
    """Tell whether every condition holds. All of them are evaluated, so that a broken one is never hidden by another.

    Raises:
        ExpressionError: a value does not exist, or two values have no order.
    """
    outcomes = [evaluate(condition, scope) for condition in conditions]
    return all(outcomes)


def evaluate(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Tell whether one condition holds.

    Raises:
        ExpressionError: a value does not exist, or two values have no order.
    """
    kind = condition["Type"]
    if kind == "Not":
        return not evaluate(condition["Condition"], scope)
    if kind == "Or":
        outcomes = [evaluate(inner, scope) for inner in condition["Conditions"]]
        return any(outcomes)
    if kind == "In":
        query = resolve(condition["QueryValue"], scope)
        return any(_equal(query, item) for item in resolve(condition["Values"], scope))
    left = resolve(condition["LeftValue"], scope)
    right = resolve(condition["RightValue"], scope)
    if kind == "Equals":
        return _equal(left, right)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        raise ExpressionError(f"Cannot compare {left!r} and {right!r} by {kind}: it takes two numbers or two strings.")
    return _ORDERINGS[kind](left, right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    # Python's True == 1 is no equality in JSON.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
