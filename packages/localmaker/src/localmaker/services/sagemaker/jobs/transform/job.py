"""Run a transform job: the model served in a sandbox; objects downloaded, split, sent, joined, uploaded.

Each input object gives one ``.out`` object, written when all of its records are answered. An object that fails does
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
from tempfile import TemporaryDirectory

from localmaker.images.table import ImageMapping
from localmaker.sandbox import limits
from localmaker.sandbox.sandbox import SandboxProcess
from localmaker.services.sagemaker.jobs.data.archives import find_requirements
from localmaker.services.sagemaker.jobs.data.inputs import InputSource, find_objects
from localmaker.services.sagemaker.jobs.data.objects import S3Object
from localmaker.services.sagemaker.jobs.failures import JobFailure, shorten
from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.outcome import Outcome
from localmaker.services.sagemaker.jobs.running import algorithms
from localmaker.services.sagemaker.jobs.running.installing import after_installing
from localmaker.services.sagemaker.jobs.running.instances import Instance
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob
from localmaker.services.sagemaker.jobs.transform import models, user_module
from localmaker.services.sagemaker.jobs.transform.invocations import InvocationError, ModelServerClient
from localmaker.services.sagemaker.jobs.transform.objects import transform_objects, write_data_log
from localmaker.services.sagemaker.jobs.transform.settings import Settings, batch_variables, read_settings
from localmaker.services.sagemaker.jobs.transform.user_module import Installation

_SERVER = Path(__file__).with_name("model_server.py")
_BACKLOG = 128


@dataclass(frozen=True)
class Serving:
    """The model server of each instance.

    Attributes:
        program: the serving program, as the job sees it.
        directory: in which it runs.
        defaults: a module that has what the program lacks; None for the scikit-learn image's.
        variables: the server's environment.
        settings: how objects are sent to it, unless the model says otherwise.
        isolated: the server has no network.
        installation: of the program, before it starts.
    """

    program: PurePosixPath
    directory: str
    defaults: PurePosixPath | None
    variables: Mapping[str, str]
    settings: Settings
    isolated: bool
    installation: Installation


def run(job: RunningJob) -> Outcome:
    """Run the job to its end.

    Raises:
        JobFailure: it failed before its model was served.
    """
    request = job.request
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    objects = find_objects(job.transfer, InputSource.of(source))
    settings = read_settings(request)
    container = models.find_container(job.sagemaker, request["ModelName"])
    variables = {**container.environment, **batch_variables(request), **request.get("Environment", {})}
    # As on AWS, an object belongs to one instance; instances without objects would have nothing to do.
    instances = job.instances[: len(objects)]
    job = replace(job, instances=instances)
    image = job.find_image(container.image)
    own = models.is_served_by_image(image, variables)
    for instance in instances:
        program, defaults = _fetch(job, instance, container, variables, image)
    folder = instances[0].ml / user_module.FOLDER
    requirements = [] if own else find_requirements([folder])
    environment = job.prepare_environment(container.image, requirements, network=not container.isolated)
    installation = Installation([])
    for instance in [] if own else instances:
        installation = user_module.installation(
            instance.ml / user_module.FOLDER,
            program.stem,
            environment,
            variables,
            connected=job.door is None and not container.isolated,
            # A derived environment has them already.
            requirements=bool(requirements) and environment.base is None,
        )
    if job.stop.requested:
        return Outcome(JobStatus.STOPPED)
    serving = Serving(
        program,
        "/" if own else f"/opt/ml/{user_module.FOLDER}",
        defaults,
        variables,
        settings,
        isolated=container.isolated,
        installation=installation,
    )
    return _serve_and_transform(job, serving, objects)


def _fetch(
    job: RunningJob,
    instance: Instance,
    container: models.ModelContainer,
    variables: Mapping[str, str],
    image: ImageMapping,
) -> tuple[PurePosixPath, PurePosixPath | None]:
    """Provide model, programs and server; return the program, and the image's module, which may be the program."""
    models.fetch_model(job, instance, container)
    (instance.ml / "serving").mkdir()
    shutil.copyfile(_SERVER, instance.ml / "serving" / _SERVER.name)
    defaults = None if image.serve is None else algorithms.bring(image.serve, instance.ml)
    if defaults is not None and models.is_served_by_image(image, variables):
        return defaults, defaults
    return models.fetch_program(job, instance, variables), defaults


def _serve_and_transform(job: RunningJob, serving: Serving, objects: Sequence[S3Object]) -> Outcome:
    """Follow the servers' output in this thread, while one more thread for each instance sends its objects."""
    with TemporaryDirectory(prefix="model-") as folder:
        with ExitStack() as listeners:
            sockets = {
                instance.number: listeners.enter_context(_listen(Path(folder, instance.host)))
                for instance in job.instances
            }
            addresses = {number: str(listener.getsockname()) for number, listener in sockets.items()}
            processes = job.start_all(lambda instance: _start_server(job, instance, serving, sockets[instance.number]))
        return _transform(job, serving, processes, addresses, objects)


def _listen(path: Path) -> socket.socket:
    """Return a listening socket for a server without a network.

    A TCP socket would lead out of the job's own network: after a shutdown it connects to anywhere that is reached from
    where it was made.
    """
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(_BACKLOG)
    return listener


def _transform(
    job: RunningJob,
    serving: Serving,
    processes: Sequence[tuple[Instance, SandboxProcess]],
    addresses: Mapping[int, str],
    objects: Sequence[S3Object],
) -> Outcome:
    senders: list[threading.Thread] = []
    reasons: list[list[str]] = []
    for number, (instance, process) in enumerate(processes):
        client = ModelServerClient(addresses[instance.number], serving.settings)
        reasons.append([])
        sender = threading.Thread(
            target=_send_objects,
            args=(job, instance, process, client, objects[number :: len(processes)]),
            kwargs={"installation": serving.installation, "failures": reasons[-1]},
            name=f"transform-{job.record.name}-{instance.host}",
            daemon=True,
        )
        senders.append(sender)
        sender.start()
    end = job.follow(processes, None, together=False)
    for sender in senders:
        sender.join()
    if end.stopped:
        return Outcome(JobStatus.STOPPED)
    failures = [failure for each in reasons for failure in each]
    for failure in failures:
        job.log.say(failure)
    exceeded = [process.exceeded for _, process in processes if process.exceeded is not None]
    if exceeded:
        return Outcome(JobStatus.FAILED, limits.failure_reason(exceeded[0], job.limits))
    if failures:
        return Outcome(JobStatus.FAILED, shorten(failures[0]))
    return Outcome(JobStatus.COMPLETED)


def _start_server(job: RunningJob, instance: Instance, serving: Serving, listener: socket.socket) -> SandboxProcess:
    variables, settings = serving.variables, serving.settings
    workers = int(variables.get("SAGEMAKER_MODEL_SERVER_WORKERS", min(settings.concurrent, os.cpu_count() or 1)))
    return job.start_process(
        instance,
        after_installing(
            serving.installation.wanted,
            [
                "python3",
                f"/opt/ml/serving/{_SERVER.name}",
                f"--listen-fd={listener.fileno()}",
                f"--workers={workers}",
                "--model-dir=/opt/ml/model",
                f"--program={serving.program}",
                *([] if serving.defaults is None else [f"--defaults={serving.defaults}"]),
            ],
        ),
        variables,
        serving.directory,
        network=not serving.isolated,
        inherited=[listener.fileno()],
    )


def _await_server(client: ModelServerClient, installation: Installation) -> None:
    """Return when the model is loaded.

    Raises:
        InvocationError: the server ended, or answers with an error.
    """
    try:
        client.ping()
    except InvocationError as error:
        raise InvocationError(" ".join([str(error), *installation.advice])) from error
    installation.succeeded()


def _send_objects(
    job: RunningJob,
    instance: Instance,
    process: SandboxProcess,
    client: ModelServerClient,
    objects: Sequence[S3Object],
    *,
    installation: Installation,
    failures: list[str],
) -> None:
    """Send an instance's objects to its server, add the reasons of failures to ``failures``, then end the server."""
    try:
        _await_server(client, installation)
        settings = read_settings(job.request, client.execution_parameters())
        client.settings = settings
        write_data_log(instance.data_log, [str(settings)])
        for failure in transform_objects(job, instance, client, objects):
            write_data_log(instance.data_log, failure.log_lines())
            failures.append(failure.reason)
    except InvocationError as error:
        failures.append(f"AlgorithmError: See job logs for more information: {error}")
    except JobFailure as error:
        failures.append(str(error))
    except Exception as error:  # noqa: BLE001 - reported as the job's failure by the thread that waits for this one
        failures.append(f"InternalServerError: {type(error).__name__}: {error}")
    finally:
        process.kill()
