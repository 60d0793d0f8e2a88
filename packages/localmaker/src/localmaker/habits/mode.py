"""Answers with the habits of AWS: what a service would do at once here takes calls there, or is heard of only later.

They concern the control plane, and not the endpoint's own calls: objects, records, messages and log lines are as they
are without. Where AWS takes seconds, a number of calls passes here, so that nothing depends on the clock.

Sources: "Error responses" and "Best practices design patterns" (S3: SlowDown, InternalError, OperationAborted) and
CreateBucket (BucketAlreadyOwnedByYou outside us-east-1) in the S3 API reference and user guide; for OperationAborted
after CreateBucket hashicorp/terraform-provider-aws#7628 and #36873, for a new role apex/up#189 and aws/aws-sdk-js#3498,
for DeleteConflict after DeleteRolePolicy hashicorp/terraform#14707;
"Lambda function states" in the Lambda developer guide; "Retry behavior" in the reference guide of AWS's SDKs.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from localmaker.errors import AwsError
from localmaker.habits.decisions import Decisions, Fate, Subject
from localmaker.habits.lag import OldAnswers, Reading, environ_of, reading_of
from localmaker.http.answers import refusal, send
from localmaker.http.protocol import HttpResponse
from localmaker.ports import CredentialScope
from localmaker.services.iam.actions import Location, required_calls
from localmaker.services.iam.calls import Operation, operation_of
from localmaker.services.lambda_.configuration import role_needs

#: Calls for which a habit lasts, at most.
_ABORTED, _UNASSUMABLE, _UNPERMITTED, _HELD, _OLD_READINGS, _UNDER_WAY = 4, 4, 4, 3, 3, 3
_REMOVALS = frozenset({"DeleteBucket", "DeleteRole", "DeleteQueue"})
_READS = ("Describe", "Get", "Head", "List")
_RUNTIME = frozenset({"sagemaker-featurestore-runtime", "sagemaker-runtime", "sagemaker-metrics", "sts"})
_LOG_LINES = frozenset({"CreateLogStream", "DescribeLogStreams", "FilterLogEvents", "GetLogEvents", "PutLogEvents"})
_MESSAGES = ("DeleteMessage", "Invoke", "Publish", "PutEvents", "ReceiveMessage", "SendMessage")
_OWN_CLIENT = "local-endpoint"
_THROTTLING = {
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "iam": ("Throttling", "Rate exceeded", 400),
    "sns": ("Throttling", "Rate exceeded", 400),
    "sqs": ("RequestThrottled", "Request is throttled.", 400),
    "lambda": ("TooManyRequestsException", "Rate Exceeded.", 429),
}
_RATE_EXCEEDED = ("ThrottlingException", "Rate exceeded", 400)
_FAILURES = {
    "s3": ("InternalError", "We encountered an internal error. Please try again.", 500),
    "iam": ("ServiceUnavailable", "Service is unable to handle request.", 503),
    "lambda": ("ServiceException", "An error occurred and the request cannot be processed.", 500),
}
_FAILURE = ("InternalFailure", "The request processing has failed because of an unknown error.", 500)
_CONFLICTING = "A conflicting conditional operation is currently in progress against this resource. Please try again."
_HOLDING = "Cannot delete entity, must delete policies first."

StartResponse = Callable[..., Any]
Perform = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Habits:
    """Stands between the gateway and the services, which :meth:`answer` asks.

    Args:
        seed: of what happens.
        account: of the endpoint.
    """

    def __init__(self, seed: int, account: str) -> None:
        self._decisions = Decisions(seed)
        self._account = account
        self._old = OldAnswers()
        # What is not finished yet → for how many more calls.
        self._left: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def answer(
        self, environ: dict[str, Any], start_response: StartResponse, scope: CredentialScope, perform: Perform
    ) -> Iterable[bytes]:
        """Answer a request that has been admitted."""
        operation = operation_of(environ, scope)
        if operation is None or not _is_concerned(environ, operation):
            return perform(environ, start_response)
        changes = not operation.name.startswith(_READS)
        calls = required_calls(operation.service, operation.name, operation.request, Location("", self._account))
        subject = Subject(f"{operation.service}:{operation.name}", calls[0].resource if calls else "*")
        with self._lock:
            fate = self._decisions.fate(subject, changes=changes)
            refused = self._refusal(operation, fate, subject)
            old = None if refused else self._old.take(operation)
        if refused is not None:
            return send(refusal(refused, environ, scope), start_response)
        if old is not None:
            return send(old, start_response)
        reading = reading_of(operation)
        before = _performed(perform, environ_of(reading, environ)) if reading is not None else None
        answer = _performed(perform, environ)
        if answer.status < 300:  # noqa: PLR2004 - HTTP
            with self._lock:
                answer = self._under_way(operation, subject, answer)
                if reading is not None and before is not None:
                    self._remember(operation, subject, reading, before)
        if fate is Fate.CUT_OFF:
            start_response("200 OK", [("Content-Length", "1")])
            return _hang_up()
        if fate is Fate.LOST:
            return send(refusal(AwsError(*_FAILURES.get(operation.service, _FAILURE)), environ, scope), start_response)
        return send(answer, start_response)

    def _refusal(self, operation: Operation, fate: Fate, subject: Subject) -> AwsError | None:
        """Return the error of a call that is refused for the moment."""
        if fate is Fate.THROTTLED:
            return AwsError(*_THROTTLING.get(operation.service, _RATE_EXCEEDED))
        if fate is Fate.FAILED:
            return AwsError(*_FAILURES.get(operation.service, _FAILURE))
        if operation.service == "s3" and not operation.name.startswith(_READS):
            return AwsError("OperationAborted", _CONFLICTING, 409) if self._passes("bucket", subject.resource) else None
        if operation.service == "lambda" and operation.name.startswith(("Update", "Delete")):
            wait = f"The operation cannot be performed at this time. An update is in progress: {subject.resource}"
            if self._passes("function", subject.resource):
                return AwsError("ResourceConflictException", wait, 409)
        return self._refusal_of_role(operation, subject)

    def _refusal_of_role(self, operation: Operation, subject: Subject) -> AwsError | None:
        """Return the error of a call that comes too soon after a change of a role or of its policies."""
        if operation.name == "DeleteRole":
            return AwsError("DeleteConflict", _HOLDING, 409) if self._passes("removed", subject.resource) else None
        roles = required_calls(operation.service, operation.name, operation.request, Location("", self._account))
        passed = [call.resource for call in roles if call.action == "iam:PassRole"]
        new = next((role for role in passed if self._passes("role", role)), None)
        if new is not None:
            return _unassumable(operation.service, new)
        need = next(role_needs(operation.request, "", self._account), None) if operation.service == "lambda" else None
        unknown = need is not None and any(self._passes("policy", role) for role in passed)
        return need.refusal() if need is not None and unknown else None

    def _passes(self, what: str, resource: str) -> bool:
        """Count a call during a habit; return whether the habit goes on."""
        if self._left[what, resource] <= 0:
            return False
        self._left[what, resource] -= 1
        return True

    def _under_way(self, operation: Operation, subject: Subject, answer: HttpResponse) -> HttpResponse:
        """Begin what takes a while after a call, and show it in the answer where the operation tells of it."""
        key = (operation.service, operation.name)
        if key in {("s3", "CreateBucket"), ("s3", "DeleteBucket")}:
            self._left["bucket", subject.resource] = self._decisions.count("aborted", subject, _ABORTED)
        elif key == ("iam", "CreateRole"):
            self._left["role", subject.resource] = self._decisions.count("unassumable", subject, _UNASSUMABLE)
        elif key == ("iam", "PutRolePolicy"):
            self._left["policy", subject.resource] = self._decisions.count("unpermitted", subject, _UNPERMITTED)
        elif key in {("iam", "DeleteRolePolicy"), ("iam", "DetachRolePolicy")}:
            self._left["removed", subject.resource] = self._decisions.count("held", subject, _HELD)
        elif key[0] == "lambda" and key[1] in {"CreateFunction", *_UPDATES}:
            self._left["function", subject.resource] = self._decisions.count("pending", subject, _UNDER_WAY)
            self._left["created", subject.resource] = int(key[1] == "CreateFunction")
        elif key[0] == "lambda" and key[1].startswith("GetFunction") and self._passes("function", subject.resource):
            return _pending(answer, created=self._left["created", subject.resource] > 0)
        return answer

    def _remember(self, operation: Operation, subject: Subject, reading: Reading, before: HttpResponse) -> None:
        if operation.name in _REMOVALS:
            self._old.forget(reading)
        readings = self._decisions.count("old", subject, _OLD_READINGS)
        if readings:
            self._old.keep(reading, before, readings)


_UPDATES = ("UpdateFunctionCode", "UpdateFunctionConfiguration")


def _is_concerned(environ: dict[str, Any], operation: Operation) -> bool:
    return not (
        _OWN_CLIENT in environ.get("HTTP_USER_AGENT", "")
        or operation.service in _RUNTIME
        or operation.name in _LOG_LINES
        or operation.name.startswith(_MESSAGES)
        or "Key" in operation.request
        or "Delete" in operation.request
    )


def _unassumable(service: str, role: str) -> AwsError:
    if service == "lambda":
        return AwsError(
            "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."
        )
    if service == "events":
        return AwsError(
            "ValidationException", f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'."
        )
    return AwsError(
        "ValidationException",
        f"Could not assume role {role}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role.",
    )


def _pending(answer: HttpResponse, *, created: bool) -> HttpResponse:
    """Return the description of a function that is not ready for the next change."""
    content = json.loads(answer.body)
    described = content.get("Configuration", content)
    described |= {"State": "Pending", "StateReasonCode": "Creating"} if created else {"LastUpdateStatus": "InProgress"}
    return HttpResponse(answer.status, answer.headers, json.dumps(content).encode())


def _performed(perform: Perform, environ: dict[str, Any]) -> HttpResponse:
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[..., Any]:
        started[:] = int(status.split(" ", 1)[0]), dict(headers)
        return lambda _data: None

    body = b"".join(perform(environ, start_response))
    status, headers = started
    return HttpResponse(status, headers, body)


def _hang_up() -> Iterator[bytes]:
    """Make the server close the connection before it has sent anything."""
    raise ConnectionAbortedError("an answer is lost, as the endpoint was asked for")
    yield b""
