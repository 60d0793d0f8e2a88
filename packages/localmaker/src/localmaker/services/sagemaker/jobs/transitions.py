"""How a job's record changes: pure functions from one record to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.records import JobRecord, Transition, now

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


def first_transition(present: datetime) -> tuple[Transition, ...]:
    """Where a training job begins."""
    return (Transition("Starting", present, None, _STATUS_MESSAGES["Starting"]),)


def advance(before: JobRecord, changes: Mapping[str, Any]) -> JobRecord:
    """The record with fields changed; a new secondary status adds a transition and ends the one before it."""
    present = now()
    after = replace(before, modified=present, **changes)
    if after.secondary_status == before.secondary_status:
        return after
    message = after.failure_reason or _STATUS_MESSAGES.get(after.secondary_status, after.secondary_status)
    ended = tuple(replace(entry, ended=entry.ended or present) for entry in before.transitions)
    entry = Transition(after.secondary_status, present, present if after.status.terminal else None, message)
    return replace(after, transitions=(*ended, entry))


def interrupted(record: JobRecord) -> dict[str, Any]:
    """Changes to the record of a job that was running when its endpoint ended."""
    present = now()
    return {
        "status": JobStatus.FAILED,
        "secondary_status": "Failed",
        "failure_reason": "InternalServerError: the local endpoint ended while this job was running. Start it again.",
        "modified": present,
        "ended": present,
        "started": record.started or record.created,
    }
