"""Accounts are prepared with boto3 on an endpoint that enforces IAM; each test has names and a network of its own."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from pipeline.aws.clients import Aws
from pipeline.preflight.answers import Answer
from pipeline.settings.environment import Settings, load_settings

TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
#: A policy that allows what everybody may do anyway.
NOTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}],
}
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    """Run an endpoint with the real environments of jobs; definitions are compiled into a folder of these tests."""
    with running_endpoint(tmp_path_factory.mktemp("state"), enforce_iam=True) as running:
        own = {**running.environment(), "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
        with mock.patch.dict(os.environ, own):
            yield running


@pytest.fixture
def client(endpoint: EndpointHandle) -> Callable[[str], Any]:
    return endpoint.client


@pytest.fixture
def settings(endpoint: EndpointHandle) -> Settings:
    """Return settings under a project name that no other test has."""
    return load_settings("local").model_copy(update={"project": f"p{uuid.uuid4().hex[:8]}"})


@pytest.fixture
def aws(settings: Settings) -> Aws:
    return Aws(settings)


@pytest.fixture
def sign_in(endpoint: EndpointHandle, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Create a role with a policy, become it for the rest of the test, and give its ARN."""

    def become(policy: Any, path: str = "/", boundary: Any = None) -> str:
        iam, name = endpoint.client("iam"), f"r-{uuid.uuid4().hex[:12]}"
        arn: str = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        if boundary:
            limit = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(boundary))["Policy"]["Arn"]
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=limit)
        keys = endpoint.client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
        return arn

    return become


class Vpc:
    """A VPC with one private subnet and a group for the jobs."""

    def __init__(self, ec2: Any, region: str) -> None:
        self.ec2, self.region = ec2, region
        self.id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        self.group = self.new_group("jobs")
        self.open_group = self.new_group("endpoints")
        ec2.authorize_security_group_ingress(
            GroupId=self.open_group, IpPermissions=[{**HTTPS, "UserIdGroupPairs": [{"GroupId": self.group}]}]
        )
        self.table = ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.subnet)

    def new_group(self, name: str) -> str:
        group: str = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.id)["GroupId"]
        return group

    def s3(self, **changes: Any) -> None:
        """Create a gateway endpoint for S3."""
        name = f"com.amazonaws.{self.region}.s3"
        self.ec2.create_vpc_endpoint(
            VpcId=self.id,
            ServiceName=name,
            VpcEndpointType="Gateway",
            RouteTableIds=[self.table],
            **changes,
        )

    def interface(self, service: str, **changes: Any) -> str:
        """Create an interface endpoint."""
        request = {
            "VpcId": self.id,
            "ServiceName": f"com.amazonaws.{self.region}.{service}",
            "VpcEndpointType": "Interface",
            "SubnetIds": [self.subnet],
            "SecurityGroupIds": [self.open_group],
            "PrivateDnsEnabled": True,
        }
        made: str = self.ec2.create_vpc_endpoint(**request | changes)["VpcEndpoint"]["VpcEndpointId"]
        return made

    def default_route(self, **target: str) -> None:
        """Send everything else there."""
        self.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", **target)


@pytest.fixture
def vpc(endpoint: EndpointHandle) -> Vpc:
    return Vpc(endpoint.client("ec2"), endpoint.region)


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> Callable[..., Any]:
    """Run a command, ``bikeshare preflight`` by default, on the test's settings, more of them given as TOML."""
    from typer.testing import CliRunner

    from pipeline.cli import app

    def run(*arguments: str, more: str = "", name: str = "preflight") -> Any:
        file = tmp_path / "settings.toml"
        file.write_text(
            f'environment = "local"\naccount_id = "{settings.account_id}"\nregion = "{settings.region}"\n'
            f'project = "{settings.project}"\n{more}'
        )
        return CliRunner().invoke(app, [name, "--settings", str(file), *arguments])

    return run


@pytest.fixture
def by_about() -> Callable[..., dict[str, Answer]]:
    return lambda answers: {answer.about: answer for answer in answers}
