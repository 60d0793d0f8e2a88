"""Whether a tuning job starts further training jobs, and how it ends. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.tuning.choosing import combinations
from localmaker.services.sagemaker.tuning.definitions import Definition
from localmaker.services.sagemaker.tuning.records import Trial, best, jobs_since_best

# SageMaker gives up after so many training jobs without success.
_ATTEMPTS = 5
_LOOK = "Please take a look at the training job failures to get more details."


def limit(configuration: Mapping[str, Any], definitions: Sequence[Definition]) -> int | None:
    """Return how many training jobs a tuning job may start; None where only its time is limited."""
    if configuration["Strategy"] == "Grid":
        return sum(combinations(definition.space) for definition in definitions)
    found: int | None = configuration["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    return found


def is_complete(configuration: Mapping[str, Any], trials: Sequence[Trial], *, maximize: bool) -> bool:
    """Return whether the results so far meet one of TuningJobCompletionCriteria."""
    criteria = configuration.get("TuningJobCompletionCriteria", {})
    found = best(trials, maximize=maximize)
    if found is None or found.objective is None:
        return False
    target = criteria.get("TargetObjectiveMetricValue")
    if target is not None and (found.objective >= target if maximize else found.objective <= target):
        return True
    most = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    return most is not None and jobs_since_best(trials, maximize=maximize) >= most


def hopeless(trials: Sequence[Trial]) -> str | None:
    """Return why it makes no sense to go on, in SageMaker's words; None where it does."""
    ended = [trial for trial in trials if trial.status.terminal]
    if len(ended) < _ATTEMPTS or any(trial.counts for trial in ended):
        return None
    if all(trial.status is JobStatus.FAILED for trial in ended):
        return f"No training job succeeded after {len(ended)} attempts. {_LOOK}"
    return _without_objective(len(ended))


def failure(trials: Sequence[Trial]) -> str | None:
    """Return why a tuning job whose training jobs have all ended has failed; None where it has not."""
    if any(trial.counts for trial in trials):
        return None
    if all(trial.status is JobStatus.FAILED for trial in trials):
        return "All training jobs failed. Please take a look at the training jobs failures to get more details."
    return _without_objective(len(trials))


def _without_objective(count: int) -> str:
    return (
        f"No objective metrics found after running {count} training jobs. Please ensure that the custom algorithm is "
        "emitting the objective metric as defined by the regular expression provided."
    )
