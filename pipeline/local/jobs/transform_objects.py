"""The objects of one instance of a transform job, several at a time: down, through the model server, up."""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.local.jobs.failures import JobFailure, client_error
from pipeline.local.jobs.invocations import InvocationError, ModelServerClient, Requests, Settings, transform_file
from pipeline.local.jobs.objects import S3Object, S3Uri, resolve_inside
from pipeline.local.jobs.running import Instance, RunningJob


def transform_objects(
    job: RunningJob,
    instance: Instance,
    client: ModelServerClient,
    objects: Sequence[S3Object],
) -> Sequence[str]:
    """Transform the objects, at most MaxConcurrentTransforms requests at a time over all of them.

    Returns:
        Why some failed, in the order of the objects.
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
    client.close()
    return [failure for result in results if (failure := result.result()) is not None]


def _transform_object(
    job: RunningJob, path: Path, entry: S3Object, requests: Requests, settings: Settings
) -> str | None:
    """Returns why it failed."""
    if job.stop.requested:
        return None
    output = S3Uri.parse(job.request["TransformOutput"]["S3OutputPath"])
    where = f"s3://{entry.bucket}/{entry.key}"
    source, target = path, path.with_suffix(".out")
    try:
        # The tail names the output too, so one that leads elsewhere is refused although nothing is written under it.
        resolve_inside(path, entry.tail)
        job.transfer.download(entry, source)
        if job.request["TransformInput"].get("CompressionType") == "Gzip":
            source = _unzip(source)
        transform_file(source, target, requests, settings)
        prefix = f"{output.key.rstrip('/')}/" if output.key else ""
        job.transfer.upload(target, S3Uri(output.bucket, f"{prefix}{entry.tail}.out"))
    except InvocationError as failure:
        return f"AlgorithmError: See job logs for more information: {where}: {failure}"
    except JobFailure as failure:
        return f"{failure} ({where})"
    finally:
        for each in (path, path.with_suffix(".plain"), target):
            each.unlink(missing_ok=True)
    return None


def _unzip(path: Path) -> Path:
    plain = path.with_suffix(".plain")
    try:
        with gzip.open(path, "rb") as packed, plain.open("wb") as target:
            shutil.copyfileobj(packed, target)
    except (OSError, EOFError) as error:
        raise client_error(f"the object is not compressed with gzip, as CompressionType says: {error}") from error
    return plain
