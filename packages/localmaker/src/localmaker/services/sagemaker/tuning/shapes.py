"""Tuning jobs as AWS's responses: Describe, List and the list of their training jobs. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.metric_definitions import with_metric_definitions
from localmaker.services.sagemaker.tuning.definitions import Definition, definitions_of
from localmaker.services.sagemaker.tuning.records import Trial, TuningRecord, best, jobs_since_best, ranked

_REQUESTED = (
    "HyperParameterTuningJobConfig",
    "TrainingJobDefinition",
    "TrainingJobDefinitions",
    "WarmStartConfig",
    "Autotune",
)


def describe(record: TuningRecord, parents: Sequence[TuningRecord] = ()) -> dict[str, Any]:
    """Return the Describe response.

    Args:
        record: of the tuning job.
        parents: of an identical tuning job, which may have the overall best training job.
    """
    definitions = definitions_of(record.request)
    maximize = definitions[0].maximize
    response = {
        **{name: _shown(record.request[name]) for name in _REQUESTED if name in record.request},
        **_common(record),
        "FailureReason": record.failure_reason,
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": jobs_since_best(record.trials, maximize=maximize)
        },
        "ConsumedResources": {"RuntimeInSeconds": _runtime(record)},
    }
    found = best(record.trials, maximize=maximize)
    if found is not None:
        response["BestTrainingJob"] = summary(found, definitions)
    if parents:
        everywhere = [(trial, owner) for owner in (record, *parents) for trial in owner.trials]
        overall = best((trial for trial, _ in everywhere), maximize=maximize)
        if overall is not None:
            owner = next(owner for trial, owner in everywhere if trial is overall)
            names = {"TuningJobName": owner.name}
            response["OverallBestTrainingJob"] = {**summary(overall, definitions_of(owner.request)), **names}
    return _present(response)


def _shown(part: Any) -> Any:
    """Return a part of the request as it is described: definitions have the metrics that their algorithm brings."""
    if isinstance(part, list):
        return [_shown(one) for one in part]
    if "AlgorithmSpecification" not in part:
        return part
    return with_metric_definitions(part, part.get("StaticHyperParameters", {}))


def _common(record: TuningRecord) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": record.name,
        "HyperParameterTuningJobArn": record.arn,
        "HyperParameterTuningJobStatus": record.status.value,
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "HyperParameterTuningEndTime": record.ended,
        "TrainingJobStatusCounters": _job_counters(record.trials),
        "ObjectiveStatusCounters": _objective_counters(record.trials),
    }


def listed(record: TuningRecord) -> dict[str, Any]:
    """Return an entry of the List response."""
    configuration = record.request["HyperParameterTuningJobConfig"]
    return _present(
        {
            **_common(record),
            "Strategy": configuration["Strategy"],
            "ResourceLimits": configuration["ResourceLimits"],
        }
    )


def summary(trial: Trial, definitions: Sequence[Definition]) -> dict[str, Any]:
    """Return a HyperParameterTrainingJobSummary."""
    definition = definitions[trial.definition]
    response: dict[str, Any] = {
        "TrainingJobDefinitionName": definition.name,
        "TrainingJobName": trial.name,
        "TrainingJobArn": trial.arn,
        "CreationTime": trial.created,
        "TrainingStartTime": trial.started,
        "TrainingEndTime": trial.ended,
        "TrainingJobStatus": trial.status.value,
        "TunedHyperParameters": dict(trial.values),
        "FailureReason": trial.failure_reason,
        "ObjectiveStatus": _objective_status(trial),
    }
    if trial.objective is not None:
        response["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": "Maximize" if definition.maximize else "Minimize",
            "MetricName": definition.metric,
            "Value": trial.objective,
        }
    return _present(response)


def training_jobs(record: TuningRecord, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the summaries that a ListTrainingJobsForHyperParameterTuningJob request asks for, in its order."""
    definitions = definitions_of(record.request)
    wanted = request.get("StatusEquals")
    trials = [trial for trial in record.trials if wanted in (None, trial.status.value)]
    by = request.get("SortBy", "Name")
    if by == "FinalObjectiveMetricValue":
        # Only training jobs with a value are listed then.
        trials = sorted((one for one in trials if one.objective is not None), key=lambda one: one.objective or 0.0)
    else:
        trials.sort(key=lambda one: (_SORTED_BY[by](one), one.name))
    if request.get("SortOrder", "Ascending") == "Descending":
        trials.reverse()
    return [summary(trial, definitions) for trial in trials]


_SORTED_BY: Mapping[str, Any] = {
    "Name": lambda trial: trial.name,
    "CreationTime": lambda trial: trial.created.isoformat(),
    "Status": lambda trial: trial.status.value,
}


def top_jobs(record: TuningRecord, count: int) -> list[dict[str, Any]]:
    """Return the summaries of the best training jobs, best first."""
    definitions = definitions_of(record.request)
    found = ranked(record.trials, maximize=definitions[0].maximize)
    return [summary(trial, definitions) for trial in found[:count]]


def _objective_status(trial: Trial) -> str:
    if not trial.status.terminal:
        return "Pending"
    return "Succeeded" if trial.counts else "Failed"


def _job_counters(trials: Sequence[Trial]) -> dict[str, int]:
    found = Counter(trial.status for trial in trials)
    return {
        "Completed": found[JobStatus.COMPLETED],
        "InProgress": found[JobStatus.IN_PROGRESS] + found[JobStatus.STOPPING],
        "RetryableError": 0,
        "NonRetryableError": found[JobStatus.FAILED],
        "Stopped": found[JobStatus.STOPPED],
    }


def _objective_counters(trials: Sequence[Trial]) -> dict[str, int]:
    found = Counter(_objective_status(trial) for trial in trials)
    return {name: found[name] for name in ("Succeeded", "Pending", "Failed")}


def _runtime(record: TuningRecord) -> int:
    return round(((record.ended or record.modified) - record.created).total_seconds())


def _present(response: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in response.items() if value is not None}
