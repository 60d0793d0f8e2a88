"""Requests checked against botocore's service model, with the messages that AWS gives.

botocore's own validator runs in the client and knows types and minimum lengths only; a client may send what it
likes, so the endpoint checks required members, types, lengths, ranges, patterns and enumerations again.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from pipedef.errors import AwsError

_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (bytes, bytearray),
    "timestamp": (datetime,),
}
_RENDERED_CHARACTERS = 200
_LENGTH_TYPES = {"string", "list", "map", "blob"}
_RANGE_TYPES = {"integer", "long", "float", "double"}


def validate_request(operation_model: Any, request: dict[str, Any]) -> None:
    """Check a parsed request.

    Raises:
        AwsError: ``SerializationException`` for a wrong type; the service's validation error, which lists every
            violation, for anything else.
    """
    shape = operation_model.input_shape
    if shape is None:
        return
    problems = list(violations(shape, request))
    if problems:
        plural = "s" if len(problems) > 1 else ""
        message = f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}"
        raise AwsError(validation_code(operation_model.service_model), message)


def validation_code(service_model: Any) -> str:
    """Return the code that a service gives for an invalid request: few spell it ``ValidationError``."""
    names = {shape.name for shape in service_model.error_shapes}
    return (
        "ValidationError"
        if "ValidationError" in names and "ValidationException" not in names
        else ("ValidationException")
    )


def violations(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield what is wrong with a value, in AWS's words.

    Args:
        shape: botocore's.
        value: in botocore's terms.
        path: of the value in the request.

    Raises:
        AwsError: SerializationException for a wrong type.
    """
    if shape.type_name == "structure" and getattr(shape, "is_document_type", False):
        return
    _require_type(shape, value, path)
    if shape.type_name == "structure":
        yield from _structure(shape, value, path)
        return
    yield from _constraints(shape, value, path)
    if shape.type_name == "list":
        for index, item in enumerate(value, start=1):
            yield from violations(shape.member, item, f"{path}.{index}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path}.key")
            yield from violations(shape.value, item, f"{path}.{key}.member")


def _structure(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from violations(member, value[name], _join(path, name))


def _constraints(shape: Any, value: Any, path: str) -> Iterator[str]:
    metadata = shape.metadata
    for constraint in broken_constraints(shape.type_name, metadata, value):
        yield f"Value '{_rendered(value)}' at '{path}' failed to satisfy constraint: {constraint}"


def broken_constraints(type_name: str, metadata: dict[str, Any], value: Any) -> Iterator[str]:
    """Yield the constraints of a shape that a value breaks: length, range, pattern, enumeration."""
    low, high = metadata.get("min"), metadata.get("max")
    if type_name in _LENGTH_TYPES:
        if low is not None and len(value) < low:
            yield f"Member must have length greater than or equal to {low}"
        if high is not None and len(value) > high:
            yield f"Member must have length less than or equal to {high}"
    elif type_name in _RANGE_TYPES:
        if low is not None and value < low:
            yield f"Member must have value greater than or equal to {low}"
        if high is not None and value > high:
            yield f"Member must have value less than or equal to {high}"
    if type_name == "string":
        pattern = metadata.get("pattern")
        compiled = _compiled(pattern) if pattern else None
        if compiled is not None and not compiled.fullmatch(value):
            yield f"Member must satisfy regular expression pattern: {pattern}"
        choices = metadata.get("enum")
        if choices and value not in choices:
            yield f"Member must satisfy enum value set: [{', '.join(choices)}]"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern of Java's; None where only Java knows its syntax: such patterns are not checked."""
    # Some patterns end in a limit of the length behind their end, which Java reads as their end.
    known = re.sub(r"\$\{\d+,\d+\}$", "", pattern)
    known = re.sub(r"\\p\{([A-Z])\}", lambda found: _categories()[found[1]], known)
    try:
        return re.compile(known)
    except re.error:
        return None


@cache
def _categories() -> dict[str, str]:
    """Return the characters of each category of Unicode, such as ``L`` for letters, as they stand within brackets."""
    found: dict[str, str] = {}
    for letter, run in groupby(range(sys.maxunicode + 1), lambda code: unicodedata.category(chr(code))[0]):
        codes = list(run)
        found[letter] = found.get(letter, "") + f"\\U{codes[0]:08x}-\\U{codes[-1]:08x}"
    return found


def _require_type(shape: Any, value: Any, path: str) -> None:
    expected = _TYPES.get(shape.type_name)
    if expected is None:
        return
    right = isinstance(value, expected) and not (isinstance(value, bool) and bool not in expected)
    if not right:
        raise AwsError(
            "SerializationException",
            f"{type(value).__name__} at '{path or 'the request'}' can not be converted to {shape.type_name}",
        )


def _join(path: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _rendered(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _RENDERED_CHARACTERS else text[:_RENDERED_CHARACTERS] + "..."
