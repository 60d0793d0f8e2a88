"""SimulatePrincipalPolicy and SimulateCustomPolicy, as boto3 and the SageMaker SDK ask them."""

from __future__ import annotations

import json

import pytest

READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::raw/*"}
DENY = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::raw/secret/*"}
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def iam(endpoint):
    return endpoint.client("iam")


@pytest.fixture
def role(iam, unique):
    """ARN of a role that reads all but secrets."""
    arn = iam.create_role(RoleName=unique, AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=unique, PolicyName="reading", PolicyDocument=document(READ, DENY))
    return arn


def decisions(answer):
    return {item["EvalActionName"]: item["EvalDecision"] for item in answer["EvaluationResults"]}


@pytest.mark.parametrize(
    ("action", "key", "decision"),
    [
        ("s3:GetObject", "day.csv", "allowed"),
        ("s3:GetObject", "secret/day.csv", "explicitDeny"),
        ("s3:PutObject", "day.csv", "implicitDeny"),
    ],
)
def test_a_role_is_asked_what_its_policies_say(iam, role, action, key, decision):
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[f"arn:aws:s3:::raw/{key}"]
    )
    assert decisions(answer) == {action: decision}


def test_the_statement_that_decided_is_named_with_its_place(iam, role, unique):
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::raw/secret/x"]
    )
    (statement,) = answer["EvaluationResults"][0]["MatchedStatements"]
    text = document(READ, DENY)
    assert statement["SourcePolicyId"] == f"role_{unique}_reading"
    start, end = statement["StartPosition"], statement["EndPosition"]
    assert start["Line"] == end["Line"] == 1
    assert json.loads(text[start["Column"] - 1 : end["Column"] - 1]) == DENY


def test_each_resource_has_its_own_result_and_the_hardest_is_the_decision(iam, role):
    resources = ["arn:aws:s3:::raw/a", "arn:aws:s3:::other/a"]
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["s3:GetObject"], ResourceArns=resources
    )["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert [
        (item["EvalResourceName"], item["EvalResourceDecision"]) for item in result["ResourceSpecificResults"]
    ] == list(zip(resources, ["allowed", "implicitDeny"], strict=True))


def test_without_resources_it_is_all_of_them(iam, role):
    (result,) = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["s3:GetObject"])["EvaluationResults"]
    assert (result["EvalResourceName"], result["EvalDecision"]) == ("*", "implicitDeny")


def test_a_policy_of_awss_own_can_be_attached_and_counts(iam, role, unique):
    iam.attach_role_policy(RoleName=unique, PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["sagemaker:CreateTrainingJob", "iam:CreateUser"]
    )
    assert decisions(answer) == {"sagemaker:CreateTrainingJob": "allowed", "iam:CreateUser": "implicitDeny"}
    assert answer["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyId"] == "AmazonSageMakerFullAccess"


def test_a_policy_that_aws_does_not_have_cannot_be_attached(iam, role, unique):
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.attach_role_policy(RoleName=unique, PolicyArn="arn:aws:iam::aws:policy/NoSuchThing")


def test_a_role_that_does_not_exist_is_an_error(iam):
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:role/nobody", ActionNames=["s3:GetObject"]
        )


def test_a_boundary_takes_away_and_the_answer_says_so(iam, role, unique):
    arn = iam.create_policy(
        PolicyName=unique, PolicyDocument=document({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
    )["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=unique, PermissionsBoundary=arn)
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::raw/a"]
    )["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_groups_count_for_their_users(iam, unique):
    arn = iam.create_user(UserName=unique)["User"]["Arn"]
    iam.create_group(GroupName=unique)
    iam.put_group_policy(GroupName=unique, PolicyName="reading", PolicyDocument=document(READ))
    iam.add_user_to_group(GroupName=unique, UserName=unique)
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::raw/a"]
    )
    assert decisions(answer) == {"s3:GetObject": "allowed"}


def test_conditions_are_asked_of_the_context_and_what_is_missing_is_named(iam):
    statement = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    request = {"PolicyInputList": [document(statement)], "ActionNames": ["iam:PassRole"]}
    (without,) = iam.simulate_custom_policy(**request)["EvaluationResults"]
    assert (without["EvalDecision"], without["MissingContextValues"]) == ("implicitDeny", ["iam:PassedToService"])
    entry = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": ["sagemaker.amazonaws.com"],
        "ContextKeyType": "string",
    }
    (given,) = iam.simulate_custom_policy(**request, ContextEntries=[entry])["EvaluationResults"]
    assert (given["EvalDecision"], given["MissingContextValues"]) == ("allowed", [])
    assert given["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"


def test_pages_hold_what_was_asked_for(iam):
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[document(READ)],
        ActionNames=["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
        PaginationConfig={"PageSize": 2},
    )
    found = [[item["EvalActionName"] for item in page["EvaluationResults"]] for page in pages]
    assert found == [["s3:GetObject", "s3:PutObject"], ["s3:ListBucket"]]


@pytest.mark.parametrize("text", ["no JSON", '{"Version": "2012-10-17"}', '{"Statement": ["x"]}'])
def test_what_is_no_policy_is_refused(iam, text):
    with pytest.raises(iam.exceptions.InvalidInputException, match="is not a policy document"):
        iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=["s3:GetObject"])
