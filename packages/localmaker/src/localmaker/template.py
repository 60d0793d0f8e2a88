"""A process that has imported what programs need, and forks them: they start at once.

Importing moto takes most of an endpoint's start, and a test suite starts dozens of endpoints. ::

    template = Template(["localmaker.endpoint"], os.environ)
    program = template.start("localmaker.process", ["--port", "0", ...], stdout=1, stderr=2,
                             environment=os.environ, directory=Path.cwd())
    program.wait()

A program is a process with its own session, arguments, environment, working directory and streams, as
``python -m MODULE`` would be; only what modules do when they are imported, and what Python reads when it starts, is the
template's. The template ends with the process that made it, its programs do not.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_CHUNK = 65_536
# Streams, the pipe for what becomes of the program, and what a caller passes on.
_MOST_DESCRIPTORS = 16


class Program:
    """A running program.

    Attributes:
        pid: of its process, which is nobody's child here.
        stdin: the writing end of its standard input.
    """

    def __init__(self, stdin: int, done: int) -> None:
        self.stdin = os.fdopen(stdin, "wb")
        self._done = os.fdopen(done)
        self.pid = int(self._done.readline() or 0)

    def wait(self) -> int:
        """Wait for its end; return its exit code, negative for a signal, as :mod:`subprocess` does."""
        with self._done:
            return int(self._done.readline())

    def close(self) -> None:
        """Forget it."""
        self._done.close()
        self.stdin.close()


class Template:
    """A process that has imported modules.

    Args:
        modules: to import.
        environment: variables of the template.
    """

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self.of_process = os.getpid()
        self._lock = threading.Lock()
        self._socket, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "localmaker.template", str(other.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                pass_fds=(other.fileno(),),
                start_new_session=True,
            )

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        stdout: int,
        stderr: int,
        environment: Mapping[str, str],
        directory: Path,
        pass_fds: Sequence[int] = (),
    ) -> Program | None:
        """Run a module as ``python -m`` does.

        Args:
            pass_fds: descriptors that it gets under the same numbers.

        Returns:
            The program; None if the template has ended, as it does when a module cannot be imported.
        """
        stdin_for_program, stdin = os.pipe()
        done, done_for_program = os.pipe()
        request = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment),
            "directory": str(directory),
            "numbers": [0, 1, 2, *pass_fds],
        }
        descriptors = [done_for_program, stdin_for_program, stdout, stderr, *pass_fds]
        try:
            with self._lock, suppress(OSError):  # it has ended, as the missing process id then says
                message = json.dumps(request).encode() + b"\n"
                sent = socket.send_fds(self._socket, [message], descriptors)
                self._socket.sendall(message[sent:])
        finally:
            os.close(stdin_for_program)
            os.close(done_for_program)
        program = Program(stdin, done)
        if program.pid:
            return program
        program.close()
        return None

    def close(self) -> None:
        """End the template."""
        self._socket.close()
        self._process.wait()


def launch(
    module: str,
    arguments: Sequence[str],
    *,
    output: int,
    environment: Mapping[str, str],
    directory: Path,
    pass_fds: Sequence[int] = (),
    imported: str | None = None,
) -> subprocess.Popen[bytes] | Program:
    """Run a module as ``python -m`` does, in a session of its own.

    Args:
        output: descriptor of its standard output and error.
        imported: what the template has imported from which it is forked, with a pipe as its standard input; None for a
            new interpreter without input. It is a new one, too, where variables that are read at a start are not those
            with which this process started: they would have no effect.
    """
    if imported is not None and _read_at_start(os.environ) == _AT_START:
        forked = _shared_template(imported, environment).start(
            module,
            arguments,
            stdout=output,
            stderr=output,
            environment=environment,
            directory=directory,
            pass_fds=pass_fds,
        )
        if forked is not None:
            return forked
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL if imported is None else subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=dict(environment),
        cwd=directory,
        pass_fds=tuple(pass_fds),
        start_new_session=True,
    )


def _shared_template(module: str, environment: Mapping[str, str]) -> Template:
    """Return this process's template of a module; it is made at the first call, with these variables."""
    found = _shared.get(module)
    if found is None or found.of_process != os.getpid():
        found = _shared[module] = Template([module], environment)
        atexit.register(found.close)
    return found


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "MOTO_"))}


# What Python and moto read once, at their start.
_AT_START = _read_at_start(os.environ)
_shared: dict[str, Template] = {}


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next request and its descriptors; None when the other side has closed."""
    text, descriptors = b"", array.array("i")
    while not text.endswith(b"\n"):
        part, found, _, _ = socket.recv_fds(connection, _CHUNK, _MOST_DESCRIPTORS)
        if not part:
            return None
        text += part
        descriptors.extend(found)
    return json.loads(text), list(descriptors)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _report(done: int, program: int) -> NoReturn:
    """Tell the process id of a program, wait, and tell its exit code."""
    with suppress(BrokenPipeError):
        os.write(done, f"{program}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        os.write(done, f"{code}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Give this process all that a new one would have."""
    os.setsid()
    numbers = request["numbers"]
    # First out of the way of the numbers that they shall have.
    free = max([*numbers, *descriptors]) + 1
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, free + place)
    for place, number in enumerate(numbers):
        os.dup2(free + place, number)
    os.closerange(free, free + len(numbers))
    _close([one for one in descriptors if one not in numbers])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["directory"])
    sys.path[0] = request["directory"]
    sys.argv[1:] = request["arguments"]


def main() -> None:
    """Import the modules that the arguments name, and fork programs until the other side of the socket is closed."""
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        for module in sys.argv[2:]:
            importlib.import_module(module)
        # The collector would write to the pages that programs share.
        gc.collect()
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while (received := _receive(connection)) is not None:
            request, (done, *descriptors) = received
            if os.fork() == 0:
                break
            _close([done, *descriptors])
    if received is None:
        return
    # Somebody has to wait for the program, and the template has no time.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    program = os.fork()
    if program:
        _close(descriptors)
        _report(done, program)
    os.close(done)
    _become(request, descriptors)
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
