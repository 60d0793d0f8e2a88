"""Reading definitions: what is refused, and that no check fails on what is read."""

import json

import pytest
from budgets import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipedef.document.definition import read_definition
from pipedef.errors import DefinitionError
from pipedef.linter import validate

STEP = {"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1.5,
        "",
        "s3://a/b",
        [],
        ["x"],
        [[]],
        {},
        [{}],
        {"a": 1},
        {"Get": "Steps.X.y"},
        {"Get": 1},
        {"Get": "Steps.Train['"},
        {"Std:Join": {}},
        {"Std:Join": {"Values": "x"}},
        {"Std:JsonGet": {}},
        {"Std:JsonGet": {"PropertyFile": 1, "Path": 2}},
    ]
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("Version: 2020-12-01", "is not JSON"),
        ('{"Steps": [NaN]}', "NaN is not a number"),
        ('{"Steps": [], "Steps": []}', "two members named 'Steps'"),
        ('{"Steps": ["\\ud800"]}', "\\ud800 is an unpaired surrogate"),
        ("[" * 100_000, "nested more than 200 levels deep"),
        ("[" * 300 + "]" * 300, "nested more than 200 levels deep"),
        ("[]", "is a JSON object"),
        ("{}", "Steps must be a list"),
        (json.dumps({"Steps": ["x"]}), "Steps[0] must be a JSON object"),
        (json.dumps({"Steps": [{"Name": "A", "Type": "Fail"}]}), "Steps[0].Arguments is missing"),
        (json.dumps({"Steps": [{**STEP, "DependsOn": "B"}]}), "Steps[0].DependsOn is missing or of the wrong type"),
        (json.dumps({"Steps": [{**STEP, "PropertyFiles": ["x"]}]}), "Steps[0].PropertyFiles"),
        (json.dumps({"Steps": [STEP], "Parameters": ["x"]}), "Parameters must be a list of objects"),
    ],
)
def test_what_is_no_definition_is_refused_with_its_place(text, words):
    with pytest.raises(DefinitionError, match=r"file\.json") as refused:
        read_definition(text, "file.json")
    assert words in refused.value.message


def test_steps_inside_branches_are_found_with_their_guards(training):
    # SageMaker takes no condition in another; what is read here may be anybody's.
    training.arguments("IsNewInput")["IfSteps"].append(training.step("QualityGate"))
    del training.content["Steps"][2]
    steps = training.read().step_named
    transform = steps["Transform"]
    assert [(guard.condition, guard.branch) for guard in transform.guards] == [
        ("IsNewInput", "IfSteps"),
        ("QualityGate", "IfSteps"),
    ]
    assert transform.place.startswith("Steps[1].Arguments.IfSteps[")
    assert "IfSteps" not in steps["QualityGate"].arguments


def test_a_step_that_hands_over_may_have_nothing_to_say():
    step = {"Name": "A", "Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:a"}
    definition = read_definition(json.dumps({"Version": "2020-12-01", "Steps": [step]}), "file.json")
    assert validate([(definition, None)]).findings == ()


def places(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@hypothesis_settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_check_stumbles_over_a_spoiled_definition(compiled, deployments, project, data):
    flow = data.draw(st.sampled_from(["training", "scoring"]))
    content = json.loads(compiled[flow])
    *above, last = data.draw(st.sampled_from(list(places(content))))
    spoiled = content
    for key in above:
        spoiled = spoiled[key]
    spoiled[last] = data.draw(ODD)
    try:
        definition = read_definition(json.dumps(content), "spoiled.json")
    except DefinitionError:
        return
    validate([(definition, deployments[flow])], project=project)
