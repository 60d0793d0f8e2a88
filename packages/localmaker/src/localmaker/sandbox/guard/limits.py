"""The limits of one job's process tree: what exceeds them, and when to look again.

Memory and processes are measured between ten times a second and two hundred times, the closer to a limit the more
often, and never for more than a twentieth of the time. Where a control group is to be had (:mod:`.groups`), the kernel
enforces the same limits at once. On systems other than Linux only the size of files is limited.

========================= ============================================================================================
``memory``                the tree uses more memory than it may, or the kernel killed its largest process for lack of it
``machine_memory``        the machine's free memory is below the reserve, and this is the largest job
``processes``             the tree has too many processes
``disk``, ``files``       the job's directory takes too much space, or holds too many files
``machine_disk``          the disk's free space is below the reserve, and what this job stored would make up for it
``file_size``             a program was ended by the limit on the size of one file
========================= ============================================================================================
"""

# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: SIM105

from __future__ import annotations

import os
import resource
import sys
import time

from localmaker.sandbox.guard import memory
from localmaker.sandbox.guard.disk import DiskWatch
from localmaker.sandbox.guard.groups import Group
from localmaker.sandbox.guard.memory import MemoryFiles, MemoryFileSystems

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from localmaker.sandbox.guard.tree import Tree
else:
    import _signal as signal  # the module itself imports enum for the sake of names

SHORTEST_SECONDS, _LONGEST_SECONDS = 0.005, 0.1
# Two cores fill new memory at about this rate; forking at this one. Both at rest and near a limit it is about order.
_BYTES_A_SECOND, _FORKS_A_SECOND = 8 * 1024**3, 10_000
_PROCESSES_SECONDS = 0.02
_LARGEST_SHARE = 0.05
_DYING_SECONDS = 1.0
# No job below this size is what a machine lacks.
_SMALL_BYTES = 64 * 1024**2
_OPEN_FILES = 65_536
_KILLED, _TOO_LARGE = 128 + signal.SIGKILL, 128 + signal.SIGXFSZ


class Watch:
    """Compares a tree with its limits.

    Args:
        tree: the job's processes.
        work: the job's directory.
        allowed: the limits, named as in :class:`localmaker.sandbox.limits.Limits`.
        group: the control group that the tree is in, if there is one.
    """

    def __init__(self, tree: Tree, work: str, allowed: dict[str, int], group: Group | None) -> None:
        directory = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
        self._tree = tree
        self._limit, self._reserve = allowed["memory_bytes"], allowed["memory_reserve_bytes"]
        self._processes = allowed["processes"]
        self._group = group
        self._disk = DiskWatch(directory, allowed)
        self._files = MemoryFiles()
        self._stored = MemoryFileSystems(tree, directory)
        self._largest, self._kernel_kills, self._waiting_until = "", memory.kernel_kills(), 0.0

    def check(self) -> tuple[str | None, float]:
        """Return the limit that is exceeded now, or None, and the seconds until the next check is due."""
        start = time.monotonic()
        proc, pids = self._tree.members(self._processes)
        if len(pids) > self._processes:
            return "processes", 0.0  # first, and at once: whoever forks too fast fills the memory as well
        available, swapping, in_files = memory.machine_memory()
        stored = self._stored.stored() + self._files.stored(proc, pids, in_files)
        left = self._limit - stored
        sizes = memory.process_bytes(proc, pids, left, swapping=swapping, counted=self._files.sizes)
        used = stored + sum(sizes.values())
        reason = "memory" if used > self._limit else self._killed_by_kernel(sizes)
        if reason is None and available < self._reserve and used >= _SMALL_BYTES:
            reason = "machine_memory" if memory.is_largest_job(self._tree.proc) else None
        disk_reason, disk_seconds = self._disk.check(proc, pids)
        room = min(self._limit - used, available - self._reserve)
        wait = seconds_until_next(room, self._processes - len(pids), time.monotonic() - start)
        return reason or disk_reason, min(wait, disk_seconds)

    def check_end(self, code: int) -> str | None:
        """Return the limit that made the tree end with an exit status, or None."""
        if self._group is not None and (reason := self._group.exceeded()):
            return reason
        if code == _KILLED and memory.kernel_kills() > self._kernel_kills:
            return "memory"
        return "file_size" if code == _TOO_LARGE else None

    def _killed_by_kernel(self, sizes: dict[str, int]) -> str | None:
        if self._group is not None and (reason := self._group.exceeded()):
            return reason
        # The kernel says how many it killed, not which; of a job it takes the largest, which may take a moment to end.
        kills, now = memory.kernel_kills(), time.monotonic()
        if kills == self._kernel_kills or not self._largest:
            self._largest = max(sizes, key=lambda pid: sizes[pid], default="")
            self._kernel_kills, self._waiting_until = kills, now + _DYING_SECONDS
        elif not sizes.get(self._largest):
            return "memory"
        elif now > self._waiting_until:
            self._kernel_kills = kills  # it was another program's
        return None


def seconds_until_next(room: int, processes: int, took: float) -> float:
    """Return when to look again, so that nothing grows far beyond its limit until then.

    Args:
        room: bytes until a limit is reached.
        processes: processes until the limit is reached.
        took: seconds that this check needed. Watching gets no more than a twentieth of a processor.
    """
    wait = max(room / _BYTES_A_SECOND, SHORTEST_SECONDS)
    wait = min(wait, max(processes / _FORKS_A_SECOND, _PROCESSES_SECONDS), _LONGEST_SECONDS)
    return max(wait, took / _LARGEST_SHARE - took)


def limit_this_process(allowed: dict[str, int], group: Group | None) -> None:
    """Set the kernel's limits for this process and its children. Call it in the child that becomes the tree's root."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, allowed["disk_bytes"])
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if sys.platform == "linux":
        # When the machine's memory is full, the kernel takes a job before anyone's editor.
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"1000")
        os.close(descriptor)
        if group is not None:
            group.enter()


def be_prompt() -> None:
    """Let this process run at once when it wakes, however busy the machine is, where that is permitted (root)."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        pass  # the kernel prefers a process that slept to those that did not, which is nearly as good


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (limit, limit))
