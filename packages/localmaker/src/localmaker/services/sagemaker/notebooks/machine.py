"""The machine of a running instance: one sandbox, in which the scripts run one after the other.

What a script leaves behind runs on until the sandbox ends, so its first program is a shell that waits for the next
script to run. All of it is done by the one thread that uses the machine.
"""

from __future__ import annotations

import json
import os
import selectors
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localmaker.images import environments
from localmaker.images.installer import installer_of_jobs
from localmaker.images.table import DEFAULT_IMAGE, find_image
from localmaker.sandbox import limits, sandbox
from localmaker.sandbox.limits import Limits, limits_now, read_settings
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation, SandboxProcess, SandboxRequest
from localmaker.services.logs.writer import JobLog
from localmaker.services.sagemaker.jobs.data.trees import remove_tree
from localmaker.services.sagemaker.jobs.running.following import StopSignal
from localmaker.services.sagemaker.notebooks import inside

_GIB = 1 << 30
_READ_BYTES = 64 * 1024
_LONGEST_WAIT_SECONDS = 3600.0
#: What the log takes of one script and what it leaves behind, for each start.
MOST_OUTPUT_BYTES = 1 << 20
# Reads "script descriptor", runs the script with its output there, writes the exit status.
_WAITING_SHELL = """
control=$1 report=$2
while read -r -u "$control" script output; do
    ( exec {control}<&- {report}>&- </dev/null; exec /bin/bash -c "$script" ) >&"$output" 2>&1
    echo "$?" >&"$report"
done
"""


class MachineEnded(Exception):  # noqa: N818 - it ends by itself, or is told to
    """The machine has ended, or the instance is being stopped. The message says why, if it was not asked to."""


class OutOfTimeError(Exception):
    """The time of a start is over."""


@dataclass(frozen=True)
class Surroundings:
    """What a machine is given.

    Attributes:
        variables: where AWS's APIs are, and the credentials of the role.
        logs: a client of CloudWatch Logs.
        door: the only way out of its network, if there is one.
        state_dir: of the endpoint.
    """

    variables: Mapping[str, str]
    logs: Any
    door: Door | None
    state_dir: Path


class Output:
    """The output of one script on its way to CloudWatch Logs, of which more than a limit is dropped."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self.reader, self.writer = os.pipe()
        self.log = JobLog(Path(os.devnull), logs, group, stream)
        self._left = MOST_OUTPUT_BYTES

    def take(self, data: bytes) -> None:
        """Take a piece of output."""
        if self._left > 0:
            self.log.write(data[: self._left])
            self._left -= len(data)
            if self._left <= 0:
                self.log.say(f"\n[localmaker] the log takes no more than {MOST_OUTPUT_BYTES >> 20} MiB of a start")

    def close(self) -> None:
        """Send what is left."""
        os.close(self.reader)
        os.close(self.writer)
        self.log.close()


class Machine:
    """One start of an instance, from the clone of its repositories to its stop.

    Args:
        document: of the instance.
        folder: its folder, of which ``volume`` is kept.
        surroundings: what it is given.
        stop: the request to stop it.
    """

    def __init__(self, document: Mapping[str, Any], folder: Path, surroundings: Surroundings, stop: StopSignal) -> None:
        self._document = document
        self._folder = folder
        self._given = surroundings
        self._stop = stop
        self._outputs: dict[int, Output] = {}
        self._process: SandboxProcess | None = None
        self._descriptors: list[int] = []
        self.clear()
        (folder / "volume").mkdir(parents=True, exist_ok=True)
        self._inside = inside.write(folder / "inside")
        self._environment = environments.image_environment(find_image(DEFAULT_IMAGE, surroundings.state_dir))
        self._limits = self._allowed()

    def clear(self) -> None:
        """Remove all but the volume."""
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if path.name != "volume":
                remove_tree(path)

    def run_alone(
        self, command: Sequence[str], variables: Mapping[str, str], inherited: Sequence[int], seconds: float
    ) -> bytes | None:
        """Run a program before the first script; return the end of its output if it has failed.

        Raises:
            MachineEnded: the instance is being stopped, or a limit was exceeded.
            OutOfTimeError: the program takes longer.
        """
        deadline = time.monotonic() + seconds
        process = sandbox.start(self._request(command, variables, inherited))
        text = b""
        try:
            more = True
            while more:
                if process.output() in self._wait([process.output()], deadline):
                    more = bool(data := os.read(process.output(), _READ_BYTES))
                    text = (text + data)[-_READ_BYTES:]
        except (MachineEnded, OutOfTimeError):
            process.kill()
            process.wait()
            raise
        code = process.wait()
        if process.exceeded is not None:
            raise MachineEnded(limits.failure_reason(process.exceeded, self._limits))
        return text if code else None

    def start(self, outputs: Mapping[str, Output], scripts: Mapping[str, bytes]) -> None:
        """Start the shell that runs scripts, each of which is put where AWS puts it."""
        control, self._control = os.pipe()
        self._report, report = os.pipe()
        self._descriptors = [self._control, self._report]
        self._outputs = {output.reader: output for output in outputs.values()}
        self._scripts = {}
        (self._folder / "scripts").mkdir()
        mounted = {}
        for hook, text in scripts.items():
            path = self._folder / "scripts" / hook
            path.write_bytes(text)
            path.chmod(0o755)
            self._scripts[hook] = f"/tmp/{hook}_{time.strftime('%Y-%m-%d-%H-%M', time.gmtime())}"  # noqa: S108 - as AWS
            mounted[self._scripts[hook]] = path
        command = ["/bin/bash", "-c", _WAITING_SHELL, "instance", str(control), str(report)]
        writers = [output.writer for output in outputs.values()]
        request = self._request(command, {}, [control, report, *writers])
        silent = os.open(os.devnull, os.O_WRONLY)
        try:
            request = replace(request, mounted={**request.mounted, **mounted}, output=silent)
            self._process = sandbox.start(request)
        finally:
            for descriptor in (silent, control, report):
                os.close(descriptor)

    def run(self, hook: str, output: Output, deadline: float) -> int:
        """Run a script; return its exit status.

        Raises:
            MachineEnded: the instance is being stopped, or a limit was exceeded.
            OutOfTimeError: the script takes longer.
        """
        os.write(self._control, f"{self._scripts[hook]} {output.writer}\n".encode())
        while self._report not in self._wait([self._report, *self._outputs], deadline):
            pass
        status = os.read(self._report, _READ_BYTES)
        self._drain()
        return int(status or b"1")

    def serve(self) -> None:
        """Let what the scripts have left run on.

        Raises:
            MachineEnded: at last.
        """
        while True:
            self._wait(list(self._outputs), None)

    def close(self) -> None:
        """End everything, and remove all but the volume."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._drain()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        self.clear()

    def _wait(self, readers: Sequence[int], deadline: float | None) -> set[int]:
        """Wait until one of the descriptors can be read, and take the output of scripts meanwhile."""
        life = [] if self._process is None else [self._process.life()]
        dues = [output.log.flush_due for output in self._outputs.values()]
        moments = [moment for moment in (deadline, *dues) if moment is not None]
        wait = min((moment - time.monotonic() for moment in moments), default=_LONGEST_WAIT_SECONDS)
        with selectors.DefaultSelector() as selector:
            for descriptor in {*readers, *life, self._stop.fileno()}:
                selector.register(descriptor, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(max(0.0, wait))}
        self._take(ready)
        if self._stop.requested:
            raise MachineEnded
        if ready & set(life):
            raise MachineEnded(self._end())
        if deadline is not None and time.monotonic() >= deadline:
            raise OutOfTimeError
        return ready

    def _take(self, ready: set[int]) -> None:
        for descriptor in ready & self._outputs.keys():
            self._outputs[descriptor].take(os.read(descriptor, _READ_BYTES))
        for output in self._outputs.values():
            if output.log.flush_due is not None and time.monotonic() >= output.log.flush_due:
                output.log.flush()

    def _drain(self) -> None:
        """Take the output that is there."""
        for descriptor, output in self._outputs.items():
            os.set_blocking(descriptor, False)
            try:
                # What goes on to write does not keep us here.
                for _ in range(MOST_OUTPUT_BYTES // _READ_BYTES):
                    output.take(os.read(descriptor, _READ_BYTES))
            except BlockingIOError:
                pass
            os.set_blocking(descriptor, True)
            output.log.flush()

    def _end(self) -> str:
        """Return why the machine has ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return ""
        process.wait()
        if process.exceeded is None:
            return "ClientError: the instance's first program was ended by one of its scripts."
        return limits.failure_reason(process.exceeded, self._limits)

    def _allowed(self) -> Limits:
        """Return the limits of jobs, and that of the volume."""
        allowed = limits_now(read_settings(), self._folder)
        return replace(allowed, disk_bytes=min(allowed.disk_bytes, self._document["VolumeSizeInGB"] * _GIB))

    def _request(
        self, command: Sequence[str], variables: Mapping[str, str], inherited: Sequence[int]
    ) -> SandboxRequest:
        document, environment = self._document, self._environment
        metadata = self._folder / "ml" / "metadata" / "resource-metadata.json"
        metadata.parent.mkdir(parents=True, exist_ok=True)
        names = {"ResourceArn": document["NotebookInstanceArn"], "ResourceName": document["NotebookInstanceName"]}
        metadata.write_text(json.dumps(names))
        # On AWS instances in a VPC have a second way out, unless that is disabled.
        door = self._given.door if document["DirectInternetAccess"] == "Disabled" else None
        installer = installer_of_jobs(private=[self._given.state_dir])
        return SandboxRequest(
            command=command,
            environment={
                **environment.variables,
                **(installer.variables if door is None else {}),
                **self._given.variables,
                "USER": "root",
                "LOGNAME": "root",
                "LANG": "C.UTF-8",
                **variables,
            },
            directory="/",
            work=self._folder,
            folders={inside.VOLUME: self._folder / "volume"},
            programs=[inside.PROGRAMS, *(f"{prefix}/bin" for prefix in environment.prefixes)],
            visible=[
                environment.interpreter.prefix,
                *environment.prefixes,
                *self._inside.visible,
                *(installer.visible if door is None else ()),
            ],
            mounted=self._inside.mounted,
            network=door or True,
            inherited=inherited,
            host_name="notebook",
            hosts=["notebook"],
            isolation=Isolation.BUBBLEWRAP,
            limits=self._limits,
        )
