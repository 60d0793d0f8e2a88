"""One job while it runs: its process, its time limit, its stop signal, its log."""

from __future__ import annotations

import os
import selectors
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.local import environments
from pipeline.local.environments import EnvironmentBuildError, JobEnvironment
from pipeline.local.jobs import sandbox
from pipeline.local.jobs.failures import client_error
from pipeline.local.jobs.images import ImageTableError, UnknownImageError, find_image
from pipeline.local.jobs.sandbox import Isolation, SandboxError, SandboxProcess, SandboxRequest

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from pipeline.local.jobs.logs import JobLog
    from pipeline.local.jobs.objects import ObjectTransfer
    from pipeline.local.jobs.records import JobRecord

_READ_BYTES = 256 * 1024

# What the machine's own package installer needs to reach its index; a job with network access gets them too.
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
    """The variables of the machine that let ``pip install`` work in a job; the endpoint is never behind a proxy."""
    found = {name: machine[name] for name in _INSTALLER_VARIABLES if name in machine}
    around = ",".join(part for part in (machine.get("NO_PROXY") or machine.get("no_proxy"), _LOOPBACK) if part)
    proxied = any(name.lower().endswith("_proxy") for name in found)
    return {**found, "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | (
        {"NO_PROXY": around, "no_proxy": around} if proxied else {}
    )


@dataclass(frozen=True)
class ProcessEnd:
    """How a job's process ended.

    Attributes:
        code: exit status, 128 + signal number where a signal ended it.
        timed_out: its time limit had passed.
        stopped: someone had asked for it to stop.
    """

    code: int
    timed_out: bool
    stopped: bool


class StopSignal:
    """Set once, from any thread; wakes the job's thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._lock = threading.Lock()
        self.requested = False
        self.at_once = False

    def request(self, *, at_once: bool = False) -> None:
        """Ask the job to end; ``at_once`` leaves it no time to."""
        with self._lock:
            self.requested = True
            self.at_once = self.at_once or at_once
            if self._write >= 0:
                os.write(self._write, b"\0")

    def fileno(self) -> int:
        return self._read

    def clear(self) -> None:
        os.read(self._read, _READ_BYTES)

    def close(self) -> None:
        with self._lock:
            os.close(self._read)
            os.close(self._write)
            self._write = -1


@dataclass
class RunningJob:
    """What the code of one kind of job works with.

    Attributes:
        work: the job's directory; ``work/ml`` is its ``/opt/ml``.
        progress: tells a training job's secondary status.
        network_variables: variables that let the job find the endpoint.
    """

    record: JobRecord
    work: Path
    log: JobLog
    transfer: ObjectTransfer
    sagemaker: SageMakerClient
    stop: StopSignal
    progress: Callable[[str], None]
    network_variables: Mapping[str, str]
    isolation: Isolation
    stop_grace_seconds: float
    environment: JobEnvironment | None = field(default=None)

    @property
    def request(self) -> Mapping[str, Any]:
        return self.record.request

    @property
    def ml(self) -> Path:
        return self.work / "ml"

    def inside(self, path: str) -> str:
        """A path below ``/opt/ml`` as this job's process sees it."""
        return sandbox.view(self.work, path, self.isolation)

    def prepare_environment(self, image: str, requirements: Sequence[str]) -> JobEnvironment:
        """The image's environment with the job's requirements in it.

        Requirements that cannot be installed are left to the job, whose own installation then fails as it would in
        the container; so are those that refer to other files.

        Raises:
            JobFailure: no environment stands in for the image, or it cannot be built.
        """
        try:
            environment = environments.image_environment(find_image(image), self.log.say)
        except (UnknownImageError, ImageTableError, EnvironmentBuildError) as error:
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
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: str,
        *,
        network: bool = True,
        inherited: Sequence[int] = (),
    ) -> SandboxProcess:
        """Start a command in the job's sandbox and environment.

        Raises:
            JobFailure: the entry point does not exist, or the sandbox could not be made.
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
            work=self.work,
            programs=[prefix / "bin" for prefix in prefixes],
            kept=[self.environment.interpreter.prefix, *prefixes],
            overlays=prefixes,
            network=network,
            inherited=inherited,
            isolation=self.isolation,
        )
        try:
            return sandbox.start(request)
        except SandboxError as error:
            raise client_error(f"the container could not be started: {error}") from error

    def follow(self, process: SandboxProcess, seconds: float | None) -> ProcessEnd:
        """Read a process's output until it ends; end it when its time is up or someone asks.

        Args:
            seconds: time limit; None for none.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        kill_at: float | None = None
        timed_out = stopped = False
        with selectors.DefaultSelector() as selector:
            selector.register(process.output(), selectors.EVENT_READ)
            selector.register(process.life(), selectors.EVENT_READ)
            selector.register(self.stop, selectors.EVENT_READ)
            if self.stop.requested:
                self.stop.request()
            alive = True
            while alive:
                moments = [moment for moment in (deadline, kill_at, self.log.flush_due) if moment is not None]
                ready = selector.select(max(0.0, min(moments) - time.monotonic()) if moments else None)
                descriptors = {key.fd for key, _ in ready}
                if process.output() in descriptors and not self._take_output(process):
                    selector.unregister(process.output())
                alive = process.life() not in descriptors
                present = time.monotonic()
                if self.stop.fileno() in descriptors:
                    self.stop.clear()
                    stopped = True
                    kill_at = kill_at or self._end(process, present)
                if deadline is not None and present >= deadline:
                    timed_out, deadline = True, None
                    kill_at = kill_at or self._end(process, present)
                if kill_at is not None and (present >= kill_at or self.stop.at_once):
                    process.kill()
                    kill_at = None
                if self.log.flush_due is not None and present >= self.log.flush_due:
                    self.log.flush()
        os.set_blocking(process.output(), False)
        while self._take_output(process):
            pass
        return ProcessEnd(process.wait(), timed_out, stopped)

    def _end(self, process: SandboxProcess, present: float) -> float:
        process.terminate()
        return present + self.stop_grace_seconds

    def _take_output(self, process: SandboxProcess) -> bool:
        try:
            data = os.read(process.output(), _READ_BYTES)
        except BlockingIOError:
            return False
        self.log.write(data)
        return bool(data)

    def clean_up(self) -> None:
        """Remove the job's directory, whatever rights its files have."""

        def make_writable(function: Callable[..., object], path: str, _error: object) -> None:
            Path(path).parent.chmod(0o700)
            if Path(path).is_dir() and not Path(path).is_symlink():
                Path(path).chmod(0o700)
            function(path)

        shutil.rmtree(self.work, onerror=make_writable)
