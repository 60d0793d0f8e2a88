"""sweep.py against SageMaker over HTTP (moto, whose executions have all succeeded)."""

from __future__ import annotations

from argparse import Namespace

import boto3
import pytest
from botocore.stub import Stubber

import sweep

ROLE = "arn:aws:iam::123456789012:role/execution"
OURS = {"project": "bikes", "environment": "dev"}


@pytest.fixture
def sagemaker(aws):
    client = boto3.client("sagemaker")
    client.create_pipeline(PipelineName="train", PipelineDefinition="{}", RoleArn=ROLE, ClientRequestToken="t" * 32)
    return client


def create(sagemaker, name: str, **tags: str) -> str:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, Tags=pairs)
    return name


def swept(*, hours: int = 0) -> str:
    options = ["--pipeline=train", "--pipeline=score", "--project=bikes", "--environment=dev", "--retry-seconds=5"]
    return sweep.sweep_step([*options, f"--keep-hours={hours}"])["reason"]


def left(sagemaker) -> set[str]:
    return {model["ModelName"] for model in sagemaker.list_models()["Models"]}


def test_models_of_ended_and_forgotten_executions_go_and_all_others_stay(sagemaker) -> None:
    ended = sagemaker.start_pipeline_execution(PipelineName="train")["PipelineExecutionArn"].rpartition("/")[2]
    create(sagemaker, f"pipelines-{ended}-CreateModel-abc", **OURS)
    create(sagemaker, "pipelines-forgotten123-CreateModel-abc", **OURS)
    others = {
        create(sagemaker, "pipelines-forgotten123-CreateModel-def", project="bikes", environment="prod"),
        create(sagemaker, "pipelines-forgotten123-CreateModel-ghi"),
        create(sagemaker, "our-own-pipelines-model", **OURS),
        create(sagemaker, "pipelines-short-CreateModel", **OURS),
    }
    assert swept() == "2 models deleted"
    assert left(sagemaker) == others
    assert swept() == "0 models deleted"


def test_a_model_that_goes_meanwhile_stops_nothing(sagemaker) -> None:
    gone = {"ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/pipelines-gone12345678-x"}
    request = Namespace(project="bikes", environment="dev", pipeline=["train"])
    with Stubber(sagemaker) as answers:
        answers.add_client_error("list_tags", "ValidationException", "Could not find model")
        assert not sweep.is_left(sagemaker, request, "gone12345678", gone)


def test_young_models_stay_for_a_retry(sagemaker) -> None:
    name = create(sagemaker, "pipelines-forgotten123-CreateModel-abc", **OURS)
    assert swept(hours=1) == "0 models deleted"
    assert left(sagemaker) == {name}


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_a_model_of_a_running_execution_stays(sagemaker, monkeypatch, status: str) -> None:
    name = create(sagemaker, "pipelines-forgotten123-CreateModel-abc", **OURS)
    # moto's executions never run.
    monkeypatch.setattr(sweep, "_status", lambda _, arn: status if "/train/" in arn else "missing")
    assert swept() == "0 models deleted"
    assert left(sagemaker) == {name}
