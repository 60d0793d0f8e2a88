"""Output parameters of Callback and Lambda steps: what they declare against what they were given. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipedef.language.expressions import to_text

MAX_VALUE_LENGTH = 1024


def typed_outputs(declared: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the declared output parameters, each in its type.

    Args:
        declared: String, Integer, Float or Boolean by name.
        given: values by name; text is read as the type that is declared.

    Raises:
        ValueError: one is missing, too long or not of its type; the message names it.
    """
    missing = [name for name in declared if given.get(name) is None]
    if missing:
        named = ", ".join(given) or "none"
        raise ValueError(f"output parameters [{', '.join(missing)}] are declared and were not given; given: {named}")
    return {name: _typed(name, kind, given[name]) for name, kind in declared.items()}


def output_list(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the output parameters as step metadata has them: every value is text there."""
    return [{"Name": name, "Value": to_text(value)} for name, value in values.items()]


def _typed(name: str, kind: str, value: Any) -> Any:
    text = to_text(value)
    if len(text) > MAX_VALUE_LENGTH:
        raise ValueError(f"output parameter [{name}] has {len(text)} characters; {MAX_VALUE_LENGTH} are allowed")
    try:
        return _READERS[kind](text)
    except (ValueError, KeyError):
        raise ValueError(f"output parameter [{name}] is [{text}], which is not of type [{kind}]") from None


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_READERS: Mapping[str, Any] = {
    "String": str,
    "Integer": int,
    "Float": _read_float,
    "Boolean": lambda text: {"true": True, "false": False}[text.lower()],
}
