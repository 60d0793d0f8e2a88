from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from localmaker.daemon import EndpointHandle
from localmaker.services.events.job_events import job_event

ROLE = "arn:aws:iam::123456789012:role/r"


def test_shape() -> None:
    description = {
        "TrainingJobName": "j",
        "TrainingJobArn": "arn",
        "TrainingJobStatus": "Failed",
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "SecondaryStatusTransitions": [{"StartTime": datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)}],
    }
    assert job_event("Training", description) == {
        "detail-type": "SageMaker Training Job State Change",
        "source": "aws.sagemaker",
        "resources": ["arn"],
        "detail": {
            "TrainingJobName": "j",
            "TrainingJobArn": "arn",
            "TrainingJobStatus": "Failed",
            "CreationTime": 1_767_225_600_000,
            "SecondaryStatusTransitions": [{"StartTime": 1_767_225_601_500}],
        },
    }


def listen(endpoint: EndpointHandle, name: str, queue: Any, detail_type: str, detail: dict[str, Any]) -> None:
    events = endpoint.client("events")
    pattern = {"source": ["aws.sagemaker"], "detail-type": [detail_type], "detail": detail}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])


def test_a_processing_job_reports_its_end(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    detail = {"ProcessingJobName": [unique], "ProcessingJobStatus": ["Failed", "Completed"]}
    listen(endpoint, unique, queue, "SageMaker Processing Job State Change", detail)
    arn = endpoint.client("sagemaker").create_processing_job(
        ProcessingJobName=unique,
        RoleArn=ROLE,
        AppSpecification={"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/no-such-image:1"},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )["ProcessingJobArn"]
    [event] = queue.events(1)
    assert event["resources"] == [arn]
    assert event["detail"]["ProcessingJobStatus"] == "Failed"
    assert "no-such-image" in event["detail"]["FailureReason"]
    assert isinstance(event["detail"]["CreationTime"], int)


def test_a_failed_execution_and_its_step_are_reported(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    sagemaker = endpoint.client("sagemaker")
    step = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "on purpose"}}
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]}
    pipeline = sagemaker.create_pipeline(
        PipelineName=unique, PipelineDefinition=json.dumps(definition), ClientRequestToken=unique * 3, RoleArn=ROLE
    )["PipelineArn"]
    kind = "SageMaker Model Building Pipeline Execution"
    listen(endpoint, unique, queue, f"{kind} Status Change", {"currentPipelineExecutionStatus": ["Failed"]})
    listen(endpoint, f"{unique}-s", queue, f"{kind} Step Status Change", {"currentStepStatus": ["Failed"]})
    execution = sagemaker.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
    found = {event["detail-type"]: event for event in queue.events(2)}
    of_execution = found[f"{kind} Status Change"]
    assert of_execution["resources"] == [pipeline, execution]
    assert of_execution["detail"]["previousPipelineExecutionStatus"] == "Executing"
    assert of_execution["detail"]["pipelineExecutionArn"] == execution
    of_step = found[f"{kind} Step Status Change"]
    assert of_step["detail"]["stepName"] == "Stop"
    assert "on purpose" in of_step["detail"]["failureReason"]
