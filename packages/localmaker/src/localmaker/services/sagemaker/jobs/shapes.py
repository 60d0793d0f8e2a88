"""Job records as AWS's responses: Describe*Job and List*Jobs. Pure functions over botocore's service model."""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import botocore.loaders
import botocore.model

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.records import JobRecord, now
from localmaker.services.sagemaker.jobs.requests import with_defaults
from localmaker.services.sagemaker.jobs.training.outputs import model_artifacts_uri
from localmaker.services.sagemaker.jobs.training.warm_pools import pool_status

_DEFAULT_PAGE = 10


@functools.cache
def service_model() -> botocore.model.ServiceModel:
    """Return botocore's description of SageMaker."""
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("sagemaker", "service-2"))


@functools.cache
def _members(operation: str, member: str | None = None) -> frozenset[str]:
    shape: Any = service_model().operation_model(operation).output_shape
    if member is not None:
        shape = shape.members[member].member
    return frozenset(shape.members)


def describe(record: JobRecord) -> dict[str, Any]:
    """Return the Describe response: the request and the state of the job."""
    known = _members(f"Describe{record.kind}Job")
    response = {name: value for name, value in with_defaults(record.kind, record.request).items() if name in known}
    response |= _common(record) | {"FailureReason": record.failure_reason, "LastModifiedTime": record.modified}
    if record.kind is JobKind.PROCESSING:
        response["ExitMessage"] = record.exit_message
    if record.kind is JobKind.TRAINING:
        response |= _training_fields(record)
    return {name: value for name, value in response.items() if name in known and value is not None}


def _common(record: JobRecord) -> dict[str, Any]:
    kind = record.kind
    return {
        kind.name_field: record.name,
        kind.arn_field: record.arn,
        kind.status_field: record.status.value,
        "CreationTime": record.created,
        f"{kind}StartTime": record.started,
        f"{kind}EndTime": record.ended,
    }


def _training_fields(record: JobRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "TuningJobArn": record.tuned_by,
        "SecondaryStatus": record.secondary_status,
        "SecondaryStatusTransitions": [
            {
                "Status": entry.status,
                "StartTime": entry.started,
                **({"EndTime": entry.ended} if entry.ended else {}),
                "StatusMessage": entry.message,
            }
            for entry in record.transitions
        ],
        "ModelArtifacts": {"S3ModelArtifacts": model_artifacts_uri(record)},
        "EnableNetworkIsolation": bool(record.request.get("EnableNetworkIsolation", False)),
        "EnableInterContainerTrafficEncryption": bool(
            record.request.get("EnableInterContainerTrafficEncryption", False)
        ),
        "EnableManagedSpotTraining": bool(record.request.get("EnableManagedSpotTraining", False)),
    }
    fields["WarmPoolStatus"] = pool_status(record, now())
    if record.metrics:
        fields["FinalMetricDataList"] = [
            {"MetricName": metric.name, "Value": metric.value, "Timestamp": metric.time} for metric in record.metrics
        ]
    if record.started and record.ended:
        seconds = max(1, round((record.ended - record.started).total_seconds()))
        fields |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    return fields


def list_jobs(kind: JobKind, records: Iterable[JobRecord], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the List response: filtered, sorted, one page.

    Raises:
        AwsError: ValidationException for a NextToken that this endpoint did not issue.
    """
    field = request.get("SortBy", "CreationTime")
    # SageMaker lists newest first by default.
    newest_first = request.get("SortOrder", "Descending") == "Descending"
    chosen = sorted(
        (record for record in records if record.kind is kind and _matches(record, request)),
        key=lambda record: _sort_key(record, field),
        reverse=newest_first,
    )
    if "NextToken" in request:
        last = _read_token(request["NextToken"], field)
        chosen = [
            record
            for record in chosen
            if (_sort_key(record, field) < last if newest_first else _sort_key(record, field) > last)
        ]
    page = chosen[: int(request.get("MaxResults", _DEFAULT_PAGE))]
    member = f"{kind}JobSummaries"
    response: dict[str, Any] = {member: [_summary(record, member) for record in page]}
    if len(page) < len(chosen):
        response["NextToken"] = _token(page[-1], field)
    return response


def _matches(record: JobRecord, request: Mapping[str, Any]) -> bool:
    status, part = request.get("StatusEquals"), request.get("NameContains")
    if (status and record.status != status) or (part and part.lower() not in record.name.lower()):
        return False
    pool = request.get("WarmPoolStatusEquals")
    if pool and (pool_status(record, now()) or {}).get("Status") != pool:
        return False
    for prefix, time in (("CreationTime", record.created), ("LastModifiedTime", record.modified)):
        after, before = request.get(f"{prefix}After"), request.get(f"{prefix}Before")
        if (after and time < after) or (before and time > before):
            return False
    return True


def _sort_key(record: JobRecord, field: str) -> tuple[Any, ...]:
    first = {"Name": record.name, "Status": record.status.value}.get(field, record.created)
    return (first, record.created, record.name)


def _summary(record: JobRecord, member: str) -> dict[str, Any]:
    known = _members(f"List{record.kind}Jobs", member)
    fields = _common(record) | {
        "LastModifiedTime": record.modified,
        "FailureReason": record.failure_reason,
        "ExitMessage": record.exit_message,
        "SecondaryStatus": record.secondary_status,
        "WarmPoolStatus": pool_status(record, now()),
    }
    return {name: value for name, value in fields.items() if name in known and value is not None}


def _token(last: JobRecord, field: str) -> str:
    """Return the position after a job. A plain number would shift when jobs are created or deleted."""
    position = [str(_sort_key(last, field)[0]), last.created.isoformat(), last.name]
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _read_token(token: str, field: str) -> tuple[Any, ...]:
    try:
        first, created, name = json.loads(base64.urlsafe_b64decode(token.encode()))
        time = datetime.fromisoformat(created)
    except (ValueError, TypeError, binascii.Error) as error:
        raise AwsError("ValidationException", "The NextToken is not valid.") from error
    return (time if field == "CreationTime" else first, time, name)
