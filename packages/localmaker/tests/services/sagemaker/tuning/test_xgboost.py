"""A tuning job of AWS's XGBoost algorithm, in the environment of a tag that no other test runs."""

from __future__ import annotations

import random

import pytest
from tests.services.sagemaker.tuning.conftest import BUCKET

from localmaker.images.environments import image_environment
from localmaker.images.table import find_image

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"


@pytest.mark.slow
def test_the_built_in_algorithm_is_tuned_by_a_metric_of_its_own(tuning, unique):
    image_environment(find_image(IMAGE))
    made = random.Random(1)
    rows = "".join(f"{10 * a},{a},{made.random():.3f}\n" for a in (made.choice((0, 1)) for _ in range(100)))
    channels = []
    for name in ("train", "validation"):
        tuning.s3.put_object(Bucket=BUCKET, Key=f"{unique}/{name}/rows.csv", Body=rows.encode())
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{unique}/{name}/"}
        channels.append({"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}})
    objective = {"Type": "Minimize", "MetricName": "validation:rmse"}
    ranges = {"CategoricalParameterRanges": [{"Name": "eta", "Values": ["0.01", "0.5"]}]}
    request = tuning.request(
        strategy="Grid", jobs=None, ranges=ranges, configuration={"HyperParameterTuningJobObjective": objective}
    )
    request["TrainingJobDefinition"] |= {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "StaticHyperParameters": {"num_round": "3", "objective": "reg:squarederror", "nthread": "1"},
        "InputDataConfig": channels,
    }
    found = tuning.wait(tuning.start(request))
    assert found["HyperParameterTuningJobStatus"] == "Completed", found.get("FailureReason")
    assert found["BestTrainingJob"]["TunedHyperParameters"] == {"eta": "0.5"}
    job = tuning.sagemaker.describe_training_job(TrainingJobName=found["BestTrainingJob"]["TrainingJobName"])
    for shown in (found["TrainingJobDefinition"], job):
        named = {one["Name"]: one["Regex"] for one in shown["AlgorithmSpecification"]["MetricDefinitions"]}
        assert named["train:mae"] == r".*\[[0-9]+\].*#011train-mae:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"
