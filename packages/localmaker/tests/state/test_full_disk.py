"""A disk that is full at any write: a refused request has changed nothing, in memory and on the disk.

One write of each step of a story fails, the first one, or the second, and so on. After each refusal all that a client
can read, and all that the next endpoint would find, is as it was before; and the step succeeds once there is room.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from tests.state.failing_disk import NEVER, FailingDisk, on_disk

from localmaker.daemon import EndpointHandle, running_endpoint

ROLE = "arn:aws:iam::123456789012:role/full"
LARGE = os.urandom(300_000)
PART = os.urandom(5 << 20)
EVENTS = {"EventBridgeConfiguration": {}}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
DEFINITION = json.dumps(
    {"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}]}
)
GROUP = {
    "RecordIdentifierFeatureName": "id",
    "EventTimeFeatureName": "at",
    "FeatureDefinitions": [
        {"FeatureName": "id", "FeatureType": "String"},
        {"FeatureName": "at", "FeatureType": "String"},
    ],
    "OnlineStoreConfig": {"EnableOnlineStore": True},
    "RoleArn": ROLE,
}
TAGS = [{"Key": "a", "Value": "b"}]
Step = Callable[["Clients", str], object]


class Clients:
    """The clients of an endpoint, by service, each made once."""

    def __init__(self, endpoint: EndpointHandle) -> None:
        self._endpoint = endpoint
        self._made: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._endpoint.client(service.replace("_", "-"))
        return self._made[service]


def prepare(at: Clients) -> None:
    """What the steps need."""
    at.s3.create_bucket(Bucket="plain")
    at.s3.create_bucket(Bucket="versioned")
    at.s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    at.s3.put_bucket_notification_configuration(Bucket="plain", NotificationConfiguration=EVENTS)
    at.s3.put_object(Bucket="plain", Key="source", Body=LARGE, Tagging="x=y")
    at.sqs.create_queue(QueueName="q")
    at.events.create_event_bus(Name="b")
    at.logs.create_log_group(logGroupName="g")
    at.logs.create_log_stream(logGroupName="g", logStreamName="one")
    at.sagemaker.create_feature_group(FeatureGroupName="group", **GROUP)


def upload_in_parts(at: Clients, name: str) -> None:
    uploads = at.s3.list_multipart_uploads(Bucket="plain").get("Uploads", [])
    for upload in uploads:
        at.s3.abort_multipart_upload(Bucket="plain", Key=upload["Key"], UploadId=upload["UploadId"])
    where = {"Bucket": "plain", "Key": name}
    where["UploadId"] = at.s3.create_multipart_upload(**where)["UploadId"]
    tags = [at.s3.upload_part(**where, PartNumber=n, Body=body)["ETag"] for n, body in ((1, PART), (2, b"end"))]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, start=1)]
    at.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


def send(at: Clients, name: str) -> None:
    at.sqs.send_message(QueueUrl=at.sqs.get_queue_url(QueueName="q")["QueueUrl"], MessageBody=name)


#: One request each, so that a refusal means that nothing has changed.
STEPS: dict[str, Step] = {
    "s3: bucket": lambda at, name: at.s3.create_bucket(Bucket=f"b{name}"),
    "s3: tags of a bucket": lambda at, name: at.s3.put_bucket_tagging(
        Bucket="plain", Tagging={"TagSet": [{"Key": "k", "Value": name}]}
    ),
    "s3: small object": lambda at, name: at.s3.put_object(Bucket="plain", Key=name, Body=b"small", Tagging="a=b"),
    "s3: large object": lambda at, name: at.s3.put_object(Bucket="plain", Key=name, Body=LARGE),
    "s3: same object": lambda at, name: at.s3.put_object(Bucket="plain", Key="same", Body=f"{name:50000}".encode()),
    "s3: copy": lambda at, name: at.s3.copy_object(Bucket="plain", Key=name, CopySource="plain/source"),
    "s3: version": lambda at, name: at.s3.put_object(Bucket="versioned", Key="k", Body=name.encode()),
    "s3: tags of an object": lambda at, name: at.s3.put_object_tagging(
        Bucket="plain", Key="source", Tagging={"TagSet": [{"Key": "k", "Value": name}]}
    ),
    "s3: upload": lambda at, name: at.s3.create_multipart_upload(Bucket="plain", Key=name),
    "sqs: queue": lambda at, name: at.sqs.create_queue(QueueName=name),
    "sqs: message": send,
    "sqs: receipt": lambda at, _name: at.sqs.receive_message(
        QueueUrl=at.sqs.get_queue_url(QueueName="q")["QueueUrl"], VisibilityTimeout=0
    ),
    "iam: role": lambda at, name: at.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}"),
    "events: rule": lambda at, name: at.events.put_rule(Name=name, EventPattern='{"source": ["aws.s3"]}'),
    "events: target": lambda at, _name: at.events.put_targets(
        Rule=at.events.list_rules()["Rules"][0]["Name"], Targets=[{"Id": "1", "Arn": QUEUE}]
    ),
    "events: archive": lambda at, name: at.events.create_archive(
        ArchiveName=name, EventSourceArn="arn:aws:events:us-east-1:123456789012:event-bus/b"
    ),
    "logs: log stream": lambda at, name: at.logs.create_log_stream(logGroupName="g", logStreamName=name),
    "logs: log event": lambda at, name: at.logs.put_log_events(
        logGroupName="g", logStreamName="one", logEvents=[{"timestamp": int(time.time() * 1000), "message": name}]
    ),
    "ssm: parameter": lambda at, name: at.ssm.put_parameter(Name=name, Value="v", Type="String"),
    "sagemaker: model": lambda at, name: at.sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": "i"},
        ExecutionRoleArn=ROLE,
        EnableNetworkIsolation=True,
        Tags=TAGS,
    ),
    "sagemaker: tags of a model": lambda at, name: at.sagemaker.add_tags(
        ResourceArn=at.sagemaker.list_models()["Models"][0]["ModelArn"], Tags=[{"Key": "a", "Value": name}]
    ),
    "sagemaker: model group": lambda at, name: at.sagemaker.create_model_package_group(
        ModelPackageGroupName=name, Tags=TAGS
    ),
    "sagemaker: feature group": lambda at, name: at.sagemaker.create_feature_group(
        FeatureGroupName=name, Tags=TAGS, **GROUP
    ),
    "sagemaker: record": lambda at, name: at.sagemaker_featurestore_runtime.put_record(
        FeatureGroupName="group",
        Record=[
            {"FeatureName": "id", "ValueAsString": name},
            {"FeatureName": "at", "ValueAsString": "2026-01-01T00:00:00Z"},
        ],
    ),
    "sagemaker: pipeline": lambda at, name: at.sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=DEFINITION,
        ClientRequestToken=name.rjust(32, "t"),
        RoleArn=ROLE,
        Tags=TAGS,
    ),
}


def seen(at: Clients, service: str) -> dict[str, Any]:
    """Return what a client can read of all that the steps make in a service."""
    return dict(without_metadata(_SEEN[service](at)))


def _seen_in_s3(at: Clients) -> dict[str, Any]:
    s3 = at.s3
    listed: list[dict[str, Any]] = s3.list_objects_v2(Bucket="plain").get("Contents", [])
    return {
        "buckets": s3.list_buckets()["Buckets"],
        "tags": _answer(lambda: s3.get_bucket_tagging(Bucket="plain")),
        "objects": [
            (one, s3.get_object(Bucket="plain", Key=one["Key"])["Body"].read(), _tags(s3, one["Key"])) for one in listed
        ],
        "versions": s3.list_object_versions(Bucket="versioned"),
        "uploads": s3.list_multipart_uploads(Bucket="plain").get("Uploads"),
    }


def _seen_in_sqs(at: Clients) -> dict[str, Any]:
    url = at.sqs.get_queue_url(QueueName="q")["QueueUrl"]
    return {
        "queues": [url.rpartition("/")[2] for url in at.sqs.list_queues()["QueueUrls"]],
        "counts": at.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]),
    }


def _seen_in_events(at: Clients) -> dict[str, Any]:
    rules = at.events.list_rules()["Rules"]
    return {
        "rules": [(one, at.events.list_targets_by_rule(Rule=one["Name"])) for one in rules],
        "archives": at.events.list_archives(),
    }


def _seen_in_sagemaker(at: Clients) -> dict[str, Any]:
    sagemaker = at.sagemaker
    names = [one["ModelName"] for one in sagemaker.list_models(MaxResults=100)["Models"]]
    groups = [one["FeatureGroupName"] for one in sagemaker.list_feature_groups(MaxResults=100)["FeatureGroupSummaries"]]
    records = at.sagemaker_featurestore_runtime.list_records(FeatureGroupName="group")
    return {
        "models": [sagemaker.describe_model(ModelName=name) for name in names],
        "model tags": [sagemaker.list_tags(ResourceArn=_arn("model", name)) for name in names],
        "packages": sagemaker.list_model_package_groups(),
        "groups": groups,
        "records": records,
        "pipelines": sagemaker.list_pipelines(),
    }


_SEEN: dict[str, Callable[[Clients], dict[str, Any]]] = {
    "s3": _seen_in_s3,
    "sqs": _seen_in_sqs,
    "events": _seen_in_events,
    "sagemaker": _seen_in_sagemaker,
    "iam": lambda at: {"roles": at.iam.list_roles()},
    "logs": lambda at: {
        "streams": at.logs.describe_log_streams(logGroupName="g"),
        "log": at.logs.filter_log_events(logGroupName="g"),
    },
    "ssm": lambda at: {"parameters": at.ssm.describe_parameters()},
}


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:{kind}/{name}"


def _tags(s3: Any, key: str) -> Any:
    return s3.get_object_tagging(Bucket="plain", Key=key)["TagSet"]


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClientError as error:
        return error.response["Error"]


def without_metadata(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_metadata(item) for key, item in value.items() if key != "ResponseMetadata"}
    return [without_metadata(item) for item in value] if isinstance(value, (list, tuple)) else value


def require_refusal(error: ClientError) -> None:
    """An error that says what happened, that is no success, and that no client repeats."""
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert error.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert error.response["Error"]["Code"] == "InternalFailure"
    assert "nothing has changed" in error.response["Error"]["Message"]
    assert "MiB are free there" in error.response["Error"]["Message"]


def kill(endpoint: EndpointHandle) -> None:
    process = psutil.Process(endpoint.running.pid)
    os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=30)


@pytest.mark.randomised("faults")
def test_a_request_is_whole_or_nothing_whichever_write_fails(tmp_path: Path, seed: int) -> None:
    # The disk is full and stays so, or only for one write.
    write = seed // 2 + 1
    last, number = (NEVER, errno.ENOSPC) if seed % 2 == 0 else (write + 1, errno.EDQUOT)
    disk, state_dir = FailingDisk(tmp_path), tmp_path / "state"
    with disk.endpoint(state_dir) as first:
        at = Clients(first)
        prepare(at)
        for name, step in STEPS.items():
            service = name.partition(":")[0]
            before, stored = seen(at, service), on_disk(state_dir)
            disk.fail(write, last, number)
            try:
                step(at, "new")
            except ClientError as error:
                failed = disk.work()
                require_refusal(error)
                assert seen(at, service) == before, name
                assert on_disk(state_dir) == stored, name
                step(at, "new")
            else:
                failed = disk.work()
            assert failed or write > 1, f"no write of {name!r} could fail"
        after = {service: seen(at, service) for service in _SEEN}
        kill(first)
    with running_endpoint(state_dir) as second:
        assert {service: seen(Clients(second), service) for service in _SEEN} == after


def test_reading_works_on_a_full_disk(tmp_path: Path) -> None:
    """Also what nobody has read before, for which moto makes a new backend."""
    disk, state_dir = FailingDisk(tmp_path), tmp_path / "state"
    with disk.endpoint(state_dir) as endpoint:
        at, stored = Clients(endpoint), on_disk(state_dir)
        disk.fail(1)
        for read in (
            at.s3.list_buckets,
            at.sqs.list_queues,
            at.events.list_rules,
            at.iam.list_roles,
            at.logs.describe_log_groups,
            at.ssm.describe_parameters,
            at.batch.describe_job_queues,
            at.lakeformation.list_permissions,
            at.lakeformation.list_resources,
            at.sts.get_caller_identity,
            at.sagemaker.list_models,
            at.sagemaker.list_endpoints,
            at.sagemaker.list_model_package_groups,
            at.sagemaker.list_feature_groups,
            at.sagemaker.list_pipelines,
            at.sagemaker.list_training_jobs,
        ):
            assert read()["ResponseMetadata"]["HTTPStatusCode"] == 200
        with pytest.raises(ClientError, match="not find"):
            at.sagemaker.describe_model(ModelName="none")
        assert (disk.work(), on_disk(state_dir)) == (0, stored)


def test_everything_that_makes_room_works_on_a_full_disk(tmp_path: Path) -> None:
    disk, state_dir = FailingDisk(tmp_path), tmp_path / "state"
    with disk.endpoint(state_dir) as first:
        at = Clients(first)
        prepare(at)
        before = {service: seen(at, service) for service in _SEEN}
        for name, step in STEPS.items():
            if name not in ("s3: tags of a bucket", "events: target"):
                step(at, "gone")
        at.s3.put_object(Bucket="plain", Key="gone too", Body=LARGE)
        url = at.sqs.get_queue_url(QueueName="q")["QueueUrl"]
        [message] = at.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
        [upload] = at.s3.list_multipart_uploads(Bucket="plain")["Uploads"]
        [version] = at.s3.list_object_versions(Bucket="versioned")["Versions"]
        disk.fail(1)
        with pytest.raises(ClientError, match="nothing has changed"):
            at.s3.put_object(Bucket="plain", Key="k", Body=LARGE)
        at.s3.delete_object(Bucket="plain", Key="gone")
        disk.fail(1)
        keys = [one["Key"] for one in at.s3.list_objects_v2(Bucket="plain")["Contents"] if one["Key"] != "source"]
        at.s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": key} for key in keys]})
        disk.fail(1)
        at.s3.abort_multipart_upload(Bucket="plain", Key="gone", UploadId=upload["UploadId"])
        for delete in (
            lambda: at.s3.delete_object(Bucket="versioned", Key="k", VersionId=version["VersionId"]),
            lambda: at.s3.delete_object_tagging(Bucket="plain", Key="source"),
            lambda: at.s3.delete_bucket(Bucket="bgone"),
            lambda: at.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]),
            lambda: at.sqs.purge_queue(QueueUrl=url),
            lambda: at.sqs.delete_queue(QueueUrl=url.replace("/q", "/gone")),
            lambda: at.iam.delete_role(RoleName="gone"),
            lambda: at.events.delete_rule(Name="gone"),
            lambda: at.events.delete_archive(ArchiveName="gone"),
            lambda: at.logs.delete_log_stream(logGroupName="g", logStreamName="gone"),
            lambda: at.ssm.delete_parameter(Name="gone"),
            lambda: at.sagemaker.delete_model(ModelName="gone"),
            lambda: at.sagemaker.delete_model_package_group(ModelPackageGroupName="gone"),
            lambda: at.sagemaker.delete_feature_group(FeatureGroupName="gone"),
            lambda: at.sagemaker_featurestore_runtime.delete_record(
                FeatureGroupName="group",
                RecordIdentifierValueAsString="gone",
                EventTime="2026-01-02T00:00:00Z",
                DeletionMode="HardDelete",
            ),
            lambda: at.sagemaker.delete_pipeline(PipelineName="gone", ClientRequestToken="d" * 32),
        ):
            disk.fail(1)
            delete()
        disk.work()
        assert len(list((state_dir / "aws" / "objects").iterdir())) == 1
        for service in _SEEN.keys() - {"s3", "sagemaker", "logs"}:
            assert seen(at, service) == before[service]
        left = seen(at, "sagemaker")
        assert [left[name] for name in ("models", "packages", "pipelines")] == [
            before["sagemaker"][name] for name in ("models", "packages", "pipelines")
        ]
        assert [one["Key"] for one in at.s3.list_objects_v2(Bucket="plain")["Contents"]] == ["source"]
        at.s3.put_object(Bucket="plain", Key="k", Body=LARGE)
        kill(first)
    with running_endpoint(state_dir) as second:
        listed = Clients(second).s3.list_objects_v2(Bucket="plain")["Contents"]
        assert [one["Key"] for one in listed] == ["k", "source"]
