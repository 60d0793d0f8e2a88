"""Delivery of one event to one target of a rule, through the target service's own API."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.ports import EventPublisher, LocalEndpoint
from localmaker.services.events.inputs import InvalidInputError, as_text, resolve_path, target_payload
from localmaker.services.iam.acting import EVENTS, S3, Acting
from localmaker.services.iam.calls import Operation
from localmaker.services.lambda_.asynchronous import process_event
from localmaker.services.lambda_.calls import Surroundings
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.lambda_.table import FunctionTableError, UnknownFunctionError
from localmaker.services.lambda_.uploaded import function_policy

logger = logging.getLogger(__name__)

_NO_RESOURCE = ("NotFound", "NonExistent", "DoesNotExist", "NoSuch")
_NO_PERMISSION = ("AccessDenied", "NotAuthorized", "UnauthorizedOperation", "AuthorizationError")
_INVALID = ("Validation", "InvalidParameter", "Serialization", "InvalidInput", "MissingParameter")
_THROTTLED = ("Throttl", "LimitExceeded", "TooManyRequests", "SlowDown")


class DeliveryError(Exception):
    """A delivery failed.

    Args:
        code: EventBridge's error code, as in the dead-letter attribute ERROR_CODE.
        message: the target's error message.
        retriable: whether another attempt may succeed.
    """

    def __init__(self, code: str, message: str, *, retriable: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retriable = retriable


@dataclass(frozen=True)
class Matched:
    """An event that matched a rule, for one of the rule's targets."""

    event: dict[str, Any]
    rule_arn: str
    target: dict[str, Any]

    @property
    def token(self) -> str:
        """A client request token, the same for every attempt, so that a repeated delivery starts nothing twice."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.event['id']} {self.rule_arn} {self.target['Id']}"))


@dataclass(frozen=True)
class Arn:
    """The parts of an ARN; ``resource`` is everything after the fifth colon."""

    service: str
    region: str
    account_id: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Read an ARN.

        Raises:
            DeliveryError: it is not an ARN.
        """
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":  # noqa: PLR2004 - the parts of an ARN
            raise DeliveryError("INVALID_PARAMETER", f"{text!r} is not an ARN", retriable=False)
        return cls(parts[2], parts[3], parts[4], parts[5])


@dataclass(frozen=True)
class TargetAccess:
    """The way to the targets.

    Attributes:
        endpoint: whose APIs are called.
        acting: gives clients that act under roles.
        functions: holds the calls of functions in progress.
        events: publishes to other buses.
    """

    endpoint: LocalEndpoint
    acting: Acting
    functions: RunningFunctions
    events: EventPublisher

    def client(self, service: str, region: str) -> Any:
        """Return the endpoint's own client."""
        return self.endpoint.client(service, region)


def is_slow(matched: Matched) -> bool:
    """Return whether a delivery runs somebody's code, which may take long."""
    return str(matched.target["Arn"]).split(":")[2:3] == ["lambda"]


def deliver(matched: Matched, access: TargetAccess) -> None:
    """Deliver once.

    Raises:
        DeliveryError: it failed; says whether to try again.
    """
    arn = Arn.parse(matched.target["Arn"])
    kind = arn.resource.split("/", 1)[0].split(":", 1)[0]
    send = _SENDERS.get((arn.service, kind)) or _SENDERS.get((arn.service, ""))
    if arn.service == "scheduler" and arn.resource.startswith("aws-sdk:"):
        send = _call_any_api
    if send is None:
        raise DeliveryError(
            "INVALID_PARAMETER",
            f"the local endpoint cannot deliver to {matched.target['Arn']}: targets are SageMaker pipelines, Lambda "
            "functions that a local Python function replaces, SQS, SNS, CloudWatch Logs and event buses",
            retriable=False,
        )
    try:
        send(matched, arn, access)
    except InvalidInputError as error:
        raise DeliveryError("INVALID_PARAMETER", str(error), retriable=False) from error
    except ClientError as error:
        raise _from_client_error(error) from error
    except BotoCoreError as error:
        raise DeliveryError("SDK_CLIENT_ERROR", str(error), retriable=True) from error


def _from_client_error(error: Any) -> DeliveryError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    text = f"{message} (Operation: {error.operation_name}; Error Code: {code})"
    if any(part in code for part in _NO_RESOURCE):
        return DeliveryError("NO_RESOURCE", text, retriable=False)
    if any(part in code for part in _NO_PERMISSION):
        return DeliveryError("NO_PERMISSIONS", text, retriable=False)
    if any(part in code for part in _THROTTLED):
        return DeliveryError("THROTTLING", text, retriable=True)
    if any(part in code for part in _INVALID):
        return DeliveryError("INVALID_PARAMETER", text, retriable=False)
    return DeliveryError("ERROR_FROM_TARGET", text, retriable=True)


def _start_pipeline(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    listed = (matched.target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
    parameters = [{"Name": one["Name"], "Value": _parameter_value(one["Value"], matched.event)} for one in listed]
    _client("sagemaker", matched, arn.region, access).start_pipeline_execution(
        PipelineName=matched.target["Arn"],
        PipelineParameters=parameters,
        ClientRequestToken=matched.token,
    )


def _parameter_value(value: str, event: dict[str, Any]) -> str:
    """Return a literal, or the text at a JSON path of the event if the value starts with ``$.``."""
    return as_text(resolve_path(value, event)) if value.startswith("$.") else value


def _client(service: str, matched: Matched, region: str, access: TargetAccess) -> Any:
    """Return a client that acts under the target's role, or the endpoint's own if the target has none."""
    try:
        return access.acting.client_of_events(service, matched.target.get("RoleArn"), matched.rule_arn, region)
    except AwsError as error:
        raise DeliveryError("NO_PERMISSIONS", error.message, retriable=False) from error


def _as_itself(action: str, resource: str, matched: Matched, access: TargetAccess, policy: Callable[[], Any]) -> None:
    """Check that a resource's own policy allows an action to EventBridge, or to S3 for a notification."""
    service = S3 if matched.rule_arn.startswith("arn:aws:s3:") else EVENTS
    try:
        access.acting.as_service(service, action, resource, matched.rule_arn, policy)
    except AwsError as error:
        raise DeliveryError("NO_PERMISSIONS", error.message, retriable=False) from error


def _queue_policy(sqs: Any, url: str) -> str | None:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    policy: str | None = answer.get("Attributes", {}).get("Policy")
    return policy


def _send_to_queue(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    sqs = _client("sqs", matched, arn.region, access)
    group = (matched.target.get("SqsParameters") or {}).get("MessageGroupId")
    fifo = {"MessageGroupId": group, "MessageDeduplicationId": matched.token} if group else {}
    own = access.client("sqs", arn.region)
    url = own.get_queue_url(QueueName=arn.resource)["QueueUrl"]
    if "RoleArn" not in matched.target:
        _as_itself("sqs:SendMessage", matched.target["Arn"], matched, access, lambda: _queue_policy(own, url))
    sqs.send_message(QueueUrl=url, MessageBody=_payload(matched), **fifo)


def _topic_policy(sns: Any, topic: str) -> str | None:
    policy: str | None = sns.get_topic_attributes(TopicArn=topic)["Attributes"].get("Policy")
    return policy


def _publish_to_topic(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    sns, topic = _client("sns", matched, arn.region, access), matched.target["Arn"]
    if "RoleArn" not in matched.target:
        own = access.client("sns", arn.region)
        _as_itself("sns:Publish", topic, matched, access, lambda: _topic_policy(own, topic))
    sns.publish(TopicArn=topic, Message=_payload(matched))


def _write_log(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    logs = access.client("logs", arn.region)
    group = arn.resource.removeprefix("log-group:").removesuffix(":*")
    stream = matched.token
    with suppress(logs.exceptions.ResourceAlreadyExistsException):  # from an earlier attempt
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    message = {"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": _payload(matched)}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[message])


def _forward_to_bus(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    access.events.publish(matched.event, bus=arn.resource.removeprefix("event-bus/"), region=arn.region)


def _call_function(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    """Invoke a function asynchronously: the event counts as delivered even if the function fails."""
    target, role = matched.target["Arn"], matched.target.get("RoleArn")
    if role:
        _client("lambda", matched, arn.region, access)  # checks who may assume the role
        invoke = Operation("lambda", "Invoke", {"FunctionName": target})
        try:
            access.acting.call(role, matched.rule_arn, "events", invoke)
        except AwsError as error:
            raise DeliveryError("NO_PERMISSIONS", error.message, retriable=False) from error
    else:
        _as_itself("lambda:InvokeFunction", target, matched, access, lambda: function_policy(target, arn.region))
    around = Surroundings(
        state_dir=access.endpoint.state_dir,
        url=access.endpoint.url,
        region=arn.region,
        logs=access.client("logs", arn.region),
        acting=access.acting,
        functions=access.functions,
    )
    try:
        processed = process_event(target, json.loads(_payload(matched)), around, str(uuid.uuid4()))
    except (FunctionTableError, UnknownFunctionError) as error:
        raise DeliveryError("NO_RESOURCE", str(error), retriable=False) from error
    if not processed:
        raise DeliveryError("INTERNAL_ERROR", "the local endpoint was stopped", retriable=True)


def _call_any_api(matched: Matched, arn: Arn, access: TargetAccess) -> None:
    """Call a universal target of the Scheduler: ``arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution``."""
    _, service, action = arn.resource.split(":")
    region = Arn.parse(matched.rule_arn).region
    try:
        call = getattr(_client(service, matched, region, access), xform_name(action[:1].upper() + action[1:]))
    except (AttributeError, BotoCoreError) as error:
        raise DeliveryError("INVALID_PARAMETER", f"there is no API {service}:{action}", retriable=False) from error
    call(**json.loads(matched.target.get("Input") or "{}"))


def _payload(matched: Matched) -> str:
    return target_payload(matched.target, matched.event, matched.rule_arn)


_SENDERS: dict[tuple[str, str], Callable[[Matched, Arn, Any], None]] = {
    ("sagemaker", "pipeline"): _start_pipeline,
    ("sqs", ""): _send_to_queue,
    ("sns", ""): _publish_to_topic,
    ("logs", "log-group"): _write_log,
    ("events", "event-bus"): _forward_to_bus,
    ("lambda", "function"): _call_function,
}


def send_to_dead_letters(
    matched: Matched, error: DeliveryError, retries: int, exhausted: str, access: TargetAccess
) -> None:
    """Send an undeliverable event to the target's dead-letter queue, with AWS's attributes.

    Args:
        exhausted: ``MaximumRetryAttempts`` or ``MaximumEventAgeInSeconds``; empty if nothing was retried.
    """
    arn = Arn.parse(matched.target["DeadLetterConfig"]["Arn"])
    attributes = {
        "SCHEDULE_ARN" if ":schedule/" in matched.rule_arn else "RULE_ARN": matched.rule_arn,
        "TARGET_ARN": matched.target["Arn"],
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": error.message[:1024] or error.code,
        "RETRY_ATTEMPTS": str(retries),
    }
    if exhausted:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    sqs = access.client("sqs", arn.region)
    url = sqs.get_queue_url(QueueName=arn.resource)["QueueUrl"]
    queue = matched.target["DeadLetterConfig"]["Arn"]
    _as_itself("sqs:SendMessage", queue, matched, access, lambda: _queue_policy(sqs, url))
    sqs.send_message(
        QueueUrl=url,
        MessageBody=json.dumps(matched.event),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
