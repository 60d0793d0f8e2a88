"""The job operations of SageMaker, registered with the endpoint. Importing this module registers them."""

from __future__ import annotations

from typing import Any

from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.service import JobService


def _register(kind: JobKind) -> None:
    """Register the operations that every kind of job has."""

    @operation("sagemaker", f"Create{kind}Job")
    def create(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return {kind.arn_field: context.service(JobService).create(kind, request)}

    @operation("sagemaker", f"Describe{kind}Job")
    def describe(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return context.service(JobService).describe(kind, request[kind.name_field])

    @operation("sagemaker", f"List{kind}Jobs")
    def list_jobs(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return context.service(JobService).list(kind, request)

    @operation("sagemaker", f"Stop{kind}Job")
    def stop(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        context.service(JobService).stop(kind, request[kind.name_field])
        return {}

    if kind is JobKind.TRANSFORM:
        return  # AWS has no operation that deletes a transform job

    @operation("sagemaker", f"Delete{kind}Job")
    def delete(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        context.service(JobService).delete(kind, request[kind.name_field])
        return {}


for _kind in JobKind:
    _register(_kind)


@operation("sagemaker", "UpdateTrainingJob")
def update_training_job(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change a job's warm pool or profiling."""
    return {"TrainingJobArn": context.service(JobService).update(request)}
