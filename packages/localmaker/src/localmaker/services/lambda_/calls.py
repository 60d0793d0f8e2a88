"""Calls of local Python functions in place of Lambda functions, each in its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_ import host
from localmaker.services.lambda_.logs import MEMORY_MB, FunctionOutput, log_group
from localmaker.services.lambda_.table import LocalFunction, function_name, registered_function, unknown_function
from localmaker.services.lambda_.uploaded import unpack_uploaded
from localmaker.state.credentials import ANY


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


def call_function(
    arn: str,
    event: Any,
    *,
    state_dir: Path,
    url: str,
    region: str,
    logs: Any,
    acting: Acting | None,
    started: Callable[[Callable[[bool], None]], object],
    request_id: str | None = None,
) -> Any:
    """Call a function and return its result.

    Args:
        arn: of the function, or its name.
        event: its first argument.
        state_dir: of the endpoint; may hold the table of functions, and gets their output.
        url, region: of the endpoint, for the function's own AWS clients.
        logs: a client of CloudWatch Logs, which gets the output, too.
        acting: gives the function credentials of its role; without it any will do.
        started: called once the function runs, with a callback that takes whether the endpoint shuts down, and kills
            the function then.
        request_id: of the call; a new one by default.

    Raises:
        FunctionTableError, UnknownFunctionError: there is no such function, or its entry is wrong.
        FunctionFailedError: it returned nothing.
    """
    name = function_name(arn)
    with tempfile.TemporaryDirectory(prefix="function-") as folder:
        directory = Path(folder)
        function = registered_function(name, state_dir) or unpack_uploaded(arn, region, directory / "code")
        if function is None:
            raise unknown_function(name, state_dir)
        output = FunctionOutput(
            request_id or str(uuid.uuid4()), log_file(name, state_dir), group=log_group(name), client=logs
        )
        (directory / "call.json").write_text(json.dumps(_call_document(function, arn, event, output)), encoding="utf-8")
        with acting.function(function.role, arn) if acting else nullcontext(ANY.variables()) as credentials:
            environment = _environment(function, url, region, output, credentials)
            return _call(function, directory, output=output, environment=environment, started=started)


def _call_document(function: LocalFunction, arn: str, event: Any, output: FunctionOutput) -> dict[str, Any]:
    """Describe the call for :mod:`localmaker.services.lambda_.host`."""
    return {
        "arn": arn,
        "event": event,
        "name": function.name,
        "file": str(function.file),
        "root": str(function.root or function.file.parent),
        "attribute": function.attribute,
        "timeout_seconds": function.timeout_seconds,
        "request_id": output.request_id,
        "log_group": output.group,
        "log_stream": output.stream,
        "memory_mb": MEMORY_MB,
    }


def _call(
    function: LocalFunction,
    directory: Path,
    *,
    output: FunctionOutput,
    environment: dict[str, str],
    started: Callable[[Callable[[bool], None]], object],
) -> Any:
    with output.opened() as descriptor:
        stopped, code = _run(function, directory, output, descriptor, environment=environment, started=started)
    answer = _answer(directory)
    if "value" in answer:
        return answer["value"]
    error = answer.get("error")
    if stopped:
        kind, message, stack = "Runtime.ExitError", "the local endpoint was stopped", None
        reason = message
    elif error:
        kind, message, stack = error["type"], error["message"], error["stack"]
        reason = f"{kind}: {message}"
    else:
        reason = f"its process ended with exit code {code}"
        kind, stack = "Runtime.ExitError", None
        message = f"RequestId: {output.request_id} Error: Runtime exited with error: exit status {code}"
    text = f"Lambda function [{function.name}] failed: {reason}. {_where(output)}"
    raise FunctionFailedError(text, kind, message, stack)


def _run(
    function: LocalFunction,
    directory: Path,
    output: FunctionOutput,
    descriptor: int,
    *,
    environment: dict[str, str],
    started: Callable[[Callable[[bool], None]], object],
) -> tuple[bool, int]:
    """Run the function; return whether the endpoint killed it, and the exit code."""
    stopping = threading.Event()
    try:
        process = subprocess.Popen(
            [function.python, host.__file__, str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=environment,
            cwd=function.root or directory,
            start_new_session=True,
        )
    except OSError as exc:
        text = f"Lambda function [{function.name}] could not be started with {function.python}: {exc}"
        raise FunctionFailedError(text, "Runtime.InvalidEntrypoint", text) from exc

    def stop(closing: bool) -> None:
        if closing:
            stopping.set()
            _kill(process)

    try:
        started(stop)
        process.wait(function.timeout_seconds)
    except subprocess.TimeoutExpired:
        output.write_timeout(descriptor, function.timeout_seconds)
        raise FunctionFailedError(
            f"Lambda function [{function.name}] did not end within {function.timeout_seconds} seconds "
            f"and was killed. {_where(output)}",
            "Sandbox.Timedout",
            f"RequestId: {output.request_id} Error: Task timed out after {function.timeout_seconds:.2f} seconds",
        ) from None
    finally:
        _kill(process)
    return stopping.is_set(), process.returncode


def log_file(name: str, state_dir: Path) -> Path:
    """Return the file with the output of all calls of a function."""
    return state_dir / "functions" / f"{name}.log"


def _where(output: FunctionOutput) -> str:
    return f"Its output is in {output.file} and in log group {output.group}."


def _answer(directory: Path) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads((directory / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return answer


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the function and everything that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _environment(
    function: LocalFunction, url: str, region: str, output: FunctionOutput, credentials: Mapping[str, str]
) -> dict[str, str]:
    """Return the endpoint's variables with AWS settings that lead back to it, and the function's own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {
        **inherited,
        "AWS_ENDPOINT_URL": url,
        **credentials,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_LOG_GROUP_NAME": output.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": output.stream,
        "PYTHONUNBUFFERED": "1",
        **function.environment,
    }
