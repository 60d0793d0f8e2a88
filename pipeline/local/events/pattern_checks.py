"""What EventBridge takes as an event pattern; the rules are those of AWS's open-source matcher (aws/event-ruler)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

_FEWEST_ALTERNATIVES = 2
_IN_ANYTHING_BUT = {"prefix", "suffix", "equals-ignore-case", "wildcard"}
# An asterisk with no other beside it, an escaped asterisk or backslash, or anything else.
_WILDCARD = re.compile(r"(?:\*(?!\*)|\\[*\\]|[^*\\])*", re.DOTALL)
_NOT_IN_OR = {
    *("exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "exists", "anything-but"),
    *("=", "<", "<=", ">", ">="),
}


class InvalidPatternError(ValueError):
    """A pattern that EventBridge would refuse; the message says where."""


def check_pattern(pattern: Any) -> None:
    """Refuse a pattern as PutRule does.

    Raises:
        InvalidPatternError: it is no pattern; the message names the key.
    """
    if not isinstance(pattern, dict):
        raise InvalidPatternError("Filter is not an object")
    if not pattern:
        raise InvalidPatternError("Empty patterns are not allowed")
    for problem in _problems(pattern, "", in_or=False):
        raise InvalidPatternError(problem)


def _problems(pattern: dict[str, Any], path: str, *, in_or: bool) -> Iterator[str]:
    for key, expected in pattern.items():
        where = f"{path}.{key}" if path else key
        if key == "$or":
            yield from _alternative_problems(expected, path, where)
        elif in_or and key in _NOT_IN_OR:
            yield f"{key} is a reserved name which cannot be used inside $or"
        elif isinstance(expected, dict):
            if not expected:
                yield f'Empty objects are not allowed: "{where}"'
            yield from _problems(expected, where, in_or=in_or)
        elif not isinstance(expected, list):
            yield f'"{where}" must be an object or an array'
        elif not expected:
            yield f'Empty arrays are not allowed at "{where}"'
        else:
            for one in expected:
                yield from _filter_problems(one, where)


def _alternative_problems(alternatives: Any, path: str, where: str) -> Iterator[str]:
    if not isinstance(alternatives, list) or not all(isinstance(one, dict) for one in alternatives):
        yield f'"{where}" must be an array of objects'
        return
    if len(alternatives) < _FEWEST_ALTERNATIVES:
        yield f'There must be at least {_FEWEST_ALTERNATIVES} objects in "{where}"'
    for alternative in alternatives:
        if not alternative:
            yield f'Empty objects are not allowed: "{where}"'
        yield from _problems(alternative, path, in_or=True)


def _filter_problems(one: Any, where: str) -> Iterator[str]:
    if isinstance(one, list):
        yield f'Inner array is not allowed in match values at "{where}"'
    if not isinstance(one, dict):
        return
    if len(one) != 1:
        yield f'Only one key allowed in match expression at "{where}"'
        return
    [(name, argument)] = one.items()
    if name not in _ARGUMENTS:
        yield f"Unrecognized match type {name}"
    elif not _ARGUMENTS[name](argument):
        yield f'Value of {name} is not valid at "{where}"'


def _text(argument: Any) -> bool:
    return isinstance(argument, str)


def _wildcard(argument: Any) -> bool:
    return _text(argument) and _WILDCARD.fullmatch(argument) is not None


def _text_or_ignoring_case(argument: Any) -> bool:
    if isinstance(argument, dict):
        return list(argument) == ["equals-ignore-case"] and _text(argument["equals-ignore-case"])
    return _text(argument)


def _comparison(argument: Any) -> bool:
    """``=`` by itself, a lower bound, an upper bound, or a lower and an upper bound in this order."""
    if not isinstance(argument, list) or not all(_number(bound) for bound in argument[1::2]):
        return False
    match argument[::2]:
        case ["=" | "<" | "<=" | ">" | ">="]:
            return len(argument) == 2  # noqa: PLR2004 - operator and bound
        case [">" | ">=", "<" | "<="]:
            return len(argument) == 4 and argument[1] < argument[3]  # noqa: PLR2004 - as above, twice
    return False


def _number(argument: Any) -> bool:
    return isinstance(argument, (int, float)) and not isinstance(argument, bool)


def _network(argument: Any) -> bool:
    try:
        ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False
    return _text(argument) and "/" in argument


def _exclusion(argument: Any) -> bool:
    if isinstance(argument, dict):
        [name, *others] = list(argument) or [""]
        values = argument.get(name)
        listed = values if isinstance(values, list) else [values]
        valid = _wildcard if name == "wildcard" else _text
        return not others and name in _IN_ANYTHING_BUT and bool(listed) and all(one and valid(one) for one in listed)
    listed = argument if isinstance(argument, list) else [argument]
    return bool(listed) and (all(map(_text, listed)) or all(map(_number, listed)))


_ARGUMENTS: dict[str, Callable[[Any], bool]] = {
    "exists": lambda argument: isinstance(argument, bool),
    "exactly": _text,
    "prefix": _text_or_ignoring_case,
    "suffix": _text_or_ignoring_case,
    "equals-ignore-case": _text,
    "wildcard": _wildcard,
    "numeric": _comparison,
    "cidr": _network,
    "anything-but": _exclusion,
}
