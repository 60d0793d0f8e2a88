"""Parameters given by hand, checked against a pipeline's definition before anything is started."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pipeline.errors import ExecutionError


def check_parameters(pipeline_name: str, definition: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Refuse undeclared parameters, values that the definition does not accept, and missing ones.

    Raises:
        ExecutionError: names the parameter, and the one that may have been meant.
    """
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        raise ExecutionError(
            f"{pipeline_name} has no parameter {', '.join(unknown)}.{_meant(unknown[0], declared)}",
            f"It has {', '.join(sorted(declared))}.",
        )
    for name, value in parameters.items():
        _check_value(name, value, declared[name])
    missing = sorted(
        name for name, parameter in declared.items() if "DefaultValue" not in parameter and name not in parameters
    )
    if missing:
        raise ExecutionError(
            f"{pipeline_name} needs a value for {', '.join(missing)}.", f"Add --parameter {missing[0]}=VALUE."
        )


def _meant(text: str, known: Iterable[str]) -> str:
    """Suggest what is most like ``text``, ignoring case; empty where nothing is."""
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(text.lower(), by_lower_case, n=1)
    return f" Did you mean {by_lower_case[close[0]]}?" if close else ""


#: Numbers as SageMaker reads them.
_NUMBERS = {
    "Integer": re.compile(r"[-+]?\d+"),
    "Float": re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"),
}


def _check_value(name: str, value: str, declared: Mapping[str, Any]) -> None:
    if not value:  # SageMaker refuses it without naming the parameter.
        default = (
            f", or leave it out for its default, {declared['DefaultValue']!r}" if "DefaultValue" in declared else ""
        )
        raise ExecutionError(f"{name} can't be empty.", f"Give it a value{default}.")
    allowed = [str(item) for item in declared.get("EnumValues") or []]
    if allowed and value not in allowed:
        raise ExecutionError(
            f"{name} can't be {value!r}.{_meant(value, allowed)}", f"It is one of {', '.join(allowed)}."
        )
    kind = str(declared.get("Type"))
    if kind == "Boolean" and value.lower() not in {"true", "false"}:
        raise ExecutionError(f"{name} has to be true or false, not {value!r}.")
    if kind in _NUMBERS and not _NUMBERS[kind].fullmatch(value):
        raise ExecutionError(f"{name} has to be a number of type {kind}, not {value!r}.")
