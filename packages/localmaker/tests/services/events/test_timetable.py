from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.events.models import Rule

from localmaker.daemon import EndpointHandle
from localmaker.services.events.delivery import Outgoing
from localmaker.services.events.timetable import Timetable

ROLE = "arn:aws:iam::123456789012:role/r"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Rules(Timetable):
    """A timetable over given rules, whose deliveries are kept."""

    def __init__(self, *rules: Rule) -> None:
        self.made: list[Outgoing] = []
        super().__init__(SimpleNamespace(submit=self.made.extend), SimpleNamespace())  # type: ignore[arg-type]
        self.rules = rules

    def _entries(self) -> Any:
        for rule in self.rules:
            if rule.state == "ENABLED":
                yield from self._rule_entry(rule)


def rule(name: str, expression: str) -> Rule:
    target = {"Id": "t", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}
    return Rule(name, "123456789012", "us-east-1", None, None, expression, None, "default", None, targets=[target])


def test_a_scheduled_rule_is_started_when_it_is_due_and_once() -> None:
    daily, disabled = rule("daily", "cron(0 12 * * ? *)"), rule("disabled", "cron(0 12 * * ? *)")
    disabled.disable()
    timetable = Rules(daily, disabled)
    assert timetable.fire(NOON - timedelta(seconds=5)) == NOON
    assert timetable.made == []
    assert timetable.fire(NOON + timedelta(milliseconds=1)) == NOON + timedelta(days=1)
    [made] = timetable.made
    event = made.matched.event
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert (event["time"], event["resources"]) == ("2026-01-01T12:00:00Z", [daily.arn])


def test_times_that_nobody_was_there_for_are_made_up_for_once() -> None:
    timetable = Rules(rule("often", "cron(0/5 * * * ? *)"))
    timetable.fire(NOON)
    assert timetable.fire(NOON + timedelta(hours=3)) == NOON + timedelta(hours=3, minutes=5)
    assert len(timetable.made) == 1


def test_a_schedule_starts_a_pipeline_and_is_gone(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, scheduler = endpoint.client("sagemaker"), endpoint.client("scheduler")
    step = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Key"}}}
    definition = {"Version": "2020-12-01", "Parameters": [{"Name": "Key", "Type": "String"}], "Steps": [step]}
    arn = sagemaker.create_pipeline(
        PipelineName=unique, PipelineDefinition=json.dumps(definition), ClientRequestToken=unique * 3, RoleArn=ROLE
    )["PipelineArn"]
    parameters = {"PipelineParameterList": [{"Name": "Key", "Value": "from the schedule"}]}
    soon = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S")
    scheduler.create_schedule(
        Name=unique,
        ScheduleExpression=f"at({soon})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={"Arn": arn, "RoleArn": ROLE, "SageMakerPipelineParameters": parameters},
    )
    [execution] = eventually(
        lambda: sagemaker.list_pipeline_executions(PipelineName=unique)["PipelineExecutionSummaries"]
    )
    listed = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=execution["PipelineExecutionArn"])
    assert listed["PipelineParameters"] == [{"Name": "Key", "Value": "from the schedule"}]
    eventually(lambda: not scheduler.list_schedules(NamePrefix=unique)["Schedules"])


def test_a_schedule_calls_any_api_and_says_what_it_cannot(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    scheduler = endpoint.client("scheduler")
    soon = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    for action in ("sendMessage", "noSuchAction"):
        scheduler.create_schedule(
            Name=f"{unique}-{action}",
            ScheduleExpression=f"at({soon})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": f"arn:aws:scheduler:::aws-sdk:sqs:{action}",
                "RoleArn": ROLE,
                "Input": json.dumps({"QueueUrl": queue.url, "MessageBody": "called"}),
                "DeadLetterConfig": {"Arn": queue.arn},
            },
        )
    messages = queue.messages(2)
    assert "called" in [message["Body"] for message in messages]
    [attributes] = [message["MessageAttributes"] for message in messages if "MessageAttributes" in message]
    assert attributes["SCHEDULE_ARN"]["StringValue"].endswith(f":schedule/default/{unique}-noSuchAction")
    assert attributes["ERROR_CODE"]["StringValue"] == "INVALID_PARAMETER"


def test_what_is_no_schedule_is_refused(endpoint: EndpointHandle, unique: str) -> None:
    events, scheduler = endpoint.client("events"), endpoint.client("scheduler")
    with pytest.raises(ClientError, match=r"ScheduleExpression is not valid.*the unit for 1 is minute"):
        events.put_rule(Name=unique, ScheduleExpression="rate(1 minutes)")
    events.create_event_bus(Name=unique)
    with pytest.raises(ClientError, match="only on the default event bus"):
        events.put_rule(Name=unique, ScheduleExpression="rate(1 minute)", EventBusName=unique)
    with pytest.raises(ClientError, match="Invalid Schedule Expression"):
        scheduler.create_schedule(
            Name=unique,
            ScheduleExpression="rate(1 day)",
            ScheduleExpressionTimezone="Europe/Nowhere",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": ROLE},
        )
