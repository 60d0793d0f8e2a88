"""A running job: its instances, their environment and their processes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localmaker import clients
from localmaker.images import environments
from localmaker.images.differences import differences
from localmaker.images.environments import EnvironmentBuildError, JobEnvironment
from localmaker.images.installer import Installer, installer_of_jobs
from localmaker.images.patience import Patience, StoppedWaitingError, TimeExceededError
from localmaker.images.requirements import RefusedRequirementsError, brought, is_self_contained
from localmaker.images.table import ImageMapping, ImageTableError, UnknownImageError, find_image
from localmaker.sandbox import sandbox
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation, SandboxError, SandboxProcess, SandboxRequest
from localmaker.services.sagemaker.jobs.data.trees import remove_tree
from localmaker.services.sagemaker.jobs.failures import JobFailure, JobStopped, JobTimedOut, client_error
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.requests import runtime_limit
from localmaker.services.sagemaker.jobs.running.following import Follower, ProcessEnd, StopSignal
from localmaker.services.sagemaker.jobs.running.instances import Instance

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from localmaker.sandbox.limits import Limits
    from localmaker.services.logs.writer import JobLog
    from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer
    from localmaker.services.sagemaker.jobs.records import JobRecord

_LOGGER = logging.getLogger(__name__)
# Where a job sees the environment that it may install into.
_LAYER = "/opt/env"
# Jobs share the machine's cores, where each has its own on AWS: threads of OpenMP that wait must not keep one busy. 300
# rounds of XGBoost on 700 rows took 35 s (10 s of CPU) beside a dozen busy processes on two cores, so 3.2 s (0.5 s).
_SHARED_CORES = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass
class RunningJob:
    """Everything that the code of one kind of job works with.

    Attributes:
        work: the job's directory; the instances' directories lie in it.
        instances: at least one.
        progress: receives a training job's secondary status, or ``Stopping`` of any job.
        network_variables: variables that let the job find the endpoint.
        state_dir: of the endpoint, for the user's own table of images.
        door: the only way out of the network of its processes; without one they have the machine's.
    """

    record: JobRecord
    work: Path
    instances: Sequence[Instance]
    transfer: ObjectTransfer
    sagemaker: SageMakerClient
    stop: StopSignal
    progress: Callable[[str], None]
    network_variables: Mapping[str, str]
    isolation: Isolation
    stop_grace_seconds: float
    limits: Limits
    state_dir: Path
    door: Door | None = None
    environment: JobEnvironment | None = field(default=None)

    @property
    def request(self) -> Mapping[str, Any]:
        """The Create request."""
        return self.record.request

    @property
    def log(self) -> JobLog:
        """The first instance's log, which receives what concerns the whole job."""
        return self.instances[0].log

    @property
    def hosts(self) -> Sequence[str]:
        """The host names in alphabetical order, as AWS lists them."""
        return sorted(instance.host for instance in self.instances)

    def find_image(self, image: str) -> ImageMapping:
        """Return what stands in for an image.

        Raises:
            JobFailure: nothing does, or the table cannot be read.
        """
        try:
            return find_image(image, self.state_dir)
        except (ImageTableError, UnknownImageError) as error:
            raise client_error(str(error)) from error

    def prepare_environment(
        self, image: str, requirements: Sequence[str], wheels: Sequence[Path] = (), *, network: bool = True
    ) -> JobEnvironment:
        """Prepare the image's environment with the job's requirements.

        Requirements that cannot be installed, or that refer to other files, are left to the job; its own installation
        then fails as it would in the container. So are those of a job that reaches no index, and those whose wheels the
        job should bring along but does not.

        A build ends with a stop of the job, and after the time that the job may run.

        Raises:
            JobFailure: there is no environment for the image, or it cannot be built.
            JobStopped: a stop was requested, or the time is over.
        """
        limited = self.record.kind is not JobKind.TRANSFORM
        seconds = runtime_limit(self.request) if limited else None
        patience = Patience(self.stop, None if seconds is None else time.monotonic() + seconds)
        try:
            reaches_index = network and self.door is None
            self.environment = self._environment(image, "\n".join(requirements), wheels, reaches_index, patience)
        except StoppedWaitingError as error:
            raise JobStopped("a stop was requested while its environment was being built") from error
        except TimeExceededError as error:
            raise JobTimedOut(f"Job exceeded the maximum runtime of {seconds} seconds, so it was stopped.") from error
        return self.environment

    def _environment(
        self, image: str, text: str, wheels: Sequence[Path], reaches_index: bool, patience: Patience
    ) -> JobEnvironment:
        mapping = self.find_image(image)
        try:
            environment = environments.image_environment(mapping, self.log.say, patience)
        except EnvironmentBuildError as error:
            raise client_error(str(error)) from error
        different = differences(mapping, environment)
        if different is not None:
            self.log.say(f"{image.rpartition('/')[2]}: {different}")
        if not text.strip() or not is_self_contained(text):
            return environment
        complete = brought(text, wheels)
        if not (reaches_index if complete is None else complete):
            return environment
        try:
            return environments.derived_environment(
                environment, text, self.log.say, patience, [self.state_dir], wheels=wheels if complete else ()
            )
        except RefusedRequirementsError as error:
            raise client_error(str(error)) from error
        except EnvironmentBuildError as error:
            self.log.say(str(error))
            return environment

    def start_process(
        self,
        instance: Instance,
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: str,
        *,
        network: bool = True,
        inherited: Sequence[int] = (),
        read_only: Sequence[str] = (),
    ) -> SandboxProcess:
        """Start a command in an instance's sandbox and the job's environment.

        The arguments are those of :class:`~localmaker.sandbox.sandbox.SandboxRequest`.

        Raises:
            JobFailure: the entry point does not exist, or the sandbox could not be created.
        """
        if self.environment is None:
            raise client_error("the job's environment was not prepared")
        prefixes = self.environment.prefixes
        folder = instance.work / "env"
        seen = str(folder) if self.isolation is Isolation.NONE else _LAYER
        if not folder.exists():
            environments.create_layer(folder, seen, self.environment)
            clients.redirect(folder)
        connected = network and self.door is None
        installer = installer_of_jobs(private=[self.state_dir]) if connected else Installer({}, ())
        request = SandboxRequest(
            command=command,
            environment={
                **_SHARED_CORES,
                **self.environment.variables,
                **installer.variables,
                **self.network_variables,
                **variables,
            },
            directory=directory,
            work=instance.work,
            folders={_LAYER: folder},
            programs=[f"{seen}/bin", *(f"{prefix}/bin" for prefix in prefixes)],
            visible=[self.environment.interpreter.prefix, *prefixes, *installer.visible],
            read_only=read_only,
            network=network and (self.door or True),
            inherited=inherited,
            host_name=instance.host,
            hosts=self.hosts,
            isolation=self.isolation,
            limits=self.limits,
        )
        try:
            return sandbox.start(request)
        except SandboxError as error:
            raise client_error(f"the container could not be started: {error}") from error

    def start_all(self, start: Callable[[Instance], SandboxProcess]) -> list[tuple[Instance, SandboxProcess]]:
        """Start a process on each instance, or on none.

        Raises:
            JobFailure: one could not be started; the others are killed.
        """
        processes: list[tuple[Instance, SandboxProcess]] = []
        try:
            for instance in self.instances:
                processes.append((instance, start(instance)))  # noqa: PERF401 - started processes must be known
        except JobFailure:
            for _, process in processes:
                process.kill()
                process.wait()
            raise
        return processes

    def follow(
        self,
        processes: Sequence[tuple[Instance, SandboxProcess]],
        seconds: float | None,
        *,
        together: bool = True,
    ) -> ProcessEnd:
        """Wait for the processes of the instances; see :class:`.following.Follower`."""
        follower = Follower(
            processes,
            self.stop,
            self.stop_grace_seconds,
            self.limits,
            together=together,
            on_time_limit=lambda: self.progress("Stopping"),
        )
        return follower.follow(seconds)

    def clean_up(self) -> None:
        """Remove the job's directory. A failure to do so is logged; the job's outcome stays what it is."""
        try:
            remove_tree(self.work)
        except OSError:
            _LOGGER.exception("the directory of %s job %s could not be removed", self.record.kind, self.record.name)
