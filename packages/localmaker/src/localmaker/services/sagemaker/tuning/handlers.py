"""The tuning operations of SageMaker, registered with the endpoint. Importing this module registers them."""

from __future__ import annotations

from typing import Any

from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.listing import page
from localmaker.services.sagemaker.tuning import shapes
from localmaker.services.sagemaker.tuning.records import TuningRecord
from localmaker.services.sagemaker.tuning.service import TuningJobs

_NAME = "HyperParameterTuningJobName"
_ARN = "HyperParameterTuningJobArn"


@operation("sagemaker", "CreateHyperParameterTuningJob")
def create(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a tuning job and start it."""
    return {_ARN: context.service(TuningJobs).create(request)}


@operation("sagemaker", "DescribeHyperParameterTuningJob")
def describe(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a tuning job."""
    return context.service(TuningJobs).describe(request[_NAME])


@operation("sagemaker", "StopHyperParameterTuningJob")
def stop(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Stop a tuning job and its training jobs."""
    context.service(TuningJobs).stop(request[_NAME])
    return {}


@operation("sagemaker", "DeleteHyperParameterTuningJob")
def delete(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a tuning job that has ended; its training jobs stay."""
    context.service(TuningJobs).delete(request[_NAME])
    return {}


@operation("sagemaker", "ListHyperParameterTuningJobs")
def list_jobs(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List tuning jobs by the request's filters, order and pages."""
    found = [record for record in context.service(TuningJobs).all() if _matches(record, request)]
    by = request.get("SortBy", "Name")
    found.sort(key=lambda one: ({"Name": one.name, "Status": one.status.value}.get(by, ""), one.created, one.name))
    if request.get("SortOrder", "Ascending") == "Descending":
        found.reverse()
    return page(found, request, "HyperParameterTuningJobSummaries", shapes.listed)


@operation("sagemaker", "ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List the training jobs that a tuning job has started."""
    record = context.service(TuningJobs).record(request[_NAME])
    return page(shapes.training_jobs(record, request), request, "TrainingJobSummaries")


def _matches(record: TuningRecord, request: dict[str, Any]) -> bool:
    if request.get("StatusEquals") not in (None, record.status.value):
        return False
    if request.get("NameContains", "").lower() not in record.name.lower():
        return False
    for prefix, time in (("CreationTime", record.created), ("LastModifiedTime", record.modified)):
        after, before = request.get(f"{prefix}After"), request.get(f"{prefix}Before")
        if (after and time <= after) or (before and time >= before):
            return False
    return True
