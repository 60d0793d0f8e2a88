"""Arguments against AWS's request shapes."""

import pytest


def spoil_length(draft):
    draft.arguments("Preprocess")["AppSpecification"]["ContainerArguments"][-1] = "x" * 257


def spoil_count(draft):
    draft.arguments("Preprocess")["AppSpecification"]["ContainerArguments"] += ["x"] * 100


def spoil_pattern(draft):
    draft.arguments("Train")["InputDataConfig"][0]["ChannelName"] = "train rows"


def spoil_required(draft):
    del draft.arguments("Train")["OutputDataConfig"]


def spoil_spelling(draft):
    draft.arguments("Transform")["BatchStrategie"] = "MultiRecord"


def spoil_choice(draft):
    draft.arguments("Transform")["BatchStrategy"] = "AllRecords"


def spoil_type(draft):
    draft.arguments("Preprocess")["StoppingCondition"]["MaxRuntimeInSeconds"] = "3600"


def spoil_range(draft):
    draft.arguments("Preprocess")["StoppingCondition"]["MaxRuntimeInSeconds"] = 10**9


def spoil_default(draft):
    draft.parameter("ProcessingInstanceType")["DefaultValue"] = "ml.m5.tiny"


def spoil_variable_type(draft):
    draft.arguments("Train")["HyperParameters"]["feature-count"] = {"Get": "Parameters.FeatureCount"}


def spoil_join_type(draft):
    joined = {"Std:Join": {"On": "", "Values": ["1"]}}
    draft.arguments("Train")["StoppingCondition"]["MaxRuntimeInSeconds"] = joined


def spoil_join_length(draft):
    joined = {"Std:Join": {"On": "-", "Values": ["x" * 200, {"Get": "Parameters.InputKey"}, "y" * 60]}}
    draft.arguments("Preprocess")["AppSpecification"]["ContainerArguments"][1] = joined


def spoil_list(draft):
    draft.arguments("Train")["InputDataConfig"] = {"ChannelName": "train"}


def spoil_model_name(draft):
    # The name of a model is made by Pipelines where the model is made, and not where it is used.
    del draft.arguments("Transform")["ModelName"]


def spoil_beginning(draft):
    joined = {"Std:Join": {"On": "/", "Values": ["bucket", {"Get": "Parameters.InputKey"}]}}
    draft.input("Evaluate", "test")["S3Uri"] = joined


@pytest.mark.parametrize(
    ("spoil", "step", "expected"),
    [
        (spoil_length, "Preprocess", ("ContainerArguments[", "257 characters, at most 256")),
        (spoil_count, "Preprocess", ("AppSpecification.ContainerArguments", "at most 100")),
        (spoil_pattern, "Train", ("InputDataConfig[0].ChannelName", "does not fit the pattern")),
        (spoil_required, "Train", ("Arguments.OutputDataConfig", "is missing")),
        (spoil_spelling, "Transform", ("Arguments.BatchStrategie", "no member")),
        (spoil_choice, "Transform", ("Arguments.BatchStrategy", "allowed values")),
        (spoil_type, "Preprocess", ("StoppingCondition.MaxRuntimeInSeconds", "is not of type Integer")),
        (spoil_range, "Preprocess", ("StoppingCondition.MaxRuntimeInSeconds", "largest value allowed")),
        (spoil_default, "Preprocess", ("InstanceType (parameter ProcessingInstanceType)", "allowed values")),
        (spoil_variable_type, "Train", ("HyperParameters.feature-count", "of type Integer, and a String")),
        (spoil_join_type, "Train", ("MaxRuntimeInSeconds", "Std:Join is text")),
        (spoil_join_length, "Preprocess", ("ContainerArguments[1]", "262 characters")),
        (spoil_model_name, "Transform", ("Arguments.ModelName", "is missing")),
        (spoil_beginning, "Evaluate", ("S3Input.S3Uri", "'bucket/' can't begin an S3Uri")),
        (spoil_list, "Train", ("Arguments.InputDataConfig", "A list is needed")),
    ],
)
def test_arguments_that_do_not_fit_are_found(training, problems, spoil, step, expected):
    field, words = expected
    assert problems("arguments", training) == []
    spoil(training)
    found = problems("arguments", training)
    assert found
    assert found[0].step == step
    assert field in found[0].field
    assert words in found[0].message
    assert found[0].fix


def test_arguments_of_the_scoring_pipeline_fit(scoring, problems):
    assert problems("arguments", scoring) == []


@pytest.mark.parametrize(
    "values",
    [
        ["s3:/", {"Get": "Parameters.InputBucket"}, "x.csv"],
        [{"Get": "Parameters.InputBucket"}, "x.csv"],
        ["s3://bucket", {"Std:Join": {"On": "-", "Values": ["a", "b"]}}],
        [{"Std:Join": {"On": "", "Values": ["s3://", {"Get": "Parameters.InputBucket"}]}}, "x.csv"],
    ],
)
def test_a_joined_location_may_begin_in_pieces(training, problems, values):
    training.input("Evaluate", "test")["S3Uri"] = {"Std:Join": {"On": "/", "Values": values}}
    assert problems("arguments", training) == []


def tuning(job, **resources):
    limits = {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2, **resources}
    configuration = {"Strategy": "Bayesian", "ResourceLimits": limits}
    definition = {
        "AlgorithmSpecification": job["AlgorithmSpecification"],
        **{key: job[key] for key in ("InputDataConfig", "OutputDataConfig", "ResourceConfig", "RoleArn")},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return {"HyperParameterTuningJobConfig": configuration, "TrainingJobDefinition": definition}


def test_a_tuning_is_a_request_too(training, problems):
    step = {"Name": "Tune", "Type": "Tuning", "Arguments": tuning(training.arguments("Train"))}
    training.content["Steps"].append(step)
    assert problems("arguments", training) == []
    step["Arguments"] = tuning(training.arguments("Train"), MaxParallelTrainingJobs=0)
    del step["Arguments"]["TrainingJobDefinition"]["RoleArn"]
    assert {found.field for found in problems("arguments", training)} == {
        "Arguments.HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs",
        "Arguments.TrainingJobDefinition.RoleArn",
    }


def test_a_check_of_data_runs_in_a_processing_job(training, problems):
    arguments = {**training.arguments("Evaluate")}
    training.content["Steps"].append({"Name": "Look", "Type": "QualityCheck", "Arguments": arguments})
    assert problems("arguments", training) == []
    arguments["AppSpecification"] = {}
    (found,) = problems("arguments", training)
    assert (found.step, found.field) == ("Look", "Arguments.AppSpecification.ImageUri")


def test_a_wrong_instance_size_is_answered_with_the_right_ones(training, problems):
    spoil_default(training)
    assert "ml.m5.large" in problems("arguments", training)[0].fix
