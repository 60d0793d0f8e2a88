"""The configuration and code of functions: what is kept of them, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACCOUNT = "123456789012"


def packed_source(source: str, padding: int = 0) -> bytes:
    """Return a zip file with a module."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("module.py", source)
        if padding:
            files.writestr("padding", bytes(padding))
    return archive.getvalue()


def packed(value: Any = None, padding: int = 0) -> bytes:
    """Return a zip file with a function that returns a value."""
    return packed_source(f"def handler(event, context):\n    return {value!r}\n", padding)


class Functions:
    """A client of Lambda, and requests for a function of a test's name."""

    def __init__(self, endpoint: EndpointHandle, name: str) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        role = endpoint.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self.client, self.name = endpoint.client("lambda"), name
        self._base = {"FunctionName": name, "Runtime": "python3.12", "Role": role, "Handler": "module.handler"}

    def create(self, **settings: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.create_function(
            **{**self._base, "Timeout": 60, "Code": {"ZipFile": packed()}, **settings}
        )
        return answer

    def described(self, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get_function_configuration(FunctionName=self.name, **more)
        return answer

    def call(self, **more: Any) -> Any:
        return json.load(self.client.invoke(FunctionName=self.name, **more)["Payload"])


@pytest.fixture
def functions(endpoint: EndpointHandle, unique: str) -> Functions:
    return Functions(endpoint, unique)


def test_settings_are_kept_and_changed(functions: Functions) -> None:
    dead = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"
    given = {
        "Architectures": ["arm64"],
        "DeadLetterConfig": {"TargetArn": dead},
        "EphemeralStorage": {"Size": 1024},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/own"},
        "TracingConfig": {"Mode": "Active"},
    }
    created = functions.create(**given)
    for described in (created, functions.described()):
        assert {name: described[name] for name in given} == given
        assert described["State"] == "Active"
    assert functions.described()["LastUpdateStatus"] == "Successful"
    changed = {"EphemeralStorage": {"Size": 600}, "MemorySize": 256, "TracingConfig": {"Mode": "PassThrough"}}
    answer = functions.client.update_function_configuration(
        FunctionName=functions.name, DeadLetterConfig={"TargetArn": ""}, **changed
    )
    for described in (answer, functions.described()):
        assert {name: described[name] for name in changed} == changed
        assert "DeadLetterConfig" not in described
        assert described["LoggingConfig"]["LogGroup"] == "/own"
    functions.client.update_function_code(FunctionName=functions.name, ZipFile=packed(), Architectures=["x86_64"])
    assert functions.described()["Architectures"] == ["x86_64"]


def test_by_default_its_log_group_has_its_name(functions: Functions) -> None:
    group = f"/aws/lambda/{functions.name}"
    assert functions.create()["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": group}


def test_its_output_goes_to_the_log_group_that_it_names(functions: Functions, endpoint: EndpointHandle) -> None:
    functions.create(LoggingConfig={"LogGroup": f"/own/{functions.name}"})
    functions.call()
    [stream] = endpoint.client("logs").describe_log_streams(logGroupName=f"/own/{functions.name}")["logStreams"]
    assert "[$LATEST]" in stream["logStreamName"]


def test_code_is_that_of_the_objects_version(functions: Functions, endpoint: EndpointHandle) -> None:
    s3, bucket = endpoint.client("s3"), functions.name
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="f.zip", Body=packed(value))["VersionId"] for value in (1, 2)]
    place = {"S3Bucket": bucket, "S3Key": "f.zip"}
    created = functions.create(Code={**place, "S3ObjectVersion": versions[0]}, Publish=True)
    assert (functions.call(), created["Version"]) == (1, "1")
    updated = functions.client.update_function_code(FunctionName=functions.name, Publish=True, **place)
    assert updated["CodeSha256"] != created["CodeSha256"]
    assert (functions.call(), updated["Version"]) == (2, "2")
    assert functions.call(Qualifier="1") == 1
    functions.client.update_function_code(
        FunctionName=functions.name, **place, S3ObjectVersion=versions[0], DryRun=True
    )
    assert functions.call() == 2
    again = functions.client.update_function_code(FunctionName=functions.name, Publish=True, **place)
    assert again["Version"] == "2"  # nothing has changed since


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        (
            {"Code": {"S3Bucket": "missing-bucket", "S3Key": "f.zip"}},
            "InvalidParameterValueException",
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket",
        ),
        ({"Code": {"ZipFile": b"text"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
        (
            {"Code": {"ZipFile": packed(padding=(250 << 20) + 1)}},
            "InvalidParameterValueException",
            "Unzipped size must be smaller than 262144000 bytes",
        ),
        (
            {"Environment": {"Variables": {"LONG": "x" * 4096}}},
            "InvalidParameterValueException",
            "provided exceeded the 4KB limit. String measured: {",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x", "KEPT": "y"}}},
            "InvalidParameterValueException",
            "Reserved keys used in this request: AWS_REGION",
        ),
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed to satisfy constraint"),
        ({"MemorySize": 10_241}, "ValidationException", "Value '10241' at 'memorySize' failed to satisfy constraint"),
        (
            {"Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:l:1"]},
            "InvalidParameterValueException",
            "has no layers",
        ),
    ],
    ids=["bucket", "zip", "unzipped", "environment", "reserved", "timeout", "memory", "layers"],
)
def test_what_lambda_refuses(functions: Functions, settings: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(ClientError) as refused:
        functions.create(**settings)
    assert refused.value.response["Error"]["Code"] == code
    assert said in refused.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match="Function not found"):
        functions.described()
    functions.create()
    change = functions.client.update_function_configuration
    if "Code" in settings:
        change, settings = functions.client.update_function_code, settings["Code"]
    with pytest.raises(ClientError, match=code):
        change(FunctionName=functions.name, **settings)


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        ("RequestResponse", 6 << 20, "Request must be smaller than 6291456 bytes for the InvokeFunction operation"),
        ("Event", 1 << 20, "byte payload is too large for the Event invocation type (limit 1048576 bytes)"),
    ],
)
def test_payloads_have_a_largest_size(functions: Functions, kind: str, size: int, said: str) -> None:
    functions.create()
    with pytest.raises(ClientError) as refused:
        functions.client.invoke(FunctionName=functions.name, InvocationType=kind, Payload=json.dumps("x" * size))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert said in refused.value.response["Error"]["Message"]
    largest = json.dumps("x" * (size - 2))
    functions.client.invoke(FunctionName=functions.name, InvocationType=kind, Payload=largest)


def test_a_function_without_concurrency_is_throttled(functions: Functions) -> None:
    functions.create()
    functions.client.put_function_concurrency(FunctionName=functions.name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        functions.call()
    functions.client.delete_function_concurrency(FunctionName=functions.name)
    assert functions.call() is None


def test_statements_have_ids_of_their_own(functions: Functions) -> None:
    functions.create()
    statement = {
        "FunctionName": functions.name,
        "StatementId": "events",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
    }
    functions.client.add_permission(**statement)
    with pytest.raises(ClientError, match=r"ResourceConflictException.*The statement id \(events\) provided already"):
        functions.client.add_permission(**statement)
    functions.client.remove_permission(FunctionName=functions.name, StatementId="events")
    functions.client.add_permission(**statement)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as endpoint:
        before = Functions(endpoint, "kept")
        before.create(LoggingConfig={"LogGroup": "/own"}, DeadLetterConfig={"TargetArn": f"arn:aws:sqs:x:{ACCOUNT}:q"})
        described = before.described()
    with running_endpoint(tmp_path) as endpoint:
        after = endpoint.client("lambda").get_function_configuration(FunctionName="kept")
    for answer in (described, after):
        del answer["ResponseMetadata"]
    assert after == described


@pytest.mark.parametrize("operation", ["delete_function", "update_function_configuration"])
def test_a_function_that_is_not_there_is_not_found(functions: Functions, operation: str) -> None:
    with pytest.raises(ClientError, match="Function not found: arn:aws:lambda:") as refused:
        getattr(functions.client, operation)(FunctionName=functions.name)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_slashes_behind_a_path_change_nothing(functions: Functions, slashes: str) -> None:
    functions.create()

    def add_slashes(request: Any, **_: Any) -> None:
        request.url += slashes

    events = functions.client.meta.events  # of a client that other tests use, too
    events.register("before-sign.lambda.*", add_slashes)
    try:
        described = functions.described()
        found = functions.client.get_function(FunctionName=functions.name)["Configuration"]
    finally:
        events.unregister("before-sign.lambda.*", add_slashes)
    assert described["FunctionName"] == found["FunctionName"] == functions.name
