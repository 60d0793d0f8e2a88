import copy
from dataclasses import replace

import pytest

from pipeline.validate.permissions import is_allowed

pytestmark = pytest.mark.xdist_group("validate")


def without(deployment, action):
    policy = copy.deepcopy(deployment.policy)
    for statement in policy["Statement"]:
        statement["Action"] = [item for item in statement["Action"] if item != action]
    return replace(deployment, policy=policy)


@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_our_role_is_allowed_what_it_needs(problems, deployments, request, flow):
    assert problems("permissions", request.getfixturevalue(flow), deployments[flow]) == []


@pytest.mark.parametrize(
    ("action", "step"),
    [
        ("sagemaker:CreateTrainingJob", "Train"),
        ("sagemaker:DescribePipelineExecution", "ClaimInput"),
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


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::a/x", True),
        ("s3:GetObject", "arn:aws:s3:::b/x", False),
        ("s3:PutObject", "arn:aws:s3:::a/x", False),
        ("s3:getobject", "arn:aws:s3:::a/*", True),
    ],
)
def test_policies_are_read_as_iam_reads_them(action, resource, expected):
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::a/*"]},
            {"Effect": "Deny", "Action": "*", "Resource": "*"},
        ]
    }
    assert is_allowed(policy, action, resource) is expected
