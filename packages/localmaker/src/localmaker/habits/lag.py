"""Readings that show the state before a change for a while: lists without the newest item, settings as they were.

Sources: "Amazon S3 data consistency model" (S3 user guide: bucket configurations are eventually consistent); "Changes
that I make are not always immediately visible" (IAM user guide, troubleshooting); CreateQueue and SetQueueAttributes
(SQS API reference: a second until a new queue can be used, up to 60 until attributes have propagated); PutTargets and
PutRule (EventBridge API reference: "allow a short period of time for changes to take effect").
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from botocore.serialize import create_serializer

from localmaker.http.parsing import PARSED
from localmaker.http.protocol import HttpResponse, service_model
from localmaker.services.iam.calls import Operation

_S3_SETTINGS = (
    "BucketEncryption",
    "BucketLifecycleConfiguration",
    "BucketNotificationConfiguration",
    "BucketPolicy",
    "BucketTagging",
    "BucketVersioning",
    "ObjectLockConfiguration",
    "PublicAccessBlock",
)
#: Service and operation that changes something → the operation that reads it.
_READ_BY = {
    ("s3", "CreateBucket"): "HeadBucket",
    ("s3", "DeleteBucket"): "HeadBucket",
    **{("s3", f"Put{setting}"): f"Get{setting}" for setting in _S3_SETTINGS},
    ("iam", "CreateRole"): "GetRole",
    ("iam", "DeleteRole"): "GetRole",
    ("iam", "UpdateAssumeRolePolicy"): "GetRole",
    ("iam", "PutRolePermissionsBoundary"): "GetRole",
    ("iam", "PutRolePolicy"): "GetRolePolicy",
    ("iam", "DeleteRolePolicy"): "ListRolePolicies",
    ("iam", "DetachRolePolicy"): "ListAttachedRolePolicies",
    ("iam", "TagRole"): "ListRoleTags",
    ("events", "PutRule"): "DescribeRule",
    ("events", "PutTargets"): "ListTargetsByRule",
    ("logs", "CreateLogGroup"): "DescribeLogGroups",
    ("sagemaker", "AddTags"): "ListTags",
    ("sns", "Subscribe"): "ListSubscriptionsByTopic",
    ("sqs", "CreateQueue"): "GetQueueUrl",
    ("sqs", "DeleteQueue"): "GetQueueUrl",
    ("sqs", "SetQueueAttributes"): "GetQueueAttributes",
    ("sqs", "TagQueue"): "ListQueueTags",
}
#: Operation that reads → parameter that the change calls otherwise.
_OTHER_NAMES = {"DescribeLogGroups": {"logGroupNamePrefix": "logGroupName"}}
#: Operation that reads → what it has to ask for besides.
_MORE = {"GetQueueAttributes": {"AttributeNames": ["All"]}}


@dataclass(frozen=True)
class Reading:
    """An operation that reads one thing, by the parameters that say which."""

    service: str
    name: str
    parameters: Mapping[str, Any]

    def is_asked_by(self, operation: Operation) -> bool:
        """Return whether an operation reads the same."""
        return (operation.service, operation.name) == (self.service, self.name) and all(
            operation.request.get(name) == value for name, value in self.parameters.items()
        )

    def things(self) -> set[tuple[str, str]]:
        """Return service and name of what it is about; a queue's URL ends with its name."""
        return {(self.service, str(value).rpartition("/")[2]) for value in self.parameters.values()}


def reading_of(operation: Operation) -> Reading | None:
    """Return what reads back a change; None where that is always current, or the operation changes nothing."""
    name = _READ_BY.get((operation.service, operation.name))
    if name is None:
        return None
    members = service_model(operation.service).operation_model(name).input_shape.members
    others = _OTHER_NAMES.get(name, {})
    request: Mapping[str, Any] = operation.request
    if operation.name == "DeleteQueue":
        request = {"QueueName": str(request.get("QueueUrl")).rpartition("/")[2]}
    given = {member: request.get(others.get(member, member)) for member in members}
    return Reading(operation.service, name, {key: value for key, value in given.items() if isinstance(value, str)})


def environ_of(reading: Reading, environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the WSGI environment of a reading, as whoever sent another request to the same service would send it."""
    model = service_model(reading.service).operation_model(reading.name)
    request = {**reading.parameters, **_MORE.get(reading.name, {})}
    written = create_serializer(str(model.service_model.protocol), include_validation=False).serialize_to_request(
        request, model
    )
    body = written["body"] or b""
    if isinstance(body, Mapping):
        body = urlencode(body)
    content = body if isinstance(body, bytes) else body.encode()
    path, _, fixed = written["url_path"].partition("?")
    query = "&".join(filter(None, [fixed, urlencode(written["query_string"] or {})]))
    kept = {name: value for name, value in environ.items() if not name.startswith("HTTP_X_AMZ_") and name != PARSED}
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in written["headers"].items()}
    target = f"{path}?{query}" if query else path
    return {
        **kept,
        **headers,
        "REQUEST_METHOD": written["method"],
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "CONTENT_TYPE": written["headers"].get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.input_terminated": True,
    }


@dataclass
class _Old:
    reading: Reading
    answer: HttpResponse
    left: int


class OldAnswers:
    """Answers from before changes, each for a number of readings. Not safe for threads: its user holds a lock."""

    def __init__(self) -> None:
        self._old: list[_Old] = []

    def keep(self, reading: Reading, answer: HttpResponse, readings: int) -> None:
        """Let the next readings show an answer; while they show an older one, that one."""
        if not any(one.reading == reading for one in self._old):
            self._old.append(_Old(reading, answer, readings))

    def take(self, operation: Operation) -> HttpResponse | None:
        """Return the old answer that an operation gets; None for the current one."""
        found = next((one for one in self._old if one.reading.is_asked_by(operation)), None)
        if found is None:
            return None
        found.left -= 1
        if found.left <= 0:
            self._old.remove(found)
        return found.answer

    def forget(self, reading: Reading) -> None:
        """Drop what was read of the thing that a reading is about: it is gone, and its settings with it."""
        gone = reading.things()
        self._old = [one for one in self._old if not gone & one.reading.things()]
