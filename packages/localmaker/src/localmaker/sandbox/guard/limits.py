"""Limits on the memory and the processes of one job's process tree.

The tree is checked ten times a second (on Linux; other systems do not list the processes of a tree, so only the limit
on a single process holds there). Control groups would be exact, but on most machines they belong to the administrator.
Between two checks the kernel's own limits hold: no process can allocate more than twice the memory limit of the tree,
and in a PID namespace of its own the tree cannot get more than a fixed number of process ids.
"""
# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH208

from __future__ import annotations

import os
import resource
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHECK_SECONDS = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")


def exceeded(memory_bytes: int, processes: int, in_memory: Iterable[int] = ()) -> str | None:
    """Return the limit (``memory``, ``processes``) that this process's descendants exceed now, or None.

    Args:
        memory_bytes: memory limit of the tree.
        processes: maximum number of processes.
        in_memory: descriptors of file systems whose content counts as memory of the tree.
    """
    tree = list(_descendants())
    if len(tree) > processes:
        return "processes"
    stored = sum(_stored_bytes(descriptor) for descriptor in in_memory)
    if stored + sum(map(_private_bytes, tree)) <= memory_bytes:
        return None
    # Forked processes share pages that are counted once for each of them here; the exact sum is slower.
    return "memory" if stored + sum(map(_proportional_bytes, tree)) > memory_bytes else None


def limit_this_process(memory_bytes: int) -> None:
    """Set the kernel's limits, which every child of this process inherits."""
    if sys.platform == "linux":
        _lower(resource.RLIMIT_DATA, 2 * memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)


def kill_descendants() -> None:
    """Kill every descendant. New ones may appear meanwhile: call it until there are none."""
    for pid in _descendants():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it has ended by itself


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (limit, limit))


def _descendants() -> Iterator[int]:
    waiting = ["self"]
    while waiting:
        parent = waiting.pop()
        children: list[str] = []
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                children += _read(f"/proc/{parent}/task/{thread}/children").split()
        except OSError:
            pass  # it has just ended; its children are now children of this process
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
    """Return the resident memory that is not backed by files."""
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
