"""The frame of a definition and of its steps."""

import json

import pytest
from budgets import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipedef.document.definition import read_definition
from pipedef.errors import AwsError, DefinitionError
from pipedef.language.parsing import parse_definition
from pipedef.language.validation import validate as refuse_what_aws_refuses
from pipedef.linter import validate

ALL_TYPES_OF_REFERENCE = (
    {"Get": "Steps.Train"},
    {"Get": "Steps.Nobody.ModelName"},
    {"Get": "Parameters.Nobody"},
    {"Get": "Execution.Nobody"},
    {"Std:Join": {"On": 1, "Values": []}},
    {"Std:Concat": ["x"]},
)
FUNCTION = {
    "Name": "Call",
    "Type": "Lambda",
    "Arguments": {},
    "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:call",
    "OutputParameters": [{"OutputName": "answer", "OutputType": "String"}],
}


@pytest.mark.parametrize("check", ["structure", "expressions"])
@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_good_pipelines_pass(problems, request, flow, check):
    assert problems(check, request.getfixturevalue(flow)) == []


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("Version", None, "Version"),
        ("Version", "1.0.0", "Version"),
        ("Metadata", "mine", "Metadata"),
        ("Step", [], "Step"),
        ("PipelineExperimentConfig", [], "PipelineExperimentConfig"),
        ("PipelineExperimentConfig", {"Experiment": "x"}, "PipelineExperimentConfig.Experiment"),
    ],
)
def test_a_frame_that_aws_refuses_is_found(training, problems, member, value, field):
    training.content[member] = value
    (found,) = problems("structure", training)
    assert found.field == field


def test_a_pipeline_without_steps_is_found(training, problems):
    training.content["Steps"] = []
    (found,) = problems("structure", training)
    assert found.field == "Steps"


@pytest.mark.parametrize(
    ("step", "change", "field"),
    [
        ("Train", {"Dependson": ["Preprocess"]}, "Dependson"),
        ("Train", {"CacheConfig": {"Enabled": "false"}}, "CacheConfig.Enabled"),
        ("Train", {"CacheConfig": {"Enabled": True, "Expires": "P1D"}}, "CacheConfig.Expires"),
        ("QualityGate", {"CacheConfig": {"Enabled": False}}, "CacheConfig"),
        ("Train", {"DisplayName": "x" * 257}, "DisplayName"),
        ("Train", {"Description": 7}, "Description"),
        ("Train", {"DependsOn": [3]}, "DependsOn[0]"),
        ("Train", {"DependsOn": [{"Step": "Preprocess", "Trigger": "Done"}]}, "DependsOn[0].Trigger"),
        ("Train", {"DependsOn": ["Preprocess", {"Step": "Preprocess", "Trigger": "Failed"}]}, "DependsOn[1]"),
        ("Evaluate", {"PropertyFiles": [{"PropertyFileName": "A", "OutputName": "b"}]}, "PropertyFiles[0].FilePath"),
        ("Train", {"RetryPolicies": [{"MaxAttempts": 2}]}, "RetryPolicies[0].ExceptionType"),
        ("Train", {"RetryPolicies": [{"ExceptionType": ["Step.FAULT"]}]}, "RetryPolicies[0].ExceptionType"),
        (
            "Train",
            {"RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, "ExpireAfterMin": 5}]},
            "RetryPolicies[0]",
        ),
        ("Train", {"RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "Max": 2}]}, "RetryPolicies[0].Max"),
        ("IsNewInput", {"Arguments": {"Conditions": [], "Otherwise": []}}, "Arguments.Otherwise"),
        ("IsNewInput", {"Arguments": {"Conditions": [], "ElseSteps": None}}, "Arguments.ElseSteps"),
    ],
)
def test_what_stands_beside_the_arguments_and_is_refused_is_found(training, problems, step, change, field):
    training.step(step).update(change)
    (found,) = problems("structure", training)
    assert (found.step, found.field) == (step, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"FunctionArn": None}, "FunctionArn"),
        ({"FunctionArn": "call"}, "FunctionArn"),
        ({"OutputParameters": [{"OutputName": "answer", "OutputType": "Number"}]}, "OutputParameters[0].OutputType"),
        ({"OutputParameters": FUNCTION["OutputParameters"] * 2}, "OutputParameters[1].OutputName"),
        ({"OutputParameters": [{"OutputType": "String"}]}, "OutputParameters[0].OutputName"),
        ({"Type": "Callback", "SqsQueueUrl": "call", "FunctionArn": None}, "SqsQueueUrl"),
    ],
)
def test_a_step_that_hands_over_to_nothing_is_found(training, problems, change, field):
    step = {key: value for key, value in {**FUNCTION, **change}.items() if value is not None}
    training.content["Steps"].append(step)
    (found,) = problems("structure", training)
    assert (found.step, found.field) == ("Call", field)


@pytest.mark.parametrize("target", [FUNCTION["FunctionArn"], {"Get": "Parameters.Profile"}])
def test_a_step_that_hands_over_passes(training, problems, target):
    training.content["Steps"].append({**FUNCTION, "FunctionArn": target})
    assert problems("structure", training) == []


@pytest.mark.parametrize(
    "body", [{"Std:Join": ["a"]}, {"Std:Join": {"On": "/"}}, {"Std:Concat": {"Values": []}}, {"Std:Join": {"On": 1}}]
)
def test_a_function_that_aws_does_not_read_is_found(training, problems, body):
    training.arguments("QualityGateFailed")["ErrorMessage"] = {"Std:Join": {"On": " ", "Values": ["r2", body]}}
    (found,) = problems("expressions", training)
    assert (found.step, found.field) == ("QualityGateFailed", "Arguments.ErrorMessage.Std:Join.Values[1]")


def places(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@hypothesis_settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_create_pipeline_refuses_is_found(compiled, data):
    content = json.loads(compiled[data.draw(st.sampled_from(["training", "scoring"]))])
    *above, last = data.draw(st.sampled_from(list(places(content))))
    spoiled = content
    for key in above:
        spoiled = spoiled[key]
    odd = st.sampled_from([None, True, -1.5, "", "odd", [], {}, {"a": 1}, ["x"], *ALL_TYPES_OF_REFERENCE])
    spoiled[last] = data.draw(odd)
    text = json.dumps(content)
    assert has_findings(text) or not refusal(text), refusal(text)


def has_findings(text):
    try:
        return bool(validate([(read_definition(text, "spoiled.json"), None)]).findings)
    except DefinitionError:
        return True


def refusal(text):
    """Return what CreatePipeline says against a definition; empty where it accepts it."""
    try:
        refuse_what_aws_refuses(parse_definition(text))
    except AwsError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("kind", ["Lambda", "Callback", "Condition", "Fail"])
def test_retry_policies_are_for_the_steps_that_have_them(problems, training, build, kind):
    policy = {"RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2}]}
    step = {
        "Lambda": FUNCTION,
        "Callback": {"Type": "Callback", "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q"},
        "Condition": build.condition("More", [build.equals(1, 1)]),
        "Fail": build.fail("More", "no"),
    }[kind]
    training.content["Steps"].append({**step, "Name": "More", **policy})
    (found,) = problems("structure", training)
    assert (found.step, found.field) == ("More", "RetryPolicies")
    assert f"A step of type {kind} takes no retry policies" in found.message
    assert "a function retries its own calls" in found.fix
