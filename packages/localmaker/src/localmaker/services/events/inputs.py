"""What a target receives: the event itself, a part of it, a constant, or a template filled from it."""

from __future__ import annotations

import json
import re
from typing import Any

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")


class InvalidInputError(ValueError):
    """A path or template that cannot be applied to the event."""


class MissingValueError(InvalidInputError):
    """A JSON path points at nothing in this event."""


def resolve_path(path: str, event: Any) -> Any:
    """Return the value at a JSON path as EventBridge knows them: ``$.detail.object.key``, ``$.resources[0]``.

    Raises:
        MissingValueError: there is nothing at the path.
        InvalidInputError: EventBridge knows no such path.
    """
    if not path.startswith("$"):
        raise InvalidInputError(f"{path!r} is not a JSON path: it must start with $")
    position, value = 1, event
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise InvalidInputError(f"{path!r} is not a JSON path that EventBridge knows (at character {position + 1})")
        value = _descend(value, step, path)
        position = step.end()
    return value


def _descend(value: Any, step: re.Match[str], path: str) -> Any:
    name, index, single, double = step.groups()
    try:
        if index is not None:
            return _list(value)[int(index)]
        key = next(part for part in (name, single, double) if part is not None)
        return _object(value)[key]
    except LookupError as error:
        raise MissingValueError(f"{path} is not in the event") from error


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str:
    """Return a resolved value as text for a string parameter."""
    return value if isinstance(value, str) else json.dumps(value)


def target_payload(target: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    """Return the JSON text that a target receives, from its Input, InputPath or InputTransformer.

    Raises:
        InvalidInputError: the event has nothing at the path, or the filled template is not JSON.
    """
    if "Input" in target:
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(resolve_path(target["InputPath"], event))
    transformer = target.get("InputTransformer")
    if transformer:
        return _fill(transformer, event, rule_arn)
    return json.dumps(event)


def _fill(transformer: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    values: dict[str, Any] = {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": event.get("time"),
        "aws.events.event": _without_detail(event),
        "aws.events.event.json": event,
    }
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        try:
            values[name] = resolve_path(path, event)
        except MissingValueError:
            continue
    template = transformer["InputTemplate"]
    is_text = template.lstrip().startswith('"')
    text = _substitute(template, values, is_text=is_text)
    try:
        # A text template may have several lines, each in quotation marks.
        for part in text.splitlines() if is_text else [text]:
            json.loads(part)
    except ValueError as error:
        raise InvalidInputError(f"the filled InputTemplate is not JSON: {error}") from error
    return text


def _without_detail(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event as ``<aws.events.event>``, whose names differ from those of the event itself."""
    names = ("id", "account", "detail-type", "time", "source", "region", "resources", "version")
    return {"detailType" if name == "detail-type" else name: event[name] for name in names if name in event}


def unknown_placeholders(transformer: dict[str, Any]) -> list[str]:
    """Return the placeholders of a template that have no value."""
    known = {*(transformer.get("InputPathsMap") or {}), *RESERVED}
    return [name for name in _PLACEHOLDER.findall(transformer["InputTemplate"]) if name not in known]


RESERVED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event",
        "aws.events.event.json",
        "aws.events.event.ingestion-time",
    }
)


def _substitute(template: str, values: dict[str, Any], *, is_text: bool) -> str:
    def replacement(found: re.Match[str]) -> str:
        name = found[1]
        quoted = _inside_string(template, found.start())
        if name not in values:
            return "" if quoted else '""'
        value = values[name]
        if not quoted:
            return json.dumps(value)
        if isinstance(value, (dict, list)):
            # EventBridge inserts it as it is, which only a text takes: there without quotation marks.
            return json.dumps(value, separators=(",", ":")).replace('"', "") if is_text else json.dumps(value)
        return json.dumps(as_text(value))[1:-1]

    return _PLACEHOLDER.sub(replacement, template)


def _inside_string(template: str, position: int) -> bool:
    return re.sub(r"\\.", "", template[:position]).count('"') % 2 == 1
