"""Start and stop the local endpoint as a process of its own.

::

    from localmaker import daemon

    running = daemon.up(port=4566, detach=True)   # returns when requests are answered
    daemon.status()                               # Running, or None
    daemon.down()                                 # stops jobs, too

Tests use :func:`running_endpoint`, whose endpoint ends with them.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localmaker.errors import (
    EndpointNotRunningError,
    EndpointStartError,
    LocalmakerError,
    MotoVersionError,
    NotLoopbackError,
    PortInUseError,
    StateInUseError,
    StateUnavailableError,
    UnsafeStateError,
)
from localmaker.state.credentials import ANY, Credentials, administrator_of
from localmaker.state.directory import (
    LOG_NAME,
    Running,
    command_for,
    default_state_dir,
    find_running,
    make_private,
    running_of,
)
from localmaker.state.log import set_aside_if_large
from localmaker.template import Program, launch

if TYPE_CHECKING:
    import psutil

# The port that other local AWS endpoints use too, so that tools know it.
DEFAULT_PORT = 4566

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOG_TAIL_BYTES = 4000
# Errors that the process reports by name; anything else is in its log.
_KNOWN_ERRORS = (
    PortInUseError,
    NotLoopbackError,
    StateInUseError,
    StateUnavailableError,
    UnsafeStateError,
    MotoVersionError,
)
_REPORTED = {error.__name__: error for error in _KNOWN_ERRORS}
_PACKAGE_ROOT = Path(__file__).resolve().parents[1]


def up(
    port: int = DEFAULT_PORT,
    *,
    host: str = "127.0.0.1",
    detach: bool = True,
    state_dir: Path | None = None,
    on_ready: Callable[[Running], None] | None = None,
    enforce_iam: bool = False,
    record_actions: Path | None = None,
    habits: int | None = None,
    no_egress: bool = False,
) -> Running | None:
    """Start the endpoint, or return the one that is already running on this state directory.

    Args:
        port: TCP port; 0 picks a free one.
        host: a loopback address; anything else is refused.
        detach: start it in the background, where it outlives the terminal, and return once it answers. Otherwise
            serve in this process until Ctrl-C or SIGTERM and return None.
        state_dir: where the state is kept; :func:`default_state_dir` by default.
        on_ready: called when requests are answered (also when detached).
        enforce_iam: take only credentials that the endpoint gave out, and refuse what policies do not allow.
        record_actions: file to which the IAM actions that roles use are written.
        habits: seed of AWS's habits (:mod:`localmaker.habits`); None has none of them.
        no_egress: jobs and functions with a VpcConfig reach nothing but the endpoint.

    Raises:
        PortInUseError: the port is taken (the message says by what), or the running endpoint has another port.
        NotLoopbackError: ``host`` can be reached from other machines.
        StateInUseError: another endpoint is just starting on the state directory.
        UnsafeStateError: it belongs to another user, or is open to others and used for something else.
        EndpointStartError: it exited or did not answer, or ``no_egress`` cannot take effect here; the message holds the
            end of its log.
    """
    directory = (state_dir or default_state_dir()).absolute()
    running = find_running(directory)
    if running is not None:
        if port not in (0, running.port):
            raise PortInUseError(
                f"the local endpoint is already running at {running.url}, not on port {port}; "
                f"stop it first: {command_for('down', directory)}"
            )
        unlike = (enforce_iam and not running.enforces_iam) or (no_egress and not running.no_egress)
        if unlike or record_actions is not None or habits is not None:
            raise StateInUseError(
                f"the local endpoint is already running at {running.url}, started with other options; "
                f"stop it first: {command_for('down', directory)}"
            )
    elif detach:
        running = _start(
            directory,
            port,
            host=host,
            detached=True,
            enforce_iam=enforce_iam,
            record_actions=record_actions,
            habits=habits,
            no_egress=no_egress,
        )[0]
    else:
        from localmaker.process import run  # status and down stay fast without it

        run(
            directory,
            port,
            host=host,
            enforce_iam=enforce_iam,
            record_actions=record_actions,
            habits=habits,
            no_egress=no_egress,
            on_ready=lambda record: on_ready and on_ready(running_of(record, directory)),
        )
        return None
    if on_ready is not None:
        on_ready(running)
    return running


def status(state_dir: Path | None = None) -> Running | None:
    """Return the running endpoint, or None."""
    return find_running((state_dir or default_state_dir()).absolute())


def credentials(running: Running) -> Credentials:
    """Return credentials that may do everything on a running endpoint; any will do unless it enforces IAM.

    Raises:
        UnsafeStateError: the file with them can be read by other users.
    """
    return administrator_of(running.state_dir) if running.enforces_iam else ANY


def environment(running: Running) -> dict[str, str]:
    """Return the environment variables that make any AWS client use a running endpoint."""
    return {
        "AWS_ENDPOINT_URL": running.url,
        **credentials(running).variables(),
        "AWS_DEFAULT_REGION": running.region,
        "AWS_REGION": running.region,
    }


def down(state_dir: Path | None = None) -> None:
    """Stop the endpoint and everything that it started.

    Raises:
        EndpointNotRunningError: no endpoint is running.
    """
    directory = (state_dir or default_state_dir()).absolute()
    running = find_running(directory)
    if running is None:
        raise EndpointNotRunningError(f"no local endpoint is running on {directory}")
    _stop(running)


def _start(
    directory: Path,
    port: int,
    *,
    detached: bool,
    host: str = "127.0.0.1",
    record_actions: Path | None = None,
    enforce_iam: bool = False,
    habits: int | None = None,
    no_egress: bool = False,
) -> tuple[Running, subprocess.Popen[bytes] | Program]:
    from localmaker.process import own_variables  # status and down stay fast without it

    tightened = make_private(directory)
    ready, ready_for_child = os.pipe()
    arguments = ["--state-dir", str(directory), "--port", str(port), "--host", host, "--ready-fd", str(ready_for_child)]
    arguments.append("--detach" if detached else "--until-stdin-closes")
    arguments += ["--record-actions", str(record_actions.absolute())] if record_actions is not None else []
    arguments += ["--enforce-iam"] if enforce_iam else []
    arguments += ["--habits", str(habits)] if habits is not None else []
    arguments += ["--no-egress"] if no_egress else []
    path = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    log = directory / LOG_NAME
    set_aside_if_large(log)
    try:
        with log.open("ab") as output:
            if tightened is not None:
                output.write(f"{tightened}\n".encode())
                output.flush()
            start_of_log = output.tell()
            process = launch(
                "localmaker.process",
                arguments,
                output=output.fileno(),
                environment=own_variables({**os.environ, "PYTHONPATH": path}),
                directory=directory,
                pass_fds=(ready_for_child,),
                imported=None if detached else "localmaker.endpoint",
            )
    finally:
        os.close(ready_for_child)
    with os.fdopen(ready) as pipe:
        answered, _, _ = select.select([pipe], [], [], _START_SECONDS)
        text = pipe.read() if answered else ""
    if not text and not answered:
        os.killpg(process.pid, signal.SIGKILL)
    record = json.loads(text) if text else {}
    if detached or "pid" not in record:
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
    if "pid" not in record:
        raise _start_error(record, log, start_of_log)
    return running_of(record, directory), process


def _start_error(record: dict[str, Any], log: Path, start: int) -> LocalmakerError:
    """Return the error that the process reported, or one with the end of its log."""
    known: type[LocalmakerError] | None = _REPORTED.get(record.get("error", ""))
    if known is not None:
        return known(record["message"])
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _LOG_TAIL_BYTES))
        tail = file.read().decode("utf-8", "replace").strip()
    return EndpointStartError(
        f"the local endpoint did not start. The end of {log}:\n{tail or record.get('message', '')}"
    )


def _stop(running: Running) -> None:
    import psutil  # status and down stay fast without it

    try:
        process = psutil.Process(running.pid)
        started = process.children(recursive=True)
        process.terminate()
        process.wait(_STOP_SECONDS)
    except psutil.NoSuchProcess:
        started = []
    except psutil.TimeoutExpired:
        process.kill()
    _kill_all(started)
    deadline = time.monotonic() + _STOP_SECONDS
    while find_running(running.state_dir) is not None and time.monotonic() < deadline:
        time.sleep(0.01)


def _kill_all(processes: list[psutil.Process]) -> None:
    import psutil  # see above

    for process in processes:
        try:
            process.kill()  # psutil compares start times, so a reused process id is left alone
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=_STOP_SECONDS)


class EndpointHandle:
    """A running endpoint, for tests.

    Attributes:
        url, state_dir, region: of the endpoint.
        credentials: that may do everything; any will do unless IAM is enforced.
    """

    def __init__(self, running: Running) -> None:
        self.running = running
        self.url = running.url
        self.state_dir = running.state_dir
        self.region = running.region
        self.credentials = credentials(running)
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    def environment(self) -> dict[str, str]:
        """Return the variables that make any AWS client use it."""
        return environment(self.running)

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client of it."""
        import boto3.session  # commands that need no client stay fast without it

        key = (service, region or self.region)
        if key not in self._clients:
            # One session for all: it reads the service models once.
            self._session = self._session or boto3.session.Session(
                aws_access_key_id=self.credentials.access_key, aws_secret_access_key=self.credentials.secret_key
            )
            self._clients[key] = self._session.client(service, region_name=key[1], endpoint_url=self.url)
        return self._clients[key]

    def move_clock(self, now: str, deliveries: int = 1) -> dict[str, Any]:
        """Move the clock of its schedules, and start what has become due (see :mod:`localmaker.http.clock`).

        Args:
            now: such as ``2026-12-01T03:00:00Z``.
            deliveries: how often each call is delivered.

        Raises:
            ValueError: it is not a time.
        """
        from botocore import auth, awsrequest, credentials, httpsession

        body = json.dumps({"now": now, "deliveries": deliveries}).encode()
        request = awsrequest.AWSRequest("POST", f"{self.url}/_local/clock", data=body)
        signer = credentials.Credentials(self.credentials.access_key, self.credentials.secret_key)
        auth.SigV4Auth(signer, "scheduler", self.region).add_auth(request)
        answer = httpsession.URLLib3Session().send(request.prepare())
        content: dict[str, Any] = json.loads(answer.content)
        if answer.status_code != HTTPStatus.OK:
            raise ValueError(content.get("message", content))
        return content


@contextmanager
def running_endpoint(
    state_dir: Path,
    port: int = 0,
    *,
    record_actions: Path | None = None,
    enforce_iam: bool = False,
    habits: int | None = None,
    no_egress: bool = False,
) -> Iterator[EndpointHandle]:
    """Run an endpoint in a process of its own for as long as the block runs.

    It stops at the end of the block, and also when the process that started it is killed.

    Args:
        state_dir: where the state is kept; a second endpoint on it sees what the first one left.
        port: TCP port; 0 picks a free one.
        record_actions: file to which the IAM actions that roles use are written.
        enforce_iam: take only credentials that the endpoint gave out, and refuse what policies do not allow.
        habits: seed of AWS's habits (:mod:`localmaker.habits`); None has none of them.
        no_egress: jobs and functions with a VpcConfig reach nothing but the endpoint.
    """
    running, process = _start(
        state_dir.absolute(),
        port,
        detached=False,
        record_actions=record_actions,
        enforce_iam=enforce_iam,
        habits=habits,
        no_egress=no_egress,
    )
    try:
        yield EndpointHandle(running)
    finally:
        _stop(running)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
