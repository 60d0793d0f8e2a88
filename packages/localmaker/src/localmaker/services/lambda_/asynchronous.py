"""Asynchronous invocations: two more attempts by default, and where the event goes that no attempt has processed.

"Configuring error handling settings for asynchronous invocation" and "Capturing records of Lambda asynchronous
invocations" in the developer guide. Lambda waits a minute before the second attempt and two before the third; here it
is less than a second.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.iam.acting import LAMBDA
from localmaker.services.lambda_.calls import FunctionFailedError, Surroundings, call_function
from localmaker.services.lambda_.table import function_name
from localmaker.services.lambda_.uploaded import find_uploaded, settings_of

_LOGGER = logging.getLogger(__name__)
_RETRIES, _AGE_SECONDS = 2, 21_600
_FIRST_DELAY_SECONDS = 0.2
_MESSAGE_CHARACTERS = 1024


@dataclass(frozen=True)
class EventSettings:
    """How a function's events are processed.

    Attributes:
        retries: attempts after the first.
        age_seconds: after which no other attempt is made.
        destinations: ``OnSuccess`` and ``OnFailure`` → ARN.
        dead_letters: ARN of a queue or topic.
        role, version: of the function.
    """

    retries: int = _RETRIES
    age_seconds: float = _AGE_SECONDS
    destinations: Mapping[str, str] = field(default_factory=dict)
    dead_letters: str = ""
    role: str | None = None
    version: str = "$LATEST"


def event_settings(arn: str, region: str) -> EventSettings:
    """Return the settings of an uploaded function; the defaults for any other."""
    uploaded = find_uploaded(arn, region)
    if uploaded is None:
        return EventSettings()
    config: Mapping[str, Any] = next((one.config for one in uploaded.event_invoke_config), {})
    given = config.get("DestinationConfig") or {}
    return EventSettings(
        retries=int(config.get("MaximumRetryAttempts", _RETRIES)),
        age_seconds=float(config.get("MaximumEventAgeInSeconds", _AGE_SECONDS)),
        destinations={kind: one["Destination"] for kind, one in given.items() if one.get("Destination")},
        dead_letters=settings_of(uploaded).get("DeadLetterConfig", {}).get("TargetArn", ""),
        role=str(uploaded.role),
        version=str(uploaded.version),
    )


def process_event(arn: str, event: Any, around: Surroundings, request_id: str) -> bool:
    """Call a function until it has processed an event, or no attempt is left.

    Returns:
        False if the endpoint was stopped meanwhile.

    Raises:
        FunctionTableError, UnknownFunctionError: there is no such function, or its entry is wrong.
    """
    settings = event_settings(arn, around.region)
    began, attempts = time.monotonic(), 0
    while True:
        attempts += 1
        try:
            value = call_function(arn, event, around, started=around.functions.add, request_id=request_id)
        except (FunctionFailedError, AwsError) as error:
            _LOGGER.warning("event %s of function %s, attempt %d: %s", request_id, arn, attempts, error)
            answer = error.error if isinstance(error, FunctionFailedError) else _refused(error)
        else:
            _send(_record(arn, event, value, "Success", request_id, attempts, settings), "OnSuccess", settings, around)
            return True
        delay = _FIRST_DELAY_SECONDS * 2 ** (attempts - 1)
        aged = time.monotonic() + delay - began > settings.age_seconds
        if attempts > settings.retries or aged:
            break
        if around.functions.pause(delay):
            return False
    if around.functions.stopped:
        return False
    condition = "EventAgeExceeded" if aged else "RetriesExhausted"
    _send(_record(arn, event, answer, condition, request_id, attempts, settings), "OnFailure", settings, around)
    _bury(event, answer, request_id, settings, arn=arn, around=around)
    return True


def _refused(error: AwsError) -> dict[str, Any]:
    return {"errorType": error.code, "errorMessage": error.message}


def _record(  # noqa: PLR0917 - the members of a record
    arn: str, event: Any, answer: Any, condition: str, request_id: str, attempts: int, settings: EventSettings
) -> dict[str, Any]:
    """Return the invocation record that a destination gets."""
    failed = {} if condition == "Success" else {"functionError": "Unhandled"}
    qualified = arn if arn.count(":") > 6 else f"{arn}:$LATEST"  # noqa: PLR2004 - arn:aws:lambda:…:function:name
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": qualified,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": settings.version, **failed},
        "responsePayload": answer,
    }


def _send(record: Mapping[str, Any], kind: str, settings: EventSettings, around: Surroundings) -> None:
    """Send an invocation record to the function's destination, if there is one, under its role."""
    target = settings.destinations.get(kind, "")
    arn = record["requestContext"]["functionArn"]
    service = target.split(":")[2] if target.count(":") > 4 else ""  # noqa: PLR2004 - the parts of an ARN
    text = json.dumps(record)
    if not target:
        return
    if service == "lambda":
        _call(arn, settings, around, "lambda", "invoke", FunctionName=target, InvocationType="Event", Payload=text)
    elif service == "events":
        entry = {
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {'Success' if kind == 'OnSuccess' else 'Failure'}",
            "Detail": text,
            "Resources": [target, arn],
            "EventBusName": target,
        }
        _call(arn, settings, around, "events", "put_events", Entries=[entry])
    else:
        _post(target, text, {}, settings, arn=arn, around=around)


def _bury(event: Any, answer: Any, request_id: str, settings: EventSettings, *, arn: str, around: Surroundings) -> None:
    """Send an event to the function's dead-letter queue or topic, if it has one, under its role."""
    if not settings.dead_letters:
        return
    message = str(answer.get("errorMessage", ""))[:_MESSAGE_CHARACTERS] if isinstance(answer, dict) else ""
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": message or "-"},
    }
    _post(settings.dead_letters, json.dumps(event), attributes, settings, arn=arn, around=around)


def _post(
    target: str,
    text: str,
    attributes: Mapping[str, Any],
    settings: EventSettings,
    *,
    arn: str,
    around: Surroundings,
) -> None:
    """Send a message to a queue or topic."""
    service, _, account, name = [*target.split(":", 5), *[""] * 6][2:6]
    attached = {"MessageAttributes": attributes}
    if service == "sqs":
        url = f"{around.url}/{account}/{name}"
        _call(arn, settings, around, "sqs", "send_message", QueueUrl=url, MessageBody=text, **attached)
    elif service == "sns":
        _call(arn, settings, around, "sns", "publish", TopicArn=target, Message=text, **attached)
    else:
        _LOGGER.warning("function %s: the local endpoint sends nothing to %s", arn, target)


def _call(
    arn: str, settings: EventSettings, around: Surroundings, service: str, operation: str, **request: Any
) -> None:
    region = arn.split(":")[3] if arn.count(":") > 4 else around.region  # noqa: PLR2004 - the parts of an ARN
    if around.acting is None:
        return
    client = around.acting.client(service, settings.role, LAMBDA, function_name(arn), region)
    try:
        getattr(client, operation)(**request)
    except (ClientError, BotoCoreError) as error:
        # As on AWS nobody is told but by the metric DestinationDeliveryFailures.
        _LOGGER.warning("function %s: %s: %s", arn, operation, error)
