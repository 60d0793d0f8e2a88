"""Parameters: what a definition declares, and their values in an execution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pipedef.errors import AwsError
from pipedef.language.model import Parameter
from pipedef.language.refusals import json_list, json_object, refuse

MEMBERS = frozenset({"DefaultValue", "Description", "EnumValues", "Name", "Type"})
PARAMETER_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (float, int),
    "Boolean": (bool,),
}

Value = str | int | float | bool


def parse_parameter(value: Any) -> Parameter:
    """Read one entry of a definition's Parameters.

    Raises:
        AwsError: ValidationException.
    """
    item = json_object(value, "Parameters")
    name = item.get("Name")
    if not isinstance(name, str) or not name:
        refuse("A parameter has no Name.")
    if unknown := sorted(set(item) - MEMBERS):
        refuse(f"Unknown Parameter member '{unknown[0]}' of parameter [{name}].")
    kind = item.get("Type", "String")
    if not isinstance(kind, str) or kind not in PARAMETER_TYPES:
        refuse(f"Unknown type [{kind}] of parameter [{name}]; known: {', '.join(PARAMETER_TYPES)}.")
    default: Any = item.get("DefaultValue")
    fits = isinstance(default, PARAMETER_TYPES[kind]) and isinstance(default, bool) == (kind == "Boolean")
    if default is not None and not fits:
        refuse(f"The DefaultValue of parameter [{name}] is not of type [{kind}].")
    enum_values = tuple(json_list(item.get("EnumValues") or [], f"EnumValues of parameter [{name}]"))
    if enum_values and default is not None and default not in enum_values:
        refuse(f"The DefaultValue [{default}] of parameter [{name}] is not one of its EnumValues {list(enum_values)}.")
    if kind == "Float" and default is not None:
        default = float(default)
    return Parameter(name, kind, default, enum_values)


def bind_parameters(declared: Mapping[str, Parameter], given: Sequence[Mapping[str, str]]) -> dict[str, Value]:
    """Return the typed values of every declared parameter.

    Args:
        declared: by name.
        given: ``[{"Name": ..., "Value": ...}]`` as in the request; values are always strings there.

    Raises:
        AwsError: ValidationException for an unknown, repeated, missing or ill-typed parameter.
    """
    values: dict[str, Value] = {}
    for item in given:
        name, text = item["Name"], item["Value"]
        if name not in declared:
            known = ", ".join(declared) or "none"
            _refuse(f"Parameter [{name}] is not defined in the pipeline definition. Defined: {known}.")
        if name in values:
            _refuse(f"Parameter [{name}] is given more than once.")
        values[name] = _convert(declared[name], text)
    missing = [name for name, parameter in declared.items() if name not in values and parameter.default is None]
    if missing:
        _refuse(f"Parameters [{', '.join(missing)}] have no default value and no value was given.")
    # The order is the definition's, which is the order AWS lists them in.
    defaults = {name: parameter.default for name, parameter in declared.items() if parameter.default is not None}
    return {name: values[name] if name in values else defaults[name] for name in declared}


def _refuse(message: str) -> NoReturn:
    raise AwsError("ValidationException", message)


def _convert(parameter: Parameter, text: str) -> Value:
    value: Value = text
    try:
        if parameter.type == "Integer":
            value = int(text)
        elif parameter.type == "Float":
            value = float(text)
            if not math.isfinite(value):
                raise ValueError(text)
        elif parameter.type == "Boolean":
            value = {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        _refuse(f"Value [{text}] of parameter [{parameter.name}] is not of type [{parameter.type}].")
    if parameter.enum_values and value not in parameter.enum_values:
        known = list(parameter.enum_values)
        _refuse(f"Value [{text}] of parameter [{parameter.name}] is not one of its EnumValues {known}.")
    return value
