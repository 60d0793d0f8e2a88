"""The sandbox of a job: its own root file system, ``/opt/ml`` and processes, in a tree that ends as a whole.

There are two mechanisms, chosen by :func:`detect_isolation`:

*bubblewrap* (Linux; as root, or unprivileged where user namespaces are allowed): see :mod:`.bubblewrap`.

*Substitution* (macOS, and where namespaces are forbidden): the process runs in the machine's own file system, and
``/opt/ml`` is replaced by the job's directory in its arguments, its environment and the small text files it was given
(``substitution.py``). Differences from AWS: a path that a program builds at run time is not replaced; the job can read
and write whatever its user can; processes that detach twice survive on macOS; ``EnableNetworkIsolation`` has no effect.
The environment variable ``LOCALMAKER_SANDBOX`` (``bubblewrap``, ``none``) forces a mechanism.
"""

from __future__ import annotations

import functools
import marshal
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from localmaker.errors import LocalmakerError
from localmaker.sandbox import bubblewrap, substitution
from localmaker.sandbox.limits import Limits, limits_now, read_settings
from localmaker.sandbox.network import Door, OpenedDoor

# Isolated from the machine's Python settings and without site-packages: it needs only the standard library.
_GUARD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from localmaker.sandbox.guard.program import main
os._exit(main())
"""
_SOURCES = Path(__file__).parents[2]
_LIMIT_BYTES = 64
_MESSAGE_BYTES = 4000
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


#: Why a job whose network has only one way out does not start.
NO_DOOR = (
    "it has a VpcConfig, which has no effect without a sandbox; start the endpoint without --no-egress to run it anyway"
)


class SandboxError(LocalmakerError):
    """The job's process could not be started: no such entry point, or the sandbox could not be created."""


class Isolation(StrEnum):
    """The ways to isolate a job from the machine."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"


@dataclass(frozen=True)
class SandboxRequest:
    """A command to run, and what it sees of the machine.

    Attributes:
        command: argument list; the first entry is looked up in the environment's ``PATH``.
        environment: complete environment; ``PATH`` and ``HOME`` are added if absent.
        directory: working directory, as the job sees it.
        work: the job's directory on the machine; ``ml/`` in it is its ``/opt/ml``.
        folders: more directories that the job may write to: path as it sees it → directory on the machine.
        programs: directories, as the job sees them, that come first on ``PATH``.
        visible: directories of the machine that the job may read (interpreter, environments).
        writable: directories of the machine that it may write to.
        read_only: directories below ``/opt/ml``, as the job sees them, that it may not change.
        mounted: path as the job sees it → file or directory of the machine that it may read there.
        fixed_root: the job may write to ``folders``, ``/tmp`` and its home directory only.
        network: false for ``EnableNetworkIsolation``, a door for a network of its own that has only this way out.
        inherited: file descriptors that the job inherits (a listening socket).
        output: descriptor for its standard output and error; a new pipe by default (:meth:`SandboxProcess.output`).
        host_name: the instance's host name.
        hosts: host names of all instances of the job, in order. Each has a loopback address of its own: 127.0.0.1,
            127.0.0.2 and so on.
        isolation: see :func:`detect_isolation`.
        limits: of the process tree; by default those of a job that starts now.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    work: Path
    folders: Mapping[str, Path] = field(default_factory=dict)
    programs: Sequence[str] = ()
    visible: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    read_only: Sequence[str] = ()
    mounted: Mapping[str, Path] = field(default_factory=dict)
    fixed_root: bool = False
    network: bool | Door = True
    inherited: Sequence[int] = ()
    output: int | None = None
    host_name: str = "algo-1"
    hosts: Sequence[str] = ("algo-1",)
    isolation: Isolation = Isolation.NONE
    limits: Limits | None = None


class SandboxProcess:
    """A job's running process tree. It is killed when the thread that started it ends."""

    def __init__(
        self, process: subprocess.Popen[bytes], life: int, isolation: Isolation, door: OpenedDoor | None
    ) -> None:
        self._process = process
        self._life = life
        self._isolation = isolation
        self._door = door
        #: After :meth:`wait`: the limit that ended the tree, named as in :mod:`.guard.limits`.
        self.exceeded: str | None = None

    def output(self) -> int:
        """Return the file descriptor of the tree's standard output and standard error."""
        if self._process.stdout is None:
            raise SandboxError("the job was started without an output pipe")
        return self._process.stdout.fileno()

    def life(self) -> int:
        """Return the file descriptor that becomes readable when the tree has ended."""
        return self._life

    def is_alone(self) -> bool:
        """Return whether the command runs, and nothing that it has started."""
        # Below the guard: init and the command, and bwrap before them.
        alone = 2 if self._isolation is Isolation.NONE else 3
        try:
            return len(psutil.Process(self._process.pid).children(recursive=True)) == alone
        except psutil.Error:
            return False

    def wait(self) -> int:
        """Return the exit status, or 128 + signal number. Closes the descriptors: call it once."""
        code = self._process.wait()
        self.exceeded = os.read(self._life, _LIMIT_BYTES).decode() or None
        os.close(self._life)
        if self._door is not None:
            self._door.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return 128 - code if code < 0 else code

    def terminate(self) -> None:
        """Ask the job to end (SIGTERM)."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole tree at once."""
        self._send(signal.SIGUSR1)

    def _send(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)


def start(request: SandboxRequest) -> SandboxProcess:
    """Start the command; return when it runs.

    Raises:
        SandboxError: the entry point does not exist or is not executable, or the sandbox could not be created.
    """
    if isinstance(request.network, Door) and request.isolation is Isolation.NONE:
        raise SandboxError(NO_DOOR)
    status_read, status_write = os.pipe()
    life_read, life_write = os.pipe()
    specification = _specification(request, status_write) | {"life_fd": life_write}
    door = OpenedDoor(request.network) if isinstance(request.network, Door) else None
    if door is not None:
        specification["door"] = (door.descriptor, door.port)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _GUARD, str(_SOURCES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if request.output is None else request.output,
        stderr=subprocess.STDOUT,
        pass_fds=[status_write, life_write, *request.inherited, *([door.descriptor] if door else [])],
        start_new_session=True,
        cwd="/",
        env={},
    )
    os.close(status_write)
    os.close(life_write)
    if door is not None:
        door.passed()
    if process.stdin is None:
        raise SandboxError("the launcher was started without an input pipe")
    process.stdin.write(marshal.dumps(specification))
    process.stdin.close()
    with os.fdopen(status_read, "rb") as status:
        report = status.read()
    sandbox_process = SandboxProcess(process, life_read, request.isolation, door)
    if report != b"+":
        failure = report[1:].decode(errors="replace")
        sandbox_process.kill()
        if not report and request.output is None:  # bubblewrap has said why
            with os.fdopen(os.dup(sandbox_process.output()), "rb") as output:
                failure = output.read(_MESSAGE_BYTES).decode(errors="replace").strip()
        sandbox_process.wait()
        raise SandboxError(failure or "the sandbox ended before the command started")
    if door is not None:
        door.serve()
    return sandbox_process


def _specification(request: SandboxRequest, status_fd: int) -> dict[str, object]:
    isolated = request.isolation is not Isolation.NONE
    limits = request.limits or limits_now(read_settings(), request.work)
    # A job may leave programs behind that are setuid; nobody else on the machine may reach them.
    request.work.chmod(0o700)
    (request.work / "ml").mkdir(exist_ok=True)
    # What an earlier program has put into the root is not trusted to be a mount point.
    root = Path(tempfile.mkdtemp(prefix="root-", dir=request.work))
    home, temporary = root / "root", root / "tmp"
    home.mkdir(mode=0o700)
    temporary.mkdir()
    temporary.chmod(0o1777)
    command, directory, environment = list(request.command), request.directory, dict(request.environment)
    if not isolated:
        command = [substitution.replace(word, request.work) for word in command]
        environment = {name: substitution.replace(value, request.work) for name, value in environment.items()}
        # The machine's own root is not the job's.
        directory = substitution.replace("/opt/ml" if directory == "/" else directory, request.work)
        substitution.rewrite_files(request.work)
    python, prefix = bubblewrap.interpreter()
    return {
        "bwrap": [find_bubblewrap(), *bubblewrap.arguments(_view(request, root, prefix, limits))] if isolated else [],
        "interpreter": str(python),
        "command": command,
        "environment": {
            "PATH": ":".join([*request.programs, _SYSTEM_PATH]),
            "HOME": "/root" if isolated else str(home),
            "TMPDIR": "/tmp" if isolated else str(temporary),  # noqa: S108 - the job's own
            **environment,
        },
        "directory": directory,
        "inherited": list(request.inherited),
        "limits": asdict(limits),
        "work": str(request.work),
        "parent": os.getpid(),
        "status_fd": status_fd,
    }


def _view(request: SandboxRequest, root: Path, prefix: Path, limits: Limits) -> bubblewrap.View:
    ml = request.work / "ml"
    addresses = "".join(f"127.0.0.{number} {name}\n" for number, name in enumerate(request.hosts[1:], 2))
    (root / "var").mkdir()
    own = {f"/{name}": root / name for name in ("root", "tmp") if request.fixed_root}
    return bubblewrap.View(
        root=root,
        folders={**own, "/var/tmp": root / "tmp", "/opt/ml": ml, **request.folders},  # noqa: S108 - the job's own
        fixed_root=request.fixed_root,
        visible=[prefix, *(path.resolve() for path in request.visible)],
        writable=[path.resolve() for path in request.writable],
        read_only={**{path: _inside(ml, path) for path in request.read_only}, **request.mounted},
        hosts=f"127.0.0.1 localhost {request.hosts[0]}\n{addresses}::1 localhost\n",
        host_name=request.host_name,
        network=request.network is True,
        # Twice: beyond the limit the job is killed, before it is told that this file system is full.
        shared_memory_bytes=2 * limits.memory_bytes,
    )


def _inside(ml: Path, path: str) -> Path:
    """Return the directory of a path below ``/opt/ml``.

    Raises:
        SandboxError: a link leads out of it.
    """
    found = (ml / Path(path).relative_to("/opt/ml")).resolve()
    if not found.is_relative_to(ml.resolve()):
        raise SandboxError(f"{path} is a link that leads out of /opt/ml")
    return found


@functools.cache
def detect_isolation() -> Isolation:
    """Return the strongest isolation that works here, found by trying; once per process.

    Raises:
        SandboxError: the environment variable names another mechanism.
    """
    forced = os.environ.get("LOCALMAKER_SANDBOX")
    if forced and forced not in Isolation:
        raise SandboxError(f"LOCALMAKER_SANDBOX={forced} is neither bubblewrap nor none. Correct it, or unset it.")
    if forced:
        return Isolation(forced)
    try:
        find_bubblewrap()
    except SandboxError:
        return Isolation.NONE
    return Isolation.BUBBLEWRAP


def why_not_isolated() -> str | None:
    """Return why jobs started here have no sandbox, and what to do about it; None if they have one."""
    if os.environ.get("LOCALMAKER_SANDBOX") == Isolation.NONE.value:
        return "LOCALMAKER_SANDBOX=none asks for that"
    try:
        find_bubblewrap()
    except SandboxError as error:
        return str(error)
    return None


def require_sandbox() -> None:
    """Refuse to run jobs whose network has only one way out where there is no sandbox.

    Raises:
        SandboxError: there is none; says why.
    """
    reason = why_not_isolated()
    if reason is not None:
        raise SandboxError(
            f"--no-egress (LOCALMAKER_NO_EGRESS) needs the sandbox: without it VpcConfig has no effect. {reason}"
        )


@functools.cache
def find_bubblewrap() -> str:
    """Return the path of the first ``bwrap`` that works here, found by trying; once per process.

    Raises:
        SandboxError: none does; the message says why and what to do.
    """
    if platform.system() != "Linux":
        raise SandboxError(f"there is no bubblewrap for {platform.system()}")
    reasons = []
    for program in bubblewrap.candidates():
        reason = _failure_of(program)
        if reason is None:
            return program
        reasons.append(f"{program}: {reason}")
    advice = "Install your distribution's package bubblewrap, or allow unprivileged user namespaces."
    raise SandboxError(f"{'; '.join(reasons) or 'bwrap is not installed'}. {advice}")


def _failure_of(program: str) -> str | None:
    """Return why a ``bwrap`` does not work here, or None if it does."""
    with tempfile.TemporaryDirectory() as root:
        words = bubblewrap.arguments(bubblewrap.View(Path(root), {}, network=False))
        try:
            done = subprocess.run(
                [program, *words, "--", "/bin/sh", "-c", ":"], capture_output=True, text=True, check=False, env={}
            )
        except OSError as error:
            return str(error.strerror)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"
