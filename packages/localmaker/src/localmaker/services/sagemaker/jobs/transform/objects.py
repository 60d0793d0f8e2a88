"""Transform the objects of one instance, several at a time: download, model server, upload."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localmaker.services.logs.writer import JobLog
from localmaker.services.sagemaker.jobs.data.archives import gunzip
from localmaker.services.sagemaker.jobs.data.objects import S3Object, S3Uri, resolve_inside
from localmaker.services.sagemaker.jobs.failures import JobFailure, JobStopped
from localmaker.services.sagemaker.jobs.running.instances import Instance
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob
from localmaker.services.sagemaker.jobs.transform.invocations import (
    InvocationError,
    ModelServerClient,
    Requests,
    transform_file,
)
from localmaker.services.sagemaker.jobs.transform.settings import Settings


@dataclass(frozen=True)
class ObjectFailure:
    """An object that could not be transformed, and the reason."""

    entry: S3Object
    error: JobFailure

    @property
    def name(self) -> str:
        """Bucket and key, as SageMaker's log names objects."""
        return f"{self.entry.bucket}/{self.entry.key}"

    @property
    def reason(self) -> str:
        """The FailureReason of the job."""
        if not isinstance(self.error, InvocationError):
            return f"{self.error} (s3://{self.name})"
        kind = "ClientError" if self.error.is_client_error else "AlgorithmError"
        return f"{kind}: See job logs for more information: s3://{self.name}: {self.error}"

    def log_lines(self) -> Sequence[str]:
        """Return SageMaker's own lines on why the object failed, with the algorithm's answer if there was one."""
        error = self.error
        if not isinstance(error, InvocationError) or error.status is None:
            return [f"{self.name}: {error}"]
        first = f"ClientError: {error.status}" if error.is_client_error else error.text
        return [f"{self.name}: {line}" for line in (first, "", "Message:", *error.body.splitlines())]


def write_data_log(log: JobLog | None, lines: Sequence[str]) -> None:
    """Write lines to the log stream of SageMaker itself: ``<job>/<instance>/data-log``."""
    if log is None:
        return
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").partition("+")[0]
    for line in lines:
        log.say(f"{moment}:[sagemaker logs]: {line}")
    log.flush()


def transform_objects(
    job: RunningJob,
    instance: Instance,
    client: ModelServerClient,
    objects: Sequence[S3Object],
) -> Sequence[ObjectFailure]:
    """Transform the objects, at most MaxConcurrentTransforms requests at a time over all of them.

    Returns:
        The failures, in the order of the objects.
    """
    settings = client.settings
    requests = threading.BoundedSemaphore(settings.concurrent)
    with (
        ThreadPoolExecutor(settings.concurrent, thread_name_prefix=f"invoke-{job.record.name}") as senders,
        ThreadPoolExecutor(settings.concurrent, thread_name_prefix=f"object-{job.record.name}") as readers,
    ):
        sending = Requests(client, senders, requests)
        results = [
            readers.submit(_transform_object, job, instance.work / f"object-{number}", entry, sending, settings)
            for number, entry in enumerate(objects)
        ]
    return [failure for result in results if (failure := result.result()) is not None]


def _transform_object(
    job: RunningJob, path: Path, entry: S3Object, requests: Requests, settings: Settings
) -> ObjectFailure | None:
    """Transform one object; return its failure, if any."""
    if job.stop.requested:
        return None
    output = S3Uri.parse(job.request["TransformOutput"]["S3OutputPath"])
    source, target = path, path.with_suffix(".out")
    try:
        # The tail names the output, too: refuse one that leads out of the folder, although nothing is written there.
        resolve_inside(path, entry.tail)
        job.transfer.download(entry, source)
        if job.request["TransformInput"].get("CompressionType") == "Gzip":
            source = path.with_suffix(".plain")
            gunzip(path, source, "the object", job.limits.disk_bytes)
        transform_file(source, target, requests, settings)
        job.transfer.upload(target, output.child(f"{entry.tail}.out"))
    except JobStopped:
        return None
    except JobFailure as failure:
        return ObjectFailure(entry, failure)
    finally:
        for each in (path, path.with_suffix(".plain"), target):
            each.unlink(missing_ok=True)
    return None
