"""What steps need to be allowed."""

import copy
from dataclasses import replace

import pytest

from pipedef.checks.permissions import is_allowed


def without(deployment, action):
    policy = copy.deepcopy(deployment.policy)
    for statement in policy["Statement"]:
        statement["Action"] = [item for item in statement["Action"] if item != action]
    return replace(deployment, policy=policy)


@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_good_role_is_allowed_what_it_needs(problems, deployments, request, flow):
    assert problems("permissions", request.getfixturevalue(flow), deployments[flow]) == []


@pytest.mark.parametrize(
    ("action", "step"),
    [
        ("sagemaker:CreateTrainingJob", "Train"),
        ("lambda:InvokeFunction", "ClaimInput"),
        ("sagemaker:BatchWriteRecord", "IngestFeatures"),
        ("sagemaker:CreateModelPackage", "RegisterModel"),
        ("ec2:CreateNetworkInterface", "CreateModel"),
        ("kms:CreateGrant", "Transform"),
        ("s3:PutObject", "PublishPredictions"),
    ],
)
def test_an_action_that_is_missing_is_found(training, problems, deployments, action, step):
    found = problems("permissions", training, without(deployments["training"], action))
    assert step in {problem.step for problem in found}
    assert all(action in problem.message for problem in found)


def test_an_output_where_the_role_may_not_write_is_found(training, problems):
    training.arguments("Train")["OutputDataConfig"]["S3OutputPath"] = "s3://somebody-elses-bucket/models"
    found = {(problem.step, problem.field): problem.message for problem in problems("permissions", training)}
    place = ("Train", "Arguments.OutputDataConfig.S3OutputPath")
    assert "s3:PutObject on s3://somebody-elses-bucket/models" in found.pop(place)
    # Who reads the model from there may not do so either.
    assert {step for step, _ in found} == {"Evaluate"}


def test_an_input_that_the_role_may_not_read_is_found(training, problems):
    training.input("Evaluate", "quality")["S3Uri"] = "s3://somebody-elses-bucket/quality"
    found = problems("permissions", training)
    assert [problem.field for problem in found] == ["Arguments.ProcessingInputs[4].S3Input.S3Uri"]


@pytest.mark.parametrize(("bucket", "fields"), [("elsewhere", ["S3Uri"]), ("rides-prod-artifacts-444455556666", [])])
def test_an_input_by_the_default_of_a_parameter_is_found(training, problems, bucket, fields):
    default = f"s3://{bucket}/code/more.csv"
    training.content["Parameters"].append({"Name": "More", "Type": "String", "DefaultValue": default})
    training.input("Evaluate", "test")["S3Uri"] = {"Get": "Parameters.More"}
    assert [found.field.rpartition(".")[2] for found in problems("permissions", training)] == fields


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::a/x", True),
        ("s3:GetObject", "arn:aws:s3:::b/x", False),
        ("s3:PutObject", "arn:aws:s3:::a/x", False),
        ("s3:getobject", "arn:aws:s3:::a/*", True),
        ("s3:GetObject", "arn:aws:s3:::a/secret/x", False),
        ("s3:GetObject", "arn:aws:s3:::a/office/x", True),
        ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:1:a", True),
        ("iam:PassRole", "arn:aws:sqs:eu-west-1:1:a", False),
    ],
)
def test_policies_are_read_as_iam_reads_them(action, resource, expected):
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::a/*"]},
            {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::a/secret/*"},
            {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::a/office/*", "Condition": {"Bool": {}}},
            {"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "arn:aws:sqs:*"},
        ]
    }
    assert is_allowed(policy, action, resource) is expected


def test_a_policy_that_denies_everything_allows_nothing(training, problems, deployments):
    policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    assert problems("permissions", training, replace(deployments["training"], policy=policy)) == []
    policy["Statement"].append({"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*"})
    (found,) = problems("permissions", training, replace(deployments["training"], policy=policy))
    assert (found.step, found.message) == (
        "Train",
        "The execution role is not allowed sagemaker:CreateTrainingJob.",
    )


def test_a_statement_that_stands_alone_needs_no_list():
    assert is_allowed({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}, "s3:GetObject")


FUNCTION = "arn:aws:lambda:eu-west-1:444455556666:function:notify"
OTHER_KEY = "arn:aws:kms:eu-west-1:444455556666:key/0123abcd-0123-0123-0123-0123456789ac"


@pytest.mark.parametrize(
    ("place", "value", "action"),
    [
        ("Train RoleArn", "arn:aws:iam::444455556666:role/other", "iam:PassRole"),
        ("CreateModel ExecutionRoleArn", "arn:aws:iam::444455556666:role/other", "iam:PassRole"),
        (
            "Evaluate AppSpecification ImageUri",
            "444455556666.dkr.ecr.eu-west-1.amazonaws.com/mine:1",
            "ecr:BatchGetImage",
        ),
        ("CreateModel PrimaryContainer ModelDataUrl", "s3://elsewhere/model.tar.gz", "s3:GetObject"),
        (
            "Transform TransformInput DataSource S3DataSource S3Uri",
            "s3://elsewhere/x.csv",
            "s3:GetObject",
        ),
    ],
)
def test_a_resource_that_the_role_is_not_allowed_is_found(training, problems, place, value, action):
    step, *path = place.split()
    *above, last = path
    arguments = training.arguments(step)
    for key in above:
        arguments = arguments[key]
    arguments[last] = value
    found = problems("permissions", training)
    assert {(problem.step, problem.field) for problem in found} == {(step, f"Arguments.{'.'.join(path)}")}
    assert any(f"{action} on {value}" in problem.message for problem in found)


def test_another_key_than_the_roles_is_found(training, problems, deployments):
    training.arguments("Train")["OutputDataConfig"]["KmsKeyId"] = OTHER_KEY
    found = problems("permissions", training, deployments["training"])
    assert [(one.step, one.field) for one in found] == [("Train", "Arguments.OutputDataConfig.KmsKeyId")]


@pytest.mark.parametrize(
    ("step", "action"),
    [
        ({"Type": "Lambda", "FunctionArn": FUNCTION}, "lambda:InvokeFunction"),
        (
            {"Type": "Callback", "SqsQueueUrl": "https://sqs.eu-west-1.amazonaws.com/444455556666/ask"},
            "sqs:SendMessage",
        ),
        ({"Type": "Tuning"}, "sagemaker:CreateHyperParameterTuningJob"),
        ({"Type": "EndpointConfig"}, "sagemaker:CreateEndpointConfig"),
        ({"Type": "Lineage"}, "sagemaker:CreateArtifact"),
    ],
)
def test_other_kinds_of_steps_need_their_actions(training, problems, step, action):
    training.content["Steps"].append({"Name": "More", "Arguments": {}, "OutputParameters": [], **step})
    found = problems("permissions", training)
    assert {problem.step for problem in found} == {"More"}
    assert action in found[0].message


def test_a_kind_of_step_that_nobody_has_looked_at_is_found(training, problems):
    training.content["Steps"].append({"Name": "Cluster", "Type": "EMR", "Arguments": {}})
    (found,) = problems("permissions", training)
    assert "no table of what a step of type EMR needs" in found.message
