"""Operations of EventBridge Scheduler for which moto accepts expressions that AWS refuses."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.events.operations import then_wake_timetable
from localmaker.services.events.schedules import InvalidScheduleError, parse_schedule


@operation("scheduler", "CreateSchedule")
def create_schedule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check the schedule expression, then let moto store the schedule."""
    _check_schedule(request)
    return then_wake_timetable(request, context)


@operation("scheduler", "UpdateSchedule")
def update_schedule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check the schedule expression, then let moto store the schedule."""
    _check_schedule(request)
    return then_wake_timetable(request, context)


def _check_schedule(request: dict[str, Any]) -> None:
    try:
        zone = ZoneInfo(request.get("ScheduleExpressionTimezone", "UTC"))
        parse_schedule(request["ScheduleExpression"], zone, once=True)
    except (InvalidScheduleError, ZoneInfoNotFoundError, ValueError) as error:
        raise AwsError("ValidationException", f"Invalid Schedule Expression: {error}") from error
