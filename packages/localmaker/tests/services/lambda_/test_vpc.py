"""``--no-egress``: a function with a VpcConfig reaches the endpoint and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from tests.services.egress import ONLY_THE_ENDPOINT, PROBE

from localmaker.daemon import EndpointHandle

VPC = {"SecurityGroupIds": ["sg-0123456789abcdef0"], "SubnetIds": ["subnet-0123456789abcdef0"]}


def seen(endpoint: EndpointHandle, name: str, port: int, **settings: Any) -> Any:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = endpoint.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("module.py", f"{PROBE}\ndef handler(event, context):\n    return look(event)\n")
    functions = endpoint.client("lambda")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="module.handler",
        Code={"ZipFile": archive.getvalue()},
        **{"Timeout": 60, "MemorySize": 256, **settings},
    )
    return json.load(functions.invoke(FunctionName=name, Payload=json.dumps(port))["Payload"])


def test_a_function_in_a_vpc_reaches_nothing_but_the_endpoint(
    confining: EndpointHandle, unique: str, other_port: int
) -> None:
    assert seen(confining, unique, other_port, VpcConfig=VPC) == ONLY_THE_ENDPOINT


@pytest.mark.parametrize("settings", [{}, {"VpcConfig": {"SecurityGroupIds": [], "SubnetIds": []}}])
def test_any_other_has_the_machines_network(
    confining: EndpointHandle, unique: str, other_port: int, settings: dict[str, Any]
) -> None:
    answer = seen(confining, unique, other_port, **settings)
    assert answer["endpoint"]
    assert answer["another port"]


def test_without_the_mode_a_vpc_changes_nothing(endpoint: EndpointHandle, unique: str, other_port: int) -> None:
    assert seen(endpoint, unique, other_port, VpcConfig=VPC)["another port"]
