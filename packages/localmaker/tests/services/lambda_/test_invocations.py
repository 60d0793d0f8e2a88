"""``lambda:Invoke`` of functions uploaded to the endpoint."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

SOURCE = """
import os

import boto3


def handler(event, context):
    print("asked for", event.get("do"))
    if event.get("do") == "fail":
        raise ValueError("not today")
    if event.get("do") == "leave":
        os._exit(3)
    if event.get("do") == "send":
        boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody=context.aws_request_id)
    return {"got": event, "name": context.function_name, "stage": os.environ["STAGE"]}
"""


@pytest.fixture
def create(endpoint, unique):
    """Return a function that uploads files as a Lambda function under the test's unique name."""

    def upload(files, handler):
        return _upload(endpoint, unique, files, handler)

    return upload


@pytest.fixture
def function(create):
    """Upload a function, and return its name."""
    return create({"code.py": SOURCE}, "code.handler")


def _upload(endpoint, unique, files, handler):
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = endpoint.client("iam").create_role(RoleName=unique, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    endpoint.client("lambda").create_function(
        FunctionName=unique,
        Runtime="python3.12",
        Role=role,
        Handler=handler,
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"STAGE": "test"}},
    )
    return unique


def test_the_answer_is_what_the_function_returns(endpoint, function):
    client = endpoint.client("lambda")
    arn = client.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    for name in (function, arn, f"123456789012:function:{function}"):
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"a": [1, None]}))
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
        assert "FunctionError" not in answer
        assert json.load(answer["Payload"]) == {"got": {"a": [1, None]}, "name": function, "stage": "test"}
    assert json.load(client.invoke(FunctionName=function)["Payload"])["got"] == {}


@pytest.mark.parametrize("handler", ["app.main.handler", "app/main.handler", "app.handler"])
def test_a_function_may_be_in_a_package(endpoint, create, handler):
    body = (
        "import os\nfrom app import more\ndef handler(event, context):\n    return [more.VALUE, sorted(os.listdir())]\n"
    )
    files = {"app/__init__.py": "", "app/main.py": body, "app/more.py": "VALUE = 5\n", "data.txt": ""}
    if handler == "app.handler":
        files["app/__init__.py"] = body
    name = create(files, handler)
    assert json.load(endpoint.client("lambda").invoke(FunctionName=name)["Payload"]) == [5, ["app", "data.txt"]]


def test_the_end_of_the_log_is_returned_on_request(endpoint, function):
    client = endpoint.client("lambda")
    client.invoke(FunctionName=function, Payload=b'{"do": "other"}')["Payload"].read()
    answer = client.invoke(FunctionName=function, LogType="Tail", Payload=b'{"do": "this"}')
    assert json.load(answer["Payload"])["got"] == {"do": "this"}
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["START", "asked", "END", "REPORT"]
    assert lines[1] == "asked for this"


@pytest.mark.parametrize(
    ("wish", "kind", "message"),
    [("fail", "ValueError", "not today"), ("leave", "Runtime.ExitError", "exit status 3")],
)
def test_a_failed_function_returns_function_error(endpoint, function, wish, kind, message):
    answer = endpoint.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"do": wish}))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    said = json.load(answer["Payload"])
    assert said["errorType"] == kind
    assert message in said["errorMessage"]
    assert ('in handler\n    raise ValueError("not today")' in "".join(said.get("stackTrace", []))) is (wish == "fail")


def test_an_event_is_taken_and_the_function_runs_afterwards(endpoint, function, eventually):
    sqs = endpoint.client("sqs")
    queue = sqs.create_queue(QueueName=function)["QueueUrl"]
    answer = endpoint.client("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps({"do": "send", "queue": queue})
    )
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))


def test_a_dry_run_calls_nothing(endpoint, function):
    answer = endpoint.client("lambda").invoke(FunctionName=function, InvocationType="DryRun", Payload=b'{"do": "fail"}')
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_an_unknown_function_is_refused(endpoint, unique, kind):
    with pytest.raises(ClientError, match="Function not found") as refused:
        endpoint.client("lambda").invoke(FunctionName=unique, InvocationType=kind)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_payload_that_is_not_json_is_refused(endpoint, function):
    with pytest.raises(ClientError, match="Could not parse request body into json") as refused:
        endpoint.client("lambda").invoke(FunctionName=function, Payload=b"{")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"
