"""Events: attempts, and where one goes that no attempt has processed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.test_functions import Functions, packed_source

from localmaker.daemon import EndpointHandle
from tests.conftest import Queue

# Tells its attempts, and processes an event at the attempt that the event names.
SOURCE = """
import boto3, json

def handler(event, context):
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=event["attempts"])["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"request": context.aws_request_id}))
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    if int(told["Attributes"]["ApproximateNumberOfMessages"]) < event["succeeds_at"]:
        raise ValueError("not yet")
    return {"done": True}
"""


@pytest.fixture
def functions(endpoint: EndpointHandle, unique: str) -> Functions:
    found = Functions(endpoint, unique)
    found.create(Code={"ZipFile": packed_source(SOURCE)})
    return found


class Queues:
    """The queues of a test: what its function tells, and what Lambda sends."""

    def __init__(self, make: Callable[[str], Queue], name: str) -> None:
        self.attempts, self.sent = make(f"{name}-attempts"), make(f"{name}-sent")
        self.event = {"attempts": f"{name}-attempts", "succeeds_at": 99}


@pytest.fixture
def queues(make_queue: Callable[[str], Queue], unique: str) -> Queues:
    return Queues(make_queue, unique)


def send(functions: Functions, event: Any) -> str:
    """Invoke the function asynchronously; return the id of the request."""
    answer = functions.client.invoke(FunctionName=functions.name, InvocationType="Event", Payload=json.dumps(event))
    return str(answer["ResponseMetadata"]["RequestId"])


def destinations(functions: Functions, **settings: Any) -> None:
    functions.client.put_function_event_invoke_config(FunctionName=functions.name, **settings)


def test_a_failed_event_is_tried_twice_more_and_goes_to_its_destination(functions: Functions, queues: Queues) -> None:
    destinations(functions, DestinationConfig={"OnFailure": {"Destination": queues.sent.arn}})
    send(functions, queues.event)
    [record] = queues.sent.events(1)
    attempts = queues.attempts.events(3)
    assert {one["request"] for one in attempts} == {record["requestContext"]["requestId"]}
    assert record["version"] == "1.0"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"].endswith(f":function:{functions.name}:$LATEST")
    assert record["requestPayload"] == queues.event
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_it_is_tried_as_often_as_is_set(functions: Functions, queues: Queues) -> None:
    destinations(functions, MaximumRetryAttempts=2)
    to = {"OnFailure": {"Destination": queues.sent.arn}}
    destinations(functions, MaximumRetryAttempts=0, DestinationConfig=to)  # replaces what was there
    send(functions, queues.event)
    [record] = queues.sent.events(1)
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_a_processed_event_goes_to_the_other_destination(functions: Functions, queues: Queues) -> None:
    destinations(functions, DestinationConfig={"OnSuccess": {"Destination": queues.sent.arn}})
    send(functions, {**queues.event, "succeeds_at": 2})
    [record] = queues.sent.events(1)
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"] == {"done": True}
    assert "functionError" not in record["responseContext"]


def test_dead_letters_are_the_events_themselves(functions: Functions, queues: Queues) -> None:
    functions.client.update_function_configuration(
        FunctionName=functions.name, DeadLetterConfig={"TargetArn": queues.sent.arn}
    )
    send(functions, queues.event)
    [letter] = queues.sent.messages(1)
    assert json.loads(letter["Body"]) == queues.event
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ErrorMessage"] == "not yet"
    assert attributes["RequestID"] == queues.attempts.events(1)[0]["request"]


def test_a_topic_takes_them_too(functions: Functions, queues: Queues, endpoint: EndpointHandle, unique: str) -> None:
    sns = endpoint.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queues.sent.arn)
    destinations(functions, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}})
    send(functions, queues.event)
    [notification] = queues.sent.events(1)
    assert json.loads(notification["Message"])["requestPayload"] == queues.event


def test_an_event_of_a_rule_is_such_an_event(
    functions: Functions, queues: Queues, endpoint: EndpointHandle, unique: str
) -> None:
    destinations(functions, DestinationConfig={"OnFailure": {"Destination": queues.sent.arn}})
    events, arn = endpoint.client("events"), functions.described()["FunctionArn"]
    events.put_rule(Name=unique, EventPattern=json.dumps({"source": [unique]}))
    events.put_targets(Rule=unique, Targets=[{"Id": "f", "Arn": arn, "InputPath": "$.detail"}])
    events.put_events(
        Entries=[{"Source": unique, "DetailType": "x", "Detail": json.dumps(queues.event), "EventBusName": "default"}]
    )
    [record] = queues.sent.events(1)
    assert record["requestPayload"] == queues.event
    assert record["requestContext"]["approximateInvokeCount"] == 3
