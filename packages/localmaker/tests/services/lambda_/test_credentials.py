"""Where IAM is enforced, a function has the credentials of its role."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint

CODE = """
import boto3

def handler(event, context):
    answers = {}
    for bucket in ("allowed", "denied"):
        try:
            boto3.client("s3").put_object(Bucket=bucket, Key="x", Body=b"")
            answers[bucket] = "allowed"
        except Exception as error:
            answers[bucket] = error.response["Error"]["Code"]
    return {**answers, "arn": boto3.client("sts").get_caller_identity()["Arn"]}
"""
SESSION = "arn:aws:sts::123456789012:assumed-role/function/{}"


@pytest.fixture
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as handle:
        for bucket in ("allowed", "denied"):
            handle.client("s3").create_bucket(Bucket=bucket)
        yield handle


def policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def test_a_function_acts_under_its_role(endpoint: EndpointHandle) -> None:
    iam, functions = endpoint.client("iam"), endpoint.client("lambda")
    trust = policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allowed = policy(Action="s3:PutObject", Resource="arn:aws:s3:::allowed/*")
    iam.put_role_policy(RoleName="function", PolicyName="p", PolicyDocument=allowed)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("module.py", CODE)
    functions.create_function(
        FunctionName="uploaded",
        Runtime="python3.12",
        Role=role,
        Handler="module.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )
    (endpoint.state_dir / "module.py").write_text(CODE)
    (endpoint.state_dir / "functions.toml").write_text(
        f'[[function]]\nname = "registered"\nhandler = "module.py:handler"\nrole = "{role}"\n'
        '[[function]]\nname = "without"\nhandler = "module.py:handler"\n'
    )

    def answer(name: str) -> Any:
        return json.loads(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())

    for name in ("uploaded", "registered"):
        expected = {"allowed": "allowed", "denied": "AccessDenied", "arn": SESSION.format(name)}
        assert answer(name) == expected
    assert answer("without")["denied"] == "allowed"
