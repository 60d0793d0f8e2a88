"""Containers without a network, and several instances."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipedef.checks.data_flow import without_rows
from pipedef.checks.jobs import code_is_pinned, instances_share_the_work
from pipedef.document.definition import read_definition
from pipedef.document.project import Project


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", ["network-isolation", "instances-share-work"])
def test_good_pipelines_pass(problems, request, flow, check):
    assert problems(check, request.getfixturevalue(flow)) == []


def test_an_isolated_step_that_calls_aws_is_found(training, problems):
    training.arguments("PublishPredictions")["NetworkConfig"]["EnableNetworkIsolation"] = True
    (found,) = problems("network-isolation", training)
    assert (found.step, found.field) == ("PublishPredictions", "Arguments.NetworkConfig.EnableNetworkIsolation")
    assert "publish.py calls s3:PutObject" in found.message


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


def test_instances_of_a_script_that_shares_its_rows_are_fine(training):
    training.arguments("IngestFeatures")["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    project = Project(sharing_scripts=frozenset({"ingest_features.py"}))
    assert list(instances_share_the_work(replace(training.read(), project=project))) == []


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


REPOSITORY = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn"


@pytest.mark.parametrize(
    "image",
    [
        REPOSITORY,
        f"{REPOSITORY}:latest",
        f"{REPOSITORY}:1.9-latest",
        f"{REPOSITORY}:",
        f"{REPOSITORY}:develop",
        f"{REPOSITORY}:production",
        f"{REPOSITORY}@sha256:9f7e",
        {"Get": "Parameters.Profile"},
        "localhost:5000/own",
    ],
)
def test_an_image_that_can_change_is_found(training, problems, image):
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = image
    (found,) = problems("images-pinned", training)
    assert (found.step, found.field) == ("Train", "Arguments.AlgorithmSpecification.TrainingImage")


def test_an_image_inside_a_model_package_is_looked_at(training, problems):
    training.arguments("RegisterModel")["InferenceSpecification"]["Containers"][0]["Image"] = f"{REPOSITORY}:latest"
    (found,) = problems("images-pinned", training)
    assert found.field == "Arguments.InferenceSpecification.Containers[0].Image"


def test_a_digest_pins_an_image(training, problems):
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = f"{REPOSITORY}@sha256:{'0' * 64}"
    assert problems("images-pinned", training) == []


def test_code_that_can_change_is_found(training, problems):
    training.arguments("Train")["HyperParameters"]["sagemaker_submit_directory"] = (
        "s3://artifacts/code/sourcedir.tar.gz"
    )
    training.input("Evaluate", "code")["S3Uri"] = "s3://artifacts/code/main/"
    assert [problem.step for problem in problems("code-pinned", training)] == ["Train", "Evaluate"]


def transform_source(draft):
    return draft.arguments("Transform")["TransformInput"]["DataSource"]["S3DataSource"]


def test_a_transform_of_a_whole_folder_is_found(training, problems):
    folder = "Steps.Preprocess.ProcessingOutputConfig.Outputs['scoring'].S3Output.S3Uri"
    transform_source(training)["S3Uri"] = {"Get": folder}
    (found,) = problems("transform-input", training)
    assert (found.step, found.field) == ("Transform", "Arguments.TransformInput.DataSource.S3DataSource.S3Uri")
    assert "is a prefix" in found.message


@pytest.mark.parametrize("end", ["", "/", "features"])
def test_a_transform_of_a_name_that_is_no_file_is_found(training, problems, end):
    transform_source(training)["S3Uri"]["Std:Join"]["Values"][1] = end
    assert len(problems("transform-input", training)) == 1


def test_a_transform_in_a_folder_of_others_is_found(training, problems, raw_bucket):
    transform_source(training)["S3Uri"] = f"s3://{raw_bucket}/raw/training/day.csv"
    (found,) = problems("transform-input", training)
    assert "others write to" in found.message


@pytest.mark.parametrize(
    ("default", "words"),
    [
        ("s3://bucket/rows/", "s3://bucket/rows/ is a prefix"),
        ("s3://bucket/a.csv", "that others write to"),
        (None, "What"),
    ],
)
def test_a_transform_of_a_parameter_is_found(training, problems, default, words):
    training.content["Parameters"].append({"Name": "Rows", "Type": "String", "DefaultValue": default})
    source = training.arguments("Transform")["TransformInput"]["DataSource"]["S3DataSource"]
    source["S3Uri"] = {"Get": "Parameters.Rows"}
    (found,) = problems("transform-input", training)
    assert words in found.message


def test_a_manifest_lists_its_objects(training, problems, raw_bucket):
    transform_source(training).update(S3DataType="ManifestFile", S3Uri=f"s3://{raw_bucket}/manifest")
    assert problems("transform-input", training) == []


STARTED = {"TrainingImage": "i:1", "ContainerEntrypoint": ["/bin/bash", "/opt/ml/input/data/code/run.sh", "train.py"]}


def by_script(build, **extra):
    """Return a training step that is started by a script in a channel, and a processing step that is started so."""
    channel = {"ChannelName": "code", "DataSource": {"S3DataSource": {"S3Uri": "s3://artifacts/code/main/"}}}
    return build.definition(
        build.processing("Clean", extra=extra),
        build.training("Fit", extra={"AlgorithmSpecification": STARTED, "InputDataConfig": [channel], **extra}),
    )


def with_libraries(text):
    """Return a draft of a project whose jobs install libraries from an input."""
    project = Project(libraries_input="wheels", code_named_by_digest=True)
    return SimpleNamespace(read=lambda: replace(read_definition(text, "draft.json"), project=project))


def test_jobs_without_the_libraries_of_their_scripts_are_found(build, problems):
    found = problems("libraries-as-input", with_libraries(by_script(build)))
    assert [(problem.step, problem.field) for problem in found] == [
        ("Clean", "Arguments.ProcessingInputs"),
        ("Fit", "Arguments.InputDataConfig"),
    ]
    assert found[1].message == (
        "train.py installs what the image lacks from the input 'wheels', which its job does not have."
    )
    assert "with the folder" in found[1].fix


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"EnableNetworkIsolation": True}, "and it has no network"),
        ({"NetworkConfig": {"EnableNetworkIsolation": True}}, "and it has no network"),
        ({"VpcConfig": {"Subnets": ["subnet-1"]}}, "its subnets"),
        ({"NetworkConfig": {"VpcConfig": {"Subnets": ["subnet-1"]}}}, "its subnets"),
    ],
)
def test_what_the_network_of_such_a_job_leads_to_is_said(build, problems, extra, words):
    for problem in problems("libraries-as-input", with_libraries(by_script(build, **extra))):
        assert words in problem.message


def test_jobs_with_the_libraries_and_projects_without_such_an_input_pass(build, problems):
    wheels = {"S3Uri": "s3://artifacts/wheels/1/"}
    text = build.definition(
        build.processing("Clean", extra={"ProcessingInputs": [{"InputName": "wheels", "S3Input": wheels}]}),
        build.fail("Stop", "no"),
    )
    assert problems("libraries-as-input", with_libraries(text)) == []
    without = SimpleNamespace(read=lambda: read_definition(by_script(build), "draft.json"))
    assert problems("libraries-as-input", without) == []


def test_a_script_in_a_channel_is_known_as_code(build):
    definition = with_libraries(by_script(build)).read()
    fit = definition.step_named["Fit"]
    assert (fit.script, without_rows(fit, definition)) == ("train.py", {"code", None})
    assert [problem.step for problem in code_is_pinned(definition)] == ["Fit"]
