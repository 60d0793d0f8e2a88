"""The metrics of training jobs whose algorithm brings its own, and what is sent of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from localmaker.services.sagemaker.jobs.metric_definitions import metric_definitions
from localmaker.services.sagemaker.jobs.records import Metric
from localmaker.services.sagemaker.jobs.training.metrics import data_of

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
SCIKIT_LEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


def definitions(image, given=(), hyperparameters=()):
    algorithm = {"TrainingImage": image, **({"MetricDefinitions": list(given)} if given else {})}
    return {
        one["Name"]: one["Regex"]
        for one in metric_definitions({"AlgorithmSpecification": algorithm}, dict(hyperparameters))
    }


@pytest.mark.parametrize(
    "line",
    [
        "[3]#011train-rmse:2.5#011validation-rmse:1.25",
        "[2026-01-01:00:00:00:INFO] [3]#011train-rmse:2.5e0#011validation-rmse:1.25e0",
    ],
)
def test_xgboost_prints_its_metrics(line):
    found = definitions(XGBOOST)
    assert float(re.search(found["train:rmse"], line)[1]) == 2.5
    assert float(re.search(found["validation:rmse"], line)[1]) == 1.25
    assert re.search(found["validation:rmsle"], line) is None


def test_a_script_and_other_images_bring_none():
    assert definitions(SCIKIT_LEARN) == {}
    assert definitions(XGBOOST, hyperparameters={"sagemaker_program": "train.py"}) == {}


def test_what_is_given_counts():
    assert definitions(XGBOOST, given=[{"Name": "a", "Regex": "a=(.*)"}]) == {"a": "a=(.*)"}


def test_values_of_one_second_are_sent_as_one_set_of_statistics():
    """A job may report thousands in a second, and CloudWatch's shortest period is a second."""
    first = datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC)
    values = [("loss", 4.0, 0), ("loss", 2.0, 0.5), ("auc", 0.7, 0.5), ("loss", 1.0, 1.5)]
    found = [Metric(name, value, first + timedelta(seconds=after)) for name, value, after in values]
    assert data_of("job", found) == [
        {
            "MetricName": "loss",
            "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
            "Timestamp": first,
            "StatisticValues": {"SampleCount": 2, "Sum": 6.0, "Minimum": 2.0, "Maximum": 4.0},
        },
        {
            "MetricName": "auc",
            "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
            "Timestamp": first + timedelta(seconds=0.5),
            "StatisticValues": {"SampleCount": 1, "Sum": 0.7, "Minimum": 0.7, "Maximum": 0.7},
        },
        {
            "MetricName": "loss",
            "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
            "Timestamp": first + timedelta(seconds=1.5),
            "StatisticValues": {"SampleCount": 1, "Sum": 1.0, "Minimum": 1.0, "Maximum": 1.0},
        },
    ]
