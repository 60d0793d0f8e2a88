"""EventBridge event patterns: does an event match?

Covers every comparison operator of the EventBridge user guide ("Comparison operators for use in event patterns").
Keys of a pattern are ANDed, the entries of a list ORed, ``$or`` ORs whole patterns. An event value that is a list
matches when one of its elements does.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

Pattern = dict[str, Any]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class InvalidPatternError(ValueError):
    """A pattern that EventBridge would refuse; the message says where."""


def matches(pattern: Pattern, event: dict[str, Any]) -> bool:
    """Whether a valid pattern matches an event. Both are parsed JSON."""
    return all(_key_matches(key, expected, event) for key, expected in pattern.items())


def _key_matches(key: str, expected: Any, event: dict[str, Any]) -> bool:
    if key == "$or" and isinstance(expected, list):
        return any(matches(alternative, event) for alternative in expected)
    if isinstance(expected, dict):
        nested = event.get(key)
        candidates = nested if isinstance(nested, list) else [nested]
        return any(matches(expected, item if isinstance(item, dict) else {}) for item in candidates)
    present = key in event and not isinstance(event[key], dict)
    value = event.get(key)
    values = value if isinstance(value, list) else [value]
    return any(_filter_matches(one, values, present=present) for one in expected)


def _filter_matches(wanted: Any, values: list[Any], *, present: bool) -> bool:
    if isinstance(wanted, dict) and "exists" in wanted:
        return bool(wanted["exists"]) is (present and bool(values))
    return present and any(_value_matches(wanted, value) for value in values)


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
    "prefix": _with_case(str.startswith),
    "suffix": _with_case(str.endswith),
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}
_IN_ANYTHING_BUT = {"prefix", "suffix", "equals-ignore-case", "wildcard"}


def check_pattern(pattern: Any) -> None:
    """Check a pattern as PutRule does.

    Raises:
        InvalidPatternError: it is no pattern; the message names the key.
    """
    if not isinstance(pattern, dict):
        raise InvalidPatternError("Filter is not an object")
    if not pattern:
        raise InvalidPatternError("Empty patterns are not allowed")
    for problem in _problems(pattern, ""):
        raise InvalidPatternError(problem)


def _problems(pattern: dict[str, Any], path: str) -> Iterator[str]:
    for key, expected in pattern.items():
        where = f"{path}.{key}" if path else key
        if key == "$or" and isinstance(expected, list) and all(isinstance(one, dict) for one in expected):
            for alternative in expected:
                yield from _problems(alternative, path)
        elif isinstance(expected, dict):
            if not expected:
                yield f'"{where}" must not be an empty object'
            yield from _problems(expected, where)
        elif not isinstance(expected, list):
            yield f'"{where}" must be an object or an array'
        elif not expected:
            yield f'Empty arrays are not allowed at "{where}"'
        else:
            for one in expected:
                yield from _filter_problems(one, where)


def _filter_problems(one: Any, where: str) -> Iterator[str]:
    if isinstance(one, list):
        yield f'Inner array is not allowed in match values at "{where}"'
    if not isinstance(one, dict):
        return
    if len(one) != 1:
        yield f'Only one key allowed in match expression at "{where}"'
        return
    [(name, argument)] = one.items()
    if name != "exists" and name not in _OPERATORS:
        yield f"Unrecognized match type {name}"
    elif not _ARGUMENTS[name](argument):
        yield f'Value of {name} is not valid at "{where}"'


def _text(argument: Any) -> bool:
    return isinstance(argument, str)


def _text_or_texts(argument: Any) -> bool:
    return _text(argument) or (isinstance(argument, list) and bool(argument) and all(map(_text, argument)))


def _text_or_ignoring_case(argument: Any) -> bool:
    if isinstance(argument, dict):
        return list(argument) == ["equals-ignore-case"] and _text(argument["equals-ignore-case"])
    return _text(argument)


def _comparison(argument: Any) -> bool:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        return False
    bounds = argument[1::2]
    return all(name in _COMPARISONS for name in argument[::2]) and all(
        isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in bounds
    )


def _network(argument: Any) -> bool:
    try:
        ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False
    return _text(argument)


def _exclusion(argument: Any) -> bool:
    if isinstance(argument, dict):
        [name, *others] = list(argument) or [""]
        inner = argument.get(name)
        return not others and name in _IN_ANYTHING_BUT and (_text_or_texts(inner) or _text_or_ignoring_case(inner))
    if isinstance(argument, list):
        return bool(argument) and all(isinstance(one, (str, int, float)) for one in argument)
    return isinstance(argument, (str, int, float))


_ARGUMENTS: dict[str, Callable[[Any], bool]] = {
    "exists": lambda argument: isinstance(argument, bool),
    "prefix": _text_or_ignoring_case,
    "suffix": _text_or_ignoring_case,
    "equals-ignore-case": _text,
    "wildcard": _text,
    "numeric": _comparison,
    "cidr": _network,
    "anything-but": _exclusion,
}
