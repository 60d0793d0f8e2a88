"""Requests for tuning jobs that are refused, each with the field that is wrong."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError


def refused(tuning, request):
    with pytest.raises(ClientError) as refusal:
        tuning.start(request)
    error = refusal.value.response["Error"]
    return error["Code"], error["Message"]


def ranges(kind="Continuous", low="0", high="1", **more):
    return {f"{kind}ParameterRanges": [{"Name": "x", "MinValue": low, "MaxValue": high, **more}]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategy": "Hyperband"}, "Strategy Hyperband is not available on this endpoint"),
        ({"strategy": "Grid"}, "categorical ranges only"),
        ({"jobs": None}, "MaxNumberOfTrainingJobs or MaxRuntimeInSeconds"),
        ({"jobs": 1, "parallel": 2}, "MaxParallelTrainingJobs 2 is more than MaxNumberOfTrainingJobs 1"),
        ({"ranges": {}}, "at least one range"),
        ({"ranges": ranges(low="2")}, r"MinValue of \[x\] is greater"),
        ({"ranges": ranges(low="low")}, r"MinValue of \[x\] is not a number"),
        ({"ranges": ranges(ScalingType="Logarithmic")}, "greater than 0"),
        ({"ranges": ranges(ScalingType="ReverseLogarithmic")}, "within 0<=x<1.0"),
        ({"ranges": ranges() | ranges("Integer")}, r"\[x\] has more than one range"),
        ({"Autotune": {"Mode": "Enabled"}}, "Autotune is not available"),
        (
            {
                "configuration": {
                    "TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}
                }
            },
            "ConvergenceDetected is not available",
        ),
        (
            {"configuration": {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"}}},
            "A metric is required for this hyperparameter tuning job objective.*error",
        ),
        (
            {"strategy": "Grid", "jobs": 3, "ranges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["a"]}]}},
            "must be the number of combinations of a grid, 1",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_name(tuning, options, said):
    code, message = refused(tuning, tuning.request(**options))
    assert code == "ValidationException"
    assert re.search(said, message), message


def test_a_hyperparameter_is_static_or_tuned(tuning):
    request = tuning.request()
    request["TrainingJobDefinition"]["StaticHyperParameters"]["x"] = "1"
    assert "both static and in a range" in refused(tuning, request)[1]


def test_its_training_jobs_are_checked_before_it_starts(tuning):
    request = tuning.request()
    request["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"][0]["Regex"] = "error=("
    code, message = refused(tuning, request)
    assert (code, message[:21]) == ("ValidationException", "TrainingJobDefinition")


def test_a_name_is_used_once(tuning):
    request = tuning.request(jobs=1)
    name = tuning.start(request)
    assert refused(tuning, request)[0] == "ResourceInUse"
    tuning.wait(name)


def test_xgboost_brings_its_own_metrics(tuning):
    """As on AWS its image needs no MetricDefinitions; what it cannot measure is refused."""
    configuration = {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:nonsense"}}
    request = tuning.request(jobs=1, configuration=configuration)
    definition = request["TrainingJobDefinition"]
    definition["AlgorithmSpecification"] = {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "TrainingInputMode": "File",
    }
    definition["StaticHyperParameters"] = {}
    assert "validation:rmse" in refused(tuning, request)[1]
