from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.local.daemon import EndpointHandle

SERVICE_ENABLED = {"EventBridgeConfiguration": {}}


@pytest.fixture
def bucket(endpoint: EndpointHandle, unique: str, queue: Any) -> str:
    """A bucket whose events go to the queue."""
    s3, events = endpoint.client("s3"), endpoint.client("events")
    s3.create_bucket(Bucket=unique)
    s3.put_bucket_notification_configuration(Bucket=unique, NotificationConfiguration=SERVICE_ENABLED)
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [unique]}}}
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "q", "Arn": queue.arn}])
    return unique


@pytest.mark.parametrize("key", ["a.csv", "raw/with space+plus%25.csv", "raw/日本/ü.csv", "deep/er/and/deeper.csv"])
def test_put_object(endpoint: EndpointHandle, bucket: str, queue: Any, key: str) -> None:
    answer = endpoint.client("s3").put_object(Bucket=bucket, Key=key, Body=b"12345")
    [event] = queue.events(1)
    assert event["detail-type"] == "Object Created"
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    detail = event["detail"]
    sequencer = detail["object"].pop("sequencer")
    assert int(sequencer, 16) > 0
    assert detail == {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": key, "size": 5, "etag": answer["ETag"].strip('"')},
        "request-id": answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"],
        "requester": "123456789012",
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }


def test_copy_and_delete(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="x=y")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    s3.delete_object(Bucket=bucket, Key="b")
    found = [(e["detail-type"], e["detail"]["object"]["key"], e["detail"]["reason"]) for e in queue.events(3)]
    assert sorted(found) == [
        ("Object Created", "a", "PutObject"),
        ("Object Created", "b", "CopyObject"),
        ("Object Deleted", "b", "DeleteObject"),
    ]


def test_a_multipart_upload_is_one_event(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    sizes = [5 << 20, 10]
    parts = [
        s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=b"x" * size)["ETag"]
        for number, size in enumerate(sizes, start=1)
    ]
    listed = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(parts, start=1)]
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": listed})
    s3.put_object(Bucket=bucket, Key="last", Body=b"")
    reasons = {event["detail"]["object"]["key"]: event["detail"] for event in queue.events(2)}
    assert reasons["m"]["reason"] == "CompleteMultipartUpload"
    assert reasons["m"]["object"]["size"] == sum(sizes)
    assert reasons["m"]["object"]["etag"].endswith("-2")


def test_versions_and_sequencers(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="k", Body=str(n).encode())["VersionId"] for n in range(5)]
    found = [event["detail"]["object"] for event in queue.events(5)]
    found.sort(key=lambda one: int(one["sequencer"], 16))
    assert [one["version-id"] for one in found] == versions
    assert len({one["sequencer"] for one in found}) == 5


def deleted(events: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    """Key, kind of deletion and version, in the order in which it happened."""
    details = sorted((event["detail"] for event in events), key=lambda one: int(one["object"]["sequencer"], 16))
    return [(one["object"]["key"], one["deletion-type"], one["object"].get("version-id")) for one in details]


def test_deletions_in_a_versioned_bucket(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=text)["VersionId"] for text in (b"1", b"2"))
    queue.events(2)
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert deleted(queue.events(1)) == [("k", "Delete Marker Created", marker)]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    permanently = "Permanently Deleted"
    expected = [("k", permanently, first), ("k", permanently, marker), ("k", permanently, second)]
    assert deleted(queue.events(3)) == expected


def test_many_deletions_in_one_request(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    queue.events(2)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("a", "never", "b")]})
    assert deleted(queue.events(2)) == [("a", "Permanently Deleted", None), ("b", "Permanently Deleted", None)]


def test_classic_notifications(
    endpoint: EndpointHandle, unique: str, queue: Any, make_queue: Callable[[str], Any]
) -> None:
    s3, sns, from_topic = endpoint.client("s3"), endpoint.client("sns"), make_queue(f"{unique}-topic")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=from_topic.arn)
    s3.create_bucket(Bucket=unique)
    only_csv = {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".csv"}]}}
    s3.put_bucket_notification_configuration(
        Bucket=unique,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"], "Filter": only_csv}],
            "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}],
        },
    )
    assert [event["Event"] for event in (queue.events(1)[0], json.loads(from_topic.events(1)[0]["Message"]))] == [
        "s3:TestEvent",
        "s3:TestEvent",
    ]
    s3.put_object(Bucket=unique, Key="not.txt", Body=b"1")
    upload = s3.create_multipart_upload(Bucket=unique, Key="a b+ü.csv")["UploadId"]
    part = s3.upload_part(Bucket=unique, Key="a b+ü.csv", UploadId=upload, PartNumber=1, Body=b"12345")["ETag"]
    s3.complete_multipart_upload(
        Bucket=unique,
        Key="a b+ü.csv",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]},
    )
    s3.put_object(Bucket=unique, Key="last.csv", Body=b"1", Tagging="a=b")
    s3.delete_object(Bucket=unique, Key="not.txt")
    records = [event["Records"][0] for event in queue.events(2)]
    # The multipart upload is one notification, and tags that come with an object are none.
    assert sorted((one["eventName"], one["s3"]["object"]["key"], one["s3"]["object"]["size"]) for one in records) == [
        ("ObjectCreated:CompleteMultipartUpload", "a+b%2B%C3%BC.csv", 5),
        ("ObjectCreated:Put", "last.csv", 1),
    ]
    assert all(one["requestParameters"]["sourceIPAddress"] == "127.0.0.1" for one in records)
    assert len({one["s3"]["object"]["sequencer"] for one in records}) == 2
    [record] = json.loads(from_topic.events(1)[0]["Message"])["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectRemoved:Delete", "not.txt")


def test_no_event_where_the_bucket_has_none_enabled(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    s3.put_object(Bucket=bucket, Key="silent", Body=b"")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=SERVICE_ENABLED)
    s3.put_object(Bucket=bucket, Key="heard", Body=b"")
    assert [event["detail"]["object"]["key"] for event in queue.events(1)] == ["heard"]


def definition(*parameters: str) -> str:
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Metadata": {},
            "Parameters": [{"Name": name, "Type": "String", "DefaultValue": "-"} for name in parameters],
            "Steps": [
                {
                    "Name": "Report",
                    "Type": "Fail",
                    "Arguments": {"ErrorMessage": {"Std:Join": {"On": " ", "Values": [{"Get": "Parameters.Key"}]}}},
                }
            ],
        }
    )


def test_an_upload_starts_a_pipeline_with_parameters_from_the_event(
    endpoint: EndpointHandle, bucket: str, eventually: Callable[..., Any]
) -> None:
    sagemaker, events = endpoint.client("sagemaker"), endpoint.client("events")
    role = "arn:aws:iam::123456789012:role/r"
    names = ("Key", "Bucket", "Size", "Static")
    arn = sagemaker.create_pipeline(
        PipelineName=bucket, PipelineDefinition=definition(*names), ClientRequestToken=bucket * 4, RoleArn=role
    )["PipelineArn"]
    listed = [
        {"Name": "Key", "Value": "$.detail.object.key"},
        {"Name": "Bucket", "Value": "$.detail.bucket.name"},
        {"Name": "Size", "Value": "$.detail.object.size"},
        {"Name": "Static", "Value": "always"},
    ]
    target = {"Id": "p", "Arn": arn, "RoleArn": role, "SageMakerPipelineParameters": {"PipelineParameterList": listed}}
    assert events.put_targets(Rule=bucket, Targets=[target])["FailedEntryCount"] == 0
    endpoint.client("s3").put_object(Bucket=bucket, Key="raw/ü .csv", Body=b"123")

    def executions() -> Any:
        return sagemaker.list_pipeline_executions(PipelineName=bucket)["PipelineExecutionSummaries"]

    [execution] = eventually(executions)
    arn = execution["PipelineExecutionArn"]
    parameters = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert {one["Name"]: one["Value"] for one in parameters} == {
        "Key": "raw/ü .csv",
        "Bucket": bucket,
        "Size": "3",
        "Static": "always",
    }


def test_conditional_writes_are_atomic(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        barrier.wait()
        try:
            s3.put_object(Bucket=unique, Key="claim", Body=str(number).encode(), IfNoneMatch="*")
            outcomes.append("won")
        except s3.exceptions.ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["PreconditionFailed"] * 7 + ["won"]


def test_if_match(endpoint: EndpointHandle, unique: str) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=unique)
    etag = s3.put_object(Bucket=unique, Key="k", Body=b"1")["ETag"]
    s3.put_object(Bucket=unique, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=unique, Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.put_object(Bucket=unique, Key="gone", Body=b"3", IfMatch=etag)
    assert s3.get_object(Bucket=unique, Key="k")["Body"].read() == b"2"
