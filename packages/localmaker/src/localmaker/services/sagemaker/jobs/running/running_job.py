"""A running job: its instances, their environment and their processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localmaker.images import environments
from localmaker.images.environments import EnvironmentBuildError, JobEnvironment
from localmaker.images.table import ImageTableError, UnknownImageError, find_image
from localmaker.sandbox import sandbox
from localmaker.sandbox.sandbox import Isolation, SandboxError, SandboxProcess, SandboxRequest
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error
from localmaker.services.sagemaker.jobs.running.following import Follower, ProcessEnd, StopSignal
from localmaker.services.sagemaker.jobs.running.instances import Instance

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from localmaker.sandbox.limits import Limits
    from localmaker.services.logs.writer import JobLog
    from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer
    from localmaker.services.sagemaker.jobs.records import JobRecord

# What the machine's package installer needs to reach its index; jobs with network access get these variables, too.
_INSTALLER_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "PIP_CERT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
_LOOPBACK = "127.0.0.1,localhost"


def installer_variables(machine: Mapping[str, str]) -> Mapping[str, str]:
    """Return the machine's variables that ``pip install`` needs in a job; the endpoint is never behind a proxy."""
    found = {name: machine[name] for name in _INSTALLER_VARIABLES if name in machine}
    around = ",".join(part for part in (machine.get("NO_PROXY") or machine.get("no_proxy"), _LOOPBACK) if part)
    proxied = any(name.lower().endswith("_proxy") for name in found)
    return {**found, "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | (
        {"NO_PROXY": around, "no_proxy": around} if proxied else {}
    )


@dataclass
class RunningJob:
    """Everything that the code of one kind of job works with.

    Attributes:
        work: the job's directory; the instances' directories lie in it.
        instances: at least one.
        progress: receives a training job's secondary status, or ``Stopping`` of any job.
        network_variables: variables that let the job find the endpoint.
        state_dir: of the endpoint, for the user's own table of images.
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

    def prepare_environment(self, image: str, requirements: Sequence[str]) -> JobEnvironment:
        """Prepare the image's environment with the job's requirements.

        Requirements that cannot be installed, or that refer to other files, are left to the job; its own installation
        then fails as it would in the container.

        Raises:
            JobFailure: there is no environment for the image, or it cannot be built.
        """
        try:
            environment = environments.image_environment(find_image(image, self.state_dir), self.log.say)
        except UnknownImageError as error:
            # The log gets several lines; a reason has to be one line.
            for line in error.lines:
                self.log.say(line)
            raise client_error(str(error)) from error
        except (ImageTableError, EnvironmentBuildError) as error:
            raise client_error(str(error)) from error
        text = "\n".join(requirements)
        if text.strip() and environments.is_self_contained(text):
            try:
                environment = environments.derived_environment(environment, text, self.log.say)
            except EnvironmentBuildError as error:
                self.log.say(str(error))
        self.environment = environment
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
        request = SandboxRequest(
            command=command,
            environment={
                **self.environment.variables,
                **(installer_variables(os.environ) if network else {}),
                **self.network_variables,
                **variables,
            },
            directory=directory,
            work=instance.work,
            programs=[prefix / "bin" for prefix in prefixes],
            kept=[self.environment.interpreter.prefix, *prefixes],
            overlays=prefixes,
            read_only=read_only,
            network=network,
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
        """Remove the job's directory, whatever permissions its files have."""

        def make_writable(function: Callable[..., object], path: str, _error: object) -> None:
            Path(path).parent.chmod(0o700)
            if Path(path).is_dir() and not Path(path).is_symlink():
                Path(path).chmod(0o700)
            function(path)

        shutil.rmtree(self.work, onerror=make_writable)
