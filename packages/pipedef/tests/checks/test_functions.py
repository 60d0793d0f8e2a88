"""Functions that steps call, against what is deployed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipedef.checks.registry import Function

ARN = "arn:aws:lambda:eu-west-1:444455556666:function:rides-prod-publish"
PUBLISHING = {"Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}}


@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_good_functions_are_deployed_with_what_they_need(problems, deployments, request, flow):
    assert len(deployments[flow].functions) == 1
    assert problems("functions", request.getfixturevalue(flow), deployments[flow]) == []


def test_an_action_that_a_functions_role_lacks_is_found(problems, deployments, training):
    (claim,) = deployments["training"].functions
    less = [one for one in claim.policy["Statement"] if one["Action"] != ["sagemaker:DescribePipelineExecution"]]
    functions = (replace(claim, policy={"Statement": less}),)
    (problem,) = problems("functions", training, replace(deployments["training"], functions=functions))
    assert (problem.step, problem.field) == ("ClaimInput", "script claim.py")
    assert "sagemaker:DescribePipelineExecution" in problem.message


def calling(training, arn=ARN, **arguments):
    """Append a step that calls a function."""
    step = {"Name": "Call", "Type": "Lambda", "FunctionArn": arn, "Arguments": arguments}
    training.content["Steps"].append(step)
    return training


@pytest.fixture
def found(problems, deployments):
    def run(draft, *functions):
        deployed = (*deployments["training"].functions, *functions)
        return problems("functions", draft, replace(deployments["training"], functions=deployed))

    return run


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:live", f"{ARN}:7", {"Get": "Parameters.Profile"}])
def test_a_deployed_function_with_its_permissions_has_no_problem(found, training, arn):
    assert found(calling(training, arn), Function(ARN, "publish.py", PUBLISHING)) == []


def test_without_functions_nothing_is_told(problems, deployments, training):
    assert problems("functions", calling(training), replace(deployments["training"], functions=())) == []


def test_a_function_that_is_not_deployed_is_found(found, training):
    (problem,) = found(calling(training, f"{ARN}-old"), Function(ARN, "publish.py", PUBLISHING))
    assert (problem.step, problem.field) == ("Call", "FunctionArn")
    assert f"No function {ARN}-old is deployed" in problem.message
    assert ARN in problem.fix


def test_what_the_functions_role_lacks_is_found(found, training):
    nothing = {"Statement": []}
    (problem,) = found(calling(training), Function(ARN, "publish.py", nothing))
    assert problem.message.endswith("is not allowed s3:PutObject, which publish.py does.")
    assert problem.field == "script publish.py"


def test_a_flags_actions_are_needed_where_the_payload_has_its_member(found, training):
    function = Function(ARN, "evaluate.py", {"Statement": []})
    assert found(calling(training), function) == []
    training.content["Steps"].pop()
    (problem,) = found(calling(training, model_package_group_name="rides"), function)
    assert "sagemaker:ListModelPackages" in problem.message


def test_the_execution_role_must_be_allowed_to_invoke_it(problems, training, deployments):
    draft = calling(training)
    denied = problems("permissions", draft, replace(deployments["training"], policy={"Statement": []}))
    assert {
        "The execution role is not allowed lambda:InvokeFunction.",
        f"The execution role is not allowed lambda:InvokeFunction on {ARN}.",
    } <= {problem.message for problem in denied if problem.step == "Call"}
