"""Samples for what is known only while a pipeline runs."""

from collections.abc import Mapping
from typing import Any

from analysis.card.metrics import bars, group, line, matrix, number, text
from analysis.card.texts import card_text

#: A number, and a text where text is wanted.
_SAMPLE = "0.5"
_URIS = ("ModelDataUrl", "S3Uri", "SamplePayloadUrl")
_CARD = "ModelCardContent"


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
    known = {**dict.fromkeys(_URIS, uri), **({_CARD: sample_card()} if isinstance(value.get(_CARD), Mapping) else {})}
    return {key: known[key] if key in known else filled(item, parameters, uri) for key, item in value.items()}


def sample_card() -> str:
    """Return a card that has metrics and plots of every kind, with a text of another script."""
    metrics = group(
        "Every kind",
        number("Number", 0.5, "note"),
        text("Text", "pass"),
        bars("Bars", {"one": 1.5, "two": -2}, "height"),
        line("Line", [(0, 1.5), (1, 2)], ("x", "y")),
        matrix("Matrix", {"row": [1, 2.5]}, ("low", "high")),
    )
    return card_text(
        {
            "intended_uses": {"purpose_of_model": "Probe 🚲 預", "risk_rating": "Low"},
            "evaluation_details": [{"name": "Probe", "metric_groups": metrics}],
            "additional_information": {"custom_details": {"Field of a standard": "as its organisation asks"}},
        }
    )
