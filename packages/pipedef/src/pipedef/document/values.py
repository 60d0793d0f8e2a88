"""JSON values of a definition, walked through: every path, reference and scalar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipedef.language.expressions import (
    GET,
    JOIN,
    JSON_GET,
    ExpressionError,
    Reference,
    StepReference,
    is_expression,
    parse_reference,
    property_file_reference,
)


@dataclass(frozen=True)
class FoundReference:
    """A ``Get`` and its path; ``text`` is what is written, and ``reference`` is None where that is malformed."""

    path: str
    text: str
    reference: Reference | None


#: Where the channels of a training job are.
_CHANNELS = "/opt/ml/input/data/"


def code_channel(submitted: Any) -> str | None:
    """Return the channel that holds the code where ``sagemaker_submit_directory`` is a path in one, else None."""
    if not isinstance(submitted, str) or not submitted.startswith(_CHANNELS):
        return None
    return submitted.removeprefix(_CHANNELS).partition("/")[0]


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for anything else, which the check of arguments reports."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (index, object) of the objects in a list; the check of arguments reports anything else."""
    return ((index, item) for index, item in enumerate(listed(value)) if isinstance(item, Mapping))


def property_file_read(body: Mapping[str, Any]) -> StepReference | None:
    """Return the property file that a ``Std:JsonGet`` reads; None where it reads an S3 object, or is malformed."""
    try:
        return property_file_reference(body)
    except ExpressionError:
        return None


def follow(value: Any, *keys: str) -> Any:
    """Return the value below nested objects; None where one of the keys is missing."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, scalar) of everything below a JSON value, the literal pieces of expressions included."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def texts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, text or expression) of everything below a JSON value, expressions whole."""
    if isinstance(value, str) or is_expression(value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}[{index}]")


def json_gets(value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (path, body) of every ``Std:JsonGet`` below a JSON value."""
    if isinstance(value, Mapping):
        if is_expression(value) and JSON_GET in value:
            yield path, value[JSON_GET]
        for key, item in value.items():
            yield from json_gets(item, path if key in {JOIN, "Values", JSON_GET} else f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from json_gets(item, f"{path}[{index}]")


def references(value: Any, path: str) -> Iterator[FoundReference]:
    """Yield every ``Get`` below a JSON value."""
    if is_expression(value) and GET in value:
        text = str(value[GET])
        try:
            yield FoundReference(path, text, parse_reference(text))
        except ExpressionError:
            yield FoundReference(path, text, None)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, path if key in {JOIN, "Values"} else f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, f"{path}[{index}]")
