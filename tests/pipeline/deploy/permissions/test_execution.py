"""Generated policies: nothing broader than the steps need."""

from __future__ import annotations

import json

import pytest

from pipeline.definition.bundle import Bundle, build_bundle
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.permissions.execution import events_policy, execution_policy, key_resource
from pipeline.deploy.permissions.requirements import Requirements
from pipeline.deploy.resources.topics import Topic
from pipeline.deploy.stack import NO_STEPS, resources
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import load_settings
from pipeline.settings.sections import Buckets

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


@pytest.fixture
def policy(environment):
    return execution_policy(environment, compiled_definitions(environment, build_bundle(), FLOWS))


def test_a_star_is_used_only_where_aws_has_no_resource_level(policy):
    for statement in policy["Statement"]:
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= WITHOUT_RESOURCE_LEVEL


def test_no_action_is_a_wildcard(policy):
    assert not [action for statement in policy["Statement"] for action in statement["Action"] if "*" in action]


def test_a_job_kind_that_no_step_uses_is_not_allowed():
    settings = load_settings("local")
    policy = execution_policy(settings, {"training": '{"Steps": [{"Name": "x", "Type": "Training", "Arguments": {}}]}'})
    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert "sagemaker:CreateTrainingJob" in actions
    assert not actions & {
        "sagemaker:CreateTransformJob",
        "sagemaker:CreateProcessingJob",
        "sagemaker:CreateModelPackage",
    }


def test_events_may_start_the_pipelines_and_nothing_else():
    settings = load_settings("dev")
    (statement,) = events_policy(settings, FLOWS)["Statement"]
    assert statement["Action"] == ["sagemaker:StartPipelineExecution"]
    assert statement["Resource"] == sorted(settings.pipeline_arn(settings.pipeline_name(flow)) for flow in FLOWS)


@pytest.mark.parametrize(
    ("key", "resource", "condition"),
    [
        ("arn:aws:kms:eu-west-1:1:key/k", "arn:aws:kms:eu-west-1:1:key/k", None),
        ("0123abcd-0123-0123-0123-0123456789ab", "{key}/0123abcd-0123-0123-0123-0123456789ab", None),
        ("alias/mine", "{key}/*", "alias/mine"),
        ("arn:aws:kms:eu-west-1:111122223333:alias/mine", "{key}/*", "alias/mine"),
    ],
)
def test_an_alias_is_a_condition_and_not_a_resource(key, resource, condition):
    found, more = key_resource(load_settings("dev"), key)
    assert found == resource.format(key="arn:aws:kms:eu-west-1:111122223333:key")
    expected = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": condition}}
    assert more == ({"Condition": expected} if condition else {})


@pytest.mark.parametrize(
    ("key", "encrypts"),
    [
        ("arn:aws:kms:eu-west-1:111122223333:key/k", False),
        ("0123abcd-0123-0123-0123-0123456789ab", True),
        ("alias/mine", True),
        ("arn:aws:kms:eu-west-1:111122223333:alias/mine", True),
    ],
)
def test_a_key_that_is_not_named_by_its_arn_also_encrypts(key, encrypts):
    """OutputDataConfig in the API reference: an id or an alias needs kms:Encrypt as well."""
    settings = load_settings("dev").model_copy(update={"kms_key": key})
    actions = {action for statement in execution_policy(settings, {})["Statement"] for action in statement["Action"]}
    assert ("kms:Encrypt" in actions) == encrypts
    assert "kms:GenerateDataKey" in actions


def test_keys_of_buckets_of_others_may_be_used():
    key = "arn:aws:kms:eu-west-1:999999999999:key/k"
    buckets = Buckets(raw="uploads-of-others", kms_keys=("alias/uploads", key.replace("/k", f"/mrk-{'0' * 32}")))
    settings = load_settings("dev").model_copy(update={"buckets": buckets})
    found = [item for item in execution_policy(settings, {})["Statement"] if "kms:Decrypt" in item["Action"]]
    assert [item["Action"] for item in found] == [["kms:Decrypt", "kms:GenerateDataKey"]] * 2
    assert found[0]["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/uploads"}}
    assert found[1]["Resource"] == [buckets.kms_keys[1]]


def test_steps_inside_conditions_are_found():
    inner = {"Name": "Inner", "Type": "Fail", "Arguments": {}}
    outer = {"Name": "Outer", "Type": "Condition", "Arguments": {"IfSteps": [], "ElseSteps": [inner]}}
    used = Requirements.of([json.dumps({"Steps": [outer]})], "eu-west-1")
    assert used.step_types == {"Condition", "Fail"}


def test_the_topic_policy_has_no_condition():
    """EventBridge publishes to SNS with no context, so that a condition would keep every alarm back."""
    settings = load_settings("prod")
    things = resources(settings, Bundle("ab" * 32, b"", b"", b""), dict.fromkeys(FLOWS, NO_STEPS))
    (topic,) = [thing for thing in things if isinstance(thing, Topic)]
    (statement,) = topic.policy()["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert "Condition" not in statement


IMAGE = "683313688378.dkr.ecr.eu-west-1.amazonaws.com/team/own-image"


def grants(*steps):
    """Return action → resources of the policy for a training pipeline with these steps."""
    text = json.dumps({"Steps": [{"Arguments": {}, **step} for step in steps]})
    policy = execution_policy(load_settings("dev"), {"training": text})
    return {action: item["Resource"] for item in policy["Statement"] for action in item["Action"]}


def test_images_are_pulled_from_their_own_repositories_only():
    steps = [
        {"Name": "A", "Type": "Processing", "Arguments": {"AppSpecification": {"ImageUri": f"{IMAGE}:1"}}},
        {"Name": "B", "Type": "Model", "Arguments": {"PrimaryContainer": {"Image": f"{IMAGE}-b:1"}}},
    ]
    arn = "arn:aws:ecr:eu-west-1:683313688378:repository/team/own-image"
    assert grants(*steps)["ecr:BatchGetImage"] == [arn, f"{arn}-b"]


def test_functions_and_queues_that_steps_name_are_allowed_and_no_others():
    function = "arn:aws:lambda:eu-west-1:111122223333:function:notify"
    found = grants(
        {"Name": "L", "Type": "Lambda", "FunctionArn": function},
        {"Name": "C", "Type": "Callback", "SqsQueueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/ask"},
    )
    assert found["lambda:InvokeFunction"] == [function]
    assert found["sqs:SendMessage"] == ["arn:aws:sqs:eu-west-1:111122223333:ask"]
    assert not {action for action in found if action.startswith("sagemaker:Create")}


def test_every_kind_of_step_has_its_actions():
    found = grants({"Name": "T", "Type": "Tuning"}, {"Name": "Q", "Type": "QualityCheck"})
    assert {"sagemaker:CreateHyperParameterTuningJob", "sagemaker:CreateProcessingJob", "iam:PassRole"} <= set(found)
    made = grants({"Name": "E", "Type": "EndpointConfig", "Arguments": {"EndpointConfigName": "mine"}})
    assert made["sagemaker:CreateEndpointConfig"] == ["arn:aws:sagemaker:eu-west-1:111122223333:endpoint-config/mine"]
    assert Requirements.of([], "eu-west-1").step_types == frozenset()
