"""The first process of a sandbox: start the command, forward signals, reap orphans.

Inside a sandbox this file is a program (``python /dev/fd/<n> <m>``) and reads the guard's specification from the file
descriptor m; the package does not exist there. Without a sandbox the guard calls :func:`run`.
"""
# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.

from __future__ import annotations

import os
import resource
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any
else:
    import _signal as signal  # the module itself imports enum for the sake of names

_NOT_STARTED = 127
_BACKLOG = 1024
# Threads count, too.
_THREADS_PER_PROCESS = 16


def run(specification: dict[str, Any], before_command: Callable[[], None] = lambda: None) -> int:
    """Start the command and reap every process until it has ended; return its exit status.

    Args:
        specification: see the package.
        before_command: called in the command's process.
    """
    status_fd = specification["status_fd"]
    os.write(status_fd, b"+")
    if specification.get("door"):
        try:
            _hand_out(*specification["door"])
        except OSError as error:
            os.write(status_fd, f"the network of the job: {error.strerror}".encode())
            return _NOT_STARTED
    job = os.fork()
    if job == 0:
        try:
            _become_command(specification, before_command)
        except OSError as error:
            text = f"exec: {specification['command'][0]}: {error.strerror}"
            os.write(status_fd, text.encode(errors="replace")[:4000])
        os._exit(_NOT_STARTED)
    os.close(status_fd)

    def forward(number: int, _frame: object) -> None:
        try:
            os.killpg(job, signal.SIGKILL if number == signal.SIGUSR1 else number)
        except ProcessLookupError:
            return  # it has just ended

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGUSR1, forward)
    while True:
        pid, status = os.wait()
        if pid == job:
            return exit_code(status)


def _hand_out(connection_fd: int, port: int) -> None:
    """Open a listening socket at the endpoint's address in this network, and send it to the endpoint."""
    import _socket as sockets  # socket itself imports enum and selectors

    with_endpoint = sockets.socket(fileno=connection_fd)
    listener = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    descriptor = listener.fileno().to_bytes(4, sys.byteorder)
    with_endpoint.sendmsg([b"x"], [(sockets.SOL_SOCKET, sockets.SCM_RIGHTS, descriptor)])
    listener.close()
    with_endpoint.close()


def exit_code(status: int) -> int:
    """Return the exit status of a shell for a wait status: 128 plus the number of a signal."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _become_command(specification: dict[str, Any], before_command: Callable[[], None]) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    before_command()
    if specification["bwrap"]:  # elsewhere the kernel counts all processes of the user on this machine
        _lower(resource.RLIMIT_NPROC, specification["processes"] * _THREADS_PER_PROCESS)
    os.chdir(specification["directory"])
    os.set_inheritable(specification["status_fd"], False)
    command = specification["command"]
    os.execvpe(command[0], command, specification["environment"])  # noqa: S606 - an argument list, no shell


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (limit, limit))


def main() -> int:
    """Run the specification in the file whose descriptor is the argument."""
    import marshal

    program, source = sys.argv[0], int(sys.argv[1])
    with open(source, "rb") as file:
        specification = marshal.loads(file.read())  # noqa: S302 - from the guard
    os.close(int(program.rpartition("/")[2]))
    return run(specification)


if __name__ == "__main__":
    os._exit(main())
