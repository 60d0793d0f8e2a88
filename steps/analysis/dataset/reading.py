"""Read a declaration from its file.

Names and types are checked here, as much as a job needs to fail with a sentence; outside of jobs, where pydantic is
there, the command `dataset check` names file, line and field of everything that is wrong.
"""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from analysis.dataset.declaration import Dataset
from analysis.runtime.errors import SettingsError


def read_dataset(path: Path) -> Dataset:
    """Read a declaration; raise SettingsError, naming file and field, where it can't be used."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The declaration of the data set can't be read: {error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    try:
        return dataset_from(document)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}.") from error


def dataset_from(document: dict[str, Any]) -> Dataset:
    """Build the declaration from a parsed document; raise ValueError that names the field."""
    dataset: Dataset = built_from(Dataset, document)
    return dataset


def built_from(kind: type, document: dict[str, Any]) -> Any:
    """Build a dataclass from a parsed document; raise ValueError that names the field."""
    return _built(kind, document, "")


def _built(kind: Any, value: Any, where: str) -> Any:
    """Build a value of a field's type out of what TOML has."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _built(next(option for option in arguments if option is not NoneType), value, where)
    if is_dataclass(kind):
        return _object(kind, _checked(value, dict, where), where)
    if origin is tuple:
        return tuple(_built(arguments[0], item, f"{where}.{n}") for n, item in enumerate(_checked(value, list, where)))
    if origin is dict:
        items = _checked(value, dict, where).items()
        return {key: _built(arguments[1], item, f"{where}.{key}") for key, item in items}
    return _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    if issubclass(kind, StrEnum):
        if value not in list(kind):
            raise ValueError(f"{where}: {value!r} is none of {', '.join(kind)}")
        return kind(value)
    return float(value) if kind is float and type(value) is int else _checked(value, kind, where)


def _object(kind: Any, value: dict[str, Any], where: str) -> Any:
    prefix = f"{where}." if where else ""
    known = {item.name: item for item in fields(kind) if item.init}
    for name in value:
        if name not in known:
            raise ValueError(f"{prefix}{name}: unknown field")
    for name, item in known.items():
        if name not in value and item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"{prefix}{name}: is missing")
    hints = get_type_hints(kind)
    arguments = {name: _built(hints[name], item, f"{prefix}{name}") for name, item in value.items()}
    try:
        return kind(**arguments)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from error


def _checked(value: Any, kind: type, where: str) -> Any:
    if type(value) is not kind:
        words = {dict: "a table", list: "a list", str: "text, in quotes", bool: "true or false"}
        raise ValueError(f"{where}: has to be {words.get(kind, f'a number ({kind.__name__})')}, not {value!r}")
    return value
