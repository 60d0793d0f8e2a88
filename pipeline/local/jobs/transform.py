"""What a transform job does: the model served in a sandbox; objects down, split, sent, joined, up.

Each input object gives one ``.out`` object, written when all of its records were answered. An object that fails does
not stop the others, but fails the job.
"""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.local.jobs import models, requirements
from pipeline.local.jobs.failures import REASON_LIMIT, JobFailure, client_error
from pipeline.local.jobs.invocations import InvocationError, ModelServerClient, Settings, transform_file
from pipeline.local.jobs.kinds import JobStatus
from pipeline.local.jobs.objects import S3Object, S3Uri, resolve_inside
from pipeline.local.jobs.outcome import Outcome
from pipeline.local.jobs.running import RunningJob

_SERVER = Path(__file__).with_name("model_server.py")
_DEFAULT_PAYLOAD_MB = 6
_DEFAULT_TIMEOUT_SECONDS = 600
_BACKLOG = 128


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it fails before its model is served.
    """
    request = job.request
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    objects = job.transfer.list_prefix(source["S3Uri"])
    settings = read_settings(request)
    container = models.find_container(job.sagemaker, request["ModelName"])
    variables = {**container.environment, **_batch_variables(request, settings), **request.get("Environment", {})}
    models.fetch_model(job, container)
    program = models.fetch_program(job, variables)
    folder = job.ml.joinpath(*program.parent.parts[3:])
    job.prepare_environment(container.image, requirements.find([folder]))
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    return _serve_and_transform(job, program, variables, settings, objects)


def read_settings(request: Mapping[str, Any]) -> Settings:
    """How the request wants its objects sent, with AWS's defaults."""
    source, target, client = request["TransformInput"], request["TransformOutput"], request.get("ModelClientConfig", {})
    split_type = source.get("SplitType", "None")
    return Settings(
        split_type=split_type,
        strategy=request.get("BatchStrategy", "MultiRecord" if split_type != "None" else "SingleRecord"),
        limit_mb=request.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MB),
        concurrent=request.get("MaxConcurrentTransforms", 0) or 1,
        content_type=source.get("ContentType"),
        accept=target.get("Accept"),
        line_after_each=target.get("AssembleWith", "None") == "Line",
        timeout_seconds=client.get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT_SECONDS),
        retries=client.get("InvocationsMaxRetries", 0),
    )


def _batch_variables(request: Mapping[str, Any], settings: Settings) -> Mapping[str, str]:
    strategy = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}[settings.strategy]
    return {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": strategy,
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(settings.limit_mb),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(settings.concurrent),
        "TRANSFORM_JOB_NAME": request["TransformJobName"],
    }


def _serve_and_transform(
    job: RunningJob,
    program: PurePosixPath,
    variables: Mapping[str, str],
    settings: Settings,
    objects: Sequence[S3Object],
) -> Outcome:
    """Two threads: this one follows the server's output, a second one sends the objects and then ends the server."""
    (job.ml / "serving").mkdir()
    shutil.copyfile(_SERVER, job.ml / "serving" / _SERVER.name)
    workers = int(variables.get("SAGEMAKER_MODEL_SERVER_WORKERS", min(settings.concurrent, os.cpu_count() or 1)))
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        process = job.start_process(
            [
                "python3",
                f"/opt/ml/serving/{_SERVER.name}",
                f"--listen-fd={listener.fileno()}",
                f"--workers={workers}",
                "--model-dir=/opt/ml/model",
                f"--program={program}",
            ],
            variables,
            str(program.parent),
            inherited=[listener.fileno()],
        )
        port = listener.getsockname()[1]
    failures: list[str] = []

    def send() -> None:
        try:
            failures.extend(_transform_objects(job, ModelServerClient(port, settings), settings, objects))
        except InvocationError as failure:
            failures.append(f"AlgorithmError: See job logs for more information: {failure}")
        except Exception as error:  # noqa: BLE001 - told as the job's failure by the thread that waits for this one
            failures.append(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            process.kill()

    sender = threading.Thread(target=send, name=f"transform-{job.record.name}", daemon=True)
    sender.start()
    end = job.follow(process, None)
    sender.join()
    if end.stopped:
        return Outcome(JobStatus.STOPPED)
    for failure in failures:
        job.log.say(failure)
    if failures:
        return Outcome(JobStatus.FAILED, failures[0][:REASON_LIMIT])
    return Outcome(JobStatus.COMPLETED)


def _transform_objects(
    job: RunningJob, client: ModelServerClient, settings: Settings, objects: Sequence[S3Object]
) -> Sequence[str]:
    """Transform one object after the other. Returns why some failed.

    Raises:
        InvocationError: the model is not served.
    """
    client.ping()
    failures: list[str] = []
    with ThreadPoolExecutor(settings.concurrent, thread_name_prefix=f"invoke-{job.record.name}") as pool:
        for entry in objects:
            if job.stop.requested:
                break
            try:
                _transform_object(job, entry, client, settings, pool)
            except InvocationError as failure:
                where = f"s3://{entry.bucket}/{entry.key}"
                failures.append(f"AlgorithmError: See job logs for more information: {where}: {failure}")
            except JobFailure as failure:
                failures.append(f"{failure} (s3://{entry.bucket}/{entry.key})")
    client.close()
    return failures


def _transform_object(
    job: RunningJob, entry: S3Object, client: ModelServerClient, settings: Settings, pool: ThreadPoolExecutor
) -> None:
    request = job.request
    output = S3Uri.parse(request["TransformOutput"]["S3OutputPath"])
    # The tail names the output too, so one that leads elsewhere is refused although nothing is written under it here.
    resolve_inside(job.work, entry.tail)
    source, target = job.work / "object", job.work / "object.out"
    try:
        job.transfer.download(entry, source)
        if request["TransformInput"].get("CompressionType") == "Gzip":
            source = _unzip(source)
        transform_file(source, target, client, settings, pool)
        prefix = f"{output.key.rstrip('/')}/" if output.key else ""
        job.transfer.upload(target, S3Uri(output.bucket, f"{prefix}{entry.tail}.out"))
    finally:
        for path in (job.work / "object", job.work / "object.plain", target):
            path.unlink(missing_ok=True)


def _unzip(path: Path) -> Path:
    plain = path.with_suffix(".plain")
    try:
        with gzip.open(path, "rb") as packed, plain.open("wb") as target:
            shutil.copyfileobj(packed, target)
    except (OSError, EOFError) as error:
        raise client_error(f"the object is not compressed with gzip, as CompressionType says: {error}") from error
    return plain
