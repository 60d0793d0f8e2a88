"""Tuning steps: a tuning job runs, and its properties are what describes it and the best of its training jobs."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.iam.calls import Operation
from localmaker.services.sagemaker.pipelines.records import StepStatus, json_ready
from localmaker.services.sagemaker.pipelines.steps.attempts import Attempt, StepFailure, StepResult, resolve_arguments
from localmaker.services.sagemaker.pipelines.steps.requests import check, refused, tagged
from pipedef.language.retrying import classify_job_failure

_NAME = "HyperParameterTuningJobName"


def run_tuning(attempt: Attempt) -> StepResult:
    """Run a tuning job and wait for its end."""
    services, name, kind = attempt.services, attempt.resource_name, attempt.step.type
    if services.tuning is None:
        raise LookupError("there is no service of tuning jobs")
    tuning = services.tuning
    request = tagged({**resolve_arguments(attempt.step, attempt.scope), _NAME: name}, attempt)
    check(kind, request)
    try:
        services.authorize(Operation("sagemaker", "CreateHyperParameterTuningJob", request))
        arn = tuning.create(request)
    except (AwsError, ClientError, BotoCoreError) as exc:
        raise refused(kind, exc) from exc

    def stop(_closing: bool) -> None:
        services.authorize(Operation("sagemaker", "StopHyperParameterTuningJob", {_NAME: name}))
        tuning.stop(name)

    metadata = {"TuningJob": {"Arn": arn}}
    attempt.started(metadata, stop)
    for operation in ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"):
        services.authorize(Operation("sagemaker", operation, {_NAME: name}))
    described = tuning.wait(name)
    status = described["HyperParameterTuningJobStatus"]
    if status == "Failed":
        reason = described["FailureReason"]
        raise StepFailure(f"ClientError: {reason}", classify_job_failure(reason), metadata)
    ended = StepStatus.STOPPED if status == "Stopped" else StepStatus.SUCCEEDED
    return StepResult(ended, json_ready(described), metadata)
