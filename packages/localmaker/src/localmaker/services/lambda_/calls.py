"""Calls of local Python functions in place of Lambda functions, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError
from localmaker.images.environments import EnvironmentBuildError
from localmaker.sandbox.sandbox import SandboxError
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.execution import Ending, Execution, Start
from localmaker.services.lambda_.logs import FunctionOutput, log_group
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.lambda_.table import (
    FunctionTableError,
    function_name,
    registered_function,
    unknown_function,
)
from localmaker.services.lambda_.uploaded import describe_uploaded
from localmaker.state.credentials import ANY

# Lambda's names.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: "Lambda quotas" in the developer guide: the largest answer.
LARGEST_ANSWER_BYTES = 6 << 20
# What stands around the value in result.json.
_AROUND_BYTES = 64


class ResultTooLargeError(Exception):
    """A function has written more than an answer may have."""


class FunctionFailedError(LocalmakerError):
    """A function raised, was killed, could not be started or did not answer in time.

    Attributes:
        error: Lambda's answer to a failed invocation: ``errorType``, ``errorMessage`` and, for an exception,
            ``stackTrace``.
    """

    def __init__(self, text: str, kind: str, message: str, stack: Sequence[str] | None = None) -> None:
        super().__init__(text)
        trace = {} if stack is None else {"stackTrace": list(stack)}
        self.error: dict[str, Any] = {"errorMessage": message, "errorType": kind, **trace}


class FunctionRaisedError(Exception):
    """A function has raised an exception, and its process may go on."""

    def __init__(self, failure: FunctionFailedError) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True)
class Surroundings:
    """What calls of functions need of the endpoint.

    Attributes:
        state_dir: of the endpoint; may hold the table of functions, and gets their output.
        url, region: of the endpoint, for the function's own AWS clients.
        logs: a client of CloudWatch Logs, which gets the output, too.
        acting: gives the function credentials of its role; without it any will do.
        functions: the calls in progress; knows the only way out of a VPC, if there is one.
    """

    state_dir: Path
    url: str
    region: str
    logs: Any
    acting: Acting | None
    functions: RunningFunctions


def call_function(
    arn: str,
    event: Any,
    around: Surroundings,
    *,
    started: Callable[[Callable[[bool], None]], object],
    request_id: str | None = None,
    longest_seconds: int | None = None,
) -> Any:
    """Call a function and return its result.

    Args:
        arn: of the function, or its name.
        event: its first argument.
        around: the endpoint.
        started: called once the function runs, with a callback that takes whether the endpoint shuts down, and kills
            the function then.
        request_id: of the call; a new one by default.
        longest_seconds: that the caller waits, if that may be less than the function's time-out.

    Raises:
        FunctionTableError, UnknownFunctionError: there is no such function, or its entry is wrong.
        FunctionFailedError: it returned nothing.
        AwsError: Lambda may not assume its role.
    """
    name = function_name(arn)
    function = registered_function(name, around.state_dir) or describe_uploaded(arn, around.region)
    if function is None:
        raise unknown_function(name, around.state_dir)
    if around.acting is not None and function.role is not None:
        around.acting.check_function_role(function.role, arn)
    idle = around.functions.idle
    execution = (idle.take(function.key) if function.uploaded else None) or Execution(function)
    output = FunctionOutput(
        request_id or str(uuid.uuid4()),
        log_file(name, around.state_dir),
        group=function.log_group or log_group(name),
        client=around.logs,
        version=function.version,
        memory_mb=function.memory_mb,
        stream=execution.stream,
    )
    seconds = min(function.timeout_seconds, longest_seconds or function.timeout_seconds)
    document = _call_document(execution, arn, event, output, seconds)
    kept = False
    try:
        with output.copied(execution.output):
            end = _run(execution, document, output, _Call(arn, around, seconds, started))
        value = _value(execution, output, end)
        kept = end.answered
    except FunctionRaisedError as error:
        kept = True
        raise error.failure from None
    finally:
        if kept and function.uploaded:
            idle.give(execution)
        else:
            execution.close()
    return value


@dataclass(frozen=True)
class _Call:
    """One call, with what it needs of the endpoint."""

    arn: str
    around: Surroundings
    seconds: int
    started: Callable[[Callable[[bool], None]], object]


def _call_document(execution: Execution, arn: str, event: Any, output: FunctionOutput, seconds: int) -> dict[str, Any]:
    """Describe the call for :mod:`localmaker.services.lambda_.host`."""
    function, root = execution.function, execution.root
    return {
        "arn": arn,
        "event": event,
        "name": function.name,
        "file": str(Path(root, function.file)),
        "root": root,
        "attribute": function.attribute,
        "timeout_seconds": seconds,
        "request_id": output.request_id,
        "log_group": output.group,
        "log_stream": output.stream,
        "memory_mb": function.memory_mb,
        "version": function.version,
    }


def _value(execution: Execution, output: FunctionOutput, end: _End) -> Any:
    """Return what the function has returned.

    Raises:
        FunctionRaisedError: it has raised, and may be called again.
        FunctionFailedError: there is nothing.
    """
    function = execution.function
    try:
        answer = _answer(execution.result())
    except ResultTooLargeError:
        kind = "Function.ResponseSizeTooLarge"
        message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER_BYTES} bytes)."
        text = f"Lambda function [{function.name}] failed: {message} {_where(output)}"
        raise FunctionFailedError(text, kind, message) from None
    if "value" in answer:
        return answer["value"]
    error = answer.get("error")
    if end.stopped:
        kind, message, stack = "Runtime.ExitError", "the local endpoint was stopped", None
        reason = message
    elif error:
        kind, message, stack = error["type"], error["message"], error["stack"]
        reason = f"{kind}: {message}"
    else:
        kind, stack = "Runtime.ExitError", None
        how, reason = f"exit status {end.code}", f"its process ended with exit code {end.code}"
        if end.exceeded is not None:
            # What Lambda says of a function that exceeds its memory, too.
            how, reason = "signal: killed", f"it was killed: it exceeded its {end.exceeded} ({function.memory_mb} MB)"
        message = f"RequestId: {output.request_id} Error: Runtime exited with error: {how}"
    text = f"Lambda function [{function.name}] failed: {reason}. {_where(output)}"
    failure = FunctionFailedError(text, kind, message, stack)
    raise FunctionRaisedError(failure) if end.answered and error else failure


@dataclass(frozen=True)
class _End:
    """The end of a call: whether it was answered, or the endpoint killed it, or which limit it exceeded."""

    answered: bool
    stopped: bool
    code: int
    exceeded: str | None


def _run(execution: Execution, document: Mapping[str, Any], output: FunctionOutput, call: _Call) -> _End:
    """Run a call until it has ended."""
    function, stopping = execution.function, threading.Event()
    if not execution.is_running:
        try:
            _start(execution, output, call)
        except (SandboxError, EnvironmentBuildError) as exc:
            text = f"Lambda function [{function.name}] could not be started: {exc}"
            raise FunctionFailedError(text, "Runtime.InvalidEntrypoint", text) from exc

    def stop(closing: bool) -> None:
        if closing:
            stopping.set()
            execution.kill()

    ending = Ending.TIMED_OUT
    try:
        call.started(stop)
        ending = execution.call(document, call.seconds)
    finally:
        if ending is not Ending.ANSWERED or not function.uploaded:
            execution.end()
    if ending is Ending.TIMED_OUT:
        output.write_timeout(execution.output_writer, call.seconds)
        raise FunctionFailedError(
            f"Lambda function [{function.name}] did not end within {call.seconds} seconds "
            f"and was killed. {_where(output)}",
            "Sandbox.Timedout",
            f"RequestId: {output.request_id} Error: Task timed out after {call.seconds:.2f} seconds",
        )
    return _End(ending is Ending.ANSWERED, stopping.is_set(), execution.code, execution.exceeded)


def _start(execution: Execution, output: FunctionOutput, call: _Call) -> None:
    """Start a process, with credentials of the function's role for as long as it lives."""
    function, around = execution.function, call.around
    credentials: Mapping[str, str] = ANY.variables()
    if around.acting is not None:
        credentials = execution.credentials.enter_context(around.acting.function(function.role, call.arn))
    variables = {
        "AWS_ENDPOINT_URL": around.url,
        **credentials,
        "AWS_DEFAULT_REGION": around.region,
        "AWS_REGION": around.region,
    }
    settings = Start(output.group, variables, around.functions.door)
    if function.uploaded:
        around.functions.idle.start(lambda: execution.start(settings))
    else:
        execution.start(settings)


def log_file(name: str, state_dir: Path) -> Path:
    """Return the file with the output of all calls of a function.

    Raises:
        FunctionTableError: Lambda has no function of such a name.
    """
    if _NAME.fullmatch(name) is None:
        raise FunctionTableError(f"[{name}] is not the name of a function: letters, digits, - and _, 64 at most")
    return state_dir / "functions" / f"{name}.log"


def _where(output: FunctionOutput) -> str:
    return f"Its output is in {output.file} and in log group {output.group}."


def _answer(file: Path) -> dict[str, Any]:
    """Return what a function's program has written, ``{"value": …}`` or ``{"error": …}``; empty if it is neither.

    The function can write there, too, so nothing about the file is taken for granted.

    Raises:
        ResultTooLargeError: it is larger than any answer may be.
    """
    try:
        answer = json.loads(_read(file))
    except (OSError, ValueError, RecursionError):  # it was killed before it had written all of it, for instance
        return {}
    if not isinstance(answer, dict):
        return {}
    error = answer.get("error")
    if isinstance(error, dict) and all(isinstance(error.get(key), str) for key in ("type", "message")):
        stack = error.get("stack")
        return {"error": {**error, "stack": stack if isinstance(stack, list) else []}}
    return {"value": answer["value"]} if "value" in answer else {}


def _read(path: Path) -> bytes:
    """Return the content of a file that a function has written; links are not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            return b""
        if state.st_size > LARGEST_ANSWER_BYTES + _AROUND_BYTES:
            raise ResultTooLargeError
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST_ANSWER_BYTES + _AROUND_BYTES)
    finally:
        os.close(descriptor)
