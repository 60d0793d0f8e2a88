"""An execution is a trial of an experiment, and its jobs are the trial's components."""

from __future__ import annotations

import json
import time

import pytest

from localmaker.daemon import running_endpoint
from localmaker.errors import AwsError


@pytest.fixture
def config(build, unique):
    return {"ExperimentName": unique, "TrialName": build.get("Execution.PipelineExecutionId")}


def test_an_execution_is_a_trial_and_its_jobs_are_components(run, build, config, *, jobs, client, unique):
    training = build.training("Train", extra={"HyperParameters": {"depth": "3", "loss": "mae"}})
    text = build.definition(build.processing("Prepare"), training, PipelineExperimentConfig=config)
    done = run(text)

    trial = done.arn.rsplit("/", maxsplit=1)[-1]
    assert done.described["PipelineExperimentConfig"] == {"ExperimentName": unique, "TrialName": trial}
    assert jobs.requests["Prepare"][0]["ExperimentConfig"] == {"ExperimentName": unique, "TrialName": trial}
    sagemaker = client("sagemaker")
    assert sagemaker.describe_trial(TrialName=trial)["ExperimentName"] == unique
    listed = sagemaker.list_trial_components(TrialName=trial)["TrialComponentSummaries"]
    names = {item["TrialComponentName"] for item in listed}
    trained = jobs.requests["Train"][0]["TrainingJobName"]
    assert names == {
        f"{jobs.requests['Prepare'][0]['ProcessingJobName']}-aws-processing-job",
        f"{trained}-aws-training-job",
    }
    component = sagemaker.describe_trial_component(TrialComponentName=f"{trained}-aws-training-job")
    assert component["Status"]["PrimaryStatus"] == "Completed"
    assert component["Parameters"]["depth"] == {"NumberValue": 3}
    assert component["Parameters"]["loss"] == {"StringValue": "mae"}
    assert component["Parameters"]["SageMaker.InstanceType"] == {"StringValue": "ml.m5.large"}
    assert component["InputArtifacts"] == {"SageMaker.ImageUri": {"Value": "image"}}
    assert component["OutputArtifacts"] == {
        "SageMaker.ModelArtifact": {"Value": f"s3://models/{trained}/output/model.tar.gz"}
    }


def test_an_experiment_that_is_there_is_used(run, build, config, client, unique):
    text = build.definition(build.processing("Prepare"), PipelineExperimentConfig=config)
    first = run(text)
    created = client("sagemaker").describe_experiment(ExperimentName=unique)["CreationTime"]
    second = run(text)
    assert client("sagemaker").describe_experiment(ExperimentName=unique)["CreationTime"] == created
    listed = client("sagemaker").list_trials(ExperimentName=unique)["TrialSummaries"]
    assert {item["TrialName"] for item in listed} == {done.arn.rsplit("/", maxsplit=1)[-1] for done in (first, second)}


@pytest.mark.parametrize("name", ["-x", "a_b", "x" * 121])
def test_what_cannot_be_an_experiments_name_is_refused_at_the_start(start, build, name):
    config = {"ExperimentName": build.get("Parameters.Name"), "TrialName": "t"}
    text = build.definition(
        build.processing("A"), PipelineExperimentConfig=config, parameters=[build.parameter("Name")]
    )
    with pytest.raises(AwsError, match=r"PipelineExperimentConfig: ExperimentName \[") as caught:
        start(text, {"Name": name})
    assert caught.value.code == "ValidationException"


def test_an_empty_name_is_the_value_of_no_parameter(start, build):
    config = {"ExperimentName": build.get("Parameters.Name"), "TrialName": "t"}
    text = build.definition(
        build.processing("A"), PipelineExperimentConfig=config, parameters=[build.parameter("Name")]
    )
    with pytest.raises(AwsError, match="is too short") as caught:
        start(text, {"Name": ""})
    assert caught.value.code == "ValidationException"


def test_a_role_that_may_not_create_experiments_fails_the_execution_before_its_first_step(tmp_path, build, config):
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with running_endpoint(tmp_path, enforce_iam=True) as endpoint:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = endpoint.client("iam").create_role(RoleName="powerless", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        text = build.definition(build.fail("Never", "x"), PipelineExperimentConfig=config)
        sagemaker = endpoint.client("sagemaker")
        sagemaker.create_pipeline(PipelineName="p", RoleArn=role, PipelineDefinition=text)
        arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
        while (done := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))[
            "PipelineExecutionStatus"
        ] == "Executing":
            time.sleep(0.02)
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]

    assert (done["PipelineExecutionStatus"], steps) == ("Failed", [])
    assert done["FailureReason"].startswith("ClientError: Failed to invoke sagemaker:CreateExperiment. Error Details: ")
    assert "is not authorized to perform: sagemaker:CreateExperiment" in done["FailureReason"]


def test_a_component_that_cannot_be_kept_does_not_disturb_the_job(run, build, config, client, *, jobs, caplog):
    def lose_the_trial(request):
        client("sagemaker").delete_trial(TrialName=request["ExperimentConfig"]["TrialName"])

    jobs.work["A"] = lose_the_trial
    done = run(build.definition(build.processing("A"), PipelineExperimentConfig=config))
    assert done.status == "Succeeded"
    assert "could not be stored" in caplog.text
