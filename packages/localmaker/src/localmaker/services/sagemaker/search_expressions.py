"""Search expressions of ``sagemaker:Search``: filters, nested filters, and expressions of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def matches(document: Mapping[str, Any], expression: Mapping[str, Any]) -> bool:
    """Return whether a resource matches an expression.

    Args:
        document: a member of a SearchRecord.
        expression: in botocore's terms; an empty one matches everything.
    """
    outcomes = [
        *(_holds(document, one) for one in expression.get("Filters", [])),
        *(_holds_of_an_item(document, one) for one in expression.get("NestedFilters", [])),
        *(matches(document, one) for one in expression.get("SubExpressions", [])),
    ]
    return any(outcomes) if outcomes and expression.get("Operator") == "Or" else all(outcomes)


def sort_value(document: Mapping[str, Any], name: str) -> tuple[int, Any]:
    """Return the key to sort resources by; those without the property come first."""
    value = next(_values(document, name), None)
    if value is None:
        return 0, 0
    plain = _plain(value)
    return (1, plain) if isinstance(plain, float) else (2, plain)


def _holds_of_an_item(document: Mapping[str, Any], nested: Mapping[str, Any]) -> bool:
    """Return whether one item of a list passes all filters, whose names begin with the list's."""
    name = nested["NestedPropertyName"]
    filters = [{**one, "Name": one["Name"].removeprefix(f"{name}.")} for one in nested["Filters"]]
    items = (item for item in _values(document, name) if isinstance(item, Mapping))
    return any(all(_holds(item, one) for one in filters) for item in items)


def _holds(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    values = list(_values(document, wanted["Name"]))
    kind, value = wanted.get("Operator", "Equals"), wanted.get("Value", "")
    if kind in ("Exists", "NotExists"):
        return bool(values) is (kind == "Exists")
    if kind == "NotEquals":
        return not any(_equal(one, value) for one in values)
    if kind == "In":
        return any(_equal(one, item.strip()) for one in values for item in value.split(","))
    if kind == "Contains":
        return any(value in str(one) for one in values)
    if kind == "Equals":
        return any(_equal(one, value) for one in values)
    return any(_ordered(one, value, _ORDERINGS[kind]) for one in values)


def _values(found: Any, name: str) -> Iterator[Any]:
    """Yield the values of a property such as ``HyperParameters.alpha`` or ``Tags.team``; of a list, each item."""
    if isinstance(found, list):
        for item in found:
            yield from _values(item, name)
    elif not name:
        yield found
    elif isinstance(found, Mapping):
        if name in found:
            yield from _values(found[name], "")
            return
        first, _, rest = name.partition(".")
        if first == "Tags" and rest:
            yield from (tag["Value"] for tag in found.get("Tags", []) if tag["Key"] == rest)
        elif first == "Metrics" and rest:
            yield from (one["Value"] for one in found.get("FinalMetricDataList", []) if one["MetricName"] == rest)
        elif rest and first in found:
            yield from _values(found[first], rest)


def _plain(value: Any) -> float | str:
    """Return a number for numbers and times, and text for anything else."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    """Parse a filter's value, a number or a time such as ``2026-01-31T12:00:00Z``; None for other text."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _equal(actual: Any, wanted: str) -> bool:
    plain = _plain(actual)
    return plain == (_number(wanted) if isinstance(plain, float) else wanted)


def _ordered(actual: Any, wanted: str, compare: Callable[[Any, Any], bool]) -> bool:
    """Compare as numbers where both are, since hyperparameters are text, and as text otherwise."""
    plain, number = _plain(actual), _number(wanted)
    if isinstance(plain, str) and number is not None and _number(plain) is not None:
        plain = _number(plain) or 0.0
    if isinstance(plain, float):
        return number is not None and compare(plain, number)
    return compare(plain, wanted)
