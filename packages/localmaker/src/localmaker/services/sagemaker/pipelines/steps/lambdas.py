"""Lambda steps: a local Python function runs in a process of its own, and its result becomes output parameters.

As in AWS the function gets the step's arguments as its event, and returns a dictionary with the declared output
parameters. It cannot be stopped: StopPipelineExecution waits until it has ended.
"""

from __future__ import annotations

import json
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.iam.calls import Operation
from localmaker.services.lambda_.calls import FunctionFailedError, Surroundings, call_function
from localmaker.services.lambda_.table import (
    MAX_TIMEOUT_SECONDS,
    FunctionTableError,
    UnknownFunctionError,
    function_name,
)
from localmaker.services.sagemaker.pipelines.records import StepStatus
from localmaker.services.sagemaker.pipelines.steps.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    refusal,
    resolve_arguments,
    resolve_target,
)
from pipedef.language.outputs import output_list, typed_outputs


def run_lambda(attempt: Attempt) -> StepResult:
    """Call the function and read its output parameters."""
    step, services = attempt.step, attempt.services
    arn = resolve_target(step, attempt.scope) or ""
    event = resolve_arguments(step, attempt.scope)
    metadata: dict[str, Any] = {"Arn": arn, "OutputParameters": []}
    name = function_name(arn)
    client = services.client("sagemaker").meta
    try:
        services.authorize(Operation("lambda", "Invoke", {"FunctionName": arn}))
        answer = call_function(
            arn,
            event,
            Surroundings(
                state_dir=services.state_dir,
                url=client.endpoint_url,
                region=client.region_name,
                logs=services.own("logs"),
                acting=services.acting,
                functions=services.functions,
            ),
            started=lambda stop: attempt.started({"Lambda": metadata}, stop),
            longest_seconds=MAX_TIMEOUT_SECONDS,
        )
    except AwsError as exc:
        raise refusal("lambda:Invoke", exc) from exc
    except (FunctionTableError, UnknownFunctionError) as exc:
        raise StepFailure(f"ClientError: Failed to invoke lambda:Invoke. Error Details: {exc}") from exc
    except FunctionFailedError as exc:
        raise StepFailure(f"ClientError: {exc}", metadata={"Lambda": metadata}) from exc
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
