"""Frozen dataclasses as JSON text and back, for the records of jobs and pipelines."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

Record = TypeVar("Record")


def dump(record: object) -> str:
    """Return a dataclass instance as JSON text; times become ISO 8601."""
    return json.dumps(vars(record), default=_dump_value)


def _dump_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        return vars(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")


def load(kind: type[Record], text: str) -> Record:
    """Return a record from its JSON text. Unknown fields are ignored; missing fields take their default."""
    record: Record = _build(kind, json.loads(text))
    return record


def _build(kind: Any, document: dict[str, Any]) -> Any:
    converters = _converters(kind)
    values = {name: value for name, value in document.items() if name in converters}
    for name, value in values.items():
        convert = converters[name]
        if convert is not None and value is not None:
            values[name] = convert(value)
    return kind(**values)


@cache
def _converters(kind: Any) -> dict[str, Callable[[Any], Any] | None]:
    """Map each field to the function that converts its JSON value; None where no conversion is needed."""
    hints = typing.get_type_hints(kind)
    return {item.name: _converter(hints[item.name]) for item in dataclasses.fields(kind)}


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(option for option in typing.get_args(hint) if option is not types.NoneType)
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        if dataclasses.is_dataclass(inner):
            return lambda value: tuple(_build(inner, item) for item in value)
        return tuple
    return None
