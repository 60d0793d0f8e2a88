"""What EventBridge Scheduler refuses when a schedule is created or changed.

Sources: "CreateSchedule" and "Target" in its API reference, "Managing targets" in its user guide.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localmaker.errors import AwsError
from localmaker.services.events.inputs import InvalidInputError
from localmaker.services.events.schedules import InvalidScheduleError, Once, parse_schedule
from localmaker.services.events.universal import arguments_of, is_universal, operation_of

#: Templated targets: service in the ARN → parameters that only it takes.
_TEMPLATED = {
    "codebuild": "",
    "codepipeline": "",
    "ecs": "EcsParameters",
    "events": "EventBridgeParameters",
    "firehose": "",
    "inspector": "",
    "kinesis": "KinesisParameters",
    "lambda": "",
    "sagemaker": "SageMakerPipelineParameters",
    "sns": "",
    "sqs": "SqsParameters",
    "states": "",
}
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12}|):.+")
_JSON_INPUTS = ("events", "lambda", "states")
_LONGEST_INPUT = 256 * 1024


def check_schedule(request: dict[str, Any], now: datetime) -> None:
    """Check a request of CreateSchedule or UpdateSchedule.

    Args:
        now: of the clock that schedules go by.

    Raises:
        AwsError: ValidationException.
    """
    _check_times(request, now)
    window = request["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") is not ("MaximumWindowInMinutes" in window):
        raise _invalid("MaximumWindowInMinutes goes with the mode FLEXIBLE of FlexibleTimeWindow, and only with that.")
    try:
        _check_target(request["Target"])
    except InvalidInputError as error:
        raise _invalid(str(error)) from error


def _check_times(request: dict[str, Any], now: datetime) -> None:
    try:
        zone = ZoneInfo(request.get("ScheduleExpressionTimezone", "UTC"))
        schedule = parse_schedule(request["ScheduleExpression"], zone, once=True)
    except (InvalidScheduleError, ZoneInfoNotFoundError, ValueError) as error:
        raise _invalid(f"Invalid Schedule Expression: {error}") from error
    if isinstance(schedule, Once):
        return
    start, end = (_moment(request.get(name)) for name in ("StartDate", "EndDate"))
    if end is not None and end <= now:
        raise _invalid("The EndDate you specify must be in the future.")
    if start is not None and end is not None and end <= start:
        raise _invalid("The EndDate you specify must be later than the StartDate.")


def _check_target(target: dict[str, Any]) -> None:
    text = target.get("Input")
    if text is not None and len(text.encode()) > _LONGEST_INPUT:
        raise InvalidInputError("The Input of the target is larger than 256 KB.")
    arn = target["Arn"]
    if is_universal(arn):
        arguments_of(operation_of(arn), text or "{}")
        service = ""
    else:
        found = _ARN.fullmatch(arn)
        if found is None:
            raise InvalidInputError("Provided Arn is not in correct format.")
        service = found[1]
        if service not in _TEMPLATED:
            raise InvalidInputError(f"{service} is not a supported service for a target.")
    for owner, name in _TEMPLATED.items():
        if name and name in target and owner != service:
            raise InvalidInputError(f"{name} is not supported for target {arn}.")
    if service in _JSON_INPUTS and text is not None:
        _require_json(text)


def _require_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"The Input of the target is not JSON: {error}") from error


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
