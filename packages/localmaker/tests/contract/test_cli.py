"""The AWS CLI as a shell user has it: files to S3 and back, a pipeline created, started and followed."""

from __future__ import annotations

import json

import pytest

PIPELINE = {
    "Version": "2020-12-01",
    "Parameters": [
        {"Name": "Answer", "Type": "String", "DefaultValue": "yes"},
        {"Name": "Note", "Type": "String"},
    ],
    "Steps": [
        {
            "Name": "Check",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Answer"}, "RightValue": "yes"}],
                "IfSteps": [],
                "ElseSteps": [
                    {
                        "Name": "Refused",
                        "Type": "Fail",
                        "Arguments": {
                            "ErrorMessage": {"Std:Join": {"On": " ", "Values": ["no:", {"Get": "Parameters.Note"}]}}
                        },
                    }
                ],
            },
        }
    ],
}


@pytest.mark.slow
def test_files_go_in_and_out(stranger, endpoint, bucket, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    small, large = folder / "day one.csv", folder / "large.bin"
    small.write_bytes(b"date,cnt\n2011-01-01,985\n")
    # Over the CLI's threshold for multipart uploads, 8 MB.
    large.write_bytes(bytes(range(256)) * (9 * 4096))

    stranger.cli("s3", "cp", "--recursive", str(folder), f"s3://{bucket}/raw/")
    stranger.cli("s3", "cp", f"s3://{bucket}/raw/large.bin", str(tmp_path / "copy.bin"))
    assert (tmp_path / "copy.bin").read_bytes() == large.read_bytes()
    listed = stranger.cli("s3", "ls", "--recursive", f"s3://{bucket}/").stdout
    assert [line.split(maxsplit=3)[2:] for line in listed.splitlines()] == [
        [str(file.stat().st_size), f"raw/{file.name}"] for file in (small, large)
    ]
    head = endpoint.client("s3").head_object(Bucket=bucket, Key="raw/large.bin")
    assert head["ETag"].strip('"').endswith("-2")


@pytest.mark.slow
def test_a_pipeline_is_created_started_and_followed(stranger, endpoint, unique, tmp_path, *, await_end):
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(PIPELINE))
    stranger.aws(
        "sagemaker",
        "create-pipeline",
        "--pipeline-name",
        unique,
        "--pipeline-definition",
        f"file://{file}",
        "--role-arn",
        "arn:aws:iam::123456789012:role/contract",
    )
    started = stranger.aws(
        "sagemaker",
        "start-pipeline-execution",
        "--pipeline-name",
        unique,
        "--pipeline-parameters",
        "Name=Answer,Value=no",
        "Name=Note,Value=too few rows",
        "--pipeline-execution-display-name",
        "by-hand",
    )
    arn = started["PipelineExecutionArn"]

    await_end(endpoint.client("sagemaker"), arn)
    described = stranger.aws("sagemaker", "describe-pipeline-execution", "--pipeline-execution-arn", arn)
    assert described["PipelineExecutionStatus"] == "Failed"
    assert described["PipelineExecutionDisplayName"] == "by-hand"
    steps = stranger.aws("sagemaker", "list-pipeline-execution-steps", "--pipeline-execution-arn", arn)
    shown = {step["StepName"]: step for step in steps["PipelineExecutionSteps"]}
    assert shown["Check"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert shown["Refused"]["FailureReason"] == "no: too few rows"


@pytest.mark.slow
def test_a_refusal_reads_as_that_of_aws(stranger, unique):
    done = stranger.cli("sagemaker", "describe-pipeline", "--pipeline-name", unique, check=False)
    assert done.returncode != 0
    said = f"Pipeline 'arn:aws:sagemaker:us-east-1:123456789012:pipeline/{unique}' does not exist."
    assert f"(ResourceNotFound) when calling the DescribePipeline operation: {said}" in done.stderr
