"""EventBridge operations that moto lacks, or accepts what AWS refuses."""

from __future__ import annotations

import json
from typing import Any

from pipeline.local.errors import AwsError
from pipeline.local.events.patterns import InvalidPatternError, check_pattern, matches
from pipeline.local.operations import RequestContext, operation


@operation("events", "PutRule")
def put_rule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check the pattern, then let moto keep the rule."""
    if request.get("EventPattern"):
        _parsed_pattern(request["EventPattern"])
    return context.ask_moto(request)


@operation("events", "TestEventPattern")
def test_event_pattern(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:  # noqa: ARG001 - a handler's signature
    """Whether a pattern matches an event."""
    pattern = _parsed_pattern(request["EventPattern"])
    try:
        event = json.loads(request["Event"])
    except ValueError as error:
        raise AwsError("InvalidEventPatternException", f"Parameter Event is not valid. Reason: {error}") from error
    return {"Result": matches(pattern, event)}


def _parsed_pattern(text: str) -> dict[str, Any]:
    try:
        pattern = json.loads(text)
        check_pattern(pattern)
    except (ValueError, InvalidPatternError) as error:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}") from error
    return dict(pattern)
