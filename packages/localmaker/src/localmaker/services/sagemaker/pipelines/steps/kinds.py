"""Run one attempt of a step, by step type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.iam.calls import Operation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.pipelines.ports import ExecutionServices
from localmaker.services.sagemaker.pipelines.records import StepStatus, json_ready
from localmaker.services.sagemaker.pipelines.steps.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    resolve_arguments,
)
from localmaker.services.sagemaker.pipelines.steps.callbacks import run_callback
from localmaker.services.sagemaker.pipelines.steps.experiments import JobComponent
from localmaker.services.sagemaker.pipelines.steps.lambdas import run_lambda
from localmaker.services.sagemaker.pipelines.steps.lineage import run_lineage
from localmaker.services.sagemaker.pipelines.steps.requests import check, refused, tagged
from localmaker.services.sagemaker.pipelines.steps.tuning import run_tuning
from pipedef.language.conditions import evaluate_all
from pipedef.language.expressions import ExpressionError, resolve, to_text
from pipedef.language.model import StepType
from pipedef.language.retrying import classify_job_failure

JOB_STEPS = frozenset({StepType.PROCESSING, StepType.TRAINING, StepType.TRANSFORM})
# These steps report themselves when they have started.
STOPPABLE_STEPS = JOB_STEPS | {StepType.TUNING, StepType.CALLBACK, StepType.LAMBDA}

_MAX_FAIL_MESSAGE = 3072


def run_condition(attempt: Attempt) -> StepResult:
    """Evaluate a Condition step."""
    try:
        holds = evaluate_all(attempt.step.arguments["Conditions"], attempt.scope)
    except ExpressionError as exc:
        raise StepFailure(f"ClientError: {exc}") from exc
    # The property is a Boolean, so that Std:Join writes it in lower case; the metadata has a word.
    word = "True" if holds else "False"
    return StepResult(StepStatus.SUCCEEDED, {"Outcome": holds}, {"Condition": {"Outcome": word}})


def run_fail(attempt: Attempt) -> StepResult:
    """Fail the execution with the step's message."""
    message = to_text(resolve_arguments(attempt.step, attempt.scope)["ErrorMessage"])
    raise StepFailure(message, metadata={"Fail": {"ErrorMessage": message[:_MAX_FAIL_MESSAGE]}})


def run_job(attempt: Attempt) -> StepResult:
    """Run a processing, training or transform job and wait for its end."""
    services, kind, name = attempt.services, JobKind(attempt.step.type), attempt.resource_name
    request = _job_request(attempt)
    check(attempt.step.type, request)
    try:
        services.authorize(Operation("sagemaker", f"Create{kind}Job", request))
        arn = services.jobs.create(kind, request)
    except (AwsError, ClientError, BotoCoreError) as exc:
        raise refused(attempt.step.type, exc) from exc
    metadata = {f"{kind}Job": {"Arn": arn}}
    attempt.started(metadata, lambda _closing: _stop_job(services, kind, name))
    component = JobComponent(services, kind, name, request.get("ExperimentConfig", {}))
    component.begin()
    services.authorize(Operation("sagemaker", f"Describe{kind}Job", {kind.name_field: name}))
    described = services.jobs.wait(kind, name)
    component.end(described)
    status = described[f"{kind}JobStatus"]
    if status == "Failed":
        reason = described.get("FailureReason") or "The job failed without a reason."
        raise StepFailure(f"ClientError: {reason}", classify_job_failure(reason), metadata)
    ended = StepStatus.STOPPED if status == "Stopped" else StepStatus.SUCCEEDED
    return StepResult(ended, json_ready(described), metadata)


def _stop_job(services: ExecutionServices, kind: JobKind, name: str) -> None:
    services.authorize(Operation("sagemaker", f"Stop{kind}Job", {kind.name_field: name}))
    services.jobs.stop(kind, name)


def _job_request(attempt: Attempt) -> dict[str, Any]:
    kind = attempt.step.type
    request = resolve_arguments(attempt.step, attempt.scope)
    request[f"{kind}JobName"] = attempt.resource_name
    if attempt.experiment is not None and "ExperimentConfig" not in request:
        experiment = resolve(attempt.experiment, attempt.scope)
        request["ExperimentConfig"] = {key: to_text(value) for key, value in experiment.items()}
    return tagged(request, attempt)


def run_model(attempt: Attempt) -> StepResult:
    """Run CreateModel."""
    name = attempt.resource_name
    request = {**tagged(resolve_arguments(attempt.step, attempt.scope), attempt), "ModelName": name}

    def create(client: Any) -> tuple[str, Any]:
        return client.create_model(**request)["ModelArn"], client.describe_model(ModelName=name)

    return _created(attempt, request, create)


def run_register_model(attempt: Attempt) -> StepResult:
    """Run CreateModelPackage; the model package group is created where it does not exist, as AWS does."""
    request = resolve_arguments(attempt.step, attempt.scope)
    request["MetadataProperties"] = {"GeneratedBy": attempt.execution.arn, **request.get("MetadataProperties", {})}
    group = request.get("ModelPackageGroupName")
    # A version of a group has no name of its own.
    request.pop("ModelPackageName", None)
    if group is None:
        request["ModelPackageName"] = attempt.resource_name

    def create(client: Any) -> tuple[str, Any]:
        if group is not None:
            _ensure_group(attempt.services.own("sagemaker"), client, group)
        arn = client.create_model_package(**request)["ModelPackageArn"]
        return arn, client.describe_model_package(ModelPackageName=arn)

    return _created(attempt, request, create)


def run_endpoint_config(attempt: Attempt) -> StepResult:
    """Run CreateEndpointConfig, under the name in the arguments if there is one."""
    request = tagged(resolve_arguments(attempt.step, attempt.scope), attempt)
    name = request.setdefault("EndpointConfigName", attempt.resource_name)

    def create(client: Any) -> tuple[str, Any]:
        known = attempt.services.own("sagemaker").list_endpoint_configs(NameContains=name)["EndpointConfigs"]
        if any(item["EndpointConfigName"] == name for item in known):
            raise AwsError("ValidationException", f"Cannot create already existing endpoint configuration [{name}].")
        arn = client.create_endpoint_config(**request)["EndpointConfigArn"]
        return arn, client.describe_endpoint_config(EndpointConfigName=name)

    return _created(attempt, request, create)


def _created(attempt: Attempt, request: dict[str, Any], create: Callable[[Any], tuple[str, Any]]) -> StepResult:
    """Check a request and carry it out.

    Args:
        create: gives ARN and description of the new resource, from a client that acts under the execution's role.

    Raises:
        StepFailure: the request is not valid, or was refused.
    """
    kind = attempt.step.type
    check(kind, request)
    try:
        arn, described = create(attempt.services.client("sagemaker"))
    except (AwsError, ClientError, BotoCoreError) as exc:
        raise refused(kind, exc) from exc
    return StepResult(StepStatus.SUCCEEDED, json_ready(described), {str(kind): {"Arn": arn}})


def _ensure_group(own: Any, client: Any, group: str) -> None:
    try:
        own.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as missing:
        if missing.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        try:
            client.create_model_package_group(ModelPackageGroupName=group)
        except ClientError as exists:
            # Two steps may register the first versions at the same time: the group exists then.
            if "exist" not in exists.response["Error"]["Message"]:
                raise


RUNNERS: Mapping[StepType, Callable[[Attempt], StepResult]] = {
    StepType.CONDITION: run_condition,
    StepType.FAIL: run_fail,
    StepType.PROCESSING: run_job,
    StepType.TRAINING: run_job,
    StepType.TRANSFORM: run_job,
    StepType.TUNING: run_tuning,
    StepType.MODEL: run_model,
    StepType.REGISTER_MODEL: run_register_model,
    StepType.ENDPOINT_CONFIG: run_endpoint_config,
    StepType.CALLBACK: run_callback,
    StepType.LAMBDA: run_lambda,
    StepType.LINEAGE: run_lineage,
}
