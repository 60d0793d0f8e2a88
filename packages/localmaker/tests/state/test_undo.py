"""What could not be stored is undone in memory: also what others touch at the same moment."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.state.failing_disk import FailingDisk

from localmaker.daemon import EndpointHandle


class FullEndpoint:
    """An endpoint, and the disk that it writes to."""

    def __init__(self, endpoint: EndpointHandle, disk: FailingDisk) -> None:
        self.client, self.disk, self.state_dir = endpoint.client, disk, endpoint.state_dir

    def refuse(self, request: Any, **arguments: Any) -> None:
        """Make a request on a full disk."""
        self.disk.fail(1, number=errno.ENOSPC)
        with pytest.raises(ClientError, match="nothing has changed"):
            request(**arguments)
        self.disk.work()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullEndpoint]:
    folder: Path = tmp_path_factory.mktemp("full")
    disk = FailingDisk(folder)
    with disk.endpoint(folder / "state") as endpoint:
        yield FullEndpoint(endpoint, disk)


def test_received_messages_are_visible_again_in_their_order(full: FullEndpoint) -> None:
    sqs = full.client("sqs")
    url = sqs.create_queue(QueueName="order.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number in range(3):
        name = str(number)
        sqs.send_message(QueueUrl=url, MessageBody=name, MessageGroupId=name, MessageDeduplicationId=name)
    full.refuse(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=2, VisibilityTimeout=600)
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [one["Body"] for one in found] == ["0", "1", "2"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])


def test_a_queue_that_could_not_be_changed_keeps_its_messages(full: FullEndpoint) -> None:
    sqs = full.client("sqs")
    url = sqs.create_queue(QueueName="changed")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    full.refuse(sqs.set_queue_attributes, QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"] == "30"
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "m"


def test_a_log_group_that_could_not_be_changed_keeps_its_streams(full: FullEndpoint) -> None:
    logs = full.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    logs.put_log_events(
        logGroupName="g", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "m"}]
    )
    full.refuse(logs.put_retention_policy, logGroupName="g", retentionInDays=7)
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    assert [one["message"] for one in logs.filter_log_events(logGroupName="g")["events"]] == ["m"]


def test_a_refused_upload_sends_no_event_and_leaves_no_file(full: FullEndpoint) -> None:
    s3, sqs, events = full.client("s3"), full.client("sqs"), full.client("events")
    url = sqs.create_queue(QueueName="uploads")["QueueUrl"]
    s3.create_bucket(Bucket="bbb")
    s3.put_bucket_notification_configuration(Bucket="bbb", NotificationConfiguration={"EventBridgeConfiguration": {}})
    events.put_rule(Name="r", EventPattern='{"source": ["aws.s3"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:uploads"}])
    for write in range(1, 7):
        full.disk.fail(write)
        with pytest.raises(ClientError, match="nothing has changed"):
            s3.put_object(Bucket="bbb", Key="k", Body=bytes(200_000))
        full.disk.work()
        assert list((full.state_dir / "aws" / "objects").iterdir()) == []
    assert "Contents" not in s3.list_objects_v2(Bucket="bbb")
    s3.put_object(Bucket="bbb", Key="stored", Body=b"")
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert '"key": "stored"' in message["Body"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_parts_that_are_too_small_for_a_file_are_joined_or_stay(full: FullEndpoint) -> None:
    s3 = full.client("s3")
    s3.create_bucket(Bucket="parts")
    where = {"Bucket": "parts", "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**where, PartNumber=1, Body=b"small")["ETag"]}
    full.refuse(s3.complete_multipart_upload, **where, MultipartUpload={"Parts": [part]})
    assert len(s3.list_parts(**where)["Parts"]) == 1
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [part]})
    assert s3.get_object(Bucket="parts", Key="k")["Body"].read() == b"small"
