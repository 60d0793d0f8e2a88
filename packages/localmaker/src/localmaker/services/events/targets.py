"""Delivery of one event to one target of a rule, through the target service's own API."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.ports import EventPublisher, LocalEndpoint
from localmaker.services.events.inputs import InvalidInputError, as_text, resolve_path, target_payload
from localmaker.services.events.universal import arguments_of, is_universal, operation_of
from localmaker.services.iam.acting import CLOUDWATCH, EVENTS, S3, Acting
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
_SENDING = (("arn:aws:s3:", S3), ("arn:aws:cloudwatch:", CLOUDWATCH))
_THROTTLED = ("Throttl", "LimitExceeded", "TooManyRequests", "SlowDown")


class DeliveryError(Exception):
    """A delivery failed.

    Args:
        code: EventBridge's error code, as in the dead-letter attribute ERROR_CODE.
        message: the target's error message.
        retriable: whether another attempt may succeed.
        cause: the error code of the called service, where that is what failed; Scheduler gives this one.
    """

    def __init__(self, code: str, message: str, *, retriable: bool, cause: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.cause = cause or code
        self.message = message
        self.retriable = retriable


@dataclass(frozen=True)
class Matched:
    """An event that matched a rule, for one of the rule's targets."""

    event: dict[str, Any]
    rule_arn: str
    target: dict[str, Any]

    @property
    def is_scheduled(self) -> bool:
        """Whether it is of EventBridge Scheduler, not of a rule."""
        return ":schedule/" in self.rule_arn

    def execution_id(self, attempt: int) -> str:
        """Return Scheduler's id of an attempt."""
        return hashlib.sha256(f"{self.event['id']} {attempt}".encode()).hexdigest()[:16]

    def of_attempt(self, attempt: int) -> Matched:
        """Return it with Scheduler's context attributes in the target's input replaced.

        Args:
            attempt: 1 for the first one.
        """
        if not self.is_scheduled or "Input" not in self.target:
            return self
        text = self.target["Input"]
        attributes = {
            "schedule-arn": self.rule_arn,
            "scheduled-time": self.event["time"],
            "execution-id": self.execution_id(attempt),
            "attempt-number": str(attempt),
        }
        for name, value in attributes.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return replace(self, target={**self.target, "Input": text})

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


def deliver(matched: Matched, access: TargetAccess, attempt: int = 1) -> None:
    """Deliver once.

    Args:
        attempt: 1 for the first one.

    Raises:
        DeliveryError: it failed; says whether to try again.
    """
    matched = matched.of_attempt(attempt)
    arn = Arn.parse(matched.target["Arn"])
    kind = arn.resource.split("/", 1)[0].split(":", 1)[0]
    send = _SENDERS.get((arn.service, kind)) or _SENDERS.get((arn.service, ""))
    if is_universal(matched.target["Arn"]):
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
    kinds = (
        (_NO_RESOURCE, "NO_RESOURCE", False),
        (_NO_PERMISSION, "NO_PERMISSIONS", False),
        (_THROTTLED, "THROTTLING", True),
        (_INVALID, "INVALID_PARAMETER", False),
    )
    for parts, kind, retriable in kinds:
        if any(part in code for part in parts):
            return DeliveryError(kind, text, retriable=retriable, cause=code)
    return DeliveryError("ERROR_FROM_TARGET", text, retriable=True, cause=code)


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
        raise DeliveryError("NO_PERMISSIONS", error.message, retriable=False, cause=error.code) from error


def _as_itself(action: str, resource: str, matched: Matched, access: TargetAccess, policy: Callable[[], Any]) -> None:
    """Check that a resource's own policy allows an action to EventBridge, or to who else sends the notification."""
    service = next((one for start, one in _SENDING if matched.rule_arn.startswith(start)), EVENTS)
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
    # Messages of alarms have one; a target of a rule has not.
    subject = {"Subject": matched.target["Subject"]} if "Subject" in matched.target else {}
    sns.publish(TopicArn=topic, Message=_payload(matched), **subject)


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
            raise DeliveryError("NO_PERMISSIONS", error.message, retriable=False, cause=error.code) from error
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
        cause = "ResourceNotFoundException"
        raise DeliveryError("NO_RESOURCE", str(error), retriable=False, cause=cause) from error
    if not processed:
        raise DeliveryError("INTERNAL_ERROR", "the local endpoint was stopped", retriable=True)


def _call_any_api(matched: Matched, _arn: Arn, access: TargetAccess) -> None:
    """Call a universal target of the Scheduler."""
    operation = operation_of(matched.target["Arn"])
    arguments = arguments_of(operation, matched.target.get("Input") or "{}")
    service = operation.service_model.service_name
    client = _client(service, matched, Arn.parse(matched.rule_arn).region, access)
    getattr(client, xform_name(operation.name))(**arguments)


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
        "SCHEDULE_ARN" if matched.is_scheduled else "RULE_ARN": matched.rule_arn,
        "TARGET_ARN": matched.target["Arn"],
        "ERROR_CODE": error.cause if matched.is_scheduled else error.code,
        "ERROR_MESSAGE": error.message[:1024] or error.code,
        "RETRY_ATTEMPTS": str(retries),
    }
    if exhausted:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    sqs = access.client("sqs", arn.region)
    url = sqs.get_queue_url(QueueName=arn.resource)["QueueUrl"]
    queue = matched.target["DeadLetterConfig"]["Arn"]
    if matched.is_scheduled:  # Scheduler sends under the target's role, and what the target would have got
        attributes["EXECUTION_ID"] = matched.execution_id(retries + 1)
        attributes["SCHEDULED_TIME"] = matched.event["time"]
        attributes["IS_PAYLOAD_TRUNCATED"] = "false"
        body = _payload(matched.of_attempt(retries + 1))
        sqs = _client("sqs", matched, arn.region, access)
    else:
        body = json.dumps(matched.event)
        _as_itself("sqs:SendMessage", queue, matched, access, lambda: _queue_policy(sqs, url))
    sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
