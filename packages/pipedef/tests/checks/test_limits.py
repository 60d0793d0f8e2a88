"""Names and sizes."""

from dataclasses import replace

import pytest


def test_a_step_name_that_aws_refuses_is_found(training, problems):
    assert problems("names", training) == []
    training.step("IngestFeatures")["Name"] = "Ingest features"
    (found,) = problems("names", training)
    assert "is not a valid step name" in found.message


def test_a_step_name_that_is_too_long_is_found(training, problems):
    training.step("IngestFeatures")["Name"] = "x" * 65
    assert problems("names", training)


def test_two_steps_of_one_name_are_found_across_branches(training, problems):
    training.step("QualityGateFailed")["Name"] = "Transform"
    (found,) = problems("names", training)
    assert "two steps named Transform" in found.message


def test_an_unknown_step_type_is_found(training, problems):
    training.step("CreateModel")["Type"] = "CreateModel"
    (found,) = problems("names", training)
    assert "no step type CreateModel" in found.message


@pytest.mark.parametrize("name", ["Input Key", "", "x" * 257])
def test_a_parameter_name_that_aws_refuses_is_found(training, problems, name):
    training.parameter("InputKey")["Name"] = name
    (found,) = problems("names", training)
    assert "is not a valid parameter name" in found.message


def test_two_parameters_of_one_name_are_found(training, problems):
    training.parameter("InputKey")["Name"] = "InputBucket"
    (found,) = problems("names", training)
    assert "two parameters named InputBucket" in found.message


def test_two_outputs_of_one_name_are_found(training, problems):
    training.arguments("Preprocess")["ProcessingOutputConfig"]["Outputs"][1]["OutputName"] = "train"
    (found,) = problems("names", training)
    assert (found.step, found.message) == ("Preprocess", "Two outputs are named train.")


def test_jobs_of_a_tuning_may_name_their_channels_alike(training, problems):
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://rows/train"}}}
    jobs = [{"InputDataConfig": [channel]}, {"InputDataConfig": [channel]}]
    training.content["Steps"].append({"Name": "Tune", "Type": "Tuning", "Arguments": {"TrainingJobDefinitions": jobs}})
    assert problems("names", training) == []
    jobs[1]["InputDataConfig"] *= 2
    (found,) = problems("names", training)
    assert (found.step, found.field) == ("Tune", "Arguments.TrainingJobDefinitions[1].InputDataConfig")


@pytest.mark.parametrize("name", ["bike--", "bike_share", "x" * 83])
def test_a_pipeline_name_that_aws_refuses_is_found(training, problems, deployments, name):
    assert problems("pipeline-name", training) == []
    (found,) = problems("pipeline-name", training, replace(deployments["training"], pipeline=name))
    assert found.field == "PipelineName"


def test_too_many_steps_are_found(training, problems):
    assert problems("limits", training) == []
    training.content["Steps"] += [
        {"Name": f"Fail{index}", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}} for index in range(50)
    ]
    (found,) = problems("limits", training)
    assert found.field == "Steps"


def test_too_many_parameters_are_found(training, problems):
    training.content["Parameters"] += [{"Name": f"P{index}", "Type": "String"} for index in range(200)]
    (found,) = problems("limits", training)
    assert found.field == "Parameters"


def test_a_definition_that_is_too_large_is_found(training, problems):
    training.content["Metadata"] = {"note": "x" * 1_048_576}
    (found,) = problems("limits", training)
    assert found.field == "(whole definition)"


def test_a_default_that_is_not_allowed_is_found(training, problems):
    training.parameter("Profile")["DefaultValue"] = "guess"
    (found,) = problems("limits", training)
    assert "not among its allowed values" in found.message


def test_too_many_allowed_values_are_found(training, problems):
    training.parameter("Profile")["EnumValues"] += [str(index) for index in range(15)]
    (found,) = problems("limits", training)
    assert found.field.endswith("EnumValues")


def test_a_default_that_is_too_long_is_found(training, problems):
    training.parameter("InputETag")["DefaultValue"] = "x" * 1025
    (found,) = problems("limits", training)
    assert "1025 characters" in found.message


@pytest.mark.parametrize(
    ("key", "value"), [("MaxAttempts", 21), ("MaxAttempts", 0), ("IntervalSeconds", 0), ("BackoffRate", 0.5)]
)
def test_retries_out_of_range_are_found(training, problems, key, value):
    training.step("Train")["RetryPolicies"][0][key] = value
    (found,) = problems("limits", training)
    assert (found.step, found.field) == ("Train", f"RetryPolicies[0].{key}")


def test_a_transform_that_sends_too_much_at_once_is_found(training, problems):
    training.arguments("Transform").update(MaxPayloadInMB=30, MaxConcurrentTransforms=4)
    (found,) = problems("limits", training)
    assert "120 MB" in found.message


def test_records_without_a_split_are_found(training, problems):
    del training.arguments("Transform")["TransformInput"]["SplitType"]
    (found,) = problems("limits", training)
    assert "SplitType" in found.field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 2_419_201}}, "StoppingCondition.MaxRuntimeInSeconds"),
        ({"EnableManagedSpotTraining": True}, "StoppingCondition.MaxWaitTimeInSeconds"),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 60},
            },
            "StoppingCondition.MaxWaitTimeInSeconds",
        ),
        ({"ResourceConfig": {"InstanceCount": 0}}, "ResourceConfig.InstanceCount"),
    ],
)
def test_a_training_that_aws_refuses_to_run_is_found(training, problems, change, field):
    training.arguments("Train").update(change)
    (found,) = problems("limits", training)
    assert (found.step, found.field) == ("Train", f"Arguments.{field}")


@pytest.mark.parametrize(
    "change",
    [
        {
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        },
        {"ResourceConfig": {"InstanceCount": 0, "InstanceGroups": [{"InstanceCount": 1}]}},
    ],
)
def test_a_training_that_aws_runs_passes(training, problems, change):
    training.arguments("Train").update(change)
    assert problems("limits", training) == []


@pytest.mark.parametrize("expiry", [None, "a month", "30"])
def test_a_cache_without_an_end_is_found(training, problems, expiry):
    assert problems("cache-expiry", training) == []
    training.step("Train")["CacheConfig"]["ExpireAfter"] = expiry
    (found,) = problems("cache-expiry", training)
    assert (found.step, found.field) == ("Train", "CacheConfig.ExpireAfter")


@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_parameters_have_no_empty_value(problems, request, flow):
    assert problems("empty-values", request.getfixturevalue(flow)) == []


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"DefaultValue": ""}, ["DefaultValue"]),
        ({"EnumValues": ["published", ""]}, ["EnumValues[1]"]),
        ({"DefaultValue": "", "EnumValues": [""]}, ["DefaultValue", "EnumValues[0]"]),
        ({"DefaultValue": " "}, []),
    ],
)
def test_an_empty_value_of_a_parameter_is_found(problems, training, changed, fields):
    index = next(at for at, one in enumerate(training.content["Parameters"]) if one["Name"] == "Profile")
    training.content["Parameters"][index].update(changed)
    found = problems("empty-values", training)
    assert [problem.field for problem in found] == [f"Parameters[{index}].{field}" for field in fields]
    for problem in found:
        assert "of parameter Profile is an empty text" in problem.message
        assert "aws/sagemaker-python-sdk#4016, #3564" in problem.message
