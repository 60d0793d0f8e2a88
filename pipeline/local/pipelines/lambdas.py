"""Lambda steps: a local Python function is called in a process of its own, and its answer becomes output parameters.

As in AWS the function gets the step's arguments as its event, and what it returns is a dictionary whose keys are the
declared output parameters. It can't be stopped: StopPipelineExecution waits until it has ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline.local.pipelines import function_host
from pipeline.local.pipelines.attempts import Attempt, StepFailure, StepResult, resolve_arguments, resolve_target
from pipeline.local.pipelines.functions import (
    FunctionTableError,
    LocalFunction,
    UnknownFunctionError,
    function_name,
    registered_function,
    unknown_function,
)
from pipeline.local.pipelines.outputs import output_list, typed_outputs
from pipeline.local.pipelines.ports import World
from pipeline.local.pipelines.records import StepStatus
from pipeline.local.pipelines.uploaded_functions import unpack_uploaded
from pipeline.local.state import ACCESS_KEY_ID, SECRET_ACCESS_KEY


def run_lambda(attempt: Attempt) -> StepResult:
    """Call the function and read its output parameters."""
    step = attempt.step
    arn = resolve_target(step, attempt.scope) or ""
    event = resolve_arguments(step, attempt.scope)
    metadata: dict[str, Any] = {"Arn": arn, "OutputParameters": []}
    name = function_name(arn)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="function-")))
        try:
            function = registered_function(name, attempt.world.state_dir)
            function = function or unpack_uploaded(arn, _region(attempt.world), directory / "code")
            if function is None:
                raise unknown_function(name, attempt.world.state_dir)
        except (FunctionTableError, UnknownFunctionError) as exc:
            raise StepFailure(f"ClientError: Failed to invoke lambda:Invoke. Error Details: {exc}") from exc
        answer = _call(attempt, function, {"arn": arn, "event": event}, directory, metadata)
    try:
        outputs = typed_outputs(step.outputs, answer if isinstance(answer, dict) else {})
    except ValueError as exc:
        raise StepFailure(
            f"ClientError: Lambda function [{name}] returned {json.dumps(answer)[:200]}: {exc}.",
            metadata={"Lambda": metadata},
        ) from exc
    return StepResult(
        StepStatus.SUCCEEDED,
        {"OutputParameters": outputs},
        {"Lambda": {**metadata, "OutputParameters": output_list(outputs)}},
    )


def _call(
    attempt: Attempt, function: LocalFunction, call: dict[str, Any], directory: Path, metadata: dict[str, Any]
) -> Any:
    """What the function returns.

    Raises:
        StepFailure: it raised, was killed or did not answer in time.
    """
    call = {
        **call,
        "name": function.name,
        "file": str(function.file),
        "attribute": function.attribute,
        "timeout_seconds": function.timeout_seconds,
        "request_id": str(uuid.uuid4()),
    }
    (directory / "call.json").write_text(json.dumps(call), encoding="utf-8")
    log = attempt.world.state_dir / "functions" / f"{function.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    stopping = threading.Event()
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [function.python, function_host.__file__, str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(attempt.world, function),
                cwd=directory,
                start_new_session=True,
            )
    except OSError as exc:
        raise StepFailure(
            f"ClientError: Lambda function [{function.name}] could not be started with {function.python}: {exc}"
        ) from exc

    def stop(closing: bool) -> None:
        if closing:
            stopping.set()
            _kill(process)

    try:
        attempt.started({"Lambda": metadata}, stop)
        process.wait(function.timeout_seconds)
    except subprocess.TimeoutExpired:
        raise StepFailure(
            f"ClientError: Lambda function [{function.name}] did not end within {function.timeout_seconds} seconds "
            f"and was killed. Its output is in {log}.",
            metadata={"Lambda": metadata},
        ) from None
    finally:
        _kill(process)
    answer = _answer(directory)
    if "value" in answer:
        return answer["value"]
    error = answer.get("error")
    said = f"{error['type']}: {error['message']}" if error else f"its process ended with exit code {process.returncode}"
    if stopping.is_set():
        said = "the local endpoint was stopped"
    raise StepFailure(
        f"ClientError: Lambda function [{function.name}] failed: {said}. Its output is in {log}.",
        metadata={"Lambda": metadata},
    )


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


def _region(world: World) -> str:
    return str(world.client("sagemaker").meta.region_name)


def _environment(world: World, function: LocalFunction) -> dict[str, str]:
    """The endpoint's own variables without its AWS settings, those that lead to the endpoint, the function's own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {
        **inherited,
        "AWS_ENDPOINT_URL": world.client("sagemaker").meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": _region(world),
        "AWS_REGION": _region(world),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "PYTHONUNBUFFERED": "1",
        **function.environment,
    }
