"""Run one tuning job, in as many threads as it trains in parallel; each starts a training job and waits for its end.

Nothing polls: a thread sleeps in :meth:`~localmaker.services.sagemaker.jobs.service.JobService.wait`.
"""

from __future__ import annotations

import functools
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from localmaker.errors import AwsError, NoRoomError
from localmaker.services.sagemaker.jobs.kinds import JobKind, JobStatus
from localmaker.services.sagemaker.jobs.records import INTERRUPTED_REASON, JobRecord, Metric, now
from localmaker.services.sagemaker.jobs.training.metrics import Watch
from localmaker.services.sagemaker.tuning.choosing import Result, choose, combinations
from localmaker.services.sagemaker.tuning.definitions import Definition, training_request
from localmaker.services.sagemaker.tuning.early_stopping import is_hopeless
from localmaker.services.sagemaker.tuning.ending import failure, hopeless, is_complete, limit
from localmaker.services.sagemaker.tuning.records import Trial, TuningRecord

logger = logging.getLogger(__name__)

_NAME_LENGTH = 63
_REASON_LENGTH = 1024


class TrainingJobs(Protocol):
    """What starts the training jobs."""

    def create(self, kind: JobKind, request: Mapping[str, Any], *, tuned_by: str | None, watch: Watch) -> str:
        """Start a job, and return its ARN at once."""

    def wait(self, kind: JobKind, name: str, timeout: float | None = None) -> dict[str, Any]:
        """Block until a job has ended, or until the timeout."""

    def record(self, kind: JobKind, name: str) -> JobRecord:
        """Return a job's record."""

    def stop(self, kind: JobKind, name: str) -> None:
        """Ask a job to stop."""


class TuningRun:
    """One tuning job while it runs.

    Args:
        record: as it begins.
        definitions: of its training jobs.
        history: results of earlier tuning jobs that it starts from.
        jobs: start the training jobs.
        tags: of the training jobs.
        save: stores a new record; True says that what happened cannot be refused.
        on_end: called from the last thread, after the last record has been stored.
    """

    def __init__(
        self,
        record: TuningRecord,
        definitions: Sequence[Definition],
        history: Sequence[Result],
        jobs: TrainingJobs,
        *,
        tags: Sequence[Mapping[str, str]],
        save: Callable[[TuningRecord, bool], None],
        on_end: Callable[[TuningRecord], None],
    ) -> None:
        self.record = record
        self._definitions = definitions
        self._history = history
        self._jobs = jobs
        self._tags = tags
        self._save = save
        self._on_end = on_end
        self._configuration = record.request["HyperParameterTuningJobConfig"]
        self._limit = limit(self._configuration, definitions)
        limits = self._configuration["ResourceLimits"]
        self._deadline = time.monotonic() + limits.get("MaxRuntimeInSeconds", math.inf)
        self._lock = threading.RLock()
        self._over = self._closing = False
        self._stops_early = self._configuration.get("TrainingJobEarlyStoppingType") == "Auto"
        self._objectives: dict[str, list[float]] = {}
        self._reason: str | None = None
        count = limits["MaxParallelTrainingJobs"]
        self._threads = [
            threading.Thread(target=self._work, name=f"tuning-{record.name}-{number}", daemon=True)
            for number in range(count if self._limit is None else min(count, self._limit))
        ]
        self._working = len(self._threads)

    def start(self) -> None:
        """Begin; return at once."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the end."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Start no more training jobs and stop those that run; return before they have ended."""
        with self._lock:
            if self.record.status.terminal:
                return
            self._put(refusable=True, status=JobStatus.STOPPING)
            self._over = True
        self._stop_training()

    def close(self) -> None:
        """Start no more training jobs, because the endpoint shuts down: the tuning job ends Failed."""
        with self._lock:
            self._over = self._closing = True

    def _work(self) -> None:
        try:
            while (trial := self._next()) is not None:
                self._follow(trial.name)
        except NoRoomError as error:
            logger.warning("%s; the next start reports that the tuning job was interrupted", error)
        except Exception as error:
            logger.exception("tuning job %s", self.record.name)
            self._give_up(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._working -= 1
                last = self._working == 0
            if last:
                self._finish()

    def _next(self) -> Trial | None:
        """Start the next training job; None where there is none."""
        with self._lock:
            number = len(self.record.trials)
            if self._over or number == self._limit or time.monotonic() >= self._deadline:
                return None
            which, turn = self._turn(number)
            name, values = self._name(number), self._values(which, turn)
            request = training_request(self._definitions[which], name, values, self._tags)
            try:
                watch = functools.partial(self._watch, name, self._definitions[which])
                arn = self._jobs.create(JobKind.TRAINING, request, tuned_by=self.record.arn, watch=watch)
            except AwsError as error:
                self._give_up(f"ClientError: {error.message}")
                return None
            trial = Trial(name, arn, which, values, created=now())
            self._put(trials=(*self.record.trials, trial))
            return trial

    def _turn(self, number: int) -> tuple[int, int]:
        """Return the definition of a training job and its number there. Definitions take turns, or are whole grids."""
        if self._configuration["Strategy"] != "Grid":
            return number % len(self._definitions), number + len(self._history)
        for which, definition in enumerate(self._definitions):
            size = combinations(definition.space)
            if number < size:
                return which, number
            number -= size
        raise IndexError(number)

    def _values(self, which: int, turn: int) -> dict[str, str]:
        """Return the values of a training job; each definition has results of its own."""
        configuration, definition = self._configuration, self._definitions[which]
        results = [
            Result(trial.values, trial.objective)
            for trial in self.record.trials
            if trial.definition == which and trial.counts and trial.objective is not None
        ]
        return choose(
            configuration["Strategy"],
            definition.space,
            configuration.get("RandomSeed", 0),
            turn,
            [*self._history, *results],
            maximize=definition.maximize,
        )

    def _name(self, number: int) -> str:
        ending = f"-{number + 1:03d}-{secrets.token_hex(4)}"
        return f"{self.record.name[: _NAME_LENGTH - len(ending)]}{ending}"

    def _follow(self, name: str) -> None:
        """Wait for a training job's end, and store its result."""
        seconds = max(0.0, self._deadline - time.monotonic())
        ended = self._jobs.wait(JobKind.TRAINING, name, None if math.isinf(seconds) else seconds)
        if not JobStatus(ended["TrainingJobStatus"]).terminal:
            self._finish_early()
            ended = self._jobs.wait(JobKind.TRAINING, name)
        with self._lock:
            trials = tuple(self._ended(one, ended) if one.name == name else one for one in self.record.trials)
            self._put(trials=trials)
            reason = hopeless(trials)
            if reason is not None:
                self._give_up(reason)
                return
            complete = is_complete(self._configuration, trials, maximize=self._definitions[0].maximize)
        if complete:
            self._finish_early()

    def _watch(self, name: str, definition: Definition, value: Metric) -> None:
        """Stop a training job early if its objective says so. Called in the training job's thread."""
        if not self._stops_early or value.name != definition.metric:
            return
        with self._lock:
            values = self._objectives.setdefault(name, [])
            values.append(value.value)
            completed = [
                self._objectives.get(trial.name, [])
                for trial in self.record.trials
                if trial.status is JobStatus.COMPLETED
            ]
        if is_hopeless(values, completed, maximize=definition.maximize):
            self._stop(name)

    def _ended(self, trial: Trial, job: Mapping[str, Any]) -> Trial:
        metric = self._definitions[trial.definition].metric
        found = {one["MetricName"]: one["Value"] for one in job.get("FinalMetricDataList", [])}
        value = found.get(metric, math.nan)
        return replace(
            trial,
            status=JobStatus(job["TrainingJobStatus"]),
            started=job.get("TrainingStartTime"),
            ended=job.get("TrainingEndTime"),
            failure_reason=job.get("FailureReason"),
            objective=value if math.isfinite(value) else None,
        )

    def _finish_early(self) -> None:
        with self._lock:
            self._over = True
        self._stop_training()

    def _give_up(self, reason: str) -> None:
        with self._lock:
            self._reason = self._reason or reason[:_REASON_LENGTH]
        self._finish_early()

    def _stop_training(self) -> None:
        with self._lock:
            running = [trial.name for trial in self.record.trials if not trial.status.terminal]
        for name in running:
            self._stop(name)

    def _stop(self, name: str) -> None:
        try:
            self._jobs.stop(JobKind.TRAINING, name)
        except AwsError as error:
            logger.info("training job %s has just ended: %s", name, error)

    def _finish(self) -> None:
        with self._lock:
            status, reason = JobStatus.COMPLETED, self._reason or failure(self.record.trials)
            if self.record.status is JobStatus.STOPPING:
                status, reason = JobStatus.STOPPED, None
            elif self._closing:
                reason = INTERRUPTED_REASON
            if reason is not None:
                status = JobStatus.FAILED
            try:
                self._put(status=status, failure_reason=reason, ended=now())
            except NoRoomError as error:
                logger.warning("%s; the next start reports that the tuning job was interrupted", error)
        self._on_end(self.record)

    def _put(self, *, refusable: bool = False, **changes: Any) -> None:
        changed = replace(self.record, modified=now(), **changes)
        self._save(changed, not refusable)
        self.record = changed
