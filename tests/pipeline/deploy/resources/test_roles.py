"""Roles: whom they trust, and the boundary that caps them."""

from __future__ import annotations

import dataclasses
import json

from localmaker.services.iam.evaluation import Call, Policy, allows_principal
from pipeline.aws.clients import Aws
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.stack import resources_to_remove
from pipeline.settings.contract import Function
from pipeline.settings.environment import load_settings

ACCOUNT = "123456789012"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}]}


def boundary(aws, name):
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    return aws.iam.create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["Arn"]


def test_a_boundary_is_given_found_again_and_put_back(aws: Aws) -> None:
    first, second = boundary(aws, "role-cap"), boundary(aws, "role-other-cap")
    role = Role("capped", "sagemaker.amazonaws.com", ACCOUNT, POLICY, boundary=first)
    apply_plan(make_plan([role], aws), aws)
    assert make_plan([role], aws).is_empty
    for change in (
        lambda: aws.iam.put_role_permissions_boundary(RoleName="capped", PermissionsBoundary=second),
        lambda: aws.iam.delete_role_permissions_boundary(RoleName="capped"),
    ):
        change()
        (changed,) = make_plan([role], aws).changes
        assert [item.field for item in changed.differences] == ["boundary"]
        apply_plan(make_plan([role], aws), aws)
        assert make_plan([role], aws).is_empty
    # An organisation may cap a role of which the settings say nothing.
    assert make_plan([dataclasses.replace(role, boundary=None)], aws).is_empty
    destroy([role], aws, keep_data=False)


def test_every_role_gets_the_boundary_of_the_settings():
    settings = load_settings("prod")
    roles = [
        thing for thing in resources_to_remove(settings, Bundle("ab" * 32, b"", b"", b"")) if isinstance(thing, Role)
    ]
    assert {role.boundary for role in roles} == {"arn:aws:iam::444455556666:policy/bikeshare-prod-boundary"}


def test_a_service_assumes_a_role_only_for_what_this_account_and_region_has():
    settings = load_settings("dev")
    roles = {
        thing.name: Policy.parse(thing.name, thing.desired()["trust"])
        for thing in resources_to_remove(settings, Bundle("ab" * 32, b"", b"", b""))
        if isinstance(thing, Role)
    }

    def assumed(name, service, **context):
        given = {f"aws:{key}": (value,) for key, value in context.items()}
        return allows_principal(roles[name], Call("sts:AssumeRole", "*", given), {"Service": service})

    def by_sagemaker(**context):
        return assumed(settings.execution_role_name, "sagemaker.amazonaws.com", **context)

    mine, place = {"sourceaccount": settings.account_id}, f"{settings.region}:{settings.account_id}"
    for resource in ("pipeline/p/execution/e", "processing-job/j", "transform-job/j", "feature-group/g"):
        assert by_sagemaker(**mine, sourcearn=f"arn:aws:sagemaker:{place}:{resource}")
    # A feature that does not say for what it is does at least say for whom.
    assert by_sagemaker(**mine)
    assert not by_sagemaker()
    assert not by_sagemaker(sourceaccount="999999999999")
    assert not by_sagemaker(**mine, sourcearn=f"arn:aws:sagemaker:us-west-2:{settings.account_id}:pipeline/p")
    rule = settings.rule_arn(settings.rule_name("training"))
    events = (settings.events_role_name, "events.amazonaws.com")
    assert assumed(*events, **mine, sourcearn=rule)
    assert not assumed(*events, **mine, sourcearn=f"{rule}-of-others")
    claim = settings.function_arn(Function.CLAIM)
    functions = (settings.function_name(Function.CLAIM), "lambda.amazonaws.com")
    assert assumed(*functions, **mine, sourcearn=claim)
    assert assumed(*functions, **mine, sourcearn=f"{claim}:3")
    assert not assumed(*functions, **mine, sourcearn=f"{claim}-of-others")
