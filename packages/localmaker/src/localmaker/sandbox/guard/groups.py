"""A control group (cgroup v2) for one job: there the kernel itself holds the limits.

That needs a group that this user may add to, and that gives its children the memory controller: as root under systemd,
in the terminals of a desktop, in ``systemd-run --user`` and in privileged containers. Version 1 is not used: systemd
has dropped it, its kernel option is off, and it kills one process of the job instead of all.
"""
# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH102, PTH106, PTH110, PTH118, PTH120, PTH123, PTH208, SIM105

from __future__ import annotations

import os
from os.path import dirname, join

_ROOT = "/sys/fs/cgroup"
_PREFIX = "localmaker-"
# The kernel counts threads. Processes are counted by the guard.
_THREADS_PER_PROCESS = 16


class Group:
    """A job's control group.

    Args:
        path: its directory, which exists.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def enter(self) -> None:
        """Move this process into the group. A refusal leaves the limits to the guard."""
        try:
            _write(self._path, "cgroup.procs", "0")
        except OSError:
            pass

    def exceeded(self) -> str | None:
        """Return the limit that the kernel has enforced, or None."""
        if _count(self._path, "memory.events", "oom_kill"):
            return "memory"
        return "processes" if _count(self._path, "pids.events", "max") else None

    def remove(self) -> None:
        """Remove the group when its processes have ended."""
        try:
            os.rmdir(self._path)
        except OSError:
            pass  # the next job's guard tries again


def make_group(memory_bytes: int, processes: int) -> Group | None:
    """Make a group with these limits; None where it is not possible. Removes the groups of guards that were killed."""
    parent = _find_parent()
    if parent is None:
        return None
    _sweep(parent)
    path = join(parent, f"{_PREFIX}{os.getpid()}")
    try:
        os.mkdir(path)
        _write(path, "memory.max", str(memory_bytes))
        _write(path, "memory.oom.group", "1")
        for name, value in (("memory.swap.max", "0"), ("pids.max", str(processes * _THREADS_PER_PROCESS))):
            if os.path.exists(join(path, name)):  # kernels without swap, groups without this controller
                _write(path, name, value)
    except OSError:
        Group(path).remove()
        return None
    return Group(path)


def _find_parent() -> str | None:
    try:
        own = next(line[3:].strip() for line in _lines("/proc/self", "cgroup") if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    path = join(_ROOT, own.lstrip("/")).rstrip("/")
    while path.startswith(_ROOT):
        try:
            controllers = _lines(path, "cgroup.subtree_control")[0].split()
        except (OSError, IndexError):
            controllers = []
        # Moving a process takes the right to write to the procs of a common ancestor.
        if "memory" in controllers and os.access(path, os.W_OK) and os.access(join(path, "cgroup.procs"), os.W_OK):
            return path
        path = dirname(path)
    return None


def _sweep(parent: str) -> None:
    for name in os.listdir(parent):
        guard = name.removeprefix(_PREFIX)
        if name.startswith(_PREFIX) and guard.isdigit() and not os.path.exists(f"/proc/{guard}"):
            Group(join(parent, name)).remove()


def _count(path: str, name: str, event: str) -> int:
    try:
        return next((int(line.split()[1]) for line in _lines(path, name) if line.split()[0] == event), 0)
    except OSError:
        return 0  # no such controller


def _lines(path: str, name: str) -> list[str]:
    with open(join(path, name)) as file:
        return file.readlines()


def _write(path: str, name: str, value: str) -> None:
    with open(join(path, name), "w") as file:
        file.write(value)
