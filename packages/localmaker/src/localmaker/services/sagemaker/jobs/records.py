"""The record of a job, and how it changes: frozen dataclasses and pure functions from one record to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind, JobStatus

_STATUS_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


@dataclass(frozen=True)
class Transition:
    """One entry of a training job's ``SecondaryStatusTransitions``."""

    status: str
    started: datetime
    ended: datetime | None
    message: str


@dataclass(frozen=True)
class Metric:
    """A metric value found in the log of a training job."""

    name: str
    value: float
    time: datetime


@dataclass(frozen=True)
class JobRecord:
    """One job. Times are in UTC; ``request`` is the Create request in botocore's terms, without tags.

    Attributes:
        pool_ended: when a training job's warm pool ended before its period was over.
        reused_by: the job that then took over the pool.
        tuned_by: ARN of the tuning job that started it.
    """

    kind: JobKind
    name: str
    arn: str
    request: Mapping[str, Any]
    created: datetime
    modified: datetime
    status: JobStatus = JobStatus.IN_PROGRESS
    started: datetime | None = None
    ended: datetime | None = None
    failure_reason: str | None = None
    exit_message: str | None = None
    secondary_status: str = "Starting"
    transitions: tuple[Transition, ...] = ()
    metrics: tuple[Metric, ...] = ()
    log_stream: str | None = None
    tags: tuple[Mapping[str, str], ...] = ()
    pool_ended: datetime | None = None
    reused_by: str | None = None
    tuned_by: str | None = None

    @property
    def id(self) -> JobId:
        """Kind and name."""
        return JobId(self.kind, self.name)


def now() -> datetime:
    """Return the current time in UTC, to the millisecond that AWS shows."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)


def new_record(kind: JobKind, arn: str, request: Mapping[str, Any], tuned_by: str | None = None) -> JobRecord:
    """Return the record of a job that has just been created."""
    present, name = now(), request[kind.name_field]
    return JobRecord(
        kind,
        name,
        arn,
        {field: value for field, value in request.items() if field != "Tags"},
        created=present,
        modified=present,
        log_stream=f"{name}/algo-1-{int(present.timestamp())}",
        transitions=(Transition("Starting", present, None, _STATUS_MESSAGES["Starting"]),),
        tags=tuple(request.get("Tags", [])),
        tuned_by=tuned_by,
    )


def advance(before: JobRecord, changes: Mapping[str, Any]) -> JobRecord:
    """Return the record with fields changed; a new secondary status adds a transition and ends the previous one."""
    present = now()
    after = replace(before, modified=present, **changes)
    if after.secondary_status == before.secondary_status:
        return after
    message = after.failure_reason or _STATUS_MESSAGES.get(after.secondary_status, after.secondary_status)
    ended = tuple(replace(entry, ended=entry.ended or present) for entry in before.transitions)
    entry = Transition(after.secondary_status, present, present if after.status.terminal else None, message)
    return replace(after, transitions=(*ended, entry))


INTERRUPTED_REASON = "InternalServerError: The local endpoint stopped while this job was running. Start it again."


def interrupted(record: JobRecord) -> JobRecord:
    """Return the record of a job that was running when its endpoint stopped: it has failed."""
    present = now()
    return replace(
        record,
        status=JobStatus.FAILED,
        secondary_status="Failed",
        failure_reason=INTERRUPTED_REASON,
        modified=present,
        ended=present,
        started=record.started or record.created,
    )
