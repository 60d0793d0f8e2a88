"""The properties of a template as the parameters of an API call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localmaker.errors import LocalmakerError

_TRUE = {"true": True, "false": False}


class UnfitError(LocalmakerError):
    """A property is not one of the resource's, or has a value that the resource cannot have."""


def fitted(shape: Any, value: Any, path: str = "") -> Any:
    """Return the value of a property as an API takes it: templates write numbers as text, and documents as objects.

    Args:
        shape: botocore's, of the parameter.
        value: from the template.
        path: of the property, for the message.

    Raises:
        UnfitError: it does not fit.
    """
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, value, path)
    if kind == "list" and isinstance(value, list):
        return [fitted(shape.member, one, f"{path}/{number}") for number, one in enumerate(value)]
    if kind == "map" and isinstance(value, Mapping):
        return {str(key): fitted(shape.value, one, f"{path}/{key}") for key, one in value.items()}
    try:
        return _scalar(kind, value)
    except (KeyError, TypeError, ValueError):
        raise UnfitError(f"#{path}: expected type: {kind}, found: {type(value).__name__}") from None


def _structure(shape: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UnfitError(f"#{path}: expected type: structure, found: {type(value).__name__}")
    unknown = [key for key in value if key not in shape.members]
    if unknown:
        raise UnfitError(f"#{path}: extraneous key [{unknown[0]}] is not permitted, or is not supported here")
    return {key: fitted(shape.members[key], one, f"{path}/{key}") for key, one in value.items()}


def _scalar(kind: str, value: Any) -> Any:
    if kind == "boolean":
        return value if isinstance(value, bool) else _TRUE[str(value).lower()]
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("double", "float"):
        return float(value)
    if kind == "string":
        if isinstance(value, bool):
            return json.dumps(value)
        return document(value) if isinstance(value, (Mapping, list)) else str(value)
    if kind in ("list", "map"):
        raise TypeError(kind)
    return value


def document(value: Any) -> str:
    """Return a document as text. YAML reads the version of a policy as a date."""
    return json.dumps(value, default=str)
