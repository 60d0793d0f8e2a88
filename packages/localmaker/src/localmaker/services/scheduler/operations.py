"""Operations of EventBridge Scheduler in which moto accepts what AWS refuses."""

from __future__ import annotations

from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.events.operations import then_wake_timetable
from localmaker.services.events.timetable import Timetable
from localmaker.services.iam.acting import Acting
from localmaker.services.scheduler.checks import check_schedule

_DEFAULT_GROUP = "default"


@operation("scheduler", "CreateSchedule")
def create_schedule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check the schedule, then let moto store it; the same request once more has the same answer."""
    group = _group(request.get("GroupName", _DEFAULT_GROUP), context)
    existing = group.schedules.get(request["Name"])
    if existing is not None and _is_repeated(existing, request):
        return {"ScheduleArn": existing.arn}
    answer = _stored(request, context)
    group.schedules[request["Name"]].client_token = request.get("ClientToken")
    return answer


@operation("scheduler", "UpdateSchedule")
def update_schedule(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check the schedule, then let moto store it; what the request leaves out is the default again."""
    return _stored(request, context)


@operation("scheduler", "CreateScheduleGroup")
def create_schedule_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Let moto store a group that does not exist yet."""
    existing = _groups(context).get(request["Name"])
    if existing is not None:
        if _is_repeated(existing, request):
            return {"ScheduleGroupArn": existing.arn}
        raise AwsError("ConflictException", f"Schedule group {request['Name']} already exists.", 409)
    answer = context.ask_moto(request)
    _groups(context)[request["Name"]].client_token = request.get("ClientToken")
    return answer


@operation("scheduler", "DeleteScheduleGroup")
def delete_schedule_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Let moto delete a group with all of its schedules; on AWS the group is DELETING for a while."""
    if request["Name"] == _DEFAULT_GROUP:
        raise AwsError("ValidationException", "The default schedule group cannot be deleted.")
    _group(request["Name"], context)
    return then_wake_timetable(request, context)


def _stored(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    check_schedule(request, context.service(Timetable).now())
    group = request.get("GroupName", _DEFAULT_GROUP)
    _group(group, context)
    schedule = f"arn:aws:scheduler:{context.region}:{context.account_id}:schedule/{group}/{request['Name']}"
    context.service(Acting).check_schedule_role(request["Target"]["RoleArn"], schedule)
    return then_wake_timetable({"State": "ENABLED", "ActionAfterCompletion": "NONE", **request}, context)


def _is_repeated(existing: Any, request: dict[str, Any]) -> bool:
    """Return whether a request is the one that has made something, as after a lost answer; forgotten at a restart."""
    return "ClientToken" in request and getattr(existing, "client_token", None) == request["ClientToken"]


def _group(name: str, context: RequestContext) -> Any:
    if name not in _groups(context):
        raise AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)
    return _groups(context)[name]


def _groups(context: RequestContext) -> dict[str, Any]:
    from moto.scheduler.models import scheduler_backends  # loaded with its first use, as in the timetable

    groups: dict[str, Any] = scheduler_backends[context.account_id][context.region].schedule_groups
    return groups
