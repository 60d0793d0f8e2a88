"""The sandbox of a job: its own ``/opt/ml``, ``/tmp`` and home, and a process tree that ends as a whole.

There are two mechanisms, chosen by :func:`detect_isolation`:

*Namespaces* (Linux; as root, or unprivileged where user namespaces are allowed): see the package ``guard``.

*Substitution* (macOS, and where namespaces are forbidden): the process runs in the machine's own file system, and
``/opt/ml`` is replaced by the job's directory in its arguments, its environment and the small text files it was given
(``substitution.py``). Differences from AWS: a path that a program builds at run time is not replaced; the job can read
and write whatever its user can; processes that detach twice survive on macOS; ``EnableNetworkIsolation`` has no effect.
The environment variable ``LOCALMAKER_SANDBOX`` (``root``, ``user``, ``none``) forces a mechanism.
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
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from localmaker.errors import LocalmakerError
from localmaker.sandbox import substitution
from localmaker.sandbox.limits import Limits, read_limits

# Isolated from the machine's Python settings and without site-packages: it needs only the standard library.
_GUARD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from localmaker.sandbox.guard.program import main
os._exit(main())
"""
_SOURCES = Path(__file__).parents[2]
_LIMIT_BYTES = 64
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SandboxError(LocalmakerError):
    """The job's process could not be started: no such entry point, or the sandbox could not be created."""


class Isolation(StrEnum):
    """The ways to isolate a job from the machine."""

    ROOT = "root"
    USER = "user"
    NONE = "none"


@dataclass(frozen=True)
class SandboxRequest:
    """A command to run, and what it sees of the machine.

    Attributes:
        command: argument list; the first entry is looked up in the environment's ``PATH``.
        environment: complete environment; ``PATH`` and ``HOME`` are added if absent.
        directory: working directory, as the job sees it.
        work: the job's directory on the machine; ``ml/`` in it is its ``/opt/ml``.
        programs: directories that come first on ``PATH``.
        kept: directories that stay reachable wherever they are (interpreter, environments).
        overlays: environments that the job may change without affecting others.
        read_only: directories below ``/opt/ml``, as the job sees them, that it may not change.
        network: false for ``EnableNetworkIsolation``.
        inherited: file descriptors that the job inherits (a listening socket).
        host_name: the instance's host name.
        hosts: host names of all instances of the job, in order. Each has a loopback address of its own: 127.0.0.1,
            127.0.0.2 and so on.
        isolation: see :func:`detect_isolation`.
        limits: of the process tree.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    work: Path
    programs: Sequence[Path] = ()
    kept: Sequence[Path] = ()
    overlays: Sequence[Path] = ()
    read_only: Sequence[str] = ()
    network: bool = True
    inherited: Sequence[int] = ()
    host_name: str = "algo-1"
    hosts: Sequence[str] = ("algo-1",)
    isolation: Isolation = Isolation.NONE
    limits: Limits = field(default_factory=read_limits)


class SandboxProcess:
    """A job's running process tree. It is killed when the thread that started it ends."""

    def __init__(self, process: subprocess.Popen[bytes], life: int) -> None:
        self._process = process
        self._life = life
        #: After :meth:`wait`: the limit that ended the tree, ``memory`` or ``processes``.
        self.exceeded: str | None = None

    def output(self) -> int:
        """Return the file descriptor of the tree's standard output and standard error."""
        if self._process.stdout is None:
            raise SandboxError("the job was started without an output pipe")
        return self._process.stdout.fileno()

    def life(self) -> int:
        """Return the file descriptor that becomes readable when the tree has ended."""
        return self._life

    def wait(self) -> int:
        """Return the exit status, or 128 + signal number. Closes the descriptors: call it once."""
        code = self._process.wait()
        self.exceeded = os.read(self._life, _LIMIT_BYTES).decode() or None
        os.close(self._life)
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
    status_read, status_write = os.pipe()
    life_read, life_write = os.pipe()
    specification = _specification(request, status_write) | {"life_fd": life_write}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _GUARD, str(_SOURCES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[status_write, life_write, *request.inherited],
        start_new_session=True,
        cwd="/",
        env={},
    )
    os.close(status_write)
    os.close(life_write)
    if process.stdin is None:
        raise SandboxError("the launcher was started without an input pipe")
    process.stdin.write(marshal.dumps(specification))
    process.stdin.close()
    with os.fdopen(status_read, "rb") as status:
        failure = status.read().decode(errors="replace")
    sandbox_process = SandboxProcess(process, life_read)
    if failure:
        sandbox_process.kill()
        sandbox_process.wait()
        raise SandboxError(failure)
    return sandbox_process


def _specification(request: SandboxRequest, status_fd: int) -> dict[str, object]:
    work, isolated = request.work, request.isolation is not Isolation.NONE
    for name in ("scratch", "tmp", "home", "ml"):
        (work / name).mkdir(exist_ok=True)
    hosts = work / "hosts"
    addresses = "".join(f"127.0.0.{number} {name}\n" for number, name in enumerate(request.hosts[1:], 2))
    hosts.write_text(f"127.0.0.1 localhost {request.hosts[0]}\n{addresses}::1 localhost\n")
    home = Path.home()
    replaced = [("/tmp", work / "tmp"), ("/var/tmp", work / "tmp")]  # noqa: S108 - replaced by private directories
    if isolated and home.is_dir() and home.resolve() != Path("/"):
        replaced.append((str(home.resolve()), work / "home"))
    home_seen = str(home.resolve()) if len(replaced) > 2 else str(work / "home")  # noqa: PLR2004
    environment = {
        "PATH": ":".join([*map(str, request.programs), _SYSTEM_PATH]),
        "HOME": home_seen,
        "TMPDIR": "/tmp" if isolated else str(work / "tmp"),  # noqa: S108
        **request.environment,
    }
    command, directory = list(request.command), request.directory
    if not isolated:
        command = [substitution.replace(word, work) for word in command]
        environment = {name: substitution.replace(value, work) for name, value in environment.items()}
        directory = substitution.replace(directory, work)
        substitution.rewrite_files(work)
    kept = [path.resolve() for path in (*request.kept, *request.overlays)]
    return {
        "command": command,
        "environment": environment,
        "directory": directory,
        "isolation": request.isolation.value,
        "scratch": str(work / "scratch"),
        "opt": {"ml": str(work / "ml")},
        "replaced": [(path, str(directory)) for path, directory in replaced if Path(path).is_dir()],
        "kept": [str(path) for path in kept],
        "overlays": [str(path.resolve()) for path in request.overlays],
        "files": [("/etc/hosts", str(hosts))],
        "read_only": list(request.read_only),
        "host_name": request.host_name,
        "network": request.network,
        "memory_bytes": request.limits.memory_bytes,
        "processes": request.limits.processes,
        "parent": os.getpid(),
        "status_fd": status_fd,
    }


@functools.cache
def detect_isolation() -> Isolation:
    """Return the strongest isolation that works here, found by trying; once per process."""
    forced = os.environ.get("LOCALMAKER_SANDBOX")
    if forced:
        return Isolation(forced)
    if platform.system() != "Linux" or not Path("/opt").is_dir():
        return Isolation.NONE
    for isolation in (Isolation.ROOT, Isolation.USER) if os.geteuid() == 0 else (Isolation.USER,):
        if _works(isolation):
            return isolation
    return Isolation.NONE


def _works(isolation: Isolation) -> bool:
    with tempfile.TemporaryDirectory() as work:
        probe = SandboxRequest(
            command=["/bin/sh", "-c", "touch /opt/ml/probe"],
            environment={},
            directory="/opt/ml",
            work=Path(work).resolve(),
            isolation=isolation,
        )
        try:
            code = start(probe).wait()
        except SandboxError:
            return False
        return code == 0 and (Path(work) / "ml" / "probe").exists()
