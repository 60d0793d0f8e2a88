"""What a transform job does: the model served in a sandbox; objects down, split, sent, joined, up.

Each input object gives one ``.out`` object, written when all of its records were answered. An object that fails does
not stop the others, but fails the job.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.local.jobs import limits, models, requirements
from pipeline.local.jobs.failures import REASON_LIMIT
from pipeline.local.jobs.inputs import InputSource, find_objects
from pipeline.local.jobs.invocations import InvocationError, ModelServerClient, Settings
from pipeline.local.jobs.kinds import JobStatus
from pipeline.local.jobs.objects import S3Object
from pipeline.local.jobs.outcome import Outcome
from pipeline.local.jobs.record_data import DataProcessing
from pipeline.local.jobs.running import Instance, RunningJob
from pipeline.local.jobs.sandbox import SandboxProcess
from pipeline.local.jobs.transform_objects import transform_objects

_SERVER = Path(__file__).with_name("model_server.py")
_DEFAULT_PAYLOAD_MB = 6
_DEFAULT_TIMEOUT_SECONDS = 600
_BACKLOG = 128


@dataclass(frozen=True)
class Serving:
    """How each instance serves the model.

    Attributes:
        program: the serving program, as the job sees it.
        variables: the server's environment.
        settings: how objects are sent to it.
    """

    program: PurePosixPath
    variables: Mapping[str, str]
    settings: Settings


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it fails before its model is served.
    """
    request = job.request
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    objects = find_objects(job.transfer, InputSource.of(source))
    settings = read_settings(request)
    container = models.find_container(job.sagemaker, request["ModelName"])
    variables = {**container.environment, **_batch_variables(request, settings), **request.get("Environment", {})}
    # As on AWS, an object belongs to one instance; instances without any would have nothing to do.
    instances = job.instances[: len(objects)]
    job = replace(job, instances=instances)
    programs = [_fetch(job, instance, container, variables) for instance in instances]
    folder = instances[0].ml.joinpath(*programs[0].parent.parts[3:])
    job.prepare_environment(container.image, requirements.find([folder]))
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    return _serve_and_transform(job, Serving(programs[0], variables, settings), objects)


def _fetch(
    job: RunningJob, instance: Instance, container: models.ModelContainer, variables: Mapping[str, str]
) -> PurePosixPath:
    models.fetch_model(job, instance, container)
    program = models.fetch_program(job, instance, variables)
    (instance.ml / "serving").mkdir()
    shutil.copyfile(_SERVER, instance.ml / "serving" / _SERVER.name)
    return program


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
        data=DataProcessing.of(request),
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


def _serve_and_transform(job: RunningJob, serving: Serving, objects: Sequence[S3Object]) -> Outcome:
    """This thread follows the servers' output; one more an instance sends its objects and then ends its server."""
    with ExitStack() as listeners:
        sockets = {
            instance.number: listeners.enter_context(socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG))
            for instance in job.instances
        }
        ports = {number: listener.getsockname()[1] for number, listener in sockets.items()}
        processes = job.start_all(lambda instance: _start_server(job, instance, serving, sockets[instance.number]))
    senders = []
    for number, (instance, process) in enumerate(processes):
        client = ModelServerClient(ports[instance.number], serving.settings)
        senders.append(_Sender(job, instance, process, client, objects[number :: len(processes)]))
        senders[-1].start()
    end = job.follow(processes, None, together=False)
    for sender in senders:
        sender.join()
    if end.stopped:
        return Outcome(JobStatus.STOPPED)
    failures = [failure for sender in senders for failure in sender.failures]
    for failure in failures:
        job.log.say(failure)
    exceeded = [process.exceeded for _, process in processes if process.exceeded is not None]
    if exceeded:
        return Outcome(JobStatus.FAILED, limits.failure_reason(exceeded[0], job.limits))
    if failures:
        return Outcome(JobStatus.FAILED, failures[0][:REASON_LIMIT])
    return Outcome(JobStatus.COMPLETED)


def _start_server(job: RunningJob, instance: Instance, serving: Serving, listener: socket.socket) -> SandboxProcess:
    variables, settings = serving.variables, serving.settings
    workers = int(variables.get("SAGEMAKER_MODEL_SERVER_WORKERS", min(settings.concurrent, os.cpu_count() or 1)))
    return job.start_process(
        instance,
        [
            "python3",
            f"/opt/ml/serving/{_SERVER.name}",
            f"--listen-fd={listener.fileno()}",
            f"--workers={workers}",
            "--model-dir=/opt/ml/model",
            f"--program={serving.program}",
        ],
        variables,
        str(serving.program.parent),
        inherited=[listener.fileno()],
    )


class _Sender(threading.Thread):
    """Sends an instance's objects to its server, then ends the server. Its failures are there when it has ended."""

    def __init__(
        self,
        job: RunningJob,
        instance: Instance,
        process: SandboxProcess,
        client: ModelServerClient,
        objects: Sequence[S3Object],
    ) -> None:
        super().__init__(name=f"transform-{job.record.name}-{instance.host}", daemon=True)
        self._job, self._instance, self._process = job, instance, process
        self._client, self._objects = client, objects
        self.failures: list[str] = []

    def run(self) -> None:
        try:
            self._client.ping()
            self.failures += transform_objects(self._job, self._instance, self._client, self._objects)
        except InvocationError as failure:
            self.failures.append(f"AlgorithmError: See job logs for more information: {failure}")
        except Exception as error:  # noqa: BLE001 - told as the job's failure by the thread that waits for this one
            self.failures.append(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            self._process.kill()
