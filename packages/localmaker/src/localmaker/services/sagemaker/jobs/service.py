"""Processing, training and transform jobs of the local endpoint."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs import models, shapes, validation
from localmaker.services.sagemaker.jobs.book import JobBook
from localmaker.services.sagemaker.jobs.execution import Executor, JobClients, log_file
from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind, JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome
from localmaker.services.sagemaker.jobs.records import JobRecord, now
from localmaker.services.sagemaker.jobs.sandbox.following import StopSignal
from localmaker.services.sagemaker.jobs.sandbox.sandbox import Isolation
from localmaker.services.sagemaker.jobs.training import warm_pools
from localmaker.services.sagemaker.jobs.transitions import first_transition, interrupted

__all__ = ["JobClients", "JobService"]

_LOGGER = logging.getLogger(__name__)

StatusCallback = Callable[[JobKind, dict[str, Any]], None]


def job_slots() -> threading.Semaphore:
    """As many jobs as this machine runs at the same time."""
    return threading.BoundedSemaphore(max(4, 2 * (os.cpu_count() or 1)))


class JobService:
    """Runs jobs and knows all that ever ran.

    Every job has a thread of its own from Create to its end. What is known about it is in a
    :class:`~localmaker.services.sagemaker.jobs.book.JobBook`.

    Args:
        state_dir: the endpoint's state; jobs live in ``jobs/`` below it.
        clients: clients on the endpoint.
        url, region, account_id: of the endpoint.
        on_status_change: called with the kind and the Describe response after each change of status, from the job's
            thread. What it raises is logged and does not change the job.
        isolation: how jobs are kept apart from the machine; found out if None.
        stop_grace_seconds: time between the request to stop and the end of the process tree. SageMaker's is 120.
        slots: one for each job that runs; further ones wait as InProgress. :func:`job_slots` by default.
        images_dir: where ``images.toml`` lives, if there is one; ``state_dir`` by default.

    Raises:
        LimitSettingError: a variable that sets a limit is no positive number.
    """

    def __init__(
        self,
        state_dir: Path,
        clients: JobClients,
        *,
        url: str,
        region: str,
        account_id: str,
        on_status_change: StatusCallback | None = None,
        isolation: Isolation | None = None,
        stop_grace_seconds: float = 120.0,
        slots: threading.Semaphore | None = None,
        images_dir: Path | None = None,
    ) -> None:
        self._book = JobBook(state_dir / "jobs")
        self._executor = Executor(
            clients,
            state_dir=images_dir or state_dir,
            url=url,
            region=region,
            stop_grace_seconds=stop_grace_seconds,
            isolation=isolation,
        )
        self._region, self._account_id = region, account_id
        self._on_status_change = on_status_change
        self._slots = slots or job_slots()
        self._stops: dict[JobId, StopSignal] = {}
        self._threads: dict[JobId, threading.Thread] = {}
        self._closing = False

    @property
    def isolation(self) -> Isolation:
        """How jobs are kept apart from the machine."""
        return self._executor.isolation

    def create(self, kind: JobKind, request: Mapping[str, Any]) -> str:
        """Make a job and start it.

        Args:
            kind: kind of job.
            request: the Create request in botocore's terms, with the job's name.

        Returns:
            The job's ARN, at once.

        Raises:
            AwsError: ValidationException for a request that cannot be accepted, ResourceInUse for a name in use.
        """
        validation.check_request(kind, request)
        if kind is JobKind.TRANSFORM:
            model = request["ModelName"]
            arn = f"arn:aws:sagemaker:{self._region}:{self._account_id}:model/{model}"
            models.check_model(self._executor.sagemaker, model, arn)
        name: str = request[kind.name_field]
        arn = f"arn:aws:sagemaker:{self._region}:{self._account_id}:{kind.resource}/{name}"
        present = now()
        kept = {field: value for field, value in request.items() if field != "Tags"}
        record = JobRecord(
            kind,
            name,
            arn,
            kept,
            created=present,
            modified=present,
            log_stream=f"{name}/algo-1-{int(present.timestamp())}",
            transitions=first_transition(present),
            tags=tuple(request.get("Tags", [])),
        )
        with self._book.lock:
            if self._closing:
                raise AwsError("InternalFailure", "The local endpoint is shutting down.", 500)
            self._book.add(record)
            self._stops[record.id] = StopSignal()
            thread = threading.Thread(target=self._run, args=(record.id,), name=f"job-{name}", daemon=True)
            self._threads[record.id] = thread
        self._tell(record)
        thread.start()
        return arn

    def describe(self, kind: JobKind, name: str) -> dict[str, Any]:
        """The Describe response.

        Raises:
            AwsError: ValidationException for a job that does not exist, in AWS's words.
        """
        return shapes.describe(self.record(kind, name))

    def record(self, kind: JobKind, name: str) -> JobRecord:
        """What is known about a job, with its tags and its log stream.

        Raises:
            AwsError: as :meth:`describe`.
        """
        return self._book.record(kind, name)

    def wait(self, kind: JobKind, name: str, timeout: float | None = None) -> dict[str, Any]:
        """Block until the job has ended, or until ``timeout`` seconds have passed; returns the Describe response."""
        return shapes.describe(self._book.wait(kind, name, timeout))

    def stop(self, kind: JobKind, name: str) -> None:
        """Ask a job to stop; returns at once.

        Raises:
            AwsError: ValidationException for a job that does not exist or has ended.
        """
        with self._book.lock:
            record = self.record(kind, name)
            if record.status.terminal:
                raise AwsError(
                    "ValidationException",
                    f"The request was rejected because the {kind.value.lower()} job is in status {record.status}.",
                )
            if record.status is JobStatus.STOPPING:
                return
            stopping = self._book.change(record.id, status=JobStatus.STOPPING, secondary_status="Stopping")
        self._tell(stopping)
        with self._book.lock:
            signal = self._stops.get(record.id)
            if signal is not None:  # else it has ended by itself in between
                signal.request()

    def update(self, request: Mapping[str, Any]) -> str:
        """Change a training job as an UpdateTrainingJob request asks. Returns its ARN.

        Raises:
            AwsError: ValidationException for a job that does not exist, or that can no longer be changed so.
        """
        with self._book.lock:
            record = self.record(JobKind.TRAINING, request["TrainingJobName"])
            return self._book.change(record.id, **warm_pools.update(record, request, now())).arn

    def delete(self, kind: JobKind, name: str) -> None:
        """Forget a job that has ended, with its files and tags; its name can be used again.

        Raises:
            AwsError: ResourceNotFound for a job that does not exist, ResourceInUse for one that has not ended or whose
                warm pool is available.
        """
        self._book.delete(JobId(kind, name))

    def list(self, kind: JobKind, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The List response for a List request in botocore's terms.

        Raises:
            AwsError: ValidationException for an invalid NextToken.
        """
        return shapes.list_jobs(kind, self._book.all(), request or {})

    def log_path(self, kind: JobKind, name: str, instance: int = 1) -> Path:
        """The file that holds the whole output of one of the job's instances, counted from 1."""
        return log_file(self._book.folder(JobId(kind, name)), instance)

    def owns_arn(self, arn: str) -> bool:
        """Whether the ARN is of a kind of job; the job need not exist."""
        return JobId.of_arn(arn) is not None

    def add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The AddTags response for a job; see :meth:`~localmaker.services.sagemaker.jobs.book.JobBook.add_tags`."""
        return self._book.add_tags(request)

    def list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The ListTags response for a job; fails as :meth:`describe`."""
        return self._book.list_tags(request)

    def delete_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The DeleteTags response for a job; fails as :meth:`describe`."""
        return self._book.delete_tags(request)

    def close(self) -> None:
        """End every running job (they become Failed, with that reason) and wait for their threads."""
        with self._book.lock:
            self._closing = True
            threads = list(self._threads.values())
            for stop in self._stops.values():
                stop.request(at_once=True)
        for thread in threads:
            thread.join()

    def _run(self, job: JobId) -> None:
        with self._slots:
            outcome = self._execute(job)
            self._executor.publish_metrics(job, outcome.series)
        with self._book.lock:
            if self._closing and self._stops[job].at_once and outcome.status is not JobStatus.COMPLETED:
                outcome = Outcome(
                    JobStatus.FAILED, interrupted(self._book.record(job.kind, job.name))["failure_reason"]
                )
            self._stops.pop(job).close()
            self._threads.pop(job, None)
            ended = self._book.change(
                job,
                status=outcome.status,
                secondary_status=outcome.secondary_status or outcome.status.value,
                failure_reason=outcome.failure_reason,
                exit_message=outcome.exit_message,
                metrics=outcome.metrics,
                ended=now(),
            )
        self._tell(ended)

    def _execute(self, job: JobId) -> Outcome:
        record, stop = self._book.record(job.kind, job.name), self._stops[job]
        if stop.requested:
            return Outcome(JobStatus.STOPPED)
        self._book.change(job, started=now())
        progress = functools.partial(self._progress, job)
        return self._executor.execute(record, self._book.folder(job), stop, progress)

    def _progress(self, job: JobId, secondary_status: str) -> None:
        """A running job's next station. One that is stopping stays so, but for what it still uploads."""
        with self._book.lock:
            status = self._book.record(job.kind, job.name).status
            if status is JobStatus.STOPPING and secondary_status != "Uploading":
                return
            if secondary_status == "Stopping":
                status = JobStatus.STOPPING
            record = self._book.change(job, status=status, secondary_status=secondary_status)
        self._tell(record)

    def _tell(self, record: JobRecord) -> None:
        """Never with the lock held: whoever is told may ask for jobs, or start some, in other threads."""
        if self._on_status_change is None:
            return
        try:
            self._on_status_change(record.kind, shapes.describe(record))
        except Exception:
            _LOGGER.exception("status change of %s job %s could not be told", record.kind, record.name)
