"""Whoever asks, simulated."""

from __future__ import annotations

import json

import pytest

from pipeline.aws.clients import Aws
from pipeline.deploy.permissions.operators import boundary_policy, deployer_policy
from pipeline.preflight.answers import Verdict
from pipeline.preflight.permissions import boundary_answers, contexts, operator_answers, simulated_principal

SIMULATING = {"Effect": "Allow", "Action": ["iam:SimulatePrincipalPolicy", "iam:GetRole"], "Resource": "*"}


@pytest.fixture
def policy(settings):
    full = deployer_policy(settings, "deploy")
    return {**full, "Statement": [*full["Statement"], SIMULATING]}


def test_the_policy_that_is_printed_is_enough(settings, policy, sign_in):
    arn = sign_in(policy, path="/people/")
    (answer,) = operator_answers(Aws(settings))
    # The caller's own ARN has neither the role's path nor its kind.
    assert (answer.verdict, answer.about) == (Verdict.OK, arn)
    assert "without `permissions_boundary` an administrator does that" in answer.detail


def test_what_is_denied_is_listed_with_the_statement_to_add(settings, sign_in):
    settings = settings.model_copy(update={"permissions_boundary": f"{settings.project}-boundary"})
    full = deployer_policy(settings, "deploy")
    policy = {**full, "Statement": [*full["Statement"], SIMULATING]}
    policy["Statement"] = [one for one in policy["Statement"] if "iam:CreateRole" not in one["Action"]]
    sign_in(policy)
    (answer,) = operator_answers(Aws(settings))
    assert (answer.verdict, answer.about) == (Verdict.PROBLEM, "iam")
    assert "iam:CreateRole" in answer.detail
    assert f"trust-policy --env {settings.environment} --permissions" in answer.fix
    missing = json.loads(answer.fix[answer.fix.index("{") :])["Statement"]
    actions = {action for statement in missing for action in statement["Action"]}
    assert {"iam:CreateRole", "iam:PutRolePolicy"} <= actions
    assert all(settings.prefix in resource for statement in missing for resource in statement["Resource"])
    policy["Statement"] += missing
    sign_in(policy)
    (answer,) = operator_answers(Aws(settings))
    assert (answer.verdict, answer.detail) == (Verdict.OK, "may do all that plan and deploy do")


def test_a_boundary_is_named(settings, policy, sign_in):
    sign_in(policy, boundary={"Version": "2012-10-17", "Statement": [{**SIMULATING, "Action": ["s3:*", "iam:*"]}]})
    answers = list(operator_answers(Aws(settings)))
    assert {"glue", "sagemaker"} <= {answer.about for answer in answers}
    assert all("by its permissions boundary" in answer.detail for answer in answers)


def test_each_service_has_reasons_of_its_own(settings, policy, sign_in):
    """The boundary denies Glue; the queue is missing in the policy itself."""
    limit = [{**SIMULATING, "Action": "*"}, {**SIMULATING, "Effect": "Deny", "Action": "glue:*"}]
    without = [one for one in policy["Statement"] if not any("sqs:" in action for action in one["Action"])]
    sign_in({**policy, "Statement": without}, boundary={"Version": "2012-10-17", "Statement": limit})
    details = {answer.about: answer.detail for answer in operator_answers(Aws(settings))}
    assert "by its permissions boundary" in details["glue"]
    assert "by its permissions boundary" not in details["sqs"]


def test_a_boundary_that_is_not_there_says_how_to_create_it(settings, client):
    name = f"{settings.project}-boundary"
    bounded = settings.model_copy(update={"permissions_boundary": name})
    (answer,) = boundary_answers(Aws(bounded), str(bounded.boundary_arn))
    assert (answer.verdict, answer.about) == (Verdict.PROBLEM, name)
    assert "--purpose boundary > boundary.json && aws iam create-policy" in answer.fix
    client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(boundary_policy(bounded)))
    (answer,) = boundary_answers(Aws(bounded), str(bounded.boundary_arn))
    assert answer.verdict is Verdict.OK


def test_the_accounts_root_cannot_be_simulated(aws):
    assert simulated_principal(aws, "arn:aws:iam::123456789012:root") is None
    assert simulated_principal(aws, "arn:aws:iam::123456789012:user/a/b") == "arn:aws:iam::123456789012:user/a/b"
    gone = simulated_principal(aws, "arn:aws:sts::123456789012:assumed-role/gone/session")
    assert gone == "arn:aws:iam::123456789012:role/gone"


def test_conditions_become_contexts():
    condition = {"StringEquals": {"iam:PassedToService": ["a", "b"]}, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    found = [[(entry["ContextKeyType"], entry["ContextKeyValues"]) for entry in one] for one in contexts(condition)]
    assert found == [[("string", [value]), ("boolean", ["true"])] for value in ("a", "b")]
    assert list(contexts({})) == [[]]
