"""A permissions boundary caps a role, and a policy can allow changes only of roles that have a certain one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.services.iam.boundaries import with_boundary
from localmaker.services.iam.evaluation import Call, Policy, evaluate

TRUST = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
ADMINISTRATOR = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as handle:
        yield handle


@pytest.fixture(scope="module")
def boundary(endpoint) -> str:
    only_queues = policy({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    return endpoint.client("iam").create_policy(PolicyName="cap", PolicyDocument=only_queues)["Policy"]["Arn"]


def under(endpoint, role, service):
    keys = endpoint.client("sts").assume_role(RoleArn=f"arn:aws:iam::123456789012:role/{role}", RoleSessionName="test")
    return boto3.client(
        service,
        endpoint_url=endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=keys["Credentials"]["AccessKeyId"],
        aws_secret_access_key=keys["Credentials"]["SecretAccessKey"],
        aws_session_token=keys["Credentials"]["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_a_role_may_do_what_both_its_policies_and_its_boundary_allow(endpoint, boundary):
    iam = endpoint.client("iam")
    iam.create_role(RoleName="capped", AssumeRolePolicyDocument=policy(TRUST), PermissionsBoundary=boundary)
    iam.put_role_policy(RoleName="capped", PolicyName="all", PolicyDocument=policy(ADMINISTRATOR))
    assert code(under(endpoint, "capped", "sqs").list_queues) is None
    assert code(under(endpoint, "capped", "iam").list_roles) == "AccessDenied"


def test_only_roles_with_the_boundary_may_be_changed_where_a_policy_asks_for_it(endpoint, boundary):
    iam = endpoint.client("iam")
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=policy(TRUST))
    with_it = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    actions = ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePolicy"]
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": with_it}
    iam.put_role_policy(RoleName="deployer", PolicyName="own", PolicyDocument=policy(allowed))
    iam.create_role(RoleName="open", AssumeRolePolicyDocument=policy(TRUST))
    theirs = under(endpoint, "deployer", "iam")
    other = "arn:aws:iam::aws:policy/AdministratorAccess"
    new = {"RoleName": "new", "AssumeRolePolicyDocument": policy(TRUST)}
    all_of_it = {"PolicyName": "all", "PolicyDocument": policy(ADMINISTRATOR)}
    assert code(theirs.create_role, **new) == "AccessDenied"
    assert code(theirs.create_role, **new, PermissionsBoundary=other) == "AccessDenied"
    assert code(theirs.create_role, **new, PermissionsBoundary=boundary) is None
    assert code(theirs.put_role_policy, RoleName="new", **all_of_it) is None
    assert code(theirs.put_role_policy, RoleName="deployer", **all_of_it) == "AccessDenied"
    assert code(theirs.put_role_policy, RoleName="open", **all_of_it) == "AccessDenied"
    assert code(theirs.put_role_permissions_boundary, RoleName="new", PermissionsBoundary=other) == "AccessDenied"
    assert code(theirs.delete_role_permissions_boundary, RoleName="new") == "AccessDenied"
    assert code(theirs.put_role_permissions_boundary, RoleName="open", PermissionsBoundary=boundary) is None
    assert code(theirs.put_role_policy, RoleName="open", **all_of_it) is None
    assert code(theirs.delete_role_policy, RoleName="open", PolicyName="all") is None


def test_a_function_is_opened_only_to_whom_the_condition_names():
    call = Call("lambda:AddPermission", "arn:aws:lambda:eu-west-1:123456789012:function:sweep")
    only_rules = {"StringEquals": {"lambda:Principal": "events.amazonaws.com"}}
    opening = {"Effect": "Allow", "Action": "lambda:AddPermission", "Resource": "*", "Condition": only_rules}
    identity = [Policy.parse("opening", policy(opening))]
    for principal, allowed in (("events.amazonaws.com", True), ("*", False), ("999999999999", False)):
        assert evaluate(with_boundary(call, {"Principal": principal}), identity).allowed == allowed


@pytest.mark.parametrize("count", [1, 1000], ids=["plain", "compressed"])
def test_metrics_are_put_only_into_the_namespace_that_the_condition_names(endpoint, count):
    """The client compresses a request of more than 10 KiB."""
    iam, role = endpoint.client("iam"), f"metrics-{count}"
    only_ours = {"StringEquals": {"cloudwatch:namespace": "bikes/dev"}}
    putting = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": only_ours}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy(TRUST))
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy(putting))
    theirs = under(endpoint, role, "cloudwatch")
    data = [{"MetricName": f"Psi{number}", "Value": 0.5} for number in range(count)]
    assert code(theirs.put_metric_data, Namespace="bikes/dev", MetricData=data) is None
    assert code(theirs.put_metric_data, Namespace="bikes/prod", MetricData=data) == "AccessDeniedException"
