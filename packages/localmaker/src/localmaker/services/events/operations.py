"""Operations of EventBridge that moto lacks, or in which it accepts what AWS refuses."""

from __future__ import annotations

import json
from typing import Any

from moto.events.models import events_backends

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.events.entries import put_entries
from localmaker.services.events.inputs import unknown_placeholders
from localmaker.services.events.pattern_checks import InvalidPatternError, check_pattern
from localmaker.services.events.patterns import matches
from localmaker.services.events.schedules import InvalidScheduleError, parse_schedule
from localmaker.services.events.timetable import Timetable

# The documentation lists resources as mandatory too; AWS accepts events without.
_MANDATORY = ("id", "account", "source", "time", "region", "detail-type")
_MAX_TARGETS = 5


@operation("events", "PutRule")
def put_rule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check pattern and schedule, then let moto store the rule."""
    if request.get("EventPattern"):
        _parsed_pattern(request["EventPattern"])
    if request.get("ScheduleExpression"):
        if _bus_name(request) != "default":
            raise AwsError("ValidationException", "ScheduleExpression is supported only on the default event bus.")
        try:
            parse_schedule(request["ScheduleExpression"])
        except InvalidScheduleError as error:
            raise AwsError(
                "ValidationException", f"Parameter ScheduleExpression is not valid. Reason: {error}"
            ) from error
    return then_wake_timetable(request, context)


@operation("events", "EnableRule")
def enable_rule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Let moto enable the rule; its schedule starts now."""
    return then_wake_timetable(request, context)


@operation("events", "PutTargets")
def put_targets(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Let moto store the targets, if their inputs are valid and the rule has no more than AWS allows."""
    for target in request["Targets"]:
        _check_input(target)
    bus = events_backends[context.account_id][context.region].event_buses.get(_bus_name(request))
    rule = bus.rules.get(request["Rule"]) if bus is not None else None
    if rule is not None:
        ids = {target["Id"] for target in [*rule.targets, *request["Targets"]]}
        if len(ids) > _MAX_TARGETS:
            raise AwsError(
                "LimitExceededException",
                "The requested resource exceeds the maximum number allowed.",
            )
    return context.ask_moto(request)


def _check_input(target: dict[str, Any]) -> None:
    if sum(name in target for name in ("Input", "InputPath", "InputTransformer")) > 1:
        message = f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
        raise AwsError("ValidationException", message)
    for name in unknown_placeholders(target["InputTransformer"]) if "InputTransformer" in target else []:
        message = f"InputTemplate for target {target['Id']} contains invalid placeholder {name}."
        raise AwsError("ValidationException", message)


@operation("events", "PutEvents")
def put_events(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Publish the valid entries; return an error in the place of each other one."""

    def publish(entries: list[dict[str, Any]]) -> list[Any]:
        return list(context.ask_moto({**request, "Entries": entries})["Entries"])

    buses = events_backends[context.account_id][context.region].event_buses
    return put_entries(request["Entries"], buses, publish)


@operation("events", "TestEventPattern")
def test_event_pattern(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:  # noqa: ARG001 - a handler's signature
    """Return whether a pattern matches an event."""
    pattern = _parsed_pattern(request["EventPattern"])
    try:
        event = json.loads(request["Event"])
    except ValueError as error:
        raise AwsError("ValidationException", f"Parameter Event is not valid. Reason: {error}") from error
    missing = [name for name in _MANDATORY if not isinstance(event, dict) or name not in event]
    if missing:
        raise AwsError("ValidationException", f"Parameter Event is not valid. Reason: it has no {missing[0]}")
    return {"Result": matches(pattern, event)}


def then_wake_timetable(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Let moto answer, then look again at what is scheduled."""
    answer = context.ask_moto(request)
    context.service(Timetable).wake()
    return answer


def _bus_name(request: dict[str, Any]) -> str:
    return str(request.get("EventBusName", "default")).rsplit("/", 1)[-1]


def _parsed_pattern(text: str) -> dict[str, Any]:
    try:
        pattern = json.loads(text)
        check_pattern(pattern)
    except (ValueError, InvalidPatternError) as error:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}") from error
    return dict(pattern)
