from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle
from localmaker.services.events.delivery import Attempt, Deliveries, exhausted_condition, outgoing, retry_delay
from localmaker.services.events.targets import Matched, TargetAccess
from localmaker.services.iam.acting import Acting
from localmaker.services.iam.authorization import Authorization, IamSettings
from localmaker.services.lambda_.running import RunningFunctions

EVENT = {"id": "1", "detail": {}}
UNKNOWN_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:unknown"
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:s"
API_DESTINATION = "arn:aws:events:us-east-1:123456789012:api-destination/a"
HANDLER = """
import boto3

def handler(event, context):
    text = f"function got {event['n']}"
    boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody=text)
"""
ON_UPLOAD = """
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=event["Records"][0]["s3"]["object"]["key"])
"""


def attempt(retries: int, **policy: int) -> Attempt:
    return Attempt(Matched(EVENT, "rule", {"Id": "t", "Arn": "arn", "RetryPolicy": policy}), 100.0, retries)


def test_back_off_doubles_up_to_a_minute() -> None:
    assert [retry_delay(0), retry_delay(1), retry_delay(2)] == [0.2, 0.4, 0.8]
    assert retry_delay(185) == 60.0


@pytest.mark.parametrize(
    ("tried", "now", "expected"),
    [
        (attempt(0, MaximumRetryAttempts=0), 100.0, "MaximumRetryAttempts"),
        (attempt(1, MaximumRetryAttempts=2), 100.0, ""),
        (attempt(2, MaximumRetryAttempts=2), 100.0, "MaximumRetryAttempts"),
        (attempt(0, MaximumEventAgeInSeconds=60), 161.0, "MaximumEventAgeInSeconds"),
        (attempt(184), 100.0, ""),
        (attempt(185), 100.0, "MaximumRetryAttempts"),
    ],
)
def test_retry_policy(tried: Attempt, now: float, expected: str) -> None:
    assert exhausted_condition(tried, now) == expected


def test_a_repeated_delivery_has_the_same_token() -> None:
    assert attempt(0).matched.token == attempt(3).matched.token


def put_event(endpoint: EndpointHandle, source: str, **detail: Any) -> str:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail), "Resources": ["arn:a"]}
    answer = endpoint.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0
    return str(answer["Entries"][0]["EventId"])


def put_rule(endpoint: EndpointHandle, name: str, targets: list[dict[str, Any]], bus: str = "default") -> str:
    events = endpoint.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}), EventBusName=bus)["RuleArn"]
    assert events.put_targets(Rule=name, Targets=targets, EventBusName=bus)["FailedEntryCount"] == 0
    return str(arn)


def test_put_events_reaches_a_queue_with_the_whole_envelope(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    put_rule(endpoint, unique, [{"Id": "queue", "Arn": queue.arn}])
    event_id = put_event(endpoint, unique, a=1)
    [event] = queue.events(1)
    time = event.pop("time")
    assert len(time) == len("2026-01-01T00:00:00Z")
    assert event == {
        "version": "0",
        "id": event_id,
        "detail-type": "Test",
        "source": unique,
        "account": "123456789012",
        "region": endpoint.region,
        "resources": ["arn:a"],
        "detail": {"a": 1},
    }


def test_a_failing_target_stops_neither_the_others_nor_the_caller(
    endpoint: EndpointHandle, unique: str, queue: Any, make_queue: Callable[[str], Any]
) -> None:
    dead = make_queue(f"{unique}-dead")
    gone = f"arn:aws:sagemaker:{endpoint.region}:123456789012:pipeline/{unique}"
    rule = put_rule(
        endpoint,
        unique,
        [
            {"Id": "gone", "Arn": gone, "DeadLetterConfig": {"Arn": dead.arn}},
            *(
                {"Id": arn[-1], "Arn": arn, "DeadLetterConfig": {"Arn": dead.arn}}
                for arn in (UNKNOWN_FUNCTION, STATE_MACHINE, API_DESTINATION)
            ),
            {"Id": "queue", "Arn": queue.arn},
        ],
    )
    event_id = put_event(endpoint, unique, a=1)
    assert queue.events(1)[0]["id"] == event_id
    letters = {one["MessageAttributes"]["TARGET_ARN"]["StringValue"]: one for one in dead.messages(4)}
    attributes = {name: value["StringValue"] for name, value in letters[gone]["MessageAttributes"].items()}
    assert attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "RULE_ARN": rule,
        "TARGET_ARN": gone,
        "ERROR_CODE": "NO_RESOURCE",
        "RETRY_ATTEMPTS": "0",
    }
    assert json.loads(letters[gone]["Body"])["id"] == event_id
    said = {
        arn: {name: letter["MessageAttributes"][name]["StringValue"] for name in ("ERROR_CODE", "ERROR_MESSAGE")}
        for arn, letter in letters.items()
    }
    assert said[UNKNOWN_FUNCTION]["ERROR_CODE"] == "NO_RESOURCE"
    assert "functions.toml" in said[UNKNOWN_FUNCTION]["ERROR_MESSAGE"]
    for arn in (STATE_MACHINE, API_DESTINATION):
        assert said[arn]["ERROR_CODE"] == "INVALID_PARAMETER"
        assert f"the local endpoint cannot deliver to {arn}: targets are" in said[arn]["ERROR_MESSAGE"]
    assert f"was not delivered to {STATE_MACHINE}" in endpoint.running.log_file.read_text()


def test_a_function_gets_the_event_and_its_failure_stops_nobody(
    endpoint: EndpointHandle, unique: str, queue: Any, eventually: Callable[..., Any]
) -> None:
    (endpoint.state_dir / "handler.py").write_text(HANDLER)
    with (endpoint.state_dir / "functions.toml").open("a") as table:
        table.write(f'[[function]]\nname = "{unique}"\nhandler = "handler.py:handler"\n')
    function = f"arn:aws:lambda:{endpoint.region}:123456789012:function:{unique}"
    targets: list[dict[str, Any]] = [
        {"Id": "f", "Arn": function, "InputPath": "$.detail"},
        {"Id": "q", "Arn": queue.arn, "InputPath": "$.detail.n"},
    ]
    put_rule(endpoint, unique, targets)
    put_event(endpoint, unique, queue=queue.url, n=1)
    put_event(endpoint, unique, n=2)
    assert sorted(message["Body"] for message in queue.messages(3)) == ["1", "2", "function got 1"]
    eventually(lambda: "KeyError: 'queue'" in endpoint.running.log_file.read_text())


def test_a_bucket_tells_a_function(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    (endpoint.state_dir / "on_upload.py").write_text(ON_UPLOAD.format(url=queue.url))
    with (endpoint.state_dir / "functions.toml").open("a") as table:
        table.write(f'[[function]]\nname = "{unique}"\nhandler = "on_upload.py:handler"\n')
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    function = f"arn:aws:lambda:{endpoint.region}:123456789012:function:{unique}"
    configuration = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=unique, NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )
    s3.put_object(Bucket=unique, Key="a.csv", Body=b"")
    assert queue.messages(1)[0]["Body"] == "a.csv"


def test_a_fifo_queue_gets_its_group_and_each_event_once(endpoint: EndpointHandle, unique: str) -> None:
    sqs, events = endpoint.client("sqs"), endpoint.client("events")
    url = sqs.create_queue(QueueName=f"{unique}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = f"arn:aws:sqs:{endpoint.region}:123456789012:{unique}.fifo"
    put_rule(endpoint, unique, [{"Id": "q", "Arn": arn, "SqsParameters": {"MessageGroupId": "g"}, "Input": '"x"'}])
    put_event(endpoint, unique)
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["All"])["Messages"]
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ('"x"', "g")
    with pytest.raises(ClientError, match="SqsParameters must be specified"):
        events.put_targets(Rule=unique, Targets=[{"Id": "other", "Arn": arn}])


def test_a_rule_has_five_targets_at_most(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    put_rule(endpoint, unique, [{"Id": str(number), "Arn": queue.arn} for number in range(5)])
    put_rule(endpoint, unique, [{"Id": "4", "Arn": queue.arn}])
    with pytest.raises(ClientError, match="LimitExceededException"):
        put_rule(endpoint, unique, [{"Id": "5", "Arn": queue.arn}])


def test_bad_entries_keep_none_of_the_others_back(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    put_rule(endpoint, unique, [{"Id": "q", "Arn": queue.arn, "InputPath": "$.detail.n"}])
    good: dict[str, Any] = {"Source": unique, "DetailType": "d"}
    entries = [
        {**good, "Detail": '{"n": 0}'},
        {**good, "Detail": "no JSON"},
        {**good},
        {**good, "Detail": "{}", "EventBusName": f"{unique}-nowhere"},
        {**good, "Detail": '{"n": 5}'},
    ]
    answer = endpoint.client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [
        None, "MalformedDetail", "InvalidArgument", None, None,
    ]  # fmt: skip
    assert sorted(message["Body"] for message in queue.messages(2)) == ["0", "5"]


class Throttled:
    """Stands in for the endpoint where a target has to fail in a way that the real one does not on demand."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[dict[str, Any]] = []
        self.outbox: dict[str, bytes] = {}
        self.done = threading.Event()
        nothing = Authorization(IamSettings(), "us-east-1")
        acting = Acting(nothing, lambda *_: self, "us-east-1", "123456789012")
        self.access = TargetAccess(self, acting, RunningFunctions(), self)  # type: ignore[arg-type]

    def client(self, service: str, region: str) -> Throttled:
        return self

    def keep_deliveries(self, deliveries: dict[str, bytes]) -> None:
        self.outbox |= deliveries

    def forget_delivery(self, delivery_id: str) -> None:
        del self.outbox[delivery_id]

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803 - as in boto3
        if QueueName == "target" and self.failures:
            self.failures -= 1
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "GetQueueUrl")
        return {"QueueUrl": QueueName}

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)
        self.done.set()


def deliver_through(world: Throttled, retries: int) -> None:
    queue_arn = "arn:aws:sqs:us-east-1:123456789012:"
    target = {
        "Id": "t",
        "Arn": f"{queue_arn}target",
        "RetryPolicy": {"MaximumRetryAttempts": retries},
        "DeadLetterConfig": {"Arn": f"{queue_arn}dead"},
    }
    deliveries = Deliveries(world.access, lambda: world)  # type: ignore[arg-type]
    deliveries.submit([outgoing(Matched(EVENT, "rule", target))])
    assert len(world.outbox) == 1
    assert world.done.wait(60)
    deliveries.close()
    assert world.outbox == {}


def test_a_throttled_target_is_tried_again() -> None:
    world = Throttled(failures=2)
    deliver_through(world, retries=2)
    assert [message["QueueUrl"] for message in world.sent] == ["target"]


def test_a_dead_letter_says_why_no_more_is_tried() -> None:
    world = Throttled(failures=9)
    deliver_through(world, retries=1)
    [letter] = world.sent
    assert letter["QueueUrl"] == "dead"
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes == {
        "RULE_ARN": "rule",
        "TARGET_ARN": "arn:aws:sqs:us-east-1:123456789012:target",
        "ERROR_CODE": "THROTTLING",
        "ERROR_MESSAGE": "slow down (Operation: GetQueueUrl; Error Code: ThrottlingException)",
        "RETRY_ATTEMPTS": "1",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }


def test_disabled_rules_and_scheduled_rules_get_nothing(endpoint: EndpointHandle, unique: str, queue: Any) -> None:
    events = endpoint.client("events")
    put_rule(endpoint, unique, [{"Id": "q", "Arn": queue.arn, "Input": '"disabled"'}])
    events.disable_rule(Name=unique)
    events.put_rule(Name=f"{unique}-s", ScheduleExpression="rate(1 day)")
    events.put_targets(Rule=f"{unique}-s", Targets=[{"Id": "q", "Arn": queue.arn, "Input": '"scheduled"'}])
    put_event(endpoint, unique)
    put_rule(endpoint, f"{unique}-last", [{"Id": "q", "Arn": queue.arn}])
    put_event(endpoint, f"{unique}-last")
    assert [event["source"] for event in queue.events(1)] == [f"{unique}-last"]


def test_logs_topic_and_bus_targets(
    endpoint: EndpointHandle, unique: str, queue: Any, make_queue: Callable[[str], Any], eventually: Callable[..., Any]
) -> None:
    region = endpoint.region
    logs, sns = endpoint.client("logs"), endpoint.client("sns")
    logs.create_log_group(logGroupName=f"/aws/events/{unique}")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    from_topic = make_queue(f"{unique}-topic")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=from_topic.arn)
    bus = endpoint.client("events").create_event_bus(Name=unique)["EventBusArn"]
    put_rule(endpoint, unique, [{"Id": "q", "Arn": queue.arn}], bus=unique)
    put_rule(
        endpoint,
        unique,
        [
            {"Id": "logs", "Arn": f"arn:aws:logs:{region}:123456789012:log-group:/aws/events/{unique}"},
            {"Id": "topic", "Arn": topic},
            {"Id": "bus", "Arn": bus},
        ],
    )
    event_id = put_event(endpoint, unique)
    assert queue.events(1)[0]["id"] == event_id
    assert json.loads(from_topic.events(1)[0]["Message"])["id"] == event_id
    logged = eventually(lambda: logs.filter_log_events(logGroupName=f"/aws/events/{unique}")["events"])
    assert json.loads(logged[0]["message"])["id"] == event_id


def test_archive_and_replay(endpoint: EndpointHandle, unique: str, queue: Any, eventually: Callable[..., Any]) -> None:
    events = endpoint.client("events")
    bus = events.create_event_bus(Name=unique)["EventBusArn"]
    events.create_archive(ArchiveName=unique, EventSourceArn=bus)
    put_rule(endpoint, unique, [{"Id": "q", "Arn": queue.arn}], bus=unique)
    entry = {"Source": unique, "DetailType": "Test", "Detail": "{}", "EventBusName": unique}
    events.put_events(Entries=[entry])
    assert "replay-name" not in queue.events(1)[0]
    assert events.describe_archive(ArchiveName=unique)["EventCount"] == 1
    archive = events.describe_archive(ArchiveName=unique)["ArchiveArn"]
    events.start_replay(
        ReplayName=unique,
        EventSourceArn=archive,
        EventStartTime="2020-01-01T00:00:00Z",
        EventEndTime="2040-01-01T00:00:00Z",
        Destination={"Arn": bus},
    )
    assert queue.events(1)[0]["replay-name"] == unique


def test_patterns_are_checked(endpoint: EndpointHandle, unique: str) -> None:
    events = endpoint.client("events")
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="must be an object or an array"):
        events.put_rule(Name=unique, EventPattern='{"source": "x"}')
    event = {"id": "1", "source": "a", "detail-type": "b", "account": "c", "time": "d", "region": "e", "resources": []}
    pattern = '{"source": [{"prefix": "a"}]}'
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is True
    del event["region"]
    with pytest.raises(ClientError, match=r"ValidationException.*it has no region"):
        events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"InputPath": "$.detail", "Input": "{}"},
            "Only one of Input, InputPath, or InputTransformer must be provided",
        ),
        (
            {"InputTransformer": {"InputPathsMap": {}, "InputTemplate": '"<nothing>"'}},
            "InputTemplate for target q contains invalid placeholder nothing.",
        ),
    ],
)
def test_inputs_that_cannot_be_made_are_refused(
    endpoint: EndpointHandle, unique: str, queue: Any, more: dict[str, Any], message: str
) -> None:
    events = endpoint.client("events")
    events.put_rule(Name=unique, EventPattern='{"source": ["x"]}')
    with pytest.raises(ClientError, match=rf"ValidationException.*{re.escape(message)}"):
        events.put_targets(Rule=unique, Targets=[{"Id": "q", "Arn": queue.arn, **more}])


def test_events_of_services_are_archived_and_replayed_by_their_time(
    endpoint: EndpointHandle, unique: str, queue: Any
) -> None:
    events, s3 = endpoint.client("events"), endpoint.client("s3")
    [bus] = events.list_event_buses(NamePrefix="default")["EventBuses"]
    pattern = json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [unique]}}})
    archive = events.create_archive(ArchiveName=unique, EventSourceArn=bus["Arn"], EventPattern=pattern)["ArchiveArn"]
    events.put_rule(Name=unique, EventPattern=pattern)
    events.put_targets(Rule=unique, Targets=[{"Id": "q", "Arn": queue.arn}])
    s3.create_bucket(Bucket=unique)
    s3.put_bucket_notification_configuration(Bucket=unique, NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket=unique, Key="k", Body=b"")
    [first] = queue.events(1)
    assert events.describe_archive(ArchiveName=unique)["EventCount"] == 1

    def replay(name: str, begin: str, end: str) -> None:
        events.start_replay(
            ReplayName=f"{unique}-{name}",
            EventSourceArn=archive,
            EventStartTime=begin,
            EventEndTime=end,
            Destination={"Arn": bus["Arn"]},
        )

    replay("before", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z")
    replay("all", "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z")
    [again] = queue.events(1)
    assert again["replay-name"] == f"{unique}-all"
    assert again["detail"] == first["detail"]
    assert events.describe_archive(ArchiveName=unique)["EventCount"] == 1
    events.delete_archive(ArchiveName=unique)


def test_an_empty_parameter_of_a_pipeline_is_a_dead_letter(
    endpoint: EndpointHandle, unique: str, make_queue: Callable[[str], Any]
) -> None:
    dead = make_queue(f"{unique}-dead")
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "ETag", "Type": "String", "DefaultValue": "x"}],
        "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "it was started"}}],
    }
    arn = endpoint.client("sagemaker").create_pipeline(
        PipelineName=unique,
        PipelineDefinition=json.dumps(definition),
        RoleArn="arn:aws:iam::123456789012:role/pipeline",
        ClientRequestToken=unique.ljust(32, "-"),
    )["PipelineArn"]
    parameters = {"PipelineParameterList": [{"Name": "ETag", "Value": "$.detail.etag"}]}
    role = "arn:aws:iam::123456789012:role/events"
    target = {"Id": "p", "Arn": arn, "RoleArn": role, "SageMakerPipelineParameters": parameters}
    put_rule(endpoint, unique, [{**target, "DeadLetterConfig": {"Arn": dead.arn}}])
    put_event(endpoint, unique, etag="")
    attributes = dead.messages(1)[0]["MessageAttributes"]
    assert attributes["ERROR_CODE"]["StringValue"] == "INVALID_PARAMETER"
    assert '[string "" is too short (length: 0, required minimum: 1)]' in attributes["ERROR_MESSAGE"]["StringValue"]
