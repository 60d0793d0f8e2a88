"""SQS queues: what each receiver gets, and what remains of a queue after a kill."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint

COUNTS = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


def counts(sqs: Any, url: str) -> list[int]:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
    assert set(found) == set(COUNTS)
    return [int(found[name]) for name in COUNTS]


def received(sqs: Any, url: str, **more: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **more).get(
        "Messages", []
    )
    return messages


def bodies(sqs: Any, url: str, **more: Any) -> list[str]:
    return [message["Body"] for message in received(sqs, url, **more)]


@pytest.fixture
def sqs(endpoint: EndpointHandle) -> Any:
    return endpoint.client("sqs")


def test_each_message_has_one_receiver_of_many(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sqs.send_message(QueueUrl=url, MessageBody=str(n)), range(80)))
        found = list(pool.map(lambda _: bodies(sqs, url), range(16)))
    assert sorted(int(body) for several in found for body in several) == list(range(80))
    assert counts(sqs, url) == [0, 80, 0]


def test_a_waiting_receiver_gets_a_new_message(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique, Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(received, sqs, url, WaitTimeSeconds=20)
        sqs.send_message(QueueUrl=url, MessageBody="sent")
        [message] = waiting.result(15)
        waiting = pool.submit(received, sqs, url, WaitTimeSeconds=20)
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        [again] = waiting.result(15)
    assert again["MessageId"] == message["MessageId"]
    assert again["ReceiptHandle"] != message["ReceiptHandle"]


def test_a_waiting_receiver_gets_a_message_that_becomes_visible(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique, Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    assert bodies(sqs, url) == ["m"]
    assert bodies(sqs, url) == []
    [again] = received(sqs, url, WaitTimeSeconds=20, AttributeNames=["ApproximateReceiveCount"])
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"}


def test_a_delayed_message(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m", DelaySeconds=1)
    assert counts(sqs, url) == [0, 0, 1]
    assert bodies(sqs, url, WaitTimeSeconds=20) == ["m"]


def test_every_handle_of_a_message_deletes_it_and_again_does_no_harm(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    [first] = received(sqs, url, VisibilityTimeout=0)
    [second] = received(sqs, url)
    for message in (first, second, first):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert counts(sqs, url) == [0, 0, 0]
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="never-given")
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle="never-given", VisibilityTimeout=1)


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(sqs: Any, unique: str) -> None:
    dead = sqs.create_queue(QueueName=f"{unique}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(QueueName=unique, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="bad")
    assert [bodies(sqs, url, VisibilityTimeout=0) for _ in range(3)] == [["bad"], ["bad"], []]
    assert bodies(sqs, dead) == ["bad"]
    assert counts(sqs, url) == [0, 0, 0]


def test_a_message_group_waits_for_its_first_message(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=f"{unique}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number, group in enumerate("aab"):
        sqs.send_message(
            QueueUrl=url, MessageBody=str(number), MessageGroupId=group, MessageDeduplicationId=str(number)
        )
    sqs.send_message(QueueUrl=url, MessageBody="again", MessageGroupId="a", MessageDeduplicationId="0")
    [first] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert first["Body"] == "0"
    assert bodies(sqs, url) == ["2"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bodies, sqs, url, WaitTimeSeconds=20)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        assert waiting.result(15) == ["1"]


def test_an_expired_message_is_dropped(sqs: Any, unique: str, eventually: Callable[..., Any]) -> None:
    url = sqs.create_queue(QueueName=unique, Attributes={"MessageRetentionPeriod": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="old")
    eventually(lambda: counts(sqs, url) == [0, 0, 0])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    sqs.send_message(QueueUrl=url, MessageBody="new")
    assert "new" in bodies(sqs, url)


def test_a_purged_queue_can_be_used(sqs: Any, unique: str) -> None:
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    for body in "ab":
        sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="c")
    assert bodies(sqs, url) == ["c"]


def rows(state_dir: Path) -> dict[str, int]:
    with closing(sqlite3.connect(state_dir / "aws" / "state.db")) as database:
        found = database.execute("SELECT kind, count(*) FROM piece GROUP BY kind").fetchall()
        assert not database.execute("SELECT 1 FROM piece WHERE kind = 'backend' AND instr(state, 'body-')").fetchall()
    return dict(found)


def test_messages_are_stored_one_by_one_and_outlive_a_kill(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as first:
        sqs = first.client("sqs")
        url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
        other = sqs.create_queue(QueueName="other")["QueueUrl"]
        for number in range(5):
            sqs.send_message(QueueUrl=url, MessageBody=f"body-{number}")
            sqs.send_message(QueueUrl=other, MessageBody=f"body-{number}")
        [deleted] = sqs.receive_message(QueueUrl=url)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=deleted["ReceiptHandle"])
        [held] = sqs.receive_message(QueueUrl=url)["Messages"]
        assert rows(tmp_path)["message"] == 10
        sqs.delete_queue(QueueUrl=other)
        assert rows(tmp_path)["message"] == 5
        os.kill(first.running.pid, signal.SIGKILL)
        psutil.Process(first.running.pid).wait(30)
    with running_endpoint(tmp_path) as second:
        sqs = second.client("sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        assert counts(sqs, url) == [3, 1, 0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=deleted["ReceiptHandle"])
        assert bodies(sqs, url) == ["body-2", "body-3", "body-4"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0)
        assert bodies(sqs, url) == ["body-1"]
        assert sqs.list_queues()["QueueUrls"] == [url]


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_queue_attributes", {}),
        ("get_queue_attributes", {"AttributeNames": ["All"]}),
        ("get_queue_attributes", {"AttributeNames": COUNTS}),
        ("change_message_visibility_batch", {"Entries": [{"Id": "1", "ReceiptHandle": "r", "VisibilityTimeout": 1}]}),
        ("delete_message_batch", {"Entries": [{"Id": "1", "ReceiptHandle": "r"}]}),
        ("list_dead_letter_source_queues", {}),
        ("list_queue_tags", {}),
        ("purge_queue", {}),
        ("receive_message", {}),
        ("set_queue_attributes", {"Attributes": {"DelaySeconds": "1"}}),
    ],
)
def test_a_missing_queue(sqs: Any, unique: str, operation: str, parameters: dict[str, Any]) -> None:
    url = sqs.create_queue(QueueName=unique)["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as refused:
        getattr(sqs, operation)(QueueUrl=url, **parameters)
    assert refused.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
