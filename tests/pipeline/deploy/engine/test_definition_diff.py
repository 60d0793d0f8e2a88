"""The difference of two definitions, as people read it."""

from __future__ import annotations

import copy

import pytest

from pipeline.deploy.engine.definition_diff import both_shortened, definition_changes, readable

BEFORE = {
    "Version": "2020-12-01",
    "Parameters": [
        {"Name": "InputKey", "Type": "String"},
        {"Name": "Profile", "Type": "String", "DefaultValue": "forecast"},
    ],
    "Steps": [
        {
            "Name": "Preprocess",
            "Type": "Processing",
            "Arguments": {
                "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
                "AppSpecification": {"ContainerArguments": ["--purpose", "training", "--key", {"Get": "Parameters.X"}]},
                "ProcessingInputs": [
                    {"InputName": "code", "S3Input": {"S3Uri": "s3://a/code/1/"}},
                    {"InputName": "raw", "S3Input": {"S3Uri": "s3://a/raw/"}},
                ],
            },
        },
        {
            "Name": "Gate",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
                "IfSteps": [{"Name": "Inner", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
                "ElseSteps": [],
            },
        },
    ],
}


def lines(change):
    after = copy.deepcopy(BEFORE)
    change(after)
    return definition_changes(BEFORE, after)


def test_the_same_is_no_difference():
    assert lines(lambda after: None) == []


def test_an_argument_is_named_by_step_and_path():
    def change(after):
        after["Steps"][0]["Arguments"]["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] = 50

    assert lines(change) == ["~ step Preprocess: ProcessingResources.ClusterConfig.VolumeSizeInGB: 30 → 50"]


def test_what_differs_of_long_values_is_not_cut_away():
    def change(after):
        after["Steps"][0]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://a/code/{'2' * 64}/"

    before = copy.deepcopy(BEFORE)
    before["Steps"][0]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://a/code/{'1' * 64}/"
    after = copy.deepcopy(before)
    change(after)
    (found,) = definition_changes(before, after, 30)
    where = "~ step Preprocess: ProcessingInputs.code.S3Input.S3Uri: "
    assert found == f'{where}"s3://a/code/{"1" * 16}… → "s3://a/code/{"2" * 16}…'
    assert both_shortened("x" * 100 + "one", "x" * 100 + "two", 40) == (f"…{'x' * 20}one", f"…{'x' * 20}two")
    assert both_shortened("short", "x" * 50, 20) == ("short", f"{'x' * 19}…")
    assert both_shortened("x" * 100, "x" * 101, None) == ("x" * 100, "x" * 101)


def test_items_of_lists_are_known_by_their_names_and_not_by_their_places():
    def change(after):
        inputs = after["Steps"][0]["Arguments"]["ProcessingInputs"]
        inputs.reverse()
        inputs[1]["S3Input"]["S3Uri"] = "s3://a/code/2/"

    assert lines(change) == [
        '~ step Preprocess: ProcessingInputs.code.S3Input.S3Uri: "s3://a/code/1/" → "s3://a/code/2/"'
    ]


def test_a_command_line_is_compared_flag_by_flag():
    def change(after):
        after["Steps"][0]["Arguments"]["AppSpecification"]["ContainerArguments"] = [
            "--purpose",
            "scoring",
            "--key",
            {"Get": "Parameters.Y"},
            "--new",
            "1",
        ]

    path = "step Preprocess: AppSpecification.ContainerArguments"
    assert lines(change) == [
        f'~ {path}.--purpose: "training" → "scoring"',
        f'~ {path}.--key: "{{Parameters.X}}" → "{{Parameters.Y}}"',
        f'+ {path}.--new = "1"',
    ]


def test_a_tag_is_compared_by_its_key():
    def change(after):
        after["Steps"][0]["Arguments"]["Tags"] = [{"Key": "team", "Value": "b"}, {"Key": "new", "Value": "c"}]

    before = {"Steps": [{"Name": "Train", "Arguments": {"Tags": [{"Key": "team", "Value": "a"}]}}]}
    after = copy.deepcopy(before)
    change(after)
    assert definition_changes(before, after) == [
        '~ step Train: Tags.team: "a" → "b"',
        '+ step Train: Tags.new = "c"',
    ]


def test_steps_and_parameters_come_and_go():
    def change(after):
        after["Parameters"].pop(1)
        after["Parameters"].append({"Name": "RunKey", "Type": "String"})
        after["Steps"][1]["Arguments"]["IfSteps"].append({"Name": "More", "Type": "Fail", "Arguments": {}})
        after["Steps"].pop(0)

    assert lines(change) == ["+ parameter RunKey", "- parameter Profile", "+ step More", "- step Preprocess"]


def test_a_step_that_moves_to_the_other_branch_is_still_the_same_step():
    def change(after):
        arguments = after["Steps"][1]["Arguments"]
        arguments["ElseSteps"], arguments["IfSteps"] = arguments["IfSteps"], []

    assert lines(change) == ['~ step Inner: In branch: "Gate.IfSteps" → "Gate.ElseSteps"']


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Get": "Parameters.InputKey"}, '"{Parameters.InputKey}"'),
        ({"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.B"}, 1]}}, '"s3://{Parameters.B}/1"'),
        (
            {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Claim.PropertyFiles.File"}, "Path": "a.b"}},
            '"{Claim.File:a.b}"',
        ),
        ("text", '"text"'),
        ([1, None], "[1, null]"),
    ],
)
def test_pipeline_variables_are_readable(value, text):
    assert readable(value) == text
