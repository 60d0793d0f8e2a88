"""Containers without a network, and several instances."""

import json

import pytest

from pipedef.document.definition import read_definition
from pipedef.linter.runner import validate
from pipeline.definition.bundle import build_bundle
from pipeline.definition.compiler import compile_scoring, compile_training
from pipeline.deploy.checks import deployment_around
from pipeline.settings.environment import load_settings

ISOLATED = """
environment = "x"
account_id = "111122223333"
region = "eu-west-1"

[instances]
warm_pool_seconds = 600

[instances.steps.Transform]
count = 2

[network]
isolated_steps = ["Preprocess", "Train", "CreateModel"]
wheels_folder = "wheels/1"
"""


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", ["network-isolation", "instances-share-work"])
def test_our_pipelines_pass(problems, request, flow, check):
    assert problems(check, request.getfixturevalue(flow)) == []


def test_an_isolated_step_that_calls_aws_is_found(training, problems):
    training.arguments("PublishPredictions")["NetworkConfig"]["EnableNetworkIsolation"] = True
    (found,) = problems("network-isolation", training)
    assert (found.step, found.field) == ("PublishPredictions", "Arguments.NetworkConfig.EnableNetworkIsolation")
    assert "publish.py takes s3:PutObject" in found.message


def test_an_isolated_training_that_fetches_its_code_is_found(training, problems):
    training.arguments("Train")["EnableNetworkIsolation"] = True
    (found,) = problems("network-isolation", training)
    assert found.field == "Arguments.HyperParameters.sagemaker_submit_directory"


def test_several_instances_that_do_the_same_are_found(training, problems):
    cluster = training.arguments("IngestFeatures")["ProcessingResources"]["ClusterConfig"]
    cluster["InstanceCount"] = 2
    (found,) = problems("instances-share-work", training)
    assert (found.step, found.message.startswith("Each of the 2 instances")) == ("IngestFeatures", True)
    training.input("IngestFeatures", "feature_store")["S3DataDistributionType"] = "ShardedByS3Key"
    assert problems("instances-share-work", training) == []


def test_code_in_a_channel_is_pinned_by_the_channel(training, problems):
    arguments = training.arguments("Train")
    archive = arguments["HyperParameters"]["sagemaker_submit_directory"]
    arguments["HyperParameters"]["sagemaker_submit_directory"] = "/opt/ml/input/data/code/sourcedir.tar.gz"
    channel = json.loads(json.dumps(arguments["InputDataConfig"][0]))
    channel["ChannelName"] = "code"
    channel["DataSource"]["S3DataSource"]["S3Uri"] = archive
    arguments["InputDataConfig"].append(channel)
    assert problems("code-pinned", training) == []
    assert problems("fit-after-split", training) == []
    channel["DataSource"]["S3DataSource"]["S3Uri"] = "s3://artifacts/code/main/sourcedir.tar.gz"
    assert [problem.step for problem in problems("code-pinned", training)] == ["Train"]


def test_what_the_settings_allow_passes_every_check(tmp_path):
    file = tmp_path / "isolated.toml"
    file.write_text(ISOLATED, encoding="utf-8")
    settings, bundle = load_settings(file=file), build_bundle()
    texts = {"training": compile_training(settings, bundle), "scoring": compile_scoring(settings, bundle)}
    subjects = [
        (read_definition(text, flow), deployment_around(settings, bundle, texts, flow)) for flow, text in texts.items()
    ]
    assert validate(subjects).findings == ()
