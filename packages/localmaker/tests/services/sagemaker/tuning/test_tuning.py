"""Tuning jobs that run: the training jobs that they start, what is described of them, and how they end."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.tuning.conftest import BUCKET

GRID = {
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad", "good"]}, {"Name": "x", "Values": ["2", "3"]}]
}
FAILING = "raise SystemExit('no')"
SILENT = "print('nothing to see')"
SLEEPING = "import time\nprint('error=1;', flush=True)\ntime.sleep(600)"


def test_a_grid_runs_every_combination_and_finds_the_best(tuning):
    found = tuning.run(strategy="Grid", jobs=None, parallel=2, ranges=GRID, Tags=[{"Key": "team", "Value": "a"}])
    name = found["HyperParameterTuningJobName"]
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["TrainingJobStatusCounters"] == {
        "Completed": 4,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert found["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    best = found["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"kind": "good", "x": "3"}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == {
        "Type": "Minimize",
        "MetricName": "error",
        "Value": 0.0,
    }
    assert best["ObjectiveStatus"] == "Succeeded"
    assert {tuple(values.values()) for values in tuning.values(found)} == {
        ("bad", "2"),
        ("bad", "3"),
        ("good", "2"),
        ("good", "3"),
    }
    job = tuning.sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert job["TuningJobArn"] == found["HyperParameterTuningJobArn"]
    assert job["HyperParameters"]["_tuning_objective_metric"] == "error"
    assert job["HyperParameters"] | {"kind": "good", "x": "3", "fixed": "1"} == job["HyperParameters"]
    assert best["TrainingJobName"].startswith(f"{name}-00")
    tags = tuning.sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}]
    key = f"models/{best['TrainingJobName']}/output/model.tar.gz"
    assert tuning.s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"]


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_values_repeat_with_their_seed(tuning, strategy):
    first, second, other = (tuning.run(strategy=strategy, configuration={"RandomSeed": seed}) for seed in (7, 7, 8))
    assert tuning.values(first) == tuning.values(second)
    assert tuning.values(first) != tuning.values(other)


def test_the_last_value_of_the_metric_counts(tuning):
    """The program prints error=9999 first."""
    (job,) = tuning.training_jobs(tuning.run(jobs=1)["HyperParameterTuningJobName"])
    assert job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] < 100


def test_failed_training_jobs_are_counted_and_do_not_end_the_others(tuning):
    program = "import os\nif os.environ['SM_HP_X'] == '1': raise SystemExit('no')\nprint('error=1;')"
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2"]}]}
    found = tuning.run(program, strategy="Grid", ranges=ranges)
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert found["TrainingJobStatusCounters"]["Completed"] == 1
    assert found["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 1}
    failed, _ = tuning.training_jobs(found["HyperParameterTuningJobName"], SortBy="CreationTime")
    assert failed["TrainingJobStatus"] == "Failed"
    assert failed["FailureReason"].startswith("AlgorithmError")
    assert failed["ObjectiveStatus"] == "Failed"


@pytest.mark.parametrize(
    ("program", "jobs", "reason"),
    [
        (FAILING, 2, "All training jobs failed."),
        (FAILING, 9, "No training job succeeded after 5 attempts."),
        (SILENT, 2, "No objective metrics found after running 2 training jobs."),
        (SILENT, 9, "No objective metrics found after running 5 training jobs."),
    ],
)
def test_without_a_result_it_fails_with_sagemakers_reason(tuning, program, jobs, reason):
    found = tuning.run(program, jobs=jobs)
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert found["FailureReason"].startswith(reason)
    assert "BestTrainingJob" not in found
    assert len(tuning.training_jobs(found["HyperParameterTuningJobName"])) == min(jobs, 5)


def test_a_stop_stops_the_training_jobs(tuning, eventually):
    name = tuning.start(tuning.request(SLEEPING, jobs=6, parallel=2))
    eventually(lambda: tuning.describe(name)["TrainingJobStatusCounters"]["InProgress"] == 2)
    assert tuning.describe(name)["ObjectiveStatusCounters"]["Pending"] == 2
    tuning.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    found = tuning.wait(name)
    assert found["HyperParameterTuningJobStatus"] == "Stopped"
    assert found["TrainingJobStatusCounters"]["Stopped"] == 2
    for job in tuning.training_jobs(name):
        described = tuning.sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"])
        assert described["TrainingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="in status Stopped"):
        tuning.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_it_ends_when_the_target_is_reached(tuning):
    criteria = {"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 1000.0}}
    found = tuning.run(jobs=9, configuration=criteria)
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert len(tuning.training_jobs(found["HyperParameterTuningJobName"])) == 1


def test_it_ends_when_nothing_gets_better(tuning):
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    found = tuning.run("print('error=1;')", jobs=9, configuration={"TuningJobCompletionCriteria": criteria})
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert len(tuning.training_jobs(found["HyperParameterTuningJobName"])) == 4
    assert found["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 3


def test_several_definitions_take_turns(tuning):
    def named(name, program):
        objective = {"Type": "Maximize", "MetricName": "error"}
        ranges = {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "3"}]}
        return tuning.definition(program, DefinitionName=name, TuningObjective=objective, HyperParameterRanges=ranges)

    request = tuning.request(jobs=4)
    del request["TrainingJobDefinition"]
    del request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    del request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    request["TrainingJobDefinitions"] = [named("low", "print('error=1;')"), named("high", "print('error=2;')")]
    found = tuning.wait(tuning.start(request))
    assert found["BestTrainingJob"]["TrainingJobDefinitionName"] == "high"
    names = [job["TrainingJobDefinitionName"] for job in tuning.training_jobs(found["HyperParameterTuningJobName"])]
    assert names == ["low", "high", "low", "high"]


def test_a_warm_start_knows_the_parents_results(tuning):
    parent = tuning.run(jobs=2)
    names = [{"HyperParameterTuningJobName": parent["HyperParameterTuningJobName"]}]
    warm = {"ParentHyperParameterTuningJobs": names, "WarmStartType": "IdenticalDataAndAlgorithm"}
    found = tuning.run("print('error=9999;')", jobs=1, WarmStartConfig=warm)
    assert found["OverallBestTrainingJob"]["TrainingJobName"] == parent["BestTrainingJob"]["TrainingJobName"]
    assert found["OverallBestTrainingJob"]["TuningJobName"] == parent["HyperParameterTuningJobName"]
    # It goes on where its parent ended, instead of choosing the same values again.
    assert tuning.values(found)[0] not in tuning.values(parent)


def test_training_jobs_are_listed_by_their_objective(tuning):
    name = tuning.run(strategy="Grid", ranges=GRID, jobs=None)["HyperParameterTuningJobName"]
    order = {"SortBy": "FinalObjectiveMetricValue"}

    def listed(**more):
        jobs = tuning.training_jobs(name, **order, **more)
        return [job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for job in jobs]

    assert listed() == [0.0, 1.0, 1.0, 2.0]
    assert listed(SortOrder="Descending", MaxResults=1) == [2.0]
    assert tuning.training_jobs(name, StatusEquals="Failed") == []


def test_tuning_jobs_are_listed_and_deleted_without_their_training_jobs(tuning):
    found = tuning.run(jobs=1)
    name = found["HyperParameterTuningJobName"]
    (listed,) = tuning.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=name, StatusEquals="Completed")[
        "HyperParameterTuningJobSummaries"
    ]
    assert listed["Strategy"] == "Random"
    assert listed["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1}
    (job,) = tuning.training_jobs(name)
    wanted = {"Filters": [{"Name": "HyperParameterTuningJobName", "Value": name}]}
    (one,) = tuning.sagemaker.search(Resource="HyperParameterTuningJob", SearchExpression=wanted)["Results"]
    assert one["HyperParameterTuningJob"]["BestTrainingJob"]["TrainingJobName"] == job["TrainingJobName"]
    tuning.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(tuning.sagemaker.exceptions.ResourceNotFound, match="can't find a tuning job"):
        tuning.describe(name)
    assert tuning.sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"])


def test_its_status_changes_are_published(tuning, endpoint, queue, unique):
    events = endpoint.client("events")
    pattern = {
        "detail-type": ["SageMaker HyperParameter Tuning Job State Change"],
        "detail": {"HyperParameterTuningJobName": [{"prefix": unique}]},
    }
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "1", "Arn": queue.arn}])
    tuning.run(jobs=1)
    states = [event["detail"]["HyperParameterTuningJobStatus"] for event in queue.events(2)]
    assert sorted(states) == ["Completed", "InProgress"]
