"""The events and notifications that S3 sends about its objects."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle

SERVICE_ENABLED = {"EventBridgeConfiguration": {}}


@pytest.fixture
def bucket(endpoint: EndpointHandle, unique: str, queue: Any) -> str:
    """Return a bucket whose events go to the queue."""
    s3, events = endpoint.client("s3"), endpoint.client("events")
    s3.create_bucket(Bucket=unique)
    s3.put_bucket_notification_configuration(Bucket=unique, NotificationConfiguration=SERVICE_ENABLED)
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [unique]}}}
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "q", "Arn": queue.arn}])
    return unique


@pytest.mark.parametrize(
    "key", ["a.csv", "raw/with space+plus%25.csv", "raw/日本/ü.csv", "deep/er/and/deeper.csv", "two\nlines\r\n"]
)
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
    # S3 does not look whether they were there.
    assert deleted(queue.events(3)) == [(key, "Permanently Deleted", None) for key in ("a", "never", "b")]


def test_what_a_deletion_says(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="k")
    [_, event] = sorted(queue.events(2), key=lambda one: one["detail-type"])
    assert event["detail-type"] == "Object Deleted"
    assert set(event["detail"]["object"]) == {"key", "sequencer"}


def test_suspended_versions(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"replaced")
    answer = s3.delete_object(Bucket=bucket, Key="k")
    assert (answer["VersionId"], answer["DeleteMarker"]) == ("null", True)
    listed = s3.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in listed["Versions"]] == [kept]
    assert [one["VersionId"] for one in listed["DeleteMarkers"]] == ["null"]
    gone = s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert (gone["VersionId"], gone["DeleteMarker"]) == ("null", True)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
    marker = s3.delete_object(Bucket=bucket, Key="never")
    assert marker["DeleteMarker"]
    found = [event["detail"]["object"] for event in queue.events(5)]
    found.sort(key=lambda one: int(one["sequencer"], 16))
    assert [one.get("version-id") for one in found] == [kept, None, None, None, None]


def test_tags_rights_and_restores(endpoint: EndpointHandle, bucket: str, queue: Any) -> None:
    s3 = endpoint.client("s3")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"123", StorageClass="GLACIER")["ETag"].strip('"')
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
    for _ in range(3):
        restored = s3.head_object(Bucket=bucket, Key="k").get("Restore", "")
    assert 'ongoing-request="false"' in restored
    found = {event["detail-type"]: event["detail"] for event in queue.events(6)}
    short = {"key": "k", "etag": etag}
    for kind in ("Object ACL Updated", "Object Tags Added", "Object Tags Deleted"):
        assert found[kind]["object"] == short
        assert "reason" not in found[kind]
    for kind in ("Object Restore Initiated", "Object Restore Completed"):
        assert found[kind]["object"] == {**short, "size": 3}
        assert found[kind]["source-storage-class"] == "GLACIER"
    assert found["Object Restore Completed"]["restore-expiry-time"].endswith("T00:00:00Z")
    assert "source-ip-address" not in found["Object Restore Completed"]


def test_all_who_are_told_of_one_thing_get_the_same_sequencer(
    endpoint: EndpointHandle, bucket: str, queue: Any, make_queue: Callable[[str], Any]
) -> None:
    s3, classic = endpoint.client("s3"), make_queue(f"{bucket}-classic")
    rules = [{"Name": "Prefix", "Value": "raw/"}, {"Name": "Suffix", "Value": ""}]
    configuration = {
        "QueueArn": classic.arn,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={**SERVICE_ENABLED, "QueueConfigurations": [configuration]}
    )
    s3.put_object(Bucket=bucket, Key="other", Body=b"1")
    s3.put_object(Bucket=bucket, Key="raw/k", Body=b"1")
    s3.put_object_tagging(Bucket=bucket, Key="raw/k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object(Bucket=bucket, Key="raw/k")
    by_kind = {event["detail-type"]: event["detail"]["object"] for event in queue.events(4)}
    records = [event["Records"][0] for event in classic.events(4) if "Records" in event]
    objects = {record["eventName"]: record["s3"]["object"] for record in records}
    assert set(objects) == {"ObjectCreated:Put", "ObjectTagging:Put", "ObjectRemoved:Delete"}
    assert objects["ObjectRemoved:Delete"]["sequencer"] == by_kind["Object Deleted"]["sequencer"]
    assert set(objects["ObjectRemoved:Delete"]) == {"key", "sequencer"}
    assert set(objects["ObjectTagging:Put"]) == {"key", "eTag"}
    assert {record["eventVersion"] for record in records if "Tagging" in record["eventName"]} == {"2.3"}
    assert {"x-amz-request-id", "x-amz-id-2"} == set(records[0]["responseElements"])


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
