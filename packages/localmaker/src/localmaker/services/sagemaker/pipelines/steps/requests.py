"""The AWS requests that steps make: their tags, their checks, and what a refusal does to the step."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.steps.attempts import Attempt, StepFailure, refusal
from pipedef.language.arguments import REQUEST_OPERATIONS, validate_step_request
from pipedef.language.model import StepType


def tagged(request: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    """Return a request with the tags that SageMaker gives what a step creates."""
    own = {"sagemaker:pipeline-execution-arn": attempt.execution.arn, "sagemaker:pipeline-step-name": attempt.step.name}
    tags = [tag for tag in request.get("Tags", []) if tag["Key"] not in own]
    return {**request, "Tags": [*tags, *({"Key": key, "Value": value} for key, value in own.items())]}


def check(step_type: StepType, request: dict[str, Any]) -> None:
    """Check a complete request as its operation does.

    Raises:
        StepFailure: it is not valid.
    """
    try:
        validate_step_request(step_type, request)
    except AwsError as exc:
        raise refused(step_type, exc) from exc


def refused(step_type: StepType, exc: AwsError | ClientError | BotoCoreError) -> StepFailure:
    """Return the failure of a step whose request was refused or not answered."""
    return refusal(f"sagemaker:{REQUEST_OPERATIONS[step_type]}", exc)
