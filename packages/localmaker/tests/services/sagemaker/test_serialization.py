"""Records of jobs and pipelines as JSON and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from localmaker.services.sagemaker.jobs.kinds import JobKind, JobStatus
from localmaker.services.sagemaker.jobs.records import JobRecord, Metric, Transition
from localmaker.services.sagemaker.pipelines.records import (
    ExecutionRecord,
    ExecutionStatus,
    PipelineRecord,
    PipelineVersion,
    StepRecord,
    StepStatus,
)
from localmaker.services.sagemaker.serialization import dump, load

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
STEP = StepRecord("e", "p", "S", "Processing", StepStatus.FAILED, 3, NOW, NOW, metadata={"A": {"Arn": "x"}})
RECORDS = [
    PipelineRecord("arn", "n", "role", 2, NOW, NOW),
    PipelineRecord("arn", "n", "role", 1, NOW, NOW, "d", "é", 3, {"k": "v"}, NOW, {"alias": 1}),
    PipelineVersion(2, "0123", NOW, "second", "é"),
    ExecutionRecord(
        "a/execution/b",
        "a",
        "n",
        2,
        "r",
        "{}",
        NOW,
        {"P": 1, "Q": "x", "F": 0.1, "B": True},
        ExecutionStatus.STOPPING,
        NOW,
        NOW,
    ),
    STEP,
    JobRecord(
        JobKind.TRAINING,
        "j",
        "arn",
        {"StoppingCondition": {"MaxRuntimeInSeconds": 60}},
        NOW,
        NOW,
        JobStatus.COMPLETED,
        transitions=(Transition("Starting", NOW, NOW, "m"), Transition("Completed", NOW, None, "é")),
        metrics=(Metric("loss", 0.25, NOW),),
        tags=({"Key": "k", "Value": "v"},),
    ),
]


@pytest.mark.parametrize("record", RECORDS)
def test_records_survive_storage(record):
    assert load(type(record), dump(record)) == record


def test_a_record_of_another_version_is_still_read():
    document = {**json.loads(dump(STEP)), "from_the_future": 1}
    del document["attempt"]
    assert load(StepRecord, json.dumps(document)) == STEP
