"""Tuning steps on a running endpoint: the best training job's properties, cache, failure and stop."""

from __future__ import annotations

import json

import pytest
from tests.services.sagemaker.tuning.conftest import BUCKET, PROGRAM, Tuning

from localmaker.images.table import DEFAULT_IMAGE

ROLE = "arn:aws:iam::123456789012:role/pipeline"
GRID = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad", "good"]}]}


@pytest.fixture
def tuning(endpoint, image, unique, eventually):
    return Tuning(endpoint, unique[:12], eventually)


def step(tuning, program=PROGRAM, **fields):
    request = tuning.request(program, strategy="Grid", jobs=None, ranges=GRID)
    del request["HyperParameterTuningJobName"]
    return {"Name": "Tune_it", "Type": "Tuning", "Arguments": request, **fields}


def run(tuning, unique, *steps, status="Succeeded"):
    """Run a pipeline to its end; return its steps by name."""
    client, text = tuning.sagemaker, json.dumps({"Version": "2020-12-01", "Steps": list(steps)})
    known = client.list_pipelines(PipelineNamePrefix=unique)["PipelineSummaries"]
    write = client.update_pipeline if known else client.create_pipeline
    write(PipelineName=unique, PipelineDefinition=text, RoleArn=ROLE)
    arn = client.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
    wanted = ("Succeeded", "Failed", "Stopped")

    def state():
        return client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]

    tuning.eventually(lambda: state() in wanted, 120)
    listed = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert state() == status, listed
    return {one["StepName"]: one for one in listed}


def reading(uri, best):
    """A step that prints what is at a URI, and fails for another error than 0."""
    return {
        "Name": "Read",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": DEFAULT_IMAGE,
                "ContainerEntrypoint": [
                    "/bin/bash",
                    "-c",
                    'cd /opt/ml/processing/model && [ "$(tar -xOf model.tar.gz error)" = 0.0 ] && [ -n "$1" ]',
                    "bash",
                    best,
                ],
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "ProcessingInputs": [
                {
                    "InputName": "model",
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": "/opt/ml/processing/model",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "RoleArn": ROLE,
        },
    }


@pytest.mark.parametrize("property_", ["TrainingJobSummaries[0].TrainingJobName", "BestTrainingJob.TrainingJobName"])
def test_a_later_step_reads_the_best_model(tuning, unique, property_):
    """``get_top_model_s3_uri`` of the SDK joins bucket, prefix, the job's name and ``output/model.tar.gz``."""
    name = {"Get": f"Steps.Tune_it.{property_}"}
    uri = {"Std:Join": {"On": "/", "Values": ["s3:/", BUCKET, "models", name, "output/model.tar.gz"]}}
    steps = run(tuning, unique, step(tuning), reading(uri, name))
    arn = steps["Tune_it"]["Metadata"]["TuningJob"]["Arn"]
    found = tuning.describe(arn.rpartition("/")[2])
    assert found["BestTrainingJob"]["TunedHyperParameters"] == {"kind": "good"}
    tags = {tag["Key"]: tag["Value"] for tag in tuning.sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags["sagemaker:pipeline-step-name"] == "Tune_it"


def test_a_cached_tuning_is_not_repeated(tuning, unique):
    cached = step(tuning, CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})
    first, second = (run(tuning, unique, cached)["Tune_it"] for _ in range(2))
    assert second["Metadata"] == first["Metadata"]
    assert second["CacheHitResult"]


def test_a_failed_tuning_fails_the_step_with_its_reason(tuning, unique):
    failed = run(tuning, unique, step(tuning, "raise SystemExit('no')"), status="Failed")["Tune_it"]
    assert failed["StepStatus"] == "Failed"
    assert failed["FailureReason"].startswith("ClientError: All training jobs failed.")


def test_a_request_that_is_refused_fails_the_step(tuning, unique):
    wrong = step(tuning)
    wrong["Arguments"]["HyperParameterTuningJobConfig"]["Strategy"] = "Hyperband"
    failed = run(tuning, unique, wrong, status="Failed")["Tune_it"]
    assert "Failed to invoke sagemaker:CreateHyperParameterTuningJob" in failed["FailureReason"]
    assert "Strategy Hyperband is not available" in failed["FailureReason"]


def test_stopping_the_execution_stops_the_tuning_job(tuning, unique, eventually):
    client = tuning.sagemaker
    text = json.dumps({"Version": "2020-12-01", "Steps": [step(tuning, "import time\ntime.sleep(600)")]})
    client.create_pipeline(PipelineName=unique, PipelineDefinition=text, RoleArn=ROLE)
    arn = client.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]

    def metadata():
        listed = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return listed and listed[0]["Metadata"]

    name = eventually(metadata)["TuningJob"]["Arn"].rpartition("/")[2]
    eventually(lambda: tuning.training_jobs(name))
    client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=unique.ljust(32, "x"))
    assert tuning.wait(name)["HyperParameterTuningJobStatus"] == "Stopped"
    eventually(
        lambda: client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Stopped"
    )
