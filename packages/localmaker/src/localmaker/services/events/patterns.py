"""Matching of EventBridge event patterns.

Covers every comparison operator of the EventBridge user guide ("Comparison operators for use in event patterns").
Keys of a pattern are ANDed, the entries of a list ORed, ``$or`` ORs whole patterns. An event value that is a list
matches when one of its elements does. Patterns are checked in :mod:`localmaker.services.events.pattern_checks`.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

Pattern = dict[str, Any]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def matches(pattern: Pattern, event: dict[str, Any]) -> bool:
    """Return whether a valid pattern matches an event. Both are parsed JSON.

    A dot in a name separates levels: ``{"a.b": …}`` and ``{"a": {"b": …}}`` are the same, in pattern and event.
    """
    return _matches(_stepwise(pattern), _stepwise(event))


def _stepwise(value: Any) -> Any:
    """Return the value with a level for each dot in a name."""
    if isinstance(value, list):
        return [_stepwise(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, member in value.items():
        steps = name.split(".")
        nested = _stepwise(member)
        for step in reversed(steps[1:]):
            nested = {step: nested}
        found[steps[0]] = _merged(found.get(steps[0]), nested)
    return found


def _merged(one: Any, other: Any) -> Any:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    merged = dict(one)
    for name, value in other.items():
        merged[name] = _merged(merged.get(name), value)
    return merged


def _matches(pattern: Pattern, event: dict[str, Any]) -> bool:
    return all(_key_matches(key, expected, event) for key, expected in pattern.items())


def _key_matches(key: str, expected: Any, event: dict[str, Any]) -> bool:
    if key == "$or" and isinstance(expected, list):
        return any(_matches(alternative, event) for alternative in expected)
    if isinstance(expected, dict):
        nested = event.get(key)
        candidates = nested if isinstance(nested, list) else [nested]
        return any(_matches(expected, item if isinstance(item, dict) else {}) for item in candidates)
    values = list(_leaves(event[key])) if key in event else []
    return any(_filter_matches(one, values) for one in expected)


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the scalars of a value and of its lists; objects hold none."""
    if isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif not isinstance(value, dict):
        yield value


def _filter_matches(wanted: Any, values: list[Any]) -> bool:
    if isinstance(wanted, dict) and "exists" in wanted:
        return bool(wanted["exists"]) is bool(values)
    return any(_value_matches(wanted, value) for value in values)


def _value_matches(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return _equal(wanted, value)
    [(name, argument)] = wanted.items()
    return _OPERATORS[name](argument, value)


def _equal(wanted: Any, value: Any) -> bool:
    # JSON true is not the number 1.
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)


def _with_case(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def apply(argument: Any, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if isinstance(argument, dict):
            return test(value.casefold(), argument["equals-ignore-case"].casefold())
        options = argument if isinstance(argument, list) else [argument]
        return any(test(value, option) for option in options)

    return apply


def _equals_ignore_case(argument: Any, value: Any) -> bool:
    options = argument if isinstance(argument, list) else [argument]
    return isinstance(value, str) and any(value.casefold() == option.casefold() for option in options)


def _wildcard(argument: Any, value: Any) -> bool:
    options = argument if isinstance(argument, list) else [argument]
    return isinstance(value, str) and any(_wildcard_expression(option).fullmatch(value) for option in options)


@cache
def _wildcard_expression(text: str) -> re.Pattern[str]:
    pieces = re.findall(r"\\[*\\]|.", text, re.DOTALL)
    return re.compile("".join(".*" if piece == "*" else re.escape(piece[-1]) for piece in pieces), re.DOTALL)


def _numeric(argument: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARISONS[comparison](value, bound) for comparison, bound in pairs)


def _cidr(argument: str, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, dict):
        return not _value_matches(argument, value)
    options = argument if isinstance(argument, list) else [argument]
    return not any(_equal(option, value) for option in options)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "exactly": _equal,
    "prefix": _with_case(str.startswith),
    "suffix": _with_case(str.endswith),
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}
