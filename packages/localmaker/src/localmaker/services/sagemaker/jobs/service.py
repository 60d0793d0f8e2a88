"""Processing, training and transform jobs of the local endpoint."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError, NoRoomError
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation
from localmaker.services.iam.acting import Acting
from localmaker.services.sagemaker.jobs import shapes, validation
from localmaker.services.sagemaker.jobs.execution import Executor, log_file
from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind, JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome
from localmaker.services.sagemaker.jobs.records import INTERRUPTED_REASON, JobRecord, Metric, new_record, now
from localmaker.services.sagemaker.jobs.running.following import StopSignal
from localmaker.services.sagemaker.jobs.store import JobStore
from localmaker.services.sagemaker.jobs.training import warm_pools
from localmaker.services.sagemaker.jobs.training.metrics import Watch
from localmaker.services.sagemaker.jobs.transform.models import check_model
from localmaker.state.room import until_stored, with_reserve

_LOGGER = logging.getLogger(__name__)

StatusCallback = Callable[[JobKind, dict[str, Any]], None]


def _look_away(_value: Metric) -> None:
    """Watch nothing."""


def job_slots() -> threading.Semaphore:
    """Return one slot for each job that this machine runs at the same time."""
    return threading.BoundedSemaphore(max(4, 2 * (os.cpu_count() or 1)))


class JobService:
    """Runs jobs and remembers every job that ever ran.

    Every job has a thread of its own from Create to its end; its record is in a
    :class:`~localmaker.services.sagemaker.jobs.store.JobStore`.

    Args:
        state_dir: the endpoint's state; jobs live in ``jobs/`` below it.
        client: gives a boto3 client of the endpoint by service name; used from many threads.
        url, region, account_id: of the endpoint.
        on_status_change: called with the kind and the Describe response after each change of status, from the job's
            thread. An exception from it is logged and does not change the job.
        isolation: how jobs are isolated from the machine; detected if None.
        stop_grace_seconds: time between the request to stop and the end of the process tree. SageMaker's is 120.
        slots: one for each running job; further jobs wait as InProgress. :func:`job_slots` by default.
        acting: gives each job clients and credentials of its role; without it all jobs use the endpoint's.
        door: the only way out of the network of jobs with a VpcConfig; without one they have the machine's.
        images_dir: where ``images.toml`` lives, if there is one; ``state_dir`` by default.

    Raises:
        LimitSettingError: a variable that sets a limit is not a positive number.
    """

    def __init__(
        self,
        state_dir: Path,
        client: Callable[[str], Any],
        *,
        url: str,
        region: str,
        account_id: str,
        on_status_change: StatusCallback | None = None,
        isolation: Isolation | None = None,
        stop_grace_seconds: float = 120.0,
        slots: threading.Semaphore | None = None,
        acting: Acting | None = None,
        images_dir: Path | None = None,
        door: Door | None = None,
    ) -> None:
        self._store = JobStore(state_dir / "jobs")
        self._executor = Executor(
            client,
            acting=acting,
            state_dir=images_dir or state_dir,
            url=url,
            region=region,
            stop_grace_seconds=stop_grace_seconds,
            isolation=isolation,
            door=door,
        )
        self._region, self._account_id = region, account_id
        self._on_status_change = on_status_change
        self._slots = slots or job_slots()
        self._stops: dict[JobId, StopSignal] = {}
        self._threads: dict[JobId, threading.Thread] = {}
        self._closing = False

    @property
    def isolation(self) -> Isolation:
        """The isolation of jobs from the machine."""
        return self._executor.isolation

    def create(
        self, kind: JobKind, request: Mapping[str, Any], *, tuned_by: str | None = None, watch: Watch = _look_away
    ) -> str:
        """Create a job and start it.

        Args:
            kind: kind of job.
            request: the Create request in botocore's terms, with the job's name.
            tuned_by: ARN of the tuning job that starts a training job.
            watch: receives each value of its metrics, in the job's thread.

        Returns:
            The job's ARN, at once.

        Raises:
            AwsError: ValidationException for a request that cannot be accepted, ResourceInUse for a name in use.
        """
        validation.check_request(kind, request)
        prefix = f"arn:aws:sagemaker:{self._region}:{self._account_id}"
        if kind is JobKind.TRANSFORM:
            check_model(self._executor.sagemaker, request["ModelName"], f"{prefix}:model/{request['ModelName']}")
        record = new_record(kind, f"{prefix}:{kind.resource}/{request[kind.name_field]}", request, tuned_by)
        with self._store.lock:
            if self._closing:
                raise AwsError("InternalFailure", "The local endpoint is shutting down.", 500)
            self._store.add(record)
            self._stops[record.id] = StopSignal()
            thread = threading.Thread(target=self._run, args=(record.id, watch), name=f"job-{record.name}", daemon=True)
            self._threads[record.id] = thread
        self._report(record)
        thread.start()
        return record.arn

    def describe(self, kind: JobKind, name: str) -> dict[str, Any]:
        """Return the Describe response.

        Raises:
            AwsError: ValidationException for a job that does not exist, in AWS's words.
        """
        return shapes.describe(self.record(kind, name))

    def descriptions(self, kind: JobKind) -> list[dict[str, Any]]:
        """Return the Describe responses of every job of a kind."""
        return [shapes.describe(record) for record in self._store.all() if record.kind is kind]

    def record(self, kind: JobKind, name: str) -> JobRecord:
        """Return a job's record, with its tags and its log stream.

        Raises:
            AwsError: as :meth:`describe`.
        """
        return self._store.record(kind, name)

    def wait(self, kind: JobKind, name: str, timeout: float | None = None) -> dict[str, Any]:
        """Block until the job has ended, or until ``timeout`` seconds have passed; returns the Describe response."""
        return shapes.describe(self._store.wait(kind, name, timeout))

    def stop(self, kind: JobKind, name: str) -> None:
        """Ask a job to stop; return at once.

        Raises:
            AwsError: ValidationException for a job that does not exist or has ended.
        """
        with self._store.lock:
            record = self.record(kind, name)
            if record.status.terminal:
                raise AwsError(
                    "ValidationException",
                    f"The request was rejected because the {kind.value.lower()} job is in status {record.status}.",
                )
            if record.status is JobStatus.STOPPING:
                return
            stopping = with_reserve(
                lambda: self._store.change(record.id, status=JobStatus.STOPPING, secondary_status="Stopping")
            )
        self._report(stopping)
        with self._store.lock:
            signal = self._stops.get(record.id)
            if signal is not None:  # None: the job has ended by itself meanwhile
                signal.request()

    def update(self, request: Mapping[str, Any]) -> str:
        """Change a training job as an UpdateTrainingJob request asks, and return its ARN.

        Raises:
            AwsError: ValidationException for a job that does not exist, or that can no longer be changed so.
        """
        with self._store.lock:
            record = self.record(JobKind.TRAINING, request["TrainingJobName"])
            return self._store.change(record.id, **warm_pools.update(record, request, now())).arn

    def delete(self, kind: JobKind, name: str) -> None:
        """Forget a job that has ended, with its files and tags; its name can be used again.

        Raises:
            AwsError: ResourceNotFound for a job that does not exist, ResourceInUse for one that has not ended or whose
                warm pool is available.
        """
        self._store.delete(JobId(kind, name))

    def list(self, kind: JobKind, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the List response for a List request in botocore's terms.

        Raises:
            AwsError: ValidationException for an invalid NextToken.
        """
        return shapes.list_jobs(kind, self._store.all(), request or {})

    def log_path(self, kind: JobKind, name: str, instance: int = 1) -> Path:
        """Return the file with the whole output of one of the job's instances, counted from 1."""
        return log_file(self._store.folder(JobId(kind, name)), instance)

    def change_tags(self, arn: str, added: dict[str, str], removed: Collection[str] = ()) -> dict[str, str]:
        """Change a job's tags; see :meth:`~localmaker.services.sagemaker.jobs.store.JobStore.change_tags`."""
        return self._store.change_tags(arn, added, removed)

    def close(self) -> None:
        """End every running job (they become Failed, with that reason) and wait for their threads."""
        with self._store.lock:
            self._closing = True
            self._store.lock.notify_all()
            threads = list(self._threads.values())
            for stop in self._stops.values():
                stop.request(at_once=True)
        for thread in threads:
            thread.join()

    def _run(self, job: JobId, watch: Watch) -> None:
        with self._slots:
            outcome = self._execute(job, watch)
            self._executor.publish_metrics(job, outcome.series)
        try:
            ended = self._end(job, outcome)
        except NoRoomError as error:
            _LOGGER.warning("%s; the next start reports that the job was interrupted", error)
            return
        self._report(ended)

    def _end(self, job: JobId, outcome: Outcome) -> JobRecord:
        """Store how a job ended; on a full disk, as soon as there is room.

        Raises:
            NoRoomError: the endpoint shuts down before that.
        """
        with self._store.lock:
            if self._closing and self._stops[job].at_once and outcome.status is not JobStatus.COMPLETED:
                outcome = Outcome(JobStatus.FAILED, INTERRUPTED_REASON)
            self._stops.pop(job).close()
            self._threads.pop(job, None)
            changes = {
                "status": outcome.status,
                "secondary_status": outcome.secondary_status or outcome.status.value,
                "failure_reason": outcome.failure_reason,
                "exit_message": outcome.exit_message,
                "metrics": outcome.metrics,
                "ended": now(),
            }
            return until_stored(
                lambda: self._store.change(job, **changes),
                lambda seconds: self._store.lock.wait_for(lambda: self._closing, seconds),
                f"the end of {job.kind} job {job.name}",
            )

    def _execute(self, job: JobId, watch: Watch) -> Outcome:
        record, stop = self._store.record(job.kind, job.name), self._stops[job]
        if stop.requested:
            return Outcome(JobStatus.STOPPED)
        try:
            self._store.change(job, started=now())
        except OSError as error:
            return Outcome(JobStatus.FAILED, f"InternalServerError: the start of the job could not be stored: {error}")
        progress = functools.partial(self._progress, job)
        return self._executor.execute(record, self._store.folder(job), stop, progress, watch)

    def _progress(self, job: JobId, secondary_status: str) -> None:
        """Record a running job's next secondary status. A stopping job stays Stopping, except for uploads."""
        with self._store.lock:
            status = self._store.record(job.kind, job.name).status
            if status is JobStatus.STOPPING and secondary_status != "Uploading":
                return
            if secondary_status == "Stopping":
                status = JobStatus.STOPPING
            record = self._store.change(job, status=status, secondary_status=secondary_status)
        self._report(record)

    def _report(self, record: JobRecord) -> None:
        """Report a status change. Never hold the lock here: the receiver may read or start jobs in other threads."""
        if self._on_status_change is None:
            return
        try:
            self._on_status_change(record.kind, shapes.describe(record))
        except Exception:
            _LOGGER.exception("the status change of %s job %s could not be reported", record.kind, record.name)
