"""Step caching."""

import pytest


@pytest.mark.parametrize("flow", ["training", "scoring"])
@pytest.mark.parametrize("check", ["transform-input", "cache-hits", "cache-effects", "cache-identity"])
def test_good_pipelines_pass(problems, deployments, request, flow, check):
    assert problems(check, request.getfixturevalue(flow), deployments[flow]) == []


def test_an_execution_id_in_a_cached_steps_arguments_is_found(training, problems):
    arguments = training.arguments("Preprocess")["AppSpecification"]["ContainerArguments"]
    arguments += ["--run", {"Get": "Execution.PipelineExecutionId"}]
    (found,) = problems("cache-hits", training)
    assert found.step == "Preprocess"
    assert "would never hit" in found.message


@pytest.mark.parametrize("name", ["prep-2026-11-23-10-15-00-123", "20261123T101500", "1795429000", "1795429000123"])
def test_a_time_in_a_cached_steps_code_path_is_found(training, problems, name):
    training.input("Preprocess", "code")["S3Uri"] = f"s3://artifacts/{name}/source/"
    (found,) = problems("cache-hits", training)
    assert (found.step, found.field) == ("Preprocess", "Arguments.ProcessingInputs[0].S3Input.S3Uri")


def test_a_time_in_the_default_of_a_parameter_is_found(training, problems):
    training.parameter("InputBucket")["DefaultValue"] = "upload-20261123T101500"
    training.arguments("Preprocess")["Environment"]["SOURCE"] = {"Get": "Parameters.InputBucket"}
    (found,) = problems("cache-hits", training)
    assert found.field == "Arguments.Environment.SOURCE"
    assert "is 'upload-20261123T101500' by default" in found.message


def test_a_digest_with_the_figures_of_a_time_is_none(training, problems):
    digest = "9f7e20261123101500ee9f7e9917f2bee269d1d64dc5a889815c26e73431ce77"
    training.input("Preprocess", "code")["S3Uri"] = f"s3://artifacts/code/{digest}/"
    assert problems("cache-hits", training) == []


def test_the_time_in_the_name_of_a_role_stays(training, problems):
    role = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole-20260101T120000"
    training.arguments("Preprocess")["Environment"]["ROLE"] = role
    assert problems("cache-hits", training) == []


def test_an_input_from_the_folder_of_an_uncached_step_is_found(training, problems):
    training.step("Preprocess")["CacheConfig"]["Enabled"] = False
    found = problems("cache-hits", training)
    assert {problem.step for problem in found} >= {"Train"}
    assert "Preprocess is not cached" in found[0].message


def test_a_name_that_an_uncached_step_makes_anew_is_found(training, problems):
    # The output's folder is the same each time, the job's own folder in it is not.
    training.arguments("Train")["OutputDataConfig"]["S3OutputPath"] = "s3://artifacts/models"
    training.step("Evaluate")["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
    training.step("Transform")["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
    training.step("Train")["CacheConfig"]["Enabled"] = False
    assert {(found.step, found.field) for found in problems("cache-hits", training)} == {
        ("Evaluate", "Arguments.ProcessingInputs[1].S3Input.S3Uri"),
        ("Transform", "Arguments.ModelName"),
    }


def test_all_that_a_cached_step_hands_over_counts(training, problems):
    function = {"Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:a"}
    given = {"Arguments": {"run": {"Get": "Execution.PipelineExecutionId"}}}
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    training.content["Steps"].append({"Name": "Call", **function, **given, **cached})
    (found,) = problems("cache-hits", training)
    assert (found.step, found.field) == ("Call", "Arguments.run")


def test_where_a_cached_step_writes_does_not_matter(training, problems):
    outputs = training.arguments("Preprocess")["ProcessingOutputConfig"]["Outputs"]
    outputs[0]["S3Output"]["S3Uri"] = {"Get": "Execution.StartDateTime"}
    assert problems("cache-hits", training) == []


@pytest.mark.parametrize("name", ["IngestFeatures", "PublishPredictions"])
def test_a_cached_step_that_changes_something_outside_is_found(training, problems, name):
    training.step(name)["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
    (found,) = problems("cache-effects", training)
    assert (found.step, found.field) == (name, "CacheConfig.Enabled")


def test_a_cached_step_that_asks_the_registry_is_found(training, problems):
    arguments = training.arguments("Evaluate")["AppSpecification"]["ContainerArguments"]
    if "--model-package-group-name" not in arguments:
        arguments += ["--model-package-group-name", "rides-prod-regression"]
    training.step("Evaluate")["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
    (found,) = problems("cache-effects", training)
    assert found.step == "Evaluate"
    assert "sagemaker:ListModelPackages" in found.message


def read_the_upload_itself(draft):
    key = {
        "Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.InputBucket"}, {"Get": "Parameters.InputKey"}]}
    }
    draft.input("Preprocess", "raw")["S3Uri"] = key


def test_a_cached_step_that_can_not_tell_versions_apart_is_found(training, problems):
    read_the_upload_itself(training)
    (found,) = problems("cache-identity", training)
    assert found.step == "Preprocess"
    assert "replaced file" in found.message


def test_the_version_in_the_environment_tells_them_apart(training, problems):
    read_the_upload_itself(training)
    training.arguments("Preprocess")["Environment"]["INPUT_ETAG"] = {"Get": "Parameters.InputETag"}
    assert problems("cache-identity", training) == []
