"""Bounds on what one job's process tree may take of the machine.

The tree is looked at ten times a second (Linux; other systems tell no one about the processes of a tree, so there only
the bound on a single process holds). Control groups would do it exactly, but belong to the machine's administrator on
most machines. Between two looks the kernel's own bounds hold: no process can take more than twice the memory of the
whole tree, and in a PID namespace of its own the tree cannot get more than a fixed number of process ids.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Linux numbers processes from 300 on once the numbers have wrapped, and takes no bound below 301.
_RESERVED_IDS = 301
# Threads have process ids, too: the bound on ids leaves room for them.
_THREADS_PER_PROCESS = 16
# From this version on the bound on process ids belongs to the PID namespace; before, to the machine.
_OWN_PID_MAX = (6, 14)


@dataclass(frozen=True)
class Limits:
    """What the tree may use."""

    memory_bytes: int
    processes: int


def exceeded(limits: Limits, in_memory: Iterable[int] = ()) -> str | None:
    """Which limit this process's descendants exceed now, or None.

    Args:
        in_memory: descriptors of file systems whose content counts as the tree's memory.
    """
    tree = list(_descendants())
    if len(tree) > limits.processes:
        return "processes"
    stored = sum(_stored_bytes(descriptor) for descriptor in in_memory)
    if stored + sum(map(_private_bytes, tree)) <= limits.memory_bytes:
        return None
    # Forked processes share pages that were counted for each of them; the exact sum takes longer.
    return "memory" if stored + sum(map(_proportional_bytes, tree)) > limits.memory_bytes else None


def bound_this_process(limits: Limits, isolation: str) -> None:
    """Set the kernel's bounds that are inherited by all that this process starts."""
    if platform.system() == "Linux":
        _lower(resource.RLIMIT_DATA, 2 * limits.memory_bytes)
    if isolation == "user":  # elsewhere the kernel counts all processes of the user on this machine
        _lower(resource.RLIMIT_NPROC, limits.processes * _THREADS_PER_PROCESS)
    _lower(resource.RLIMIT_CORE, 0)


def bound_process_ids(limits: Limits) -> None:
    """Bound the PID namespace that this process is the first of. Does nothing where the kernel cannot."""
    major, minor = platform.release().split(".")[:2]
    if (int(major), int("".join(filter(str.isdigit, minor)) or 0)) < _OWN_PID_MAX:
        return
    with contextlib.suppress(OSError):
        Path("/proc/sys/kernel/pid_max").write_text(str(_RESERVED_IDS + limits.processes * _THREADS_PER_PROCESS))


def kill_descendants() -> None:
    """Kill every descendant. New ones may appear meanwhile: call it until there is none."""
    for pid in _descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def _lower(kind: int, bound: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(kind, (limit, limit))


def _descendants() -> Iterator[int]:
    waiting = ["self"]
    while waiting:
        parent = waiting.pop()
        children: list[str] = []
        # A process may end while it is looked at; what it had started becomes this process's own child.
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                children += _read(f"{thread}/children").split()
        yield from map(int, children)
        waiting += children


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode()


def _private_bytes(pid: int) -> int:
    """Resident memory that no file stands behind."""
    try:
        _, resident, shared, *_ = _read(f"/proc/{pid}/statm").split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE


def _proportional_bytes(pid: int) -> int:
    try:
        lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    except OSError:
        return _private_bytes(pid)
    found = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    return int(found["Pss_Anon"]) * 1024 if "Pss_Anon" in found else _private_bytes(pid)


def _stored_bytes(descriptor: int) -> int:
    state = os.fstatvfs(descriptor)
    return (state.f_blocks - state.f_bfree) * state.f_frsize
