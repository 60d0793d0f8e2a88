"""The order of steps: cycles, branches, conditions, and the messages of Fail steps."""

import pytest


def test_a_cycle_is_found_and_named(training, problems):
    assert problems("cycles", training) == []
    training.step("Preprocess")["DependsOn"] = ["Evaluate"]
    (found,) = problems("cycles", training)
    assert "Preprocess" in found.message
    assert "Evaluate" in found.message
    assert found.message.count("→") >= 2


def test_a_step_that_waits_for_itself_is_found(training, problems):
    training.step("Train")["DependsOn"] = ["Train"]
    (found,) = problems("cycles", training)
    assert "Train → Train" in found.message


def test_waiting_for_the_other_branch_is_found(training, problems):
    assert problems("branches", training) == []
    training.step("QualityGateFailed")["DependsOn"] = ["RegisterModel"]
    (found,) = problems("branches", training)
    assert found.step == "QualityGateFailed"
    assert "other branch of QualityGate" in found.message


def test_a_condition_in_a_branch_of_another_is_found(training, problems):
    assert problems("nested-conditions", training) == []
    gate = training.step("QualityGate")
    training.content["Steps"].remove(gate)
    training.arguments("IsNewInput")["IfSteps"].append(gate)
    (found,) = problems("nested-conditions", training)
    assert (found.step, found.field) == ("QualityGate", "Type")
    assert "in IfSteps of IsNewInput" in found.message


def test_waiting_for_the_other_branch_through_another_step_is_found(training, problems):
    function = {"Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:a", "Arguments": {}}
    training.arguments("QualityGate")["ElseSteps"].append({**function, "Name": "Tell"})
    training.content["Steps"].append({**function, "Name": "Between", "DependsOn": ["Tell"]})
    training.step("RegisterModel")["DependsOn"] = ["Between"]
    (found,) = problems("branches", training)
    assert (found.step, found.field) == ("RegisterModel", "DependsOn[0]")
    assert "Between, and so for Tell" in found.message


def test_a_cycle_is_found_at_the_reference_that_closes_it(training, problems):
    training.arguments("Preprocess")["Environment"]["JOB"] = {"Get": "Steps.Train.TrainingJobName"}
    (found,) = problems("cycles", training)
    assert found.field in {
        "Arguments.Environment.JOB",
        "Arguments.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
    }


def test_unknown_conditions_are_found(training, problems):
    assert problems("conditions", training) == []
    training.arguments("QualityGate")["Conditions"][0]["Type"] = "AtLeast"
    (found,) = problems("conditions", training)
    assert (found.step, found.field) == ("QualityGate", "Arguments.Conditions[0]")


def test_a_condition_step_without_a_condition_is_found(training, problems):
    training.arguments("QualityGate")["Conditions"] = []
    (found,) = problems("conditions", training)
    assert found.message == "There is no condition."


@pytest.mark.parametrize("message", [5, ["no"], "x" * 3073])
def test_a_message_that_aws_refuses_is_found(training, problems, message):
    training.step("QualityGateFailed")["Arguments"]["ErrorMessage"] = message
    (found,) = problems("conditions", training)
    assert found.field == "Arguments.ErrorMessage"


def test_a_fail_step_without_its_message_is_found(training, problems):
    training.step("QualityGateFailed")["Arguments"] = {}
    (found,) = problems("conditions", training)
    assert "ErrorMessage" in found.message


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        ({"Get": "Parameters.Profile"}, 5, True),
        ({"Get": "Parameters.MinimumRSquared"}, "0.8", True),
        ({"Get": "Execution.PipelineName"}, 1, True),
        (True, 1, True),
        ({"Get": "Parameters.MinimumRSquared"}, 1, False),
        ({"Get": "Parameters.Profile"}, "forecast", False),
        ({"Get": "Parameters.Profile"}, {"Std:Join": {"On": "", "Values": ["fore", "cast"]}}, False),
    ],
)
def test_values_without_a_common_type_are_found(training, problems, left, right, found):
    condition = {"Type": "Equals", "LeftValue": left, "RightValue": right}
    training.arguments("QualityGate")["Conditions"] = [condition, {"Type": "Not", "Condition": condition}]
    paths = ["Arguments.Conditions[0]", "Arguments.Conditions[1].Condition"]
    assert [problem.field for problem in problems("conditions", training)] == paths * found


def claim(*outputs):
    declared = [{"OutputName": name, "OutputType": kind} for name, kind in outputs]
    arn = "arn:aws:lambda:us-east-1:123456789012:function:claim"
    return {"Name": "Claim", "Type": "Lambda", "FunctionArn": arn, "Arguments": {}, "OutputParameters": declared}


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [("String", "yes", 0), ("String", 1, 1), ("Integer", 1.5, 0), ("Float", "1", 1), ("Boolean", True, 0)],
)
def test_outputs_of_functions_are_compared_by_their_declared_type(training, problems, kind, value, found):
    training.content["Steps"].append(claim(("fresh", kind)))
    query = {"Get": "Steps.Claim.OutputParameters['fresh']"}
    condition = {"Type": "Equals", "LeftValue": query, "RightValue": value}
    training.arguments("QualityGate")["Conditions"] = [condition]
    assert len(problems("conditions", training)) == found


def test_what_reads_a_functions_output_waits_for_the_function(training, problems):
    training.content["Steps"].append(claim(("profile", "String")))
    training.arguments("Train")["HyperParameters"]["profile"] = {"Get": "Steps.Claim.OutputParameters['profile']"}
    definition = training.read()
    assert "Claim" in definition.upstream["Train"]
    assert "Claim" in definition.all_upstream("RegisterModel")
    training.step("Claim")["Arguments"] = {"job": {"Get": "Steps.Train.TrainingJobName"}}
    (found,) = problems("cycles", training)
    assert "Claim" in found.message


def test_a_value_among_others_of_another_type_is_found(training, problems):
    condition = {"Type": "In", "QueryValue": {"Get": "Parameters.Profile"}, "Values": ["forecast", 1]}
    training.arguments("QualityGate")["Conditions"] = [condition]
    (found,) = problems("conditions", training)
    assert "String is compared with" in found.message
