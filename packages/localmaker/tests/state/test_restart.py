"""What clients see of moto's services is the same after a restart, and after a kill."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import stat
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import moto
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localmaker import daemon
from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.errors import UnsafeStateError
from localmaker.services.events.delivery import Outgoing, outgoing
from localmaker.services.events.targets import Matched
from localmaker.state.store import Piece, PieceId, StateFile, digest

ROLE = "arn:aws:iam::123456789012:role/restart"
LARGE = os.urandom(300_000)
ASSUME = json.dumps({"Version": "2012-10-17", "Statement": []})
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)


def fill(endpoint: EndpointHandle) -> None:
    """One of each kind of resource whose state moto holds."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket="plain", NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_bucket_tagging(Bucket="plain", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object(Bucket="plain", Key="small é+ %", Body=b"small", Metadata={"a_b": "c"}, Tagging="x=y")
    s3.put_object(Bucket="plain", Key="large", Body=LARGE, ContentType="text/csv")
    s3.put_object(Bucket="plain", Key="gone", Body=LARGE)
    s3.delete_object(Bucket="plain", Key="gone")
    s3.copy_object(Bucket="plain", Key="copy", CopySource={"Bucket": "plain", "Key": "large"})
    for text in (b"1", b"2"):
        s3.put_object(Bucket="versioned", Key="k", Body=text)
    s3.delete_object(Bucket="versioned", Key="k")
    upload = s3.create_multipart_upload(Bucket="plain", Key="open")["UploadId"]
    s3.upload_part(Bucket="plain", Key="open", UploadId=upload, PartNumber=1, Body=LARGE * 20)
    events, logs, sqs = endpoint.client("events"), endpoint.client("logs"), endpoint.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    sqs.send_message(QueueUrl=queue, MessageBody="deleted")
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["a"]}))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])
    events.create_event_bus(Name="b")
    events.create_archive(ArchiveName="a", EventSourceArn="arn:aws:events:us-east-1:123456789012:event-bus/b")
    for detail in ("{}", '{"n": 1}'):
        events.put_events(Entries=[{"Source": "a", "DetailType": "d", "Detail": detail, "EventBusName": "b"}])
    logs.create_log_group(logGroupName="g")
    for name in ("one", "two"):
        logs.create_log_stream(logGroupName="g", logStreamName=name)
        now = int(time.time() * 1000)
        logs.put_log_events(logGroupName="g", logStreamName=name, logEvents=[{"timestamp": now, "message": name}])
    logs.delete_log_stream(logGroupName="g", logStreamName="two")
    iam = endpoint.client("iam")
    iam.create_role(RoleName="restart", AssumeRolePolicyDocument=ASSUME)
    iam.put_role_policy(RoleName="restart", PolicyName="p", PolicyDocument=POLICY)
    sns = endpoint.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    endpoint.client("sagemaker").create_model(
        ModelName="m", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=ROLE, Tags=[{"Key": "a", "Value": "b"}]
    )
    endpoint.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")
    endpoint.client("ssm").put_parameter(Name="/p", Value="v", Type="String")
    glue = endpoint.client("glue")
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput={"Name": "t"})
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("f.py", "def handler(event, context):\n    return {**event, 'answered': True}\n")
    endpoint.client("lambda").create_function(
        FunctionName="f", Runtime="python3.12", Role=ROLE, Handler="f.handler", Code={"ZipFile": code.getvalue()}
    )


def seen(endpoint: EndpointHandle) -> dict[str, Any]:
    """Return everything of it that a client can read."""
    s3, logs, iam = endpoint.client("s3"), endpoint.client("logs"), endpoint.client("iam")
    objects = {}
    for key in [one["Key"] for one in s3.list_objects_v2(Bucket="plain")["Contents"]]:
        objects[key] = s3.get_object(Bucket="plain", Key=key, ChecksumMode="ENABLED")
        objects[key]["Body"] = objects[key]["Body"].read()
        objects[key]["Tags"] = s3.get_object_tagging(Bucket="plain", Key=key)["TagSet"]
    sagemaker, kms = endpoint.client("sagemaker"), endpoint.client("kms")
    [upload] = s3.list_multipart_uploads(Bucket="plain")["Uploads"]
    answers = {
        "objects": objects,
        "buckets": s3.list_buckets()["Buckets"],
        "notification": s3.get_bucket_notification_configuration(Bucket="plain"),
        "tags": s3.get_bucket_tagging(Bucket="plain"),
        "versions": s3.list_object_versions(Bucket="versioned"),
        "parts": s3.list_parts(Bucket="plain", Key="open", UploadId=upload["UploadId"]),
        "rules": endpoint.client("events").list_rules(),
        "archive": endpoint.client("events").describe_archive(ArchiveName="a")["EventCount"],
        "targets": endpoint.client("events").list_targets_by_rule(Rule="r"),
        "streams": logs.describe_log_streams(logGroupName="g"),
        "log": logs.filter_log_events(logGroupName="g"),
        "role": iam.get_role(RoleName="restart"),
        "policy": iam.get_role_policy(RoleName="restart", PolicyName="p"),
        "subscriptions": endpoint.client("sns").list_subscriptions(),
        "model": sagemaker.describe_model(ModelName="m"),
        "model tags": sagemaker.list_tags(ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:model/m"),
        "keys": [kms.get_public_key(KeyId=one["KeyId"]) for one in kms.list_keys()["Keys"]],
        "parameter": endpoint.client("ssm").get_parameter(Name="/p"),
        "function": endpoint.client("lambda").get_function_configuration(FunctionName="f"),
        "answer": json.load(endpoint.client("lambda").invoke(FunctionName="f", Payload=b'{"a": 1}')["Payload"]),
        "tables": endpoint.client("glue").get_tables(DatabaseName="d")["TableList"],
    }
    return dict(_without_metadata(answers))


def _without_metadata(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_metadata(item) for key, item in value.items() if key != "ResponseMetadata"}
    return [_without_metadata(item) for item in value] if isinstance(value, list) else value


def kill(endpoint: EndpointHandle) -> None:
    os.kill(endpoint.running.pid, signal.SIGKILL)
    psutil.Process(endpoint.running.pid).wait(30)


def test_everything_survives_a_kill_and_then_a_restart(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as first:
        assert first.running.restored == "new state"
        fill(first)
        before = seen(first)
        kill(first)
    with running_endpoint(tmp_path) as second:
        assert "the previous endpoint was killed" in second.running.restored
        assert "2 buckets" in second.running.restored
        after = seen(second)
        assert after["archive"] == 2
        assert after["answer"] == {"a": 1, "answered": True}
        assert after == before
        s3, sqs, logs = second.client("s3"), second.client("sqs"), second.client("logs")
        assert (s3.get_object(Bucket="plain", Key="large")["Body"].read()) == LARGE
        queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        assert sorted(one["Body"] for one in found) == ["deleted", "kept"]
        [gone] = [one for one in found if one["Body"] == "deleted"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=gone["ReceiptHandle"])
        version = second.client("lambda").publish_version(FunctionName="f")["Version"]
        second.client("lambda").create_alias(FunctionName="f", Name="a", FunctionVersion=version)
        # What was open goes on.
        [upload] = s3.list_multipart_uploads(Bucket="plain")["Uploads"]
        part = s3.upload_part(Bucket="plain", Key="open", UploadId=upload["UploadId"], PartNumber=2, Body=b"end")
        first_part = before["parts"]["Parts"][0]["ETag"]
        parts = [{"PartNumber": 1, "ETag": first_part}, {"PartNumber": 2, "ETag": part["ETag"]}]
        s3.complete_multipart_upload(
            Bucket="plain", Key="open", UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
        )
        logs.put_log_events(
            logGroupName="g", logStreamName="one", logEvents=[{"timestamp": int(time.time() * 1000), "message": "more"}]
        )
        s3.delete_object(Bucket="plain", Key="large")
        s3.delete_bucket_tagging(Bucket="plain")
    with running_endpoint(tmp_path) as third:
        assert "the previous endpoint stopped cleanly" in third.running.restored
        s3 = third.client("s3")
        assert s3.get_object(Bucket="plain", Key="open")["Body"].read() == LARGE * 20 + b"end"
        assert s3.get_object(Bucket="plain", Key="copy")["Body"].read() == LARGE
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket="plain", Key="large")
        with pytest.raises(ClientError, match="NoSuchTagSet"):
            s3.get_bucket_tagging(Bucket="plain")
        assert len(third.client("logs").filter_log_events(logGroupName="g")["events"]) == 2
        for key in ("copy", "open"):
            s3.delete_object(Bucket="plain", Key=key)
    assert list((tmp_path / "aws" / "objects").iterdir()) == []


def test_no_acknowledged_write_is_lost_by_a_kill(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    acknowledged: list[str] = []
    with running_endpoint(tmp_path) as first:
        s3 = first.client("s3")
        s3.create_bucket(Bucket="bbb")
        s3.put_bucket_notification_configuration(
            Bucket="bbb", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        queue = first.client("sqs").create_queue(QueueName="uploads")["QueueUrl"]
        first.client("events").put_rule(Name="uploads", EventPattern=json.dumps({"source": ["aws.s3"]}))
        target = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:uploads"}
        first.client("events").put_targets(Rule="uploads", Targets=[target])

        def write(worker: int) -> None:
            for number in range(10_000):
                key = f"{worker}/{number}"
                try:
                    s3.put_object(Bucket="bbb", Key=key, Body=key.encode() * (1 if number % 2 else 40_000))
                except Exception:  # noqa: BLE001 - whatever a client sees when the endpoint dies
                    return
                acknowledged.append(key)

        with ThreadPoolExecutor(4) as pool:
            for worker in range(4):
                pool.submit(write, worker)
            eventually(lambda: len(acknowledged) > 60)
            kill(first)
    with running_endpoint(tmp_path) as second:
        s3 = second.client("s3")
        for key in acknowledged:
            number = int(key.split("/")[1])
            assert s3.get_object(Bucket="bbb", Key=key)["Body"].read() == key.encode() * (1 if number % 2 else 40_000)
        announced: set[str] = set()

        def all_announced() -> bool:
            answer = second.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            announced.update(json.loads(one["Body"])["detail"]["object"]["key"] for one in answer.get("Messages", []))
            return announced >= set(acknowledged)

        queue = second.client("sqs").get_queue_url(QueueName="uploads")["QueueUrl"]
        eventually(all_announced)


def test_what_a_killed_endpoint_had_not_delivered_is_delivered_once(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    definition = {"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}]}
    with running_endpoint(tmp_path) as first:
        pipeline = first.client("sagemaker").create_pipeline(
            PipelineName="p",
            PipelineDefinition=json.dumps(definition),
            ClientRequestToken="t" * 32,
            RoleArn=ROLE,
        )["PipelineArn"]
    event = {"id": "1", "source": "a", "detail-type": "d", "detail": {}}
    left = [outgoing(Matched(event, "rule", {"Id": "1", "Arn": pipeline})) for _ in range(2)]
    state = MotoStateFile(tmp_path)
    state.add(left)
    with running_endpoint(tmp_path) as second:
        sagemaker = second.client("sagemaker")
        eventually(lambda: sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"])
        eventually(lambda: state.deliveries() == 0)
        assert len(sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"]) == 1


class MotoStateFile:
    """The state file of an endpoint that is down, or as another reader of one that is up."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "aws" / "state.db"

    def add(self, deliveries: list[Outgoing]) -> None:
        file = StateFile(self._path, moto.__version__)
        pieces = [Piece(PieceId("undelivered event", "", one.delivery_id), one.dump()) for one in deliveries]
        file.write([(piece, digest(piece.data or b"")) for piece in pieces])
        file.close()

    def deliveries(self) -> int:
        database = sqlite3.connect(self._path)
        found = database.execute("SELECT count(*) FROM piece WHERE kind = 'undelivered event'").fetchone()
        database.close()
        return int(found[0])


def test_what_could_not_be_stored_is_not_there(tmp_path: Path) -> None:
    once = Config(retries={"total_max_attempts": 1})
    with running_endpoint(tmp_path) as first:
        s3 = first.client("s3")
        s3.create_bucket(Bucket="bbb")
        sqs = boto3.client("sqs", config=once, **client_arguments(first))
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        with closing(sqlite3.connect(tmp_path / "aws" / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ClientError, match="could not store what this request changes: database is locked"):
                sqs.send_message(QueueUrl=queue, MessageBody="m")
            other.execute("ROLLBACK")
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        s3.put_object(Bucket="bbb", Key="k", Body=b"")
        kill(first)
    with running_endpoint(tmp_path) as second:
        assert "Messages" not in second.client("sqs").receive_message(QueueUrl=second.url + "/123456789012/q")


def client_arguments(endpoint: EndpointHandle) -> dict[str, str]:
    """How boto3 reaches an endpoint."""
    return {
        "endpoint_url": endpoint.url,
        "region_name": endpoint.region,
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


@pytest.mark.parametrize(
    ("name", "reads"), [("aws/state.db", 2), ("resources.db", 1), ("regions/us-east-1/pipelines.sqlite3", 2)]
)
def test_state_of_another_format_is_set_aside_as_a_whole(tmp_path: Path, name: str, reads: int) -> None:
    with running_endpoint(tmp_path) as first:
        first.client("s3").create_bucket(Bucket="bbb")
        first.client("sagemaker").create_model_package_group(ModelPackageGroupName="g")
    with closing(sqlite3.connect(tmp_path / name)) as database:
        database.execute("PRAGMA user_version = 99")
    with running_endpoint(tmp_path) as second:
        [aside] = tmp_path.glob("set-aside-*")
        said = f"set aside, all of it, as {aside}: {name} is in format 99, and this version reads format {reads}"
        assert said in second.running.restored
        assert second.client("s3").list_buckets()["Buckets"] == []
        assert second.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert (aside / name).exists()
    names = {path.name.partition(".db-")[0] for path in aside.iterdir()}
    assert names >= {"aws", "feature-store.db", "regions", "resources.db"}


@pytest.mark.parametrize("damage", ["text", "piece", "file"])
def test_damaged_state_is_set_aside(tmp_path: Path, damage: str) -> None:
    with running_endpoint(tmp_path) as first:
        first.client("s3").create_bucket(Bucket="bbb")
        first.client("s3").put_object(Bucket="bbb", Key="k", Body=LARGE)
    state = tmp_path / "aws" / "state.db"
    if damage == "text":
        state.write_text("this is no database, and SQLite says so")
    elif damage == "piece":
        database = sqlite3.connect(state, isolation_level=None)
        database.execute("UPDATE piece SET state = x'80' WHERE kind = 'object'")
        database.close()
    else:
        next((tmp_path / "aws" / "objects").iterdir()).unlink()
    with running_endpoint(tmp_path) as second:
        assert "set aside" in second.running.restored
        assert second.client("s3").list_buckets()["Buckets"] == []


def test_state_that_others_can_change_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir(mode=0o700)
    (tmp_path / "aws").chmod(0o777)
    with pytest.raises(UnsafeStateError, match="chmod 700"):
        daemon.up(0, state_dir=tmp_path)
    assert stat.S_IMODE((tmp_path / "aws").stat().st_mode) == 0o777
