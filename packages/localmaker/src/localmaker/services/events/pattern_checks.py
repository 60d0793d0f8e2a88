"""The checks of event patterns. Rules and messages are those of AWS's open-source matcher (aws/event-ruler)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

_MIN_ALTERNATIVES = 2
_COMPARISONS = frozenset({"=", "<", "<=", ">", ">="})
_RESERVED_IN_OR = _COMPARISONS | {
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "numeric",
    "cidr",
    "exists",
    "anything-but",
}
_ONE_KEY = "Only one key allowed in match expression"
_IGNORE_CASE = "equals-ignore-case"
_TERMS_OF_A_BOUND, _TERMS_OF_A_RANGE = 2, 4


class InvalidPatternError(ValueError):
    """EventBridge would refuse the pattern; the message says why and where."""


def check_pattern(pattern: Any) -> None:
    """Check a pattern as PutRule does.

    Raises:
        InvalidPatternError: it is not a valid pattern; the message names the key.
    """
    if not isinstance(pattern, dict):
        raise InvalidPatternError("Filter is not an object")
    for problem, where in _problems(pattern, "", in_or=False):
        raise InvalidPatternError(f"{problem}\n at {where}" if where else problem)


Problems = Iterator[tuple[str, str]]


def _problems(pattern: dict[str, Any], path: str, *, in_or: bool) -> Problems:
    if not pattern:
        yield "Empty objects are not allowed", path
    for key, expected in pattern.items():
        where = f"{path}.{key}" if path else key
        if key == "$or":
            yield from _alternative_problems(expected, path, where)
        elif in_or and key in _RESERVED_IN_OR:
            yield f"{key} is Ruler reserved fieldName which cannot be used inside $or.", where
        elif isinstance(expected, dict):
            yield from _problems(expected, where, in_or=in_or)
        elif not isinstance(expected, list):
            yield f'"{key}" must be an object or an array', where
        elif not expected:
            yield "Empty arrays are not allowed", where
        else:
            for one in expected:
                problem = _filter_problem(one)
                if problem is not None:
                    yield problem, where


def _alternative_problems(alternatives: Any, path: str, where: str) -> Problems:
    if not isinstance(alternatives, list):
        yield "It must be an Array followed with $or.", where
        return
    for alternative in alternatives:
        if not isinstance(alternative, dict):
            yield "Only JSON object is allowed in array of $or relationship.", where
        else:
            yield from _problems(alternative, path, in_or=True)
    if len(alternatives) < _MIN_ALTERNATIVES:
        yield f"There must have at least {_MIN_ALTERNATIVES} Objects in $or relationship.", where


def _filter_problem(one: Any) -> str | None:
    if isinstance(one, list):
        return "Match value must be String, number, true, false, or null"
    if not isinstance(one, dict):
        return None
    if not one:
        return "Match expression name not found"
    name, argument = next(iter(one.items()))
    if name not in _CHECKS:
        return f"Unrecognized match type {name}"
    return _CHECKS[name](argument) or (_ONE_KEY if len(one) > 1 else None)


def _text(name: str) -> Callable[[Any], str | None]:
    def problem(argument: Any) -> str | None:
        return None if isinstance(argument, str) else f"{name} match pattern must be a string"

    return problem


def _end_of_text(name: str) -> Callable[[Any], str | None]:
    """Return the check of ``prefix`` or ``suffix``, which can ignore case."""

    def problem(argument: Any) -> str | None:
        if not isinstance(argument, dict):
            return _text(name)(argument)
        if not argument:
            return f"{name.capitalize()} expression name not found"
        kind, value = next(iter(argument.items()))
        if kind != _IGNORE_CASE:
            return f"Unsupported {name} pattern: {kind}"
        return _text(kind)(value) or (_ONE_KEY if len(argument) > 1 else None)

    return problem


def _wildcard(argument: Any) -> str | None:
    if not isinstance(argument, str):
        return "wildcard match pattern must be a string"
    # AWS counts bytes, with the opening quotation mark as the first.
    text = f'"{argument}"'.encode()
    position = 0
    while position < len(text):
        pair = text[position : position + 2]
        if pair == b"**":
            return f"Consecutive wildcard characters at pos {position}"
        if pair[:1] == b"\\" and pair[1:] not in (b"*", b"\\"):
            return f"Invalid escape character at pos {position}"
        position += 2 if pair[:1] == b"\\" else 1
    return _TOO_COMPLEX if _repetitions_after_wildcards(argument) > _MAX_REPETITIONS else None


_TOO_COMPLEX = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
    "wildcard character"
)
# AWS does not say where the limit is; its own example of a rule that is too complex repeats one character five times.
_MAX_REPETITIONS = 4


def _repetitions_after_wildcards(pattern: str) -> int:
    """Return how often the most frequent character follows a wildcard."""
    following = [pattern[index + 1 : index + 2] for index, character in enumerate(pattern) if character == "*"]
    return max((following.count(character) for character in following if character), default=0)


def _numeric(argument: Any) -> str | None:
    """Check ``numeric``: ``=`` alone, a lower bound, an upper bound, or a lower and then an upper bound."""
    if not isinstance(argument, list):
        return "Value of numeric must be an array."
    comparison, *terms = argument or [None]
    if comparison not in _COMPARISONS:
        kind = (
            "Unrecognized numeric range operator" if isinstance(comparison, str) else "Invalid member in numeric match"
        )
        return f"{kind}: {']' if comparison is None else comparison}"
    if not (terms and _is_number(terms[0])):
        return f"Value of {'equals' if comparison == '=' else comparison} must be numeric"
    if len(argument) == _TERMS_OF_A_BOUND:
        return None
    if comparison in ("=", "<", "<="):
        return "Too many elements in numeric expression"
    return _upper_bound(terms)


def _upper_bound(terms: list[Any]) -> str | None:
    bottom, comparison, *top = terms
    if not isinstance(comparison, str):
        return f"Bad value in numeric range: {comparison}"
    if comparison not in ("<", "<="):
        return f"Bad numeric range operator: {comparison}"
    if not (top and _is_number(top[0])):
        return f"Value of {comparison} must be numeric"
    if len(terms) >= _TERMS_OF_A_RANGE:
        return "Too many terms in numeric range expression"
    return None if bottom < top[0] else "Bottom must be less than top"


def _is_number(argument: Any) -> bool:
    return isinstance(argument, (int, float)) and not isinstance(argument, bool)


def _cidr(argument: Any) -> str | None:
    if not isinstance(argument, str):
        return "prefix match pattern must be a string"
    address, slash, bits = argument.partition("/")
    if not slash or "/" in bits:
        return "Malformed CIDR, one '/' required"
    if not bits.lstrip("+-").isdecimal():
        return "Malformed CIDR, mask bits must be an integer"
    if int(bits) < 0:
        return "Malformed CIDR, mask bits must not be negative"
    try:
        most = ipaddress.ip_address(address).max_prefixlen
    except ValueError:
        return f"Nonstandard IP address: {address}"
    return None if int(bits) < most else f"IPv{4 if most == 32 else 6} mask bits must be < {most}"  # noqa: PLR2004 - bits of IPv4


def _anything_but(argument: Any) -> str | None:
    if isinstance(argument, dict):
        return _anything_but_a_kind(argument)
    if isinstance(argument, list):
        if not all(isinstance(one, str) or _is_number(one) for one in argument):
            return "Inside anything but list, start|null|boolean is not supported."
        if len({isinstance(one, str) for one in argument}) != 1:
            return "Inside anything but list, either all values are number or string, mixed type is not supported"
        return None
    if isinstance(argument, str) or _is_number(argument):
        return None
    return "Value of anything-but must be an array or single string/number value."


def _anything_but_a_kind(argument: dict[str, Any]) -> str | None:
    if not argument:
        return "Anything-But expression name not found"
    kind, value = next(iter(argument.items()))
    if kind not in (_IGNORE_CASE, "prefix", "suffix", "wildcard"):
        return f"Unsupported anything-but pattern: {kind}"
    if not (isinstance(value, (str, list)) or _is_number(value)):
        return "Value of anything-but must be an array or single string/number value."
    problems = (_excluded(kind, one) for one in (value if isinstance(value, list) else [value]))
    found = next((problem for problem in problems if problem is not None), None)
    return found or ("Too many elements in numeric expression" if len(argument) > 1 else None)


def _excluded(kind: str, value: Any) -> str | None:
    if kind == "wildcard":
        return _wildcard(value)
    if kind == _IGNORE_CASE:
        refused = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
        return None if isinstance(value, str) else refused
    if not isinstance(value, str):
        return "prefix/suffix match pattern must be a string"
    return None if value else "Null prefix/suffix not allowed"


def _exists(argument: Any) -> str | None:
    return None if isinstance(argument, bool) else "exists match pattern must be either true or false."


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "exists": _exists,
    "exactly": _text("exact"),
    "prefix": _end_of_text("prefix"),
    "suffix": _end_of_text("suffix"),
    _IGNORE_CASE: _text(_IGNORE_CASE),
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
