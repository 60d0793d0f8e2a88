"""The hyperparameter tuning jobs of one region."""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.kinds import JobKind, JobStatus
from localmaker.services.sagemaker.jobs.records import INTERRUPTED_REASON, now
from localmaker.services.sagemaker.jobs.validation import refusal
from localmaker.services.sagemaker.serialization import dump, load
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import KIND as TAGS
from localmaker.services.sagemaker.tuning import shapes
from localmaker.services.sagemaker.tuning.choosing import Result
from localmaker.services.sagemaker.tuning.records import Trial, TuningRecord
from localmaker.services.sagemaker.tuning.run import TrainingJobs, TuningRun
from localmaker.services.sagemaker.tuning.validation import check_request
from localmaker.state.room import until_stored, with_reserve

logger = logging.getLogger(__name__)

#: Of the stored documents, and of ARNs.
KIND = "hyper-parameter-tuning-job"
#: The training jobs that a pipeline's step knows of, best first.
TOP_JOBS = 50


class TuningJobs:
    """Runs tuning jobs and remembers every one that ever ran. Those that ran when the endpoint ended are Failed.

    Args:
        store: keeps the records.
        jobs: run the training jobs.
        region, account_id: of the ARNs.
        on_status_change: called with the Describe response after each change of status, from any thread; an exception
            from it is logged and does not change the job.
    """

    def __init__(
        self,
        store: ResourceStore,
        jobs: TrainingJobs,
        *,
        region: str,
        account_id: str,
        on_status_change: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._prefix = f"arn:aws:sagemaker:{region}:{account_id}:{KIND}/"
        self._on_status_change = on_status_change
        self._changed = threading.Condition(threading.RLock())
        self._runs: dict[str, TuningRun] = {}
        self._closing = False
        self._records: dict[str, TuningRecord] = {}
        for arn, document in store.by_arn(KIND).items():
            if arn.startswith(self._prefix):
                record = load(TuningRecord, json.dumps(document))
                self._records[record.name] = record
                if not record.status.terminal:
                    self._keep(_interrupted(record))

    def create(self, request: Mapping[str, Any]) -> str:
        """Create a tuning job and start it; return its ARN at once.

        Raises:
            AwsError: ValidationException for a request that cannot be accepted, ResourceInUse for a name in use.
        """
        definitions = check_request(request)
        name, present = request["HyperParameterTuningJobName"], now()
        history = self._history(request)
        kept = {member: value for member, value in request.items() if member != "Tags"}
        record = TuningRecord(name, f"{self._prefix}{name}", kept, created=present, modified=present)
        run = TuningRun(
            record,
            definitions,
            history,
            self._jobs,
            tags=request.get("Tags", []),
            save=self._save,
            on_end=self._forget,
        )
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        with self._changed:
            if self._closing:
                raise AwsError("InternalFailure", "The local endpoint is shutting down.", 500)
            if name in self._records:
                raise AwsError(
                    "ResourceInUse",
                    f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
                )
            self._store.put(TAGS, record.arn, tags)
            self._keep(record)
            self._runs[name] = run
        self._report(record)
        run.start()
        return record.arn

    def _history(self, request: Mapping[str, Any]) -> list[Result]:
        """Return the results of the tuning jobs that a warm start names."""
        return [
            Result(trial.values, trial.objective)
            for parent in self._parents(request)
            for trial in parent.trials
            if trial.counts and trial.objective is not None
        ]

    def _parents(self, request: Mapping[str, Any]) -> Sequence[TuningRecord]:
        parents = request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
        found = [self.record(parent["HyperParameterTuningJobName"]) for parent in parents]
        for parent in found:
            if not parent.status.terminal:
                raise refusal(f"WarmStartConfig: tuning job {parent.name} is {parent.status}; it must have ended.")
        return found

    def record(self, name: str) -> TuningRecord:
        """Return a tuning job's record, its training jobs as they are now.

        Raises:
            AwsError: ResourceNotFound.
        """
        with self._changed:
            record = self._records.get(name)
        if record is None:
            raise AwsError(
                "ResourceNotFound",
                f"Amazon SageMaker can't find a tuning job with the name {name}. Check the name of the tuning job.",
            )
        return replace(record, trials=tuple(self._as_it_is(trial) for trial in record.trials))

    def _as_it_is(self, trial: Trial) -> Trial:
        if trial.status.terminal:
            return trial
        try:
            job = self._jobs.record(JobKind.TRAINING, trial.name)
        except AwsError:
            return trial
        # Its end counts once its result is known.
        return trial if job.status.terminal else replace(trial, status=job.status, started=job.started)

    def describe(self, name: str) -> dict[str, Any]:
        """Return the Describe response; fails as :meth:`record`."""
        record = self.record(name)
        warm = record.request.get("WarmStartConfig", {})
        names = [one["HyperParameterTuningJobName"] for one in warm.get("ParentHyperParameterTuningJobs", [])]
        with self._changed:
            parents = [self._records[one] for one in names if one in self._records]
        identical = warm.get("WarmStartType") == "IdenticalDataAndAlgorithm"
        return shapes.describe(record, parents if identical else ())

    def wait(self, name: str) -> dict[str, Any]:
        """Block until a tuning job has ended; return its Describe response with its best training jobs."""
        with self._changed:
            self._changed.wait_for(lambda: self._records[name].status.terminal)
        record = self.record(name)
        return {**self.describe(name), "TrainingJobSummaries": shapes.top_jobs(record, TOP_JOBS)}

    def stop(self, name: str) -> None:
        """Ask a tuning job to stop, and its training jobs; return at once.

        Raises:
            AwsError: ResourceNotFound; ValidationException for one that has ended.
        """
        record = self.record(name)
        with self._changed:
            run = self._runs.get(name)
        if run is None or record.status.terminal:
            raise refusal(
                f"The request was rejected because the hyperparameter tuning job is in status {record.status}."
            )
        run.stop()

    def delete(self, name: str) -> None:
        """Forget a tuning job that has ended; its training jobs stay. Of one that does not exist, there is no error.

        Raises:
            AwsError: ResourceInUse for one that has not ended.
        """
        with self._changed:
            record = self._records.get(name)
            if record is None:
                return
            if not record.status.terminal:
                raise AwsError(
                    "ResourceInUse",
                    f"The request was rejected because the hyperparameter tuning job is in status {record.status}.",
                )
            self._store.remove(KIND, record.arn)
            self._store.remove(TAGS, record.arn)
            del self._records[name]

    def all(self) -> list[TuningRecord]:
        """Return every tuning job."""
        with self._changed:
            return list(self._records.values())

    def close(self) -> None:
        """Start no more training jobs. The tuning jobs end when the training jobs are ended; :meth:`join` waits."""
        with self._changed:
            self._closing = True
            runs = list(self._runs.values())
        for run in runs:
            run.close()

    def join(self) -> None:
        """Wait until every tuning job has ended."""
        with self._changed:
            runs = list(self._runs.values())
        for run in runs:
            run.join()

    def _save(self, record: TuningRecord, must: bool) -> None:
        """Store a change; on a full disk, as soon as there is room if it ``must`` be stored.

        Raises:
            NoRoomError: the endpoint shuts down before that.
        """
        with self._changed:
            before, keep = self._records[record.name], functools.partial(self._keep, record)
            if must:
                until_stored(
                    keep,
                    lambda seconds: self._changed.wait_for(lambda: self._closing, seconds),
                    f"tuning job {record.name}",
                )
            else:
                with_reserve(keep)
        if record.status is not before.status:
            self._report(record)

    def _keep(self, record: TuningRecord) -> None:
        with self._changed:
            self._store.put(KIND, record.arn, json.loads(dump(record)))
            self._records[record.name] = record
            self._changed.notify_all()

    def _forget(self, record: TuningRecord) -> None:
        with self._changed:
            self._runs.pop(record.name, None)

    def _report(self, record: TuningRecord) -> None:
        if self._on_status_change is None:
            return
        try:
            self._on_status_change(shapes.describe(record))
        except Exception:
            logger.exception("the status change of tuning job %s could not be reported", record.name)


def _interrupted(record: TuningRecord) -> TuningRecord:
    """Return the record of a tuning job that was running when its endpoint ended: it has failed, as its jobs have."""
    present = now()
    failed: dict[str, Any] = {"status": JobStatus.FAILED, "ended": present, "failure_reason": INTERRUPTED_REASON}
    trials = tuple(trial if trial.status.terminal else replace(trial, **failed) for trial in record.trials)
    return replace(record, **failed, modified=present, trials=trials)
