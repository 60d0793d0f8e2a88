"""Tuning jobs on a running endpoint, over HTTP only; their training jobs are small programs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.sagemaker.jobs.conftest import IMAGE, ROLE, archive

from localmaker.daemon import EndpointHandle
from localmaker.images.environments import JobEnvironment

BUCKET = "tuning"
#: The objective is best at x = 3 and kind = good.
PROGRAM = """
import json, pathlib
given = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
print("given", json.dumps(given))
error = (float(given.get("x", 3)) - 3) ** 2 + (given.get("kind", "good") != "good")
print("error=9999;")
print(f"error={error};")
pathlib.Path("/opt/ml/model/error").write_text(str(error))
"""


class Tuning:
    """Requests for tuning jobs, and what became of them."""

    def __init__(self, endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]) -> None:
        self.endpoint = endpoint
        self.sagemaker = endpoint.client("sagemaker")
        self.logs = endpoint.client("logs")
        self.s3 = endpoint.client("s3")
        self.eventually = eventually
        self._names = (f"{unique}-{number}" for number in itertools.count())
        self.s3.create_bucket(Bucket=BUCKET)

    def definition(self, program: str = PROGRAM, **fields: Any) -> dict[str, Any]:
        """Return a TrainingJobDefinition that runs a program, with the metric ``error``."""
        key = f"{next(self._names)}/sourcedir.tar.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=archive({"train.py": program}))
        program_of = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": f'"s3://{BUCKET}/{key}"'}
        return {
            "StaticHyperParameters": {**program_of, "fixed": "1"},
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "error", "Regex": "error=(.*?);"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **fields,
        }

    def request(
        self,
        program: str = PROGRAM,
        *,
        strategy: str = "Random",
        jobs: int | None = 2,
        parallel: int = 1,
        ranges: dict[str, Any] | None = None,
        configuration: dict[str, Any] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Return a CreateHyperParameterTuningJob request that tunes ``x`` from 0 to 10."""
        numbers = [{"Name": "x", "MinValue": "0", "MaxValue": "10", "ScalingType": "Linear"}]
        limits = {"MaxParallelTrainingJobs": parallel, **({} if jobs is None else {"MaxNumberOfTrainingJobs": jobs})}
        return {
            "HyperParameterTuningJobName": next(self._names),
            "HyperParameterTuningJobConfig": {
                "Strategy": strategy,
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "error"},
                "ResourceLimits": limits,
                "ParameterRanges": {"ContinuousParameterRanges": numbers} if ranges is None else ranges,
                **(configuration or {}),
            },
            "TrainingJobDefinition": self.definition(program),
            **fields,
        }

    def start(self, request: dict[str, Any]) -> str:
        """Create a tuning job; return its name."""
        self.sagemaker.create_hyper_parameter_tuning_job(**request)
        return request["HyperParameterTuningJobName"]

    def describe(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def wait(self, name: str, *states: str) -> dict[str, Any]:
        """Wait until it has ended, or is in one of the states."""
        wanted = states or ("Completed", "Failed", "Stopped")
        self.eventually(lambda: self.describe(name)["HyperParameterTuningJobStatus"] in wanted, 120)
        return self.describe(name)

    def run(self, program: str = PROGRAM, **options: Any) -> dict[str, Any]:
        """Run a tuning job to its end; return its description."""
        return self.wait(self.start(self.request(program, **options)))

    def training_jobs(self, name: str, **filters: Any) -> list[dict[str, Any]]:
        call = self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job
        return call(HyperParameterTuningJobName=name, **filters)["TrainingJobSummaries"]

    def values(self, described: dict[str, Any]) -> list[dict[str, str]]:
        """Return the tuned values of its training jobs, in the order of their names."""
        return [job["TunedHyperParameters"] for job in self.training_jobs(described["HyperParameterTuningJobName"])]


@pytest.fixture
def tuning(endpoint: EndpointHandle, image: JobEnvironment, unique: str, eventually: Callable[..., Any]) -> Tuning:
    return Tuning(endpoint, unique, eventually)
