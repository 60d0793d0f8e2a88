"""``lambda:Invoke``, which runs local Python functions; moto would need Docker."""

from __future__ import annotations

import base64
import json
import logging
import threading
import uuid
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.asynchronous import process_event
from localmaker.services.lambda_.calls import FunctionFailedError, Surroundings, call_function, log_file
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.lambda_.table import (
    FunctionTableError,
    UnknownFunctionError,
    function_name,
    registered_function,
    unknown_function,
)
from localmaker.services.lambda_.uploaded import find_uploaded, qualifier_of

_LOGGER = logging.getLogger(__name__)
_LATEST = "$LATEST"
_FAILED = "Unhandled"
# Lambda returns this much of the log.
_TAIL_BYTES = 4096
_LARGEST_PAYLOAD_BYTES, _LARGEST_EVENT_BYTES = 6 << 20, 1 << 20


@operation("lambda", "Invoke")
def invoke(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Call a function: wait for its result, start it (``Event``), or only check that it exists (``DryRun``)."""
    arn = _arn(request["FunctionName"], request.get("Qualifier"), context)
    kind = request.get("InvocationType", "RequestResponse")
    payload = request.get("Payload") or b"{}"
    _check_size(payload, kind)
    event = _event(payload)
    try:
        known = registered_function(function_name(arn), context.endpoint.state_dir) or find_uploaded(
            arn, context.region
        )
        if not known:
            how = unknown_function(function_name(arn), context.endpoint.state_dir)
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn} ({how})", 404)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if getattr(known, "reserved_concurrency", None) == 0:
            raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429)
        request_id = str(uuid.uuid4())
        if kind == "Event":
            call = threading.Thread(target=_run_unattended, args=(arn, event, request_id, context), name=request_id)
            call.start()
            return {"StatusCode": 202}
        answer = _answer(arn, event, request_id, context)
    except FunctionTableError as error:
        raise AwsError("InvalidRuntimeException", str(error), 502) from error
    if request.get("LogType") == "Tail":
        log = _log_of(log_file(function_name(arn), context.endpoint.state_dir), request_id)
        answer["LogResult"] = base64.b64encode(log[-_TAIL_BYTES:]).decode()
    return answer


def _check_size(payload: bytes, kind: str) -> None:
    """Refuse a payload that is too large: "Lambda quotas" in the developer guide.

    Raises:
        AwsError: RequestEntityTooLargeException.
    """
    size = len(payload)
    message = ""
    if kind == "Event" and size > _LARGEST_EVENT_BYTES:
        message = f"{size} byte payload is too large for the Event invocation type (limit {_LARGEST_EVENT_BYTES} bytes)"
    elif size > _LARGEST_PAYLOAD_BYTES:
        message = f"Request must be smaller than {_LARGEST_PAYLOAD_BYTES} bytes for the InvokeFunction operation"
    if message:
        raise AwsError("RequestEntityTooLargeException", message, 413)


def _event(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError as error:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {error}") from error


def _arn(name: str, qualifier: str | None, context: RequestContext) -> str:
    """Return the ARN of a function named by its ARN, a partial ARN (``123456789012:function:name``) or its name.

    Raises:
        AwsError: it names another version or alias than the qualifier.
    """
    arn = name
    if not name.startswith("arn:"):
        arn = f"arn:aws:lambda:{context.region}:{context.account_id}:function:{name.rpartition('function:')[2]}"
    named = qualifier_of(arn)
    if named is not None and qualifier not in (None, named):
        raise AwsError(
            "InvalidParameterValueException",
            f"The derived qualifier from the function name [{named}] does not match the specified one [{qualifier}]",
        )
    return arn if named is not None or qualifier is None else f"{arn}:{qualifier}"


def _run_unattended(arn: str, event: Any, request_id: str, context: RequestContext) -> None:
    """Process an event that nobody waits for; a failure of the function is in its log."""
    try:
        process_event(arn, event, _surroundings(context), request_id)
    except (FunctionTableError, UnknownFunctionError):
        _LOGGER.exception("request %s", request_id)


def _surroundings(context: RequestContext) -> Surroundings:
    return Surroundings(
        state_dir=context.endpoint.state_dir,
        url=context.endpoint.url,
        region=context.region,
        logs=context.endpoint.client("logs", context.region),
        acting=context.service(Acting),
        functions=context.service(RunningFunctions),
    )


def _answer(arn: str, event: Any, request_id: str, context: RequestContext) -> dict[str, Any]:
    around = _surroundings(context)
    uploaded = find_uploaded(arn, context.region)
    answer: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": str(uploaded.version) if uploaded else _LATEST}
    try:
        value = call_function(arn, event, around, started=around.functions.add, request_id=request_id)
    except FunctionFailedError as error:
        payload = {**error.error, "requestId": request_id}
        return {**answer, "FunctionError": _FAILED, "Payload": json.dumps(payload).encode()}
    return {**answer, "Payload": json.dumps(value).encode()}


def _log_of(path: Path, request_id: str) -> bytes:
    """Return the output of one call from the log of all."""
    whole = path.read_bytes() if path.exists() else b""
    start = whole.rfind(f"START RequestId: {request_id}".encode())
    end = whole.find(b"\n", max(whole.find(f"REPORT RequestId: {request_id}".encode(), start), 0))
    return whole[start : end + 1] if start >= 0 else b""
