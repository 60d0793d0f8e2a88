"""One attempt of a step: its input, how it can end, and how a refused AWS call becomes a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.ports import ExecutionServices
from localmaker.services.sagemaker.pipelines.records import ExecutionRecord, StepStatus
from localmaker.services.sagemaker.pipelines.steps.scope import ExecutionScope
from pipedef.language.arguments import REQUEST_OPERATIONS, fit, request_shape
from pipedef.language.expressions import ExpressionError, resolve, to_text
from pipedef.language.model import Step
from pipedef.language.retrying import ExceptionType, classify_refusal

# Called with True when the endpoint is shutting down and nothing may be waited for.
Stopper = Callable[[bool], None]


@dataclass(frozen=True)
class StepResult:
    """The result of an attempt that did not fail.

    Attributes:
        cache_source: ARN of the execution whose result was used instead of a run.
    """

    status: StepStatus
    properties: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    cache_source: str | None = None


class StepFailure(Exception):  # noqa: N818  the outcome of a step; it never reaches a user as an exception
    """An attempt failed. ``kind`` decides whether a retry policy applies."""

    def __init__(self, reason: str, kind: ExceptionType | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.metadata = metadata or {}


@dataclass(frozen=True)
class Attempt:
    """One attempt of a step.

    ``started`` is called once the attempt can be stopped, with the step's metadata and a function that stops it.
    """

    services: ExecutionServices
    execution: ExecutionRecord
    step: Step
    scope: ExecutionScope
    resource_name: str
    experiment: Mapping[str, Any] | None
    started: Callable[[dict[str, Any], Stopper], None]


def resolve_arguments(step: Step, scope: ExecutionScope) -> dict[str, Any]:
    """Return the arguments with every expression replaced, in the types that the request takes.

    Raises:
        StepFailure: a value does not exist.
    """
    arguments = _resolved(step.arguments, scope)
    fitted: dict[str, Any] = fit(arguments, request_shape(step.type)) if step.type in REQUEST_OPERATIONS else arguments
    return fitted


def resolve_target(step: Step, scope: ExecutionScope) -> str | None:
    """Return the queue or function that the step calls; None for other steps.

    Raises:
        StepFailure: a value does not exist.
    """
    return None if step.target is None else to_text(_resolved(step.target, scope))


def _resolved(value: Any, scope: ExecutionScope) -> Any:
    try:
        return resolve(value, scope)
    except ExpressionError as exc:
        raise StepFailure(f"ClientError: {exc}") from exc


def refusal(operation: str, exc: AwsError | ClientError | BotoCoreError) -> StepFailure:
    """Return the failure of a step whose call was refused or not answered.

    Args:
        operation: service and operation, such as ``sagemaker:CreateModel``.
        exc: the exception of the call.
    """
    if isinstance(exc, AwsError):
        return invoke_failure(operation, exc.message, classify_refusal(exc.code, exc.status))
    if isinstance(exc, ClientError):
        error = exc.response.get("Error", {})
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return invoke_failure(operation, error.get("Message", ""), classify_refusal(error.get("Code", ""), status))
    # No answer: the connection broke or timed out.
    return invoke_failure(operation, str(exc), ExceptionType.SERVICE_FAULT)


def invoke_failure(operation: str, details: str, kind: ExceptionType | None) -> StepFailure:
    """Return the failure of a step whose call failed, in AWS's words."""
    return StepFailure(f"ClientError: Failed to invoke {operation}. Error Details: {details}", kind)
