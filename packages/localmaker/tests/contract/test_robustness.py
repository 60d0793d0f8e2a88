"""Executions under load and after a kill: none is lost, the limit queues them, a killed one is Failed and retriable."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

ROLE = "arn:aws:iam::123456789012:role/contract"
UPLOADS = 200
RUNNING_LIMIT = 20
PATIENCE_SECONDS = 240


def definition(*steps: dict[str, Any], parameters: tuple[str, ...] = ()) -> str:
    declared = [{"Name": name, "Type": "String"} for name in parameters]
    return json.dumps({"Version": "2020-12-01", "Parameters": declared, "Steps": steps})


def condition(name: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": []}, **more}


def callback(queue: str) -> dict[str, Any]:
    return {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}}


def executions(endpoint: EndpointHandle, pipeline: str) -> list[dict[str, Any]]:
    pages = endpoint.client("sagemaker").get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
    return [item for page in pages for item in page["PipelineExecutionSummaries"]]


class Consumer:
    """Reads callback messages from a queue of its own."""

    def __init__(self, endpoint: EndpointHandle, name: str) -> None:
        self._sqs = endpoint.client("sqs")
        self.url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]

    def read(self, count: int) -> list[dict[str, Any]]:
        """The next messages, waited for."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
            answer = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def waiting(self) -> int:
        """How many messages nobody has read."""
        asked = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.slow
def test_a_burst_of_uploads_starts_one_execution_each(endpoint, bucket, unique):
    sagemaker, events, s3 = (endpoint.client(name) for name in ("sagemaker", "events", "s3"))
    text = definition(condition("Look"), parameters=("Key",))
    arn = sagemaker.create_pipeline(PipelineName=unique, RoleArn=ROLE, PipelineDefinition=text)["PipelineArn"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    parameters = {"PipelineParameterList": [{"Name": "Key", "Value": "$.detail.object.key"}]}
    target = {"Id": "pipeline", "Arn": arn, "RoleArn": ROLE, "SageMakerPipelineParameters": parameters}
    assert events.put_targets(Rule=unique, Targets=[target])["FailedEntryCount"] == 0

    keys = [f"raw/training/file {number}.csv" for number in range(UPLOADS)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode()), keys))

    deadline = time.monotonic() + PATIENCE_SECONDS
    found = executions(endpoint, unique)
    while sum(item["PipelineExecutionStatus"] == "Succeeded" for item in found) < UPLOADS:
        assert time.monotonic() < deadline, f"{len(found)} executions"
        time.sleep(0.5)
        found = executions(endpoint, unique)
    assert len(found) == UPLOADS
    started = [
        sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=item["PipelineExecutionArn"])
        for item in found
    ]
    assert sorted(one["PipelineParameters"][0]["Value"] for one in started) == sorted(keys)


@pytest.mark.slow
def test_executions_over_the_limit_wait_for_their_turn(endpoint, unique, await_end):
    sagemaker, consumer = endpoint.client("sagemaker"), Consumer(endpoint, unique)
    text = definition(callback(consumer.url))
    sagemaker.create_pipeline(PipelineName=unique, RoleArn=ROLE, PipelineDefinition=text)
    arns = [
        sagemaker.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
        for _ in range(RUNNING_LIMIT + 3)
    ]
    running = consumer.read(RUNNING_LIMIT)
    assert {message["pipelineExecutionArn"] for message in running} == set(arns[:RUNNING_LIMIT])
    assert consumer.waiting() == 0
    for arn in arns[RUNNING_LIMIT:]:
        assert sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing"
        assert sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"] == []

    # Each that ends makes room for the one that has waited longest.
    for waiting in arns[RUNNING_LIMIT:]:
        sagemaker.send_pipeline_execution_step_success(CallbackToken=running.pop()["token"])
        [message] = consumer.read(1)
        assert message["pipelineExecutionArn"] == waiting
        running.insert(0, message)
    for message in running:
        sagemaker.send_pipeline_execution_step_success(CallbackToken=message["token"])
    assert {await_end(sagemaker, arn)["PipelineExecutionStatus"] for arn in arns} == {"Succeeded"}


@pytest.mark.slow
def test_a_killed_execution_is_failed_with_the_reason_and_can_be_retried(tmp_path, unique, await_end):
    with running_endpoint(tmp_path) as endpoint:
        sagemaker, consumer = endpoint.client("sagemaker"), Consumer(endpoint, unique)
        text = definition(condition("Before"), {**callback(consumer.url), "DependsOn": ["Before"]})
        sagemaker.create_pipeline(PipelineName=unique, RoleArn=ROLE, PipelineDefinition=text)
        arns = [
            sagemaker.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
            for _ in range(RUNNING_LIMIT + 1)
        ]
        old = {message["pipelineExecutionArn"]: message["token"] for message in consumer.read(RUNNING_LIMIT)}
        os.kill(endpoint.running.pid, signal.SIGKILL)

    # The queue's URL has the port.
    with running_endpoint(tmp_path, port=endpoint.running.port) as endpoint:
        sagemaker, consumer = endpoint.client("sagemaker"), Consumer(endpoint, unique)
        first, last = arns[0], arns[-1]
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=first)
        assert described["PipelineExecutionStatus"] == "Failed"
        assert "stopped while this execution was running" in described["FailureReason"]
        assert "RetryPipelineExecution" in described["FailureReason"]
        # What still waited for its turn has it now.
        [message] = consumer.read(1)
        assert message["pipelineExecutionArn"] == last
        sagemaker.send_pipeline_execution_step_success(CallbackToken=message["token"])
        assert await_end(sagemaker, last)["PipelineExecutionStatus"] == "Succeeded"

        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="has been restarted"):
            sagemaker.send_pipeline_execution_step_success(CallbackToken=old[first])
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=first, ClientRequestToken=unique * 3)
        [message] = consumer.read(1)
        assert message["pipelineExecutionArn"] == first
        sagemaker.send_pipeline_execution_step_success(CallbackToken=message["token"])
        assert await_end(sagemaker, first)["PipelineExecutionStatus"] == "Succeeded"
        listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=first, SortOrder="Ascending")
        attempts = {step["StepName"]: step["AttemptCount"] for step in listed["PipelineExecutionSteps"]}
        assert attempts == {"Before": 1, "Ask": 2}
