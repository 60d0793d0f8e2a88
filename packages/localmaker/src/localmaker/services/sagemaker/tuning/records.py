"""The record of a tuning job and of its training jobs, frozen; what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobStatus


@dataclass(frozen=True)
class Trial:
    """One training job of a tuning job.

    Attributes:
        definition: index of the training job definition that it was made from.
        values: of the tuned hyperparameters, as text.
        objective: the last value of the objective metric in its log.
    """

    name: str
    arn: str
    definition: int
    values: Mapping[str, str]
    created: datetime
    status: JobStatus = JobStatus.IN_PROGRESS
    started: datetime | None = None
    ended: datetime | None = None
    failure_reason: str | None = None
    objective: float | None = None

    @property
    def counts(self) -> bool:
        """Whether it has ended with a value of the objective."""
        return self.objective is not None and self.status in (JobStatus.COMPLETED, JobStatus.STOPPED)


@dataclass(frozen=True)
class TuningRecord:
    """One tuning job. ``request`` is the Create request in botocore's terms, without tags."""

    name: str
    arn: str
    request: Mapping[str, Any]
    created: datetime
    modified: datetime
    status: JobStatus = JobStatus.IN_PROGRESS
    ended: datetime | None = None
    failure_reason: str | None = None
    trials: tuple[Trial, ...] = ()


def best(trials: Iterable[Trial], *, maximize: bool) -> Trial | None:
    """Return the training job with the best objective, the earliest of equal ones; None where none has one."""
    return next(iter(ranked(trials, maximize=maximize)), None)


def ranked(trials: Iterable[Trial], *, maximize: bool) -> list[Trial]:
    """Return the training jobs that count, best first."""
    counted = [trial for trial in trials if trial.counts]
    return sorted(counted, key=lambda trial: (trial.objective or 0.0) * (-1 if maximize else 1))


def jobs_since_best(trials: Iterable[Trial], *, maximize: bool) -> int:
    """Return how many training jobs have ended since the best one did."""
    ended = sorted((one for one in trials if one.ended is not None), key=lambda one: (one.ended, one.name))
    found = best(ended, maximize=maximize)
    return 0 if found is None else len(ended) - 1 - ended.index(found)
