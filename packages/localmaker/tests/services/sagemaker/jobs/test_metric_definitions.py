"""The metrics of training jobs whose algorithm brings its own."""

from __future__ import annotations

import re

import pytest

from localmaker.services.sagemaker.jobs.metric_definitions import metric_definitions

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
