"""Start init, in bubblewrap or without it, and watch the tree until it has ended. See the package."""
# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import marshal
import os
import select
import sys
import time

from localmaker.sandbox.guard import init, limits, system
from localmaker.sandbox.guard.groups import Group, make_group
from localmaker.sandbox.guard.tree import Tree, kill_descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # the module itself imports enum for the sake of names

_SETUP_FAILED = 125
_INIT_SOURCE = os.path.join(os.path.dirname(__file__), "init.py")
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)


def main() -> int:
    """Run the specification on standard input; return the exit status."""
    specification: dict[str, Any] = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 - from the endpoint itself
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if sys.platform == "linux":
        _die_with_parent(specification["parent"])
        system.leave_session_keyring()
    wakeup = _receive_signals()
    group = None
    if sys.platform == "linux" and specification["limits"]["groups"]:
        group = make_group(specification["limits"]["memory_bytes"], specification["limits"]["processes"])
    tree = _Sandbox(specification, group) if specification["bwrap"] else _Plain(specification, group)
    os.close(specification["status_fd"])
    code = _watch(tree, specification, wakeup, group)
    if group is not None:
        group.remove()
    return code


def _die_with_parent(parent: int) -> None:
    """Be killed when the thread that started this process ends, as all threads of a killed endpoint do."""
    system.be_killed_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(_SETUP_FAILED)


def _receive_signals() -> int:
    """Return a descriptor from which the numbers of signals can be read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    return reader


def _forget_signals() -> None:
    """Undo :func:`_receive_signals` in a child."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)


class _Plain:
    """A tree without a sandbox. Orphans become children of init, where the system supports it."""

    def __init__(self, specification: dict[str, Any], group: Group | None) -> None:
        linux = sys.platform == "linux"
        guard = os.getpid()
        if linux:
            system.adopt_orphans()  # those of init, if it is killed
        self.child = os.fork()
        if self.child == 0:
            _forget_signals()
            limits.limit_this_process(specification["limits"], group)
            os.close(specification["life_fd"])
            if linux:
                _die_with_parent(guard)
                system.adopt_orphans()
            for_init = specification | {"processes": specification["limits"]["processes"]}
            os._exit(init.run(for_init, _die_with_init if linux else lambda: None))

    def terminate(self) -> None:
        """Send TERM to the job's process group."""
        os.kill(self.child, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the tree; what detaches itself meanwhile is killed by :meth:`clean_up`."""
        os.kill(self.child, signal.SIGUSR1)
        if sys.platform == "linux":
            kill_descendants(besides=self.child)

    def clean_up(self) -> None:
        """Kill what outlives the command."""
        while sys.platform == "linux":
            kill_descendants()
            try:
                os.wait()
            except ChildProcessError:
                return


def _die_with_init() -> None:
    system.be_killed_with_parent(signal.SIGKILL)


class _Sandbox:
    """A tree in bubblewrap: its first process takes all others with it."""

    def __init__(self, specification: dict[str, Any], group: Group | None) -> None:
        info, info_for_child = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            _forget_signals()
            limits.limit_this_process(specification["limits"], group)
            _become_bubblewrap(specification, info_for_child)
        os.close(info_for_child)
        text = b""
        while part := os.read(info, 1 << 12):
            text += part
        os.close(info)
        # {"child-pid": 123, …}; nothing if bwrap has failed. A JSON module takes long to import.
        number = text.partition(b'"child-pid":')[2].partition(b",")[0].strip()
        self._init = int(number) if number else self.child

    def terminate(self) -> None:
        """Send TERM to the job's process group."""
        os.kill(self._init, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the tree."""
        os.kill(self._init, signal.SIGKILL)

    def clean_up(self) -> None:
        """Do nothing: the kernel has killed what the command left behind."""


def _become_bubblewrap(specification: dict[str, Any], info_fd: int) -> None:
    program, *arguments = specification["bwrap"]
    for_init = {key: specification[key] for key in ("bwrap", "command", "environment", "directory")}
    for_init |= {"status_fd": specification["status_fd"], "processes": specification["limits"]["processes"]}
    for_init["door"] = specification.get("door")
    listed = _memory_file("arguments", "\0".join(arguments).encode())
    specified = _memory_file("specification", marshal.dumps(for_init))
    source = os.open(_INIT_SOURCE, os.O_RDONLY)
    os.close(specification["life_fd"])
    for descriptor in (listed, specified, source, info_fd):
        os.set_inheritable(descriptor, True)
    # Neither the arguments nor the environment of bwrap may tell of the machine: the job can read both.
    command = [program, "--args", str(listed), "--info-fd", str(info_fd), "--", specification["interpreter"]]
    os.execve(program, [*command, "-I", "-S", f"/dev/fd/{source}", str(specified)], {})  # noqa: S606 - no shell


def _memory_file(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _watch(tree: _Plain | _Sandbox, specification: dict[str, Any], wakeup: int, group: Group | None) -> int:
    """Forward signals and check the limits until the tree has ended; return the command's exit status."""
    watch = None
    if sys.platform == "linux":
        members = Tree(tree.child, namespaced=bool(specification["bwrap"]))
        watch = limits.Watch(members, specification["work"], specification["limits"], group)
        limits.be_prompt()
    exceeded, due = None, 0.0
    while True:
        pid, status = os.waitpid(tree.child, os.WNOHANG)
        if pid:
            tree.clean_up()
            code = init.exit_code(status)
            exceeded = exceeded or (watch.check_end(code) if watch else None)
            if exceeded is not None:
                os.write(specification["life_fd"], exceeded.encode())
            return code
        wait = max(0.0, due - time.monotonic()) if watch else None
        ready, _, _ = select.select([wakeup], [], [], wait)
        received = os.read(wakeup, 1 << 10) if ready else b""
        try:
            _forward(received, tree)
            if watch is not None and time.monotonic() >= due:
                seconds = limits.SHORTEST_SECONDS
                if exceeded is None:
                    exceeded, seconds = watch.check()
                if exceeded is not None:
                    tree.kill()  # again, where something forks meanwhile
                due = time.monotonic() + seconds
        except ProcessLookupError:
            continue  # it has just ended


def _forward(received: bytes, tree: _Plain | _Sandbox) -> None:
    if signal.SIGUSR1 in received:
        tree.kill()
    elif signal.SIGTERM in received:
        tree.terminate()
