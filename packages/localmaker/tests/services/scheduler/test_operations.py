"""EventBridge Scheduler: what it refuses, and groups."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint

ROLE = "arn:aws:iam::123456789012:role/r"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
START = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
NOW = datetime.now(UTC)


def create(endpoint: EndpointHandle, name: str, **changes: Any) -> None:
    target = {"Arn": QUEUE, "RoleArn": ROLE, **changes.pop("Target", {})}
    schedule = {"ScheduleExpression": "cron(0 3 1 * ? *)", "FlexibleTimeWindow": {"Mode": "OFF"}, **changes}
    endpoint.client("scheduler").create_schedule(Name=name, Target=target, **schedule)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ScheduleExpression": "cron(0 3 1 * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Nowhere"}, "Invalid Schedule Expression"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "MaximumWindowInMinutes"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}}, "maximumWindowInMinutes"),
        ({"EndDate": NOW - timedelta(days=1)}, "EndDate"),
        ({"StartDate": NOW + timedelta(days=2), "EndDate": NOW + timedelta(days=1)}, "later than the StartDate"),
        ({"StartDate": NOW - timedelta(hours=1)}, "cannot be earlier than 5 minutes ago"),
        ({"GroupName": "none"}, "Schedule group none does not exist"),
        ({"Target": {"Arn": "queue"}}, "Provided Arn is not in correct format"),
        ({"Target": {"Arn": "arn:aws:s3:::bucket"}}, "s3 is not a supported service for a target"),
        ({"Target": {"RoleArn": "r"}}, "roleArn"),
        ({"Target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}}, "maximumRetryAttempts"),
        ({"Target": {"RetryPolicy": {"MaximumEventAgeInSeconds": 86401}}}, "maximumEventAgeInSeconds"),
        ({"Target": {"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}}, "deadLetterConfig.arn"),
        ({"Target": {"SageMakerPipelineParameters": {}}}, "SageMakerPipelineParameters is not supported for target"),
        ({"Target": {"Input": "x" * (256 * 1024 + 1)}}, "larger than 256 KB"),
        ({"Target": {"Arn": QUEUE.replace("sqs", "lambda"), "Input": "no JSON"}}, "not JSON"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:nothing:do"}}, "nothing is not a supported service"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:doThat"}}, "doThat is not a supported api"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:getQueueUrl"}}, "getQueueUrl is not a supported api"),
        ({"Target": {"Arn": START, "Input": "no JSON"}}, "Invalid RequestJson.*not JSON"),
        ({"Target": {"Arn": START, "Input": "[]"}}, "Invalid RequestJson.*not an object"),
        ({"Target": {"Arn": START, "Input": '{"pipelineName": "p"}'}}, "The field 'pipelineName' is not supported"),
        ({"Target": {"Arn": START}}, 'Missing required parameter in input: "PipelineName"$'),
    ],
)
def test_what_is_refused(endpoint: EndpointHandle, unique: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        create(endpoint, unique, **changes)
    kind = "ResourceNotFoundException" if "GroupName" in changes else "ValidationException"
    assert refused.value.response["Error"]["Code"] == kind


def test_groups(endpoint: EndpointHandle, unique: str) -> None:
    scheduler = endpoint.client("scheduler")
    scheduler.create_schedule_group(Name=unique, Tags=[{"Key": "a", "Value": "b"}])
    create(endpoint, unique, GroupName=unique, StartDate=NOW + timedelta(days=1), EndDate=NOW + timedelta(days=2))
    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule_group(Name=unique)
    assert [one["Name"] for one in scheduler.list_schedules(GroupName=unique)["Schedules"]] == [unique]
    scheduler.delete_schedule_group(Name=unique)
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.delete_schedule_group(Name=unique)
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name=unique, GroupName=unique)
    with pytest.raises(scheduler.exceptions.ValidationException):
        scheduler.delete_schedule_group(Name="default")


def test_what_an_update_leaves_out_is_the_default_again(endpoint: EndpointHandle, unique: str) -> None:
    create(endpoint, unique, State="DISABLED", Target={"Input": "a"})
    schedule = {"ScheduleExpression": "rate(2 days)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    scheduler = endpoint.client("scheduler")
    scheduler.update_schedule(Name=unique, Target={"Arn": QUEUE, "RoleArn": ROLE}, **schedule)
    found = scheduler.get_schedule(Name=unique)
    assert (found["State"], found["ScheduleExpressionTimezone"], "Input" in found["Target"]) == (
        "ENABLED",
        "UTC",
        False,
    )


@pytest.mark.parametrize(
    ("principal", "source", "accepted"),
    [
        ("scheduler.amazonaws.com", "schedule-group/default", True),
        # The user guide: the group's ARN, never that of a schedule.
        ("scheduler.amazonaws.com", "schedule/default/monthly", False),
        ("events.amazonaws.com", "schedule-group/default", False),
    ],
)
def test_a_role_has_to_trust_the_schedules_group(tmp_path: Path, principal: str, source: str, accepted: bool) -> None:
    with running_endpoint(tmp_path, enforce_iam=True) as endpoint:
        condition = {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:scheduler:us-east-1:123456789012:{source}"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        }
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": principal}}
        trust = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
        endpoint.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
        if accepted:
            create(endpoint, "monthly")
        else:
            with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
                create(endpoint, "monthly")
