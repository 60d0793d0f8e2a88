"""The SageMaker SDK v3 as a plain user calls it, in a process of its own."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def data(endpoint, bucket):
    """A bucket with two rows to count and train on, and three values to score."""
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=bucket, Key="raw/day.csv", Body=b"date,cnt\n2011-01-01,985\n2011-01-02,801\n")
    s3.put_object(Bucket=bucket, Key="scoring/values.csv", Body=b"1\n2\n4\n")
    return bucket


@pytest.mark.slow
def test_a_pipeline_is_upserted_started_and_waited_for(stranger, data, unique):
    answer = stranger.script("sdk_user.py", {"part": "pipeline", "name": unique, "bucket": data})

    arn = f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{unique}"
    assert answer["arns"] == [arn, arn]
    assert answer["description"] == "counts"
    assert {tag["Key"]: tag["Value"] for tag in answer["tags"]} == {"team": "bikes", "stage": "test"}
    assert answer["status"] == "Succeeded"
    assert answer["steps"] == {"Count": "Succeeded", "Judge": "Succeeded", "Gate": "Succeeded"}
    assert answer["failing"] == {"Count": None, "Judge": None, "Gate": None, "TooFew": "too few rows"}
    assert "WaiterError" in answer["wait"]
    assert answer["parameters"] == [{"Name": "Minimum", "Value": "1000"}]
    assert answer["version"] == 1
    assert answer["executions"] == answer["started"]
    assert (answer["experiment"], answer["components"]) == (unique, ["processing-job"])


@pytest.mark.slow
def test_jobs_run_outside_of_a_pipeline(stranger, endpoint, data, unique):
    answer = stranger.script("sdk_user.py", {"part": "jobs", "name": unique, "bucket": data})

    s3 = endpoint.client("s3")
    report = json.loads(s3.get_object(Bucket=data, Key="report/report.json")["Body"].read())
    assert report == {"rows": 2, "arguments": ["--note", "two words"]}
    assert answer["training"] == "Completed"
    assert answer["model"].startswith(f"s3://{data}/models/{unique}")
    scored = s3.get_object(Bucket=data, Key="transformed/values.csv.out")["Body"].read()
    assert scored.decode().split() == ["2.5", "5.0", "10.0"]


@pytest.mark.slow
def test_a_tuner_runs_and_the_visualizer_shows_the_lineage(stranger, data, unique):
    answer = stranger.script("sdk_user.py", {"part": "tuning", "name": unique, "bucket": data})

    assert answer["best"].startswith(f"{unique}-a-")
    assert answer["values"] == [0.0, 1.0, 2.0]
    assert answer["steps"] == {"Tune": "Succeeded", "Look": "Succeeded"}, answer["reasons"]
    # The visualizer shortens what is longer than 48 characters.
    assert [f"s3://...{answer['model'][-40:]}", "Input", "Model"] in answer["looked"]
    assert f"s3://{data}/raw/day.csv" in answer["data"]
    assert ["Output", "Model", "Produced"] in answer["trained"]
    assert ["Input", "DataSet", "ContributedTo"] in answer["trained"]
    assert ["Input", "Image", "ContributedTo"] in answer["trained"]
