"""Warm pools: instances that a training job with ``KeepAlivePeriodInSeconds`` keeps for the next job.

Nothing is kept on this machine: environments are cached anyway, and no instances have to start. Through the API a pool
looks as on AWS: it is ``InUse`` while its job runs, then ``Available`` until a matching job takes it
(``Reused``), or until its period is over or UpdateTrainingJob ends it (``Terminated``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.records import JobRecord

_PERIOD = "KeepAlivePeriodInSeconds"
# What else UpdateTrainingJob changes.
_WHILE_RUNNING = ("ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig")
# A job that failed by the endpoint's own fault leaves no pool.
_BROKEN = "InternalServerError"


def pool_status(record: JobRecord, present: datetime) -> dict[str, Any] | None:
    """Return a job's WarmPoolStatus; None for a job without a pool."""
    seconds = int(record.request.get("ResourceConfig", {}).get(_PERIOD, 0))
    if record.kind is not JobKind.TRAINING or not (seconds or record.pool_ended):
        return None
    if record.ended is None:
        return {"Status": "InUse"}
    if (record.failure_reason or "").startswith(_BROKEN):
        return {"Status": "Terminated"}
    end = record.pool_ended or record.ended + timedelta(seconds=seconds)
    retained = int((min(end, present) - record.ended).total_seconds())
    status: dict[str, Any] = {"ResourceRetainedBillableTimeInSeconds": retained}
    if record.reused_by is not None:
        return {**status, "Status": "Reused", "ReusedByJob": record.reused_by}
    return {**status, "Status": "Available" if present < end else "Terminated"}


def is_available(record: JobRecord, present: datetime) -> bool:
    """Return whether a job's pool can be reused."""
    status = pool_status(record, present)
    return status is not None and status["Status"] == "Available"


def find_match(records: Iterable[JobRecord], request: Mapping[str, Any], present: datetime) -> JobRecord | None:
    """Return the job whose pool a new training job takes over: of those that match, the oldest pool."""
    wanted = _criteria(request)
    waiting = [record for record in records if is_available(record, present) and _criteria(record.request) == wanted]
    return min(waiting, key=lambda record: (record.ended or present, record.name), default=None)


def _criteria(request: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what has to match ("Matching training jobs" in SageMaker's developer guide)."""
    resources, network = request.get("ResourceConfig", {}), request.get("VpcConfig", {})
    return (
        request.get("RoleArn"),
        *(resources.get(name) for name in ("InstanceCount", "InstanceType", "VolumeKmsKeyId", "VolumeSizeInGB")),
        *(sorted(network.get(name, [])) for name in ("SecurityGroupIds", "Subnets")),
        *(
            bool(request.get(name, False))
            for name in ("EnableInterContainerTrafficEncryption", "EnableNetworkIsolation")
        ),
    )


def update(record: JobRecord, request: Mapping[str, Any], present: datetime) -> dict[str, Any]:
    """Return the changes to a training job's record that an UpdateTrainingJob request asks for.

    Raises:
        AwsError: ValidationException where the job and its pool have ended.
    """
    asked = dict(record.request)
    changes: dict[str, Any] = {"request": asked}
    if "ResourceConfig" in request:
        period = request["ResourceConfig"][_PERIOD]
        if record.ended is not None:
            if not is_available(record, present):
                raise AwsError("ValidationException", f"The warm pool of training job {record.name} is not Available.")
            changes["pool_ended"] = None if period else present
        asked["ResourceConfig"] = {**asked.get("ResourceConfig", {}), _PERIOD: period}
    others = {name: request[name] for name in _WHILE_RUNNING if name in request}
    if others and record.ended is not None:
        raise AwsError(
            "ValidationException",
            f"The request was rejected because the training job is in status {record.status}.",
        )
    asked.update(others)
    return changes
