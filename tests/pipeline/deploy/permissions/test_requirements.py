"""S3 locations in definitions, as a policy names them."""

from __future__ import annotations

import json

import pytest

from pipedef.document.definition import read_definition
from pipeline.deploy.permissions.requirements import S3Location, locations_of


def joined(*values, between="/"):
    return {"Std:Join": {"On": between, "Values": list(values)}}


EXECUTION = {"Get": "Execution.PipelineExecutionId"}


def locations_of_steps(*steps):
    return set(locations_of(read_definition(json.dumps({"Steps": steps}), "definition")))


def locations(arguments):
    return locations_of_steps({"Name": "A", "Type": "Processing", "Arguments": arguments})


@pytest.mark.parametrize(
    ("uri", "keys"),
    [
        ("s3://b/code/abc/", "code/*"),
        ("s3://b/data.csv", "data.csv*"),
        ("s3://b/", "*"),
        ("s3://b", "*"),
        (joined("s3://b/runs", EXECUTION, "Train"), "runs/*"),
        (joined("s3://b/runs/", EXECUTION, between=""), "runs/*"),
        (joined("s3://b/runs-", EXECUTION, between=""), "runs-*"),
        (joined("s3://b/a", "c"), "a/*"),
    ],
)
def test_a_location_is_as_much_as_is_known_of_it(uri, keys):
    assert locations({"ProcessingInputs": [{"S3Input": {"S3Uri": uri}}]}) == {S3Location("b", keys, written=False)}


@pytest.mark.parametrize(
    "uri",
    [
        {"Get": "Parameters.Uri"},
        joined("s3:/", {"Get": "Parameters.Bucket"}, "raw"),
        joined("s3://b", {"Get": "Parameters.End"}, between=""),
        "https://example.com/x",
        30,
    ],
)
def test_what_is_not_known_yet_is_left_out(uri):
    assert locations({"ProcessingInputs": [{"S3Input": {"S3Uri": uri}}]}) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        {"ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://b/runs/x"}}]}},
        {"OutputDataConfig": {"S3OutputPath": "s3://b/runs/x"}},
        {"TransformOutput": {"S3OutputPath": "s3://b/runs/x"}},
        {"CheckpointConfig": {"S3Uri": "s3://b/runs/x"}},
        {"DataCaptureConfig": {"DestinationS3Uri": "s3://b/runs/x"}},
        {"AppSpecification": {"ContainerArguments": ["--claims-uri", "s3://b/runs"]}},
    ],
)
def test_where_jobs_write_is_written(arguments):
    assert locations(arguments) == {S3Location("b", "runs/*", written=True)}


def test_the_steps_of_branches_count_once():
    inner = {"Name": "B", "Type": "Training", "Arguments": {"OutputDataConfig": {"S3OutputPath": "s3://b/x/"}}}
    outer = {"Name": "If", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [inner]}}
    assert locations_of_steps(outer) == {S3Location("b", "x/*", written=True)}
