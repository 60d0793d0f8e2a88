"""Start the job's command and wait for its whole tree. See the package for the specification."""
# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH123, SIM105

from __future__ import annotations

import marshal
import os
import signal
import sys

from localmaker.sandbox.guard import limits, system
from localmaker.sandbox.guard.mounts import prepare_mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_SETUP_FAILED, _NOT_STARTED = 125, 127


def main() -> int:
    """Run the specification on standard input; return the exit status."""
    specification: dict[str, Any] = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 - from the endpoint itself
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if sys.platform == "linux":
        _die_with_parent(specification["parent"])
    return _run_plain(specification) if specification["isolation"] == "none" else _run_isolated(specification)


def _die_with_parent(parent: int) -> None:
    """Be killed when the thread that started this process ends, as all threads of a killed endpoint do."""
    system.be_killed_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(_SETUP_FAILED)


def _run_isolated(specification: dict[str, Any]) -> int:
    try:
        _enter_namespaces(specification)
    except OSError as error:
        _report(specification, f"sandbox: {error.strerror}")
        return _SETUP_FAILED
    init = os.fork()
    if init == 0:
        os._exit(_run_as_init(specification))
    os.close(specification["status_fd"])
    signal.signal(signal.SIGTERM, lambda number, _frame: os.kill(init, number))
    signal.signal(signal.SIGUSR1, lambda _number, _frame: os.kill(init, signal.SIGKILL))
    return _exit_code(os.waitpid(init, 0)[1])


def _enter_namespaces(specification: dict[str, Any]) -> None:
    flags = system.NEW_MOUNTS | system.NEW_HOST_NAME | system.NEW_IPC | system.NEW_PROCESSES
    if not specification["network"]:
        flags |= system.NEW_NETWORK
    user, group = os.geteuid(), os.getegid()
    if specification["isolation"] == "user":
        flags |= system.NEW_USERS
    system.unshare(flags)
    if specification["isolation"] == "user":
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)


def _run_as_init(specification: dict[str, Any]) -> int:
    """Run as the first process of the new PID namespace. Its parent is outside, so the parent's id is 0."""
    _die_with_parent(0)
    try:
        if not specification["network"]:
            _bring_loopback_up()
        in_memory = prepare_mounts(specification)
        _mount_proc(specification)
        system.set_host_name(specification["host_name"])
    except OSError as error:
        _report(specification, f"sandbox: {error.strerror}")
        return _SETUP_FAILED
    return _guard(specification, in_memory)


def _mount_proc(specification: dict[str, Any]) -> None:
    try:
        system.mount("proc", "/proc", "proc", 0)
    except OSError:
        return  # in a container with a masked /proc the job sees the process list of the outside
    limits.limit_process_ids(specification["processes"])


def _bring_loopback_up() -> None:
    import fcntl  # slow to import, and few jobs need them
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _run_plain(specification: dict[str, Any]) -> int:
    """Run without namespaces: orphans become children of this process, where the system supports it, and are killed."""
    if sys.platform == "linux":
        system.adopt_orphans()
    code = _guard(specification, [])
    while sys.platform == "linux":
        limits.kill_descendants()
        try:
            os.wait()
        except ChildProcessError:
            break
    return code


def _guard(specification: dict[str, Any], in_memory: Sequence[int]) -> int:
    """Start the command, forward signals, reap every orphan; return the command's exit status."""
    job = os.fork()
    if job == 0:
        try:
            _become_job(specification)
        except OSError as error:
            _report(specification, f"exec: {specification['command'][0]}: {error.strerror}")
        os._exit(_NOT_STARTED)
    os.close(specification["status_fd"])

    def forward(number: int, _frame: object) -> None:
        try:
            os.killpg(job, signal.SIGKILL if number == signal.SIGUSR1 else number)
        except ProcessLookupError:
            pass  # it has just ended

    def check_limits(_number: int, _frame: object) -> None:
        limit = limits.exceeded(specification["memory_bytes"], specification["processes"], in_memory)
        if limit is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.write(specification["life_fd"], limit.encode())
            forward(signal.SIGUSR1, None)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGUSR1, forward)
    if sys.platform == "linux":
        signal.signal(signal.SIGALRM, check_limits)
        signal.setitimer(signal.ITIMER_REAL, limits.CHECK_SECONDS, limits.CHECK_SECONDS)
    while True:
        pid, status = os.wait()
        if pid == job:
            signal.setitimer(signal.ITIMER_REAL, 0)
            return _exit_code(status)


def _become_job(specification: dict[str, Any]) -> None:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        system.be_killed_with_parent(signal.SIGKILL)
    limits.limit_this_process(specification["memory_bytes"], specification["processes"], specification["isolation"])
    os.chdir(specification["directory"])
    for descriptor in ("status_fd", "life_fd"):
        os.set_inheritable(specification[descriptor], False)
    command: list[str] = specification["command"]
    os.execvpe(command[0], command, specification["environment"])  # noqa: S606 - an argument list, no shell


def _report(specification: dict[str, Any], message: str) -> None:
    os.write(specification["status_fd"], message.encode(errors="replace")[:4000])


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
