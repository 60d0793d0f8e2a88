"""Samples for what is known only while a pipeline runs."""

from collections.abc import Mapping
from typing import Any

#: A number, and a text where text is wanted.
_SAMPLE = "0.5"
_URIS = ("ModelDataUrl", "S3Uri")


def filled(value: Any, parameters: Mapping[str, Any], uri: str) -> Any:
    """Return a step's arguments as an execution would fill them in: samples for values, one URI for all files."""
    if isinstance(value, list):
        return [filled(item, parameters, uri) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "Get" in value:
        return parameters.get(str(value["Get"]).removeprefix("Parameters.")) or _SAMPLE
    if "Std:JsonGet" in value:
        return _SAMPLE
    if "Std:Join" in value:
        joined = value["Std:Join"]
        return str(joined["On"]).join(str(item) for item in filled(joined["Values"], parameters, uri))
    return {key: uri if key in _URIS else filled(item, parameters, uri) for key, item in value.items()}
