"""Every policy that is generated passes cfn-lint's checks of IAM documents: grammar, and actions that exist."""

from __future__ import annotations

import itertools
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from cfnlint.api import lint_all

from localmaker.services.iam.evaluation import Call, Decision, Policy, evaluate
from pipedef.document.locations import overlap
from pipeline.definition.bundle import Bundle, build_bundle
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.engine.policy import document
from pipeline.deploy.permissions.execution import events_policy, execution_policy, scheduler_policy
from pipeline.deploy.permissions.operators import (
    boundary_policy,
    deployer_policy,
    github_trust_policy,
    operator_policy,
    preflight_policy,
)
from pipeline.deploy.resources.queues import Queue
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.topics import Topic
from pipeline.deploy.stack import resources, resources_to_remove
from pipeline.errors import SettingsError
from pipeline.settings.contract import FLOWS, Function
from pipeline.settings.environment import environment_names, load_settings
from pipeline.settings.sections import Buckets, Network

# A definition with every kind of step and script, so that every permission is generated without compiling one.
SCRIPTS = ("claim.py", "ingest_features.py", "select_model.py", "publish.py")
EVERYTHING = json.dumps(
    {
        "PipelineExperimentConfig": {"ExperimentName": "x"},
        "Steps": [
            *(
                {
                    "Name": script,
                    "Type": "Processing",
                    "Arguments": {"AppSpecification": {"ContainerEntrypoint": ["/bin/bash", "run.sh", script]}},
                }
                for script in SCRIPTS
            ),
            *({"Name": kind, "Type": kind, "Arguments": {}} for kind in ("Training", "Transform", "Model")),
            {"Name": "Register", "Type": "RegisterModel", "Arguments": {}},
        ],
    }
)


ANYTHING_AT_ALL = [Policy.parse("given", document([{"Effect": "Allow", "Action": "*", "Resource": "*"}]))]


def role(trust, policy):
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": trust,
            "Policies": [{"PolicyName": "generated", "PolicyDocument": policy}],
        },
    }


def findings(template):
    found = lint_all(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", **template}))
    # I… are remarks about templates, which the policies stand in only for this check.
    return [f"{match.rule.id} {match.message}" for match in found if not match.rule.id.startswith("I")]


@pytest.mark.parametrize("name", environment_names())
def test_generated_policies_pass_the_linter(name):
    settings = load_settings(name)
    definitions = dict.fromkeys(FLOWS, EVERYTHING)
    things = resources(settings, Bundle("ab" * 32, b"", b"", b""), definitions)
    roles = {thing.name: thing for thing in things if isinstance(thing, Role)}
    whole = resources_to_remove(settings, Bundle("ab" * 32, b"", b"", b""))
    scheduling = next(thing for thing in whole if thing.name == settings.scheduler_role_name)
    queue = next(thing for thing in things if isinstance(thing, Queue))
    topic = next(thing for thing in things if isinstance(thing, Topic))
    template = {
        "Execution": role(
            roles[settings.execution_role_name].desired()["trust"], execution_policy(settings, definitions)
        ),
        "Events": role(roles[settings.events_role_name].desired()["trust"], events_policy(settings, FLOWS)),
        "Scheduler": role(scheduling.desired()["trust"], scheduler_policy(settings)),
        "Plan": role(github_trust_policy(settings, "a/b", "plan"), deployer_policy(settings, "plan")),
        "Deploy": role(github_trust_policy(settings, "a/b", "deploy"), deployer_policy(settings, "deploy")),
        "Destroy": role(github_trust_policy(settings, "a/b", "destroy"), deployer_policy(settings, "destroy")),
        "Boundary": role(github_trust_policy(settings, "a/b", "destroy"), boundary_policy(settings)),
        "People": role(github_trust_policy(settings, "a/b", "deploy"), operator_policy(settings)),
        "Preflight": role(github_trust_policy(settings, "a/b", "deploy"), preflight_policy(settings)),
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"PolicyDocument": queue.policy(), "Queues": ["https://sqs.example/q"]},
        },
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"PolicyDocument": topic.policy(), "Topics": [topic.arn]},
        },
    }
    assert findings({"Resources": template}) == []


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": ["sagemaker:CreateProcessingJobb"], "Resource": ["*"]},
        {"Effect": "Permit", "Action": ["s3:GetObject"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["bucket/*"]},
    ],
)
def test_the_linter_finds_what_is_wrong(statement):
    settings = load_settings("dev")
    trust = github_trust_policy(settings, "a/b", "plan")
    assert findings({"Resources": {"Wrong": role(trust, document([statement]))}})


@pytest.mark.parametrize(
    ("purpose", "subject"),
    [
        ("plan", ["repo:owner/name:pull_request", "repo:owner/name:ref:refs/heads/main"]),
        ("deploy", "repo:owner/name:environment:dev"),
        ("destroy", "repo:owner/name:environment:dev-destroy"),
    ],
)
def test_trust_is_for_one_repository_and_one_purpose(purpose, subject):
    (statement,) = github_trust_policy(load_settings("dev"), "owner/name", purpose)["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"]["StringEquals"] == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": subject,
    }


@pytest.mark.parametrize("repository", ["owner_corp/na.me", "owner@123456/name@456789"])
def test_a_repository_is_named_as_its_tokens_name_it(repository):
    (statement,) = github_trust_policy(load_settings("dev"), repository, "plan")["Statement"]
    subject, _ = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert subject == f"repo:{repository}:pull_request"


@pytest.mark.parametrize(
    "repository", ["name", "owner/*", "a/b/c", "", "owner@1/name", "owner/name@1", "owner@*/name@*", "owner@/name@"]
)
def test_a_pattern_is_not_a_repository(repository):
    with pytest.raises(SettingsError, match="is not OWNER/NAME"):
        github_trust_policy(load_settings("dev"), repository, "deploy")


def test_planning_changes_nothing():
    policy = deployer_policy(load_settings("prod"), "plan")
    verbs = {action.split(":")[1] for statement in policy["Statement"] for action in statement["Action"]}
    assert all(verb.startswith(("Get", "List", "Describe")) for verb in verbs)


def allowing(policy):
    return [one for one in policy["Statement"] if one["Effect"] == "Allow"]


def allowed(policy):
    return {action: one for one in allowing(policy) for action in one["Action"]}


#: What sets a deployment right again, and deletes no data.
REPAIRS = {
    "events:RemoveTargets",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "lambda:RemovePermission",
    "sagemaker:DeleteTags",
}


@pytest.mark.parametrize("name", environment_names())
def test_deploying_removes_nothing_that_destroying_does(name):
    settings = load_settings(name)
    verbs = ("Delete", "Remove", "Detach", "Stop", "Bypass")
    removing = {one for one in allowed(deployer_policy(settings, "deploy")) if one.partition(":")[2].startswith(verbs)}
    assert removing <= REPAIRS
    destroying = allowed(deployer_policy(settings, "destroy"))
    assert not [one for one in destroying if one.partition(":")[2].startswith(("Create", "Tag", "Pass", "Update"))]


def test_ci_changes_roles_only_below_the_boundary_and_can_not_free_them_of_it():
    boundary = "arn:aws:iam::111122223333:policy/teams/cap"
    settings = load_settings("dev").model_copy(update={"permissions_boundary": boundary})
    actions = allowed(deployer_policy(settings, "deploy"))
    for action in ("CreateRole", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy"):
        assert actions[f"iam:{action}"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    never = {"iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:UpdateAssumeRolePolicy"}
    assert not actions.keys() & never


@pytest.mark.parametrize(
    "action",
    [
        "iam:DeleteRolePermissionsBoundary",
        "s3:BypassGovernanceRetention",
        "s3:DeleteBucket",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    ],
)
def test_no_policy_that_deploying_can_write_lets_it_remove_data_or_the_boundary(action):
    """A bucket's policy can allow what the role's own does not; only an explicit refusal holds against it."""
    deploying = Policy.parse("deploy", deployer_policy(load_settings("prod"), "deploy"))
    call = Call(action, "arn:aws:s3:::bikeshare-prod-raw-444455556666/raw/day.csv")
    assert evaluate(call, [*ANYTHING_AT_ALL, deploying]).decision is Decision.EXPLICIT_DENY


def test_ci_opens_two_functions_to_rules_only():
    (one,) = (
        one
        for one in allowing(deployer_policy(load_settings("prod"), "deploy"))
        if "lambda:AddPermission" in one["Action"]
    )
    assert one["Condition"] == {"StringEquals": {"lambda:Principal": "events.amazonaws.com"}}
    functions = "arn:aws:lambda:eu-west-1:444455556666:function:bikeshare-prod-"
    assert one["Resource"] == [f"{functions}follow-model", f"{functions}sweep"]


def test_without_a_boundary_ci_changes_no_role():
    settings = load_settings("dev")
    assert settings.permissions_boundary is None
    changing = {one for one in allowed(deployer_policy(settings, "deploy")) if one.startswith("iam:")}
    changing -= set(allowed(deployer_policy(settings, "plan")))
    assert changing == {"iam:PassRole"}


#: What no role of the environment may do, whatever policy somebody gives it: action → resource.
FOREIGN = [
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:444455556666:function:bikeshare-prod-sweep"),
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:444455556666:function:payroll"),
    ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:444455556666:function:payroll"),
    ("lambda:AddPermission", "arn:aws:lambda:eu-west-1:444455556666:function:bikeshare-prod-sweep"),
    ("s3:GetObject", "arn:aws:s3:::payroll/salaries.csv"),
    ("s3:DeleteObjectVersion", "arn:aws:s3:::payroll/salaries.csv"),
    ("s3:DeleteObjectVersion", "arn:aws:s3:::bikeshare-prod-raw-444455556666/raw/day.csv"),
    ("s3:DeleteObject", "arn:aws:s3:::bikeshare-prod-raw-444455556666/raw/day.csv"),
    ("s3:DeleteObject", "arn:aws:s3:::bikeshare-prod-artifacts-444455556666/models/x"),
    ("s3:BypassGovernanceRetention", "arn:aws:s3:::bikeshare-prod-raw-444455556666/raw/day.csv"),
    ("s3:PutBucketPolicy", "arn:aws:s3:::bikeshare-prod-raw-444455556666"),
    ("s3:DeleteBucket", "arn:aws:s3:::bikeshare-prod-raw-444455556666"),
    ("kms:PutKeyPolicy", "arn:aws:kms:eu-west-1:444455556666:key/0123abcd-0123-0123-0123-0123456789ab"),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:444455556666:key/ffffffff-0123-0123-0123-0123456789ab"),
    ("sagemaker:CreatePresignedNotebookInstanceUrl", "arn:aws:sagemaker:eu-west-1:444455556666:notebook-instance/x"),
    ("sagemaker:CreatePresignedDomainUrl", "arn:aws:sagemaker:eu-west-1:444455556666:user-profile/d-1/x"),
    ("sagemaker:CreateNotebookInstance", "arn:aws:sagemaker:eu-west-1:444455556666:notebook-instance/pipelines-x"),
    ("sagemaker:CreateProcessingJob", "arn:aws:sagemaker:eu-west-1:444455556666:processing-job/theirs"),
    ("sagemaker:DeleteModel", "arn:aws:sagemaker:eu-west-1:444455556666:model/theirs"),
    ("sagemaker:DeleteRecord", "arn:aws:sagemaker:eu-west-1:444455556666:feature-group/bikeshare-prod-daily"),
    ("sagemaker:StartPipelineExecution", "arn:aws:sagemaker:eu-west-1:444455556666:pipeline/theirs"),
    ("sagemaker:UpdateModelPackage", "arn:aws:sagemaker:eu-west-1:444455556666:model-package/bikeshare-prod-x/1"),
    ("ecr:PutImage", "arn:aws:ecr:eu-west-1:444455556666:repository/sagemaker-theirs"),
    ("ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:444455556666:repository/theirs"),
    ("logs:DeleteLogGroup", "arn:aws:logs:eu-west-1:444455556666:log-group:/aws/sagemaker/TrainingJobs:*"),
    ("sns:Publish", "arn:aws:sns:eu-west-1:444455556666:theirs"),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:444455556666:theirs"),
    ("iam:PassRole", "arn:aws:iam::444455556666:role/admin"),
    ("iam:PassRole", "arn:aws:iam::444455556666:role/bikeshare-prod-sweep"),
    ("iam:PutRolePolicy", "arn:aws:iam::444455556666:role/bikeshare-prod-sweep"),
    ("iam:CreateUser", "arn:aws:iam::444455556666:user/x"),
    ("sts:AssumeRole", "arn:aws:iam::444455556666:role/admin"),
    ("ec2:RunInstances", "arn:aws:ec2:eu-west-1:444455556666:instance/*"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:444455556666:secret:x"),
]


def below_the_boundary(settings, action, resource, context=None):
    """Return whether a role may do something to which some policy of its own gives it the right."""
    boundary = {"boundary": [Policy.parse("boundary", boundary_policy(settings))]}
    return evaluate(Call(action, resource, context or {}), ANYTHING_AT_ALL, boundary).allowed


@pytest.mark.parametrize(("action", "resource"), FOREIGN)
def test_any_policy_below_the_boundary_stays_inside_of_the_environment(action, resource):
    context = {"iam:passedtoservice": ("sagemaker.amazonaws.com",), "kms:grantisforawsresource": ("true",)}
    assert not below_the_boundary(load_settings("prod"), action, resource, context)


def test_a_role_is_passed_to_sagemaker_and_to_no_other_service():
    settings = load_settings("prod")
    execution = settings.role_arn(settings.execution_role_name)
    for service, allowed in (("sagemaker.amazonaws.com", True), ("lambda.amazonaws.com", False)):
        context = {"iam:passedtoservice": (service,)}
        assert below_the_boundary(settings, "iam:PassRole", execution, context) == allowed


def satisfied(condition):
    """Return a context in which a condition holds."""
    return {
        key.lower(): (value,) if isinstance(value, str) else tuple(value)
        for operator in condition.values()
        for key, value in operator.items()
    }


@pytest.mark.parametrize("name", environment_names())
def test_every_generated_role_is_wholly_inside_of_the_boundary(name):
    """A pattern that fits another one's text has everything that the other one has."""
    settings = load_settings(name)
    things = resources(settings, build_bundle(), compiled_definitions(settings, build_bundle()))
    for role in (thing for thing in things if isinstance(thing, Role)):
        for one in allowing(role.policy):
            for action, resource in itertools.product(one["Action"], one["Resource"]):
                inside = below_the_boundary(settings, action, resource, satisfied(one.get("Condition", {})))
                assert inside, (role.name, action, resource)


def test_a_function_does_not_use_what_lambda_needs_to_put_it_into_a_network():
    settings = load_settings("prod")
    function = {"lambda:sourcefunctionarn": (settings.function_arn(Function.SWEEP),)}
    assert below_the_boundary(settings, "ec2:DeleteNetworkInterface", "*")
    assert not below_the_boundary(settings, "ec2:DeleteNetworkInterface", "*", function)


def test_the_trust_policy_in_the_documentation_is_the_generated_one():
    page = (Path(__file__).parents[4] / "docs" / "deploying.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)]
    assert github_trust_policy(load_settings("dev"), "OWNER/NAME", "deploy") in blocks


# "IAM and AWS STS quotas" (IAM user guide), in characters other than white space.
INLINE_POLICIES_OF_A_ROLE, TRUST_POLICY, MANAGED_POLICY = 10_240, 2_048, 6_144


def test_policies_with_the_longest_names_fit_into_a_role():
    settings = load_settings("prod").model_copy(
        update={
            # With the data set's name, 33 characters.
            "project": "p" * 6,
            "environment": "e" * 16,
            "region": "ap-southeast-2",
            "kms_key": f"arn:aws:kms:ap-southeast-2:111122223333:alias/{'k' * 200}",
            "buckets": Buckets(raw="r" * 63, artifacts="a" * 63, predictions="p" * 63),
            "network": Network(
                subnets=tuple(f"subnet-{n:017x}" for n in range(16)), security_groups=[f"sg-{n:017x}" for n in range(5)]
            ),
        }
    )
    definitions = dict.fromkeys(FLOWS, EVERYTHING)
    for policy in (
        execution_policy(settings, definitions),
        events_policy(settings, FLOWS),
        deployer_policy(settings, "plan"),
        deployer_policy(settings, "deploy"),
        deployer_policy(settings, "destroy"),
        operator_policy(settings),
    ):
        assert len(json.dumps(policy, separators=(",", ":"))) <= INLINE_POLICIES_OF_A_ROLE
    assert len(json.dumps(boundary_policy(settings), separators=(",", ":"))) <= MANAGED_POLICY
    trust = github_trust_policy(settings, f"{'o' * 39}@{10**12}/{'n' * 100}@{10**12}", "deploy")
    assert len(json.dumps(trust, separators=(",", ":"))) <= TRUST_POLICY


#: Where AWS's own pages say something else than the table of resource types does → why.
ELSEWHERE = {
    "cloudwatch:PutMetricData": "metrics of a namespace have no resource; the condition names the namespace",
    "glue:TagResource": "tags of a new database are asked for on the catalog as well",
    "logs:DescribeLogGroups": "refusals name log-group::log-stream:, which the pattern fits",
    "sagemaker:CreateModelPackage": "a version in a group is asked for on the group as well",
}


@cache
def service_authorization():
    """Return what AWS publishes of its services' actions and resource types, as cfn-lint carries it."""
    path = files("cfnlint.data.AdditionalSpecs") / "Policies.json"
    return json.loads(path.read_text(encoding="utf-8"))


def arn_patterns(action):
    """Patterns of the resources that an action can be allowed on; none where it has no resource level."""
    service, _, name = action.partition(":")
    table = service_authorization()[service]
    types = table["Actions"][name.lower()].get("Resources", [])
    found = [arn for kind in types for arn in table["Resources"].get(kind, {}).get("ARNFormats", [])]
    return types, [re.sub(r"\$\{[^}]*\}", "*", arn).replace(".*", "*") for arn in found]


@pytest.mark.parametrize("name", environment_names())
def test_every_action_is_allowed_on_resources_that_it_has(name):
    settings = load_settings(name)
    definitions = dict.fromkeys(FLOWS, EVERYTHING)
    for policy in (
        execution_policy(settings, definitions),
        events_policy(settings, FLOWS),
        deployer_policy(settings, "plan"),
        deployer_policy(settings, "deploy"),
        deployer_policy(settings, "destroy"),
        operator_policy(settings),
    ):
        for statement in allowing(policy):
            for action in set(statement["Action"]) - set(ELSEWHERE):
                types, patterns = arn_patterns(action)
                assert (statement["Resource"] == ["*"]) == (types == []), action
                for resource in statement["Resource"] if types else ():
                    assert any(overlap(resource, pattern) for pattern in patterns), (action, resource)
