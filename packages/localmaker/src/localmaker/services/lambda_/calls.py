"""Calls of local Python functions in place of Lambda functions, each in its own process."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError
from localmaker.images.environments import EnvironmentBuildError
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import SandboxError
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.logs import FunctionOutput, log_group
from localmaker.services.lambda_.process import has_ended, seen_paths, start
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.lambda_.table import (
    FunctionTableError,
    LocalFunction,
    function_name,
    registered_function,
    unknown_function,
)
from localmaker.services.lambda_.uploaded import unpack_uploaded
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
    with tempfile.TemporaryDirectory(prefix="function-") as folder:
        directory = Path(folder)
        function = registered_function(name, around.state_dir) or unpack_uploaded(
            arn, around.region, directory / "code"
        )
        if function is None:
            raise unknown_function(name, around.state_dir)
        if longest_seconds is not None:
            function = replace(function, timeout_seconds=min(function.timeout_seconds, longest_seconds))
        output = FunctionOutput(
            request_id or str(uuid.uuid4()),
            log_file(name, around.state_dir),
            group=function.log_group or log_group(name),
            client=around.logs,
            version=function.version,
            memory_mb=function.memory_mb,
        )
        (directory / "call").mkdir()
        document = json.dumps(_call_document(function, directory, arn, event, output))
        (directory / "call" / "call.json").write_text(document, encoding="utf-8")
        acting = around.acting
        with acting.function(function.role, arn) if acting else nullcontext(ANY.variables()) as credentials:
            variables = {
                "AWS_ENDPOINT_URL": around.url,
                **credentials,
                "AWS_DEFAULT_REGION": around.region,
                "AWS_REGION": around.region,
            }
            return _call(
                function, directory, output=output, variables=variables, started=started, door=around.functions.door
            )


def _call_document(
    function: LocalFunction, directory: Path, arn: str, event: Any, output: FunctionOutput
) -> dict[str, Any]:
    """Describe the call for :mod:`localmaker.services.lambda_.host`."""
    root = str(function.file.parent) if function.root is None else seen_paths(function.root, directory)[0]
    return {
        "arn": arn,
        "event": event,
        "name": function.name,
        "file": str(Path(root, function.file.relative_to(function.root or function.file.parent))),
        "root": root,
        "attribute": function.attribute,
        "timeout_seconds": function.timeout_seconds,
        "request_id": output.request_id,
        "log_group": output.group,
        "log_stream": output.stream,
        "memory_mb": function.memory_mb,
        "version": function.version,
    }


def _call(
    function: LocalFunction,
    directory: Path,
    *,
    output: FunctionOutput,
    variables: Mapping[str, str],
    started: Callable[[Callable[[bool], None]], object],
    door: Door | None,
) -> Any:
    with output.opened() as descriptor:
        end = _run(function, directory, output, descriptor, variables=variables, started=started, door=door)
    try:
        answer = _answer(directory)
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
    raise FunctionFailedError(text, kind, message, stack)


@dataclass(frozen=True)
class _End:
    """The end of a function's process: whether the endpoint killed it, and which limit it exceeded."""

    stopped: bool
    code: int
    exceeded: str | None


def _run(
    function: LocalFunction,
    directory: Path,
    output: FunctionOutput,
    descriptor: int,
    *,
    variables: Mapping[str, str],
    started: Callable[[Callable[[bool], None]], object],
    door: Door | None,
) -> _End:
    """Run the function until it has ended."""
    stopping = threading.Event()
    try:
        process = start(function, directory, output, descriptor, variables, door=door)
    except (SandboxError, EnvironmentBuildError) as exc:
        text = f"Lambda function [{function.name}] could not be started: {exc}"
        raise FunctionFailedError(text, "Runtime.InvalidEntrypoint", text) from exc

    def stop(closing: bool) -> None:
        if closing:
            stopping.set()
            process.kill()

    timed_out = True
    try:
        started(stop)
        timed_out = not has_ended(process, function.timeout_seconds)
    finally:
        process.kill()
        code = process.wait()
    if timed_out:
        output.write_timeout(descriptor, function.timeout_seconds)
        raise FunctionFailedError(
            f"Lambda function [{function.name}] did not end within {function.timeout_seconds} seconds "
            f"and was killed. {_where(output)}",
            "Sandbox.Timedout",
            f"RequestId: {output.request_id} Error: Task timed out after {function.timeout_seconds:.2f} seconds",
        )
    return _End(stopping.is_set(), code, process.exceeded)


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


def _answer(directory: Path) -> dict[str, Any]:
    """Return what a function's program has written, ``{"value": …}`` or ``{"error": …}``; empty if it is neither.

    The function can write there, too, so nothing about the file is taken for granted.

    Raises:
        ResultTooLargeError: it is larger than any answer may be.
    """
    try:
        answer = json.loads(_read(directory / "call" / "result.json"))
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
