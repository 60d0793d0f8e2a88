from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.events.models import Rule

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.services.events.clock import Clock
from localmaker.services.events.delivery import Outgoing
from localmaker.services.events.targets import Matched
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


def schedule(expression: str, **changes: Any) -> Any:
    """Return a schedule as moto keeps it, made at noon."""
    parts = {
        "arn": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/s",
        "name": "s",
        "group_name": "default",
        "schedule_expression": expression,
        "schedule_expression_timezone": "UTC",
        "target": {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": ROLE},
        "action_after_completion": "NONE",
        "start_date": None,
        "end_date": None,
        "creation_date": NOON.timestamp(),
        "last_modified_date": NOON.timestamp(),
    }
    return SimpleNamespace(**{**parts, **changes})


class Still(Clock):
    """A clock that stands, at noon at first."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    def at(self, moment: datetime) -> datetime:
        return moment

    def move(self, to: datetime) -> None:
        self.time = to


class Schedules(Rules):
    """A timetable over given schedules, which has been started before noon."""

    def __init__(self, *schedules: Any, copies: int = 1) -> None:
        super().__init__()
        self.schedules, self._clock, self._copies = schedules, Still(), copies
        self._started = NOON - timedelta(hours=1)
        self.fire(NOON)

    def wake(self) -> None:
        """Start no thread."""

    def _entries(self) -> Any:
        for one in self.schedules:
            yield from self._schedule_entry(one)

    def times(self) -> list[str]:
        """Return and forget when was due what has been made."""
        found = [one.matched.event["time"] for one in self.made]
        self.made.clear()
        return found


def test_a_moved_clock_starts_what_is_due_once_for_its_last_time() -> None:
    timetable = Schedules(schedule("cron(0 3 1 * ? *)", schedule_expression_timezone="Europe/Zurich"))
    at = datetime(2026, 2, 1, 2, tzinfo=UTC)
    assert timetable.move_clock(at - timedelta(seconds=1)) == at
    assert timetable.times() == []
    assert timetable.move_clock(at) == datetime(2026, 3, 1, 2, tzinfo=UTC)
    assert timetable.times() == ["2026-02-01T02:00:00Z"]
    timetable.move_clock(at)
    assert timetable.times() == []
    # Summer time begins meanwhile.
    timetable.move_clock(datetime(2026, 7, 20, tzinfo=UTC))
    assert timetable.times() == ["2026-07-01T01:00:00Z"]
    timetable.move_clock(at, copies=3)  # back: it is due again
    assert timetable.times() == ["2026-02-01T02:00:00Z"] * 3


def test_each_delivery_of_a_schedule_is_an_event_of_its_own() -> None:
    timetable = Schedules(schedule("cron(0 13 * * ? *)"), copies=2)
    timetable.move_clock(NOON + timedelta(hours=1))
    first, second = timetable.made
    assert first.matched.token != second.matched.token
    assert first.delivery_id != second.delivery_id


def test_a_rate_is_due_at_once_or_at_its_start_and_not_after_its_end() -> None:
    assert Schedules(schedule("rate(2 hours)")).times() == ["2026-01-01T12:00:00Z"]
    start, end = NOON + timedelta(hours=1), NOON + timedelta(hours=4)
    timetable = Schedules(schedule("rate(2 hours)", start_date=start.timestamp(), end_date=end.timestamp()))
    for hours in range(6):
        timetable.move_clock(NOON + timedelta(hours=hours))
    assert timetable.times() == ["2026-01-01T13:00:00Z", "2026-01-01T15:00:00Z"]


def test_a_start_date_holds_back_cron_but_not_what_is_due_once() -> None:
    start = (NOON + timedelta(days=2)).timestamp()
    timetable = Schedules(
        schedule("cron(0 13 * * ? *)", start_date=start), schedule("at(2026-01-01T14:00:00)", start_date=start)
    )
    for days in range(4):
        timetable.move_clock(NOON + timedelta(days=days, hours=3))
    assert timetable.times() == ["2026-01-01T14:00:00Z", "2026-01-03T13:00:00Z", "2026-01-04T13:00:00Z"]


def test_context_attributes_are_replaced_for_each_attempt() -> None:
    text = "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time> <aws.scheduler.attempt-number> <other>"
    arn = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/s"
    target = {"Id": "s", "Arn": "a", "Input": f"{text} <aws.scheduler.execution-id>"}
    matched = Matched({"id": "1", "time": "2026-01-01T12:00:00Z"}, arn, target)
    first, second = (matched.of_attempt(attempt).target["Input"].split() for attempt in (1, 2))
    assert (first[:3], first[3]) == ([arn, "2026-01-01T12:00:00Z", "1"], "<other>")
    assert second[2] == "2"
    assert first[4] != second[4]
    rule = Matched(matched.event, "arn:aws:events:us-east-1:123456789012:rule/r", target)
    assert rule.of_attempt(1) == rule


def test_a_universal_target_starts_a_pipeline_under_its_role_once(
    tmp_path: Path, unique: str, eventually: Callable[..., Any]
) -> None:
    with running_endpoint(tmp_path, enforce_iam=True) as endpoint:
        sagemaker, iam = endpoint.client("sagemaker"), endpoint.client("iam")
        for role, service, actions in (
            ("runs", "sagemaker", []),
            ("starts", "scheduler", ["sagemaker:StartPipelineExecution"]),
            ("cannot", "scheduler", ["sqs:SendMessage"]),
        ):
            trust = {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": f"{service}.amazonaws.com"},
            }
            document = {"Version": "2012-10-17", "Statement": [trust]}
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(document))
            allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
            if actions:
                iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(allowed))
        step = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Key"}}}
        definition = {"Version": "2020-12-01", "Parameters": [{"Name": "Key", "Type": "String"}], "Steps": [step]}
        sagemaker.create_pipeline(
            PipelineName=unique,
            PipelineDefinition=json.dumps(definition),
            ClientRequestToken=unique * 3,
            RoleArn="arn:aws:iam::123456789012:role/runs",
        )
        sqs = endpoint.client("sqs")
        url = sqs.create_queue(QueueName="dead")["QueueUrl"]
        text = {
            "PipelineName": unique,
            "PipelineParameters": [{"Name": "Key", "Value": "schedule/<aws.scheduler.scheduled-time>"}],
            "ClientRequestToken": f"{unique}-of-some-length-<aws.scheduler.scheduled-time>",
        }
        for role in ("starts", "cannot"):
            endpoint.client("scheduler").create_schedule(
                Name=f"{unique}-{role}",
                ScheduleExpression="cron(0 3 1 * ? *)",
                ScheduleExpressionTimezone="Europe/Zurich",
                FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
                Target={
                    "Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution",
                    "RoleArn": f"arn:aws:iam::123456789012:role/{role}",
                    "Input": json.dumps(text),
                    "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:dead"},
                },
            )
        assert endpoint.move_clock("2040-12-01T02:00:00Z", deliveries=2)["next"] == "2041-01-01T02:00:00Z"
        dead: list[Any] = []
        eventually(
            lambda: (
                dead.extend(sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", []))
                or len(dead) == 2
            )
        )
        assert {one["MessageAttributes"]["ERROR_CODE"]["StringValue"] for one in dead} == {"AccessDeniedException"}
        executions = eventually(
            lambda: sagemaker.list_pipeline_executions(PipelineName=unique)["PipelineExecutionSummaries"]
        )
        assert len(executions) == 1
        arn = executions[0]["PipelineExecutionArn"]
        listed = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
        assert listed["PipelineParameters"] == [{"Name": "Key", "Value": "schedule/2040-12-01T02:00:00Z"}]


def test_a_disabled_schedule_is_not_started(tmp_path: Path, unique: str) -> None:
    with running_endpoint(tmp_path, habits=1) as endpoint:
        sqs, scheduler = endpoint.client("sqs"), endpoint.client("scheduler")
        url = sqs.create_queue(QueueName=unique)["QueueUrl"]
        for state in ("DISABLED", "ENABLED"):
            scheduler.create_schedule(
                Name=state,
                State=state,
                ScheduleExpression="at(2040-01-01T00:00:00)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": f"arn:aws:sqs:us-east-1:123456789012:{unique}", "RoleArn": ROLE, "Input": state},
            )
        assert endpoint.move_clock("2040-01-01T00:00:59+00:00")["next"] is None
        found: list[str] = []
        for _ in range(2):
            messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
            found += [one["Body"] for one in messages]
        assert found == ["ENABLED"]


@pytest.mark.parametrize("now", ["yesterday", "2026-12-01T03:00:00", "9999-01-01T00:00:00Z"])
def test_what_is_no_time_does_not_move_the_clock(endpoint: EndpointHandle, now: str) -> None:
    with pytest.raises(ValueError, match="send a document such as"):
        endpoint.move_clock(now)


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
    soon = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%S")
    for action, url in (("sendMessage", queue.url), ("purgeQueue", "http://127.0.0.1/none")):
        scheduler.create_schedule(
            Name=f"{unique}-{action}",
            ScheduleExpression=f"at({soon})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": f"arn:aws:scheduler:::aws-sdk:sqs:{action}",
                "RoleArn": ROLE,
                "Input": json.dumps({"QueueUrl": url, **({"MessageBody": "called"} if url == queue.url else {})}),
                "DeadLetterConfig": {"Arn": queue.arn},
            },
        )
    messages = queue.messages(2)
    assert "called" in [message["Body"] for message in messages]
    [attributes] = [message["MessageAttributes"] for message in messages if "MessageAttributes" in message]
    values = {name: one["StringValue"] for name, one in attributes.items()}
    assert values["SCHEDULE_ARN"].endswith(f":schedule/default/{unique}-purgeQueue")
    assert values["TARGET_ARN"] == "arn:aws:scheduler:::aws-sdk:sqs:purgeQueue"
    assert values["ERROR_CODE"].endswith("NonExistentQueue")
    assert (values["RETRY_ATTEMPTS"], values["IS_PAYLOAD_TRUNCATED"]) == ("0", "false")
    assert values["SCHEDULED_TIME"] == f"{soon}Z"
    assert len(values["EXECUTION_ID"]) == 16
    [dead] = [message["Body"] for message in messages if "MessageAttributes" in message]
    assert json.loads(dead) == {"QueueUrl": "http://127.0.0.1/none"}


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
