"""Parameter values of an execution: what StartPipelineExecution was given over what the definition declares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

from pipeline.local.errors import AwsError
from pipeline.local.pipelines.definition import Parameter

Value = str | int | float | bool


def bind_parameters(declared: Mapping[str, Parameter], given: Sequence[Mapping[str, str]]) -> dict[str, Value]:
    """Typed values of every declared parameter.

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
