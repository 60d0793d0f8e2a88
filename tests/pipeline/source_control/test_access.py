"""What the notebook may do, and whether it reaches the Git server; asked of the endpoint, which enforces IAM."""

from __future__ import annotations

import json
import uuid

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.preflight.answers import Verdict
from pipeline.settings.environment import load_settings
from pipeline.settings.sections import Buckets
from pipeline.source_control.access import egress_answers, notebook_policy, operator_permissions, role_answers

TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with running_endpoint(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def aws(account, monkeypatch):
    for name, value in account.environment().items():
        monkeypatch.setenv(name, value)
    return Aws(load_settings("local"))


def role(aws, *statements):
    name = f"r-{uuid.uuid4().hex[:8]}"
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    arn = aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        aws.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


def test_a_role_that_may_not_read_the_secret_is_told_what_is_missing(aws):
    [answer] = role_answers(aws, role(aws))
    assert answer.verdict is Verdict.PROBLEM
    assert "may not secretsmanager:GetSecretValue" in answer.detail
    statement = json.loads(answer.fix.partition(": ")[2])["Statement"][0]
    [answer] = role_answers(aws, role(aws, statement))
    assert answer.verdict is Verdict.OK


def test_a_subnet_reaches_github_by_a_nat_gateway_only(aws):
    ec2 = aws.ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)

    def verdicts():
        return [one.verdict for one in egress_answers(aws, subnet, (group,), "github.com")]

    assert verdicts() == [Verdict.OK, Verdict.PROBLEM]
    internet = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
    assert verdicts() == [Verdict.OK, Verdict.PROBLEM]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    assert verdicts() == [Verdict.OK, Verdict.OK]
    assert list(egress_answers(aws, None, (), "github.com")) == []


def test_policies_with_long_names_fit_into_a_role():
    settings = load_settings("prod").model_copy(
        update={
            "project": "p" * 6,
            "environment": "e" * 16,
            "kms_key": f"arn:aws:kms:ap-southeast-2:111122223333:alias/{'k' * 200}",
            "buckets": Buckets(raw="r" * 63, artifacts="a" * 63, predictions="p" * 63),
        }
    )
    for policy in (notebook_policy(settings), operator_permissions(settings)):
        assert len(json.dumps(policy, separators=(",", ":"))) <= 10_240
