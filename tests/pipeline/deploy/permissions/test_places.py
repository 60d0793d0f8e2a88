"""S3 locations in definitions, as a policy names them."""

from __future__ import annotations

import pytest

from pipeline.deploy.permissions.places import Place, places_of


def joined(*values, between="/"):
    return {"Std:Join": {"On": between, "Values": list(values)}}


EXECUTION = {"Get": "Execution.PipelineExecutionId"}


def places(arguments):
    return places_of([{"Name": "A", "Type": "Processing", "Arguments": arguments}])


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
def test_a_place_is_as_much_as_is_known_of_it(uri, keys):
    assert places({"ProcessingInputs": [{"S3Input": {"S3Uri": uri}}]}) == {Place("b", keys, written=False)}


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
def test_what_is_no_place_yet_is_none(uri):
    assert places({"ProcessingInputs": [{"S3Input": {"S3Uri": uri}}]}) == frozenset()


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
    assert places(arguments) == {Place("b", "runs/*", written=True)}


def test_the_steps_of_branches_count_once():
    inner = {"Name": "B", "Type": "Training", "Arguments": {"OutputDataConfig": {"S3OutputPath": "s3://b/x/"}}}
    outer = {"Name": "If", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [inner]}}
    assert places_of([outer]) == frozenset()
    assert places_of([outer, inner]) == {Place("b", "x/*", written=True)}
