"""Subnets with and without a way to the AWS APIs, made with boto3."""

from __future__ import annotations

import json

import pytest

from pipeline.preflight.answers import Question as Asked
from pipeline.preflight.answers import Verdict, answered
from pipeline.preflight.network import SERVICES, addresses, network_answers, outgoing, tenancy, way_out
from pipeline.settings.sections import Network

#: Bike sharing has a profile that looks back, so its history may be read.
INTERFACES = (*SERVICES[1:], "athena")


@pytest.fixture
def look(aws, vpc, by_about):
    def ask(subnets=None, groups=None):
        network = Network(subnets=subnets or (vpc.subnet,), security_groups=groups or (vpc.group,))
        aws.settings = aws.settings.model_copy(update={"network": network})
        return by_about(answered([Asked("network", "subnets", lambda: network_answers(aws, 1))]))

    return ask


def verdicts(answers):
    return {service: answers[service].verdict for service in SERVICES}


def nat(vpc):
    allocation = vpc.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = vpc.ec2.create_nat_gateway(SubnetId=vpc.subnet, AllocationId=allocation)["NatGateway"]["NatGatewayId"]
    vpc.default_route(NatGatewayId=gateway)


def test_endpoints_are_a_way(vpc, look):
    vpc.s3()
    for service in INTERFACES:
        vpc.interface(service)
    answers = look()
    assert {answer.verdict for answer in answers.values()} == {Verdict.OK}
    assert answers[f"subnet {vpc.subnet}"].detail == "exists"


def test_a_nat_gateway_is_a_way(vpc, look):
    nat(vpc)
    assert set(verdicts(look()).values()) == {Verdict.OK}


def test_nothing_is_no_way_and_the_fix_names_the_endpoint(vpc, look):
    answers = look()
    assert set(verdicts(answers).values()) == {Verdict.PROBLEM}
    assert vpc.subnet in answers["s3"].detail
    assert "Create a gateway endpoint for s3" in answers["s3"].fix
    assert "Create an interface endpoint for sagemaker.api" in answers["sagemaker.api"].fix


def test_an_internet_gateway_is_no_way(vpc, look):
    gateway = vpc.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpc.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc.id)
    vpc.default_route(GatewayId=gateway)
    answers = look()
    assert set(verdicts(answers).values()) == {Verdict.PROBLEM}
    assert "an internet gateway is no way out" in answers["s3"].detail


def test_an_s3_endpoint_serves_its_route_tables_only(vpc, look):
    other = vpc.ec2.create_subnet(VpcId=vpc.id, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
    vpc.s3()
    answer = look(subnets=(vpc.subnet, other))["s3"]
    assert (answer.verdict, answer.detail) == (Verdict.PROBLEM, f"no way to it from {other}")


def test_an_endpoint_without_private_dns_is_not_found(vpc, look):
    made = vpc.interface("sagemaker.api", PrivateDnsEnabled=False)
    answer = look()["sagemaker.api"]
    assert answer.verdict is Verdict.PROBLEM
    assert f"{made} has no private DNS" in answer.fix


def test_an_endpoint_that_lets_nobody_in_is_no_way(vpc, look):
    made = vpc.interface("sagemaker.api", SecurityGroupIds=[vpc.new_group("closed")])
    answer = look()["sagemaker.api"]
    assert answer.verdict is Verdict.PROBLEM
    assert f"{made} lets no HTTPS in" in answer.fix


@pytest.mark.parametrize(("ranges", "verdict"), [("10.0.0.0/16", Verdict.OK), ("10.9.0.0/16", Verdict.PROBLEM)])
def test_an_endpoint_may_let_subnets_in(vpc, look, ranges, verdict):
    group = vpc.new_group("by-range")
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ranges}]}
    vpc.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    vpc.interface("sagemaker.api", SecurityGroupIds=[group])
    assert look()["sagemaker.api"].verdict is verdict


def test_a_policy_of_an_endpoint_is_left_to_people(vpc, look):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}
    vpc.s3(PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    answer = look()["s3"]
    assert (answer.verdict, "has a policy of its own" in answer.detail) == (Verdict.UNKNOWN, True)


def test_subnets_and_groups_that_do_not_exist_are_named(vpc, look):
    answers = look(subnets=("subnet-0123456789abcdef0",), groups=("sg-0123456789abcdef0",))
    assert {about for about, answer in answers.items() if answer.verdict is Verdict.PROBLEM} == {
        "subnet subnet-0123456789abcdef0",
        "security group sg-0123456789abcdef0",
    }


def test_subnets_and_groups_of_two_vpcs_do_not_work_together(vpc, look):
    other = type(vpc)(vpc.ec2, vpc.region)
    answer = look(groups=(other.group,))["subnets and groups"]
    assert answer.verdict is Verdict.PROBLEM
    assert {vpc.id, other.id} == set(answer.detail.removeprefix("in different VPCs: ").split(", "))


def test_too_few_addresses_and_dedicated_hardware_are_problems():
    few = addresses({"SubnetId": "s", "AvailableIpAddressCount": 4}, 1)
    assert (few.verdict, few.detail) == (Verdict.PROBLEM, "4 free, 5 needed")
    (dedicated,) = tenancy({"VpcId": "v", "InstanceTenancy": "dedicated"})
    assert dedicated.verdict is Verdict.PROBLEM


def test_jobs_that_may_send_nothing_are_a_problem(vpc, look):
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    vpc.ec2.revoke_security_group_egress(GroupId=vpc.group, IpPermissions=[rule])
    assert look()[vpc.group].verdict is Verdict.PROBLEM
    assert list(outgoing([{"GroupId": "g", "IpPermissionsEgress": [{"IpProtocol": "-1"}]}])) == []


@pytest.mark.parametrize(
    ("route", "way"),
    [
        ({"NatGatewayId": "nat-1", "State": "active"}, "a NAT gateway"),
        ({"NatGatewayId": "nat-1", "State": "blackhole"}, ""),
        ({"TransitGatewayId": "tgw-1"}, "a transit gateway"),
        ({"NetworkInterfaceId": "eni-1"}, "an appliance"),
        ({"GatewayId": "igw-1"}, ""),
    ],
)
def test_ways_out(route, way):
    assert way_out({"Routes": [{"DestinationCidrBlock": "0.0.0.0/0", **route}]}) == way


def test_a_way_that_leads_elsewhere_is_left_to_people(vpc, look):
    appliance = vpc.ec2.create_network_interface(SubnetId=vpc.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    vpc.default_route(NetworkInterfaceId=appliance)
    answer = look()["sagemaker.api"]
    assert (answer.verdict, answer.detail) == (Verdict.UNKNOWN, f"{vpc.subnet} by an appliance")
