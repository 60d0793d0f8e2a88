"""Generated policies: nothing broader than the steps need."""

from __future__ import annotations

import pytest

from pipeline.definition import compile_training
from pipeline.deploy.policies import events_policy, execution_policy, steps_of
from pipeline.settings import environment_names, load_settings

# AWS has no resource level for these.
WITHOUT_RESOURCE_LEVEL = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
}


@pytest.fixture(scope="module", params=environment_names())
def policy(request):
    settings = load_settings(request.param)
    return execution_policy(settings, [compile_training(settings)])


def test_a_star_stands_only_where_aws_has_no_resource_level(policy):
    for statement in policy["Statement"]:
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= WITHOUT_RESOURCE_LEVEL


def test_no_action_is_a_wildcard(policy):
    assert not [action for statement in policy["Statement"] for action in statement["Action"] if "*" in action]


def test_a_job_kind_that_no_step_uses_is_not_allowed():
    settings = load_settings("local")
    policy = execution_policy(settings, ['{"Steps": [{"Name": "x", "Type": "Training", "Arguments": {}}]}'])
    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert "sagemaker:CreateTrainingJob" in actions
    assert not actions & {
        "sagemaker:CreateTransformJob",
        "sagemaker:CreateProcessingJob",
        "sagemaker:CreateModelPackage",
    }


def test_events_may_start_the_training_pipeline_and_nothing_else():
    settings = load_settings("dev")
    (statement,) = events_policy(settings)["Statement"]
    assert statement["Action"] == ["sagemaker:StartPipelineExecution"]
    assert statement["Resource"] == [settings.pipeline_arn(settings.training_pipeline_name)]


def test_steps_inside_conditions_are_found():
    names = {step["Name"] for step in steps_of(compile_training(load_settings("local")))}
    assert {"ClaimInput", "Train", "RegisterModel", "QualityGateFailed"} <= names
