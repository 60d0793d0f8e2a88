"""The operations of jobs, as the local endpoint answers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.service import JobService

_Answer = Callable[[dict[str, Any], RequestContext], dict[str, Any]]


def _create(kind: JobKind) -> _Answer:
    def create(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return {kind.arn_field: context.service(JobService).create(kind, request)}

    return create


def _describe(kind: JobKind) -> _Answer:
    def describe(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return context.service(JobService).describe(kind, request[kind.name_field])

    return describe


def _list(kind: JobKind) -> _Answer:
    def list_jobs(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return context.service(JobService).list(kind, request)

    return list_jobs


def _stop(kind: JobKind) -> _Answer:
    def stop(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        context.service(JobService).stop(kind, request[kind.name_field])
        return {}

    return stop


def _delete(kind: JobKind) -> _Answer:
    def delete(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        context.service(JobService).delete(kind, request[kind.name_field])
        return {}

    return delete


for _kind in JobKind:
    operation("sagemaker", f"Create{_kind}Job")(_create(_kind))
    operation("sagemaker", f"Describe{_kind}Job")(_describe(_kind))
    operation("sagemaker", f"List{_kind}Jobs")(_list(_kind))
    operation("sagemaker", f"Stop{_kind}Job")(_stop(_kind))


@operation("sagemaker", "UpdateTrainingJob")
def update_training_job(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Warm pools and profiling."""
    return {"TrainingJobArn": context.service(JobService).update(request)}


# AWS has no operation that deletes a transform job.
for _kind in (JobKind.PROCESSING, JobKind.TRAINING):
    operation("sagemaker", f"Delete{_kind}Job")(_delete(_kind))
