"""The processes of one job, found from outside its sandbox: by their PID namespace, else as descendants.

The root is the child of this process that started the job's command, or the sandbox around it.
"""

# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH208, SIM105

from __future__ import annotations

import itertools
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Tree:
    """A job's process tree.

    Args:
        root: process id of a child of this process.
        namespaced: whether the job has a PID namespace of its own. Its first process belongs to the sandbox.
    """

    def __init__(self, root: int, *, namespaced: bool) -> None:
        self.root = root
        #: A descriptor of the machine's ``/proc``.
        self.proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        self._namespaced = namespaced
        #: The first process of the job's PID namespace, once it is found.
        self.init: int | None = None
        self._inner: int | None = None
        self._before: set[int] = set()

    def members(self, most: int) -> tuple[int, set[str]]:
        """Return a descriptor of a ``/proc``, and the processes of the job by their names in it.

        Args:
            most: a number of processes; when there are more, it is enough to find so many.
        """
        if self._namespaced and self._inner is None:
            self._find_namespace()
        if self._inner is not None:
            # One pass over the namespace's own list: each process once, whatever its parents do meanwhile.
            return self._inner, {name for name in os.listdir(self._inner) if name.isdigit()} - {"1"}
        # Without namespaces this process is the parent of those that lost theirs.
        found = set(itertools.islice(descendants(self.root if self._namespaced else os.getpid(), self.proc), most + 2))
        found -= {self.root, self.init or 0}  # the sandbox's own
        # A process whose parent ends during the descent may be overlooked once.
        kept = found | {pid for pid in self._before - found if self._exists(pid)}
        self._before = found
        return self.proc, {str(pid) for pid in kept}

    def open_inside(self, path: str) -> int | None:
        """Open a path as the job sees it (``O_PATH``); None if it cannot be."""
        try:
            return os.open(f"{self.init}/root{path}", os.O_PATH, dir_fd=self.proc)
        except OSError:
            return None

    def _find_namespace(self) -> None:
        own = self._namespace("self")
        if self.init is None:
            candidates = (self.root, *children(self.root, self.proc))
            self.init = next((pid for pid in candidates if self._namespace(str(pid)) not in (own, None)), None)
        if self.init is None:
            return
        try:
            inner = os.open(f"{self.init}/root/proc", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.proc)
        except OSError:
            return
        # Before it is mounted, or where that is not allowed, this is the machine's: descendants are counted then.
        if _inode("1/ns/pid", inner) == self._namespace(str(self.init)):
            self._inner = inner
        else:
            os.close(inner)

    def _namespace(self, pid: str) -> int | None:
        return _inode(f"{pid}/ns/pid", self.proc)

    def _exists(self, pid: int) -> bool:
        return _inode(str(pid), self.proc) is not None


def descendants(root: int, proc: int) -> Iterator[int]:
    """Find the processes below a process, parents before their children, each once.

    Args:
        proc: descriptor of the machine's ``/proc``.
    """
    found: set[int] = set()
    waiting = [root]
    while waiting:
        for pid in children(waiting.pop(), proc):
            if pid not in found:
                found.add(pid)
                waiting.append(pid)
                yield pid


def kill_descendants(besides: int = 0) -> None:
    """Kill the descendants of this process but one. New ones may appear meanwhile: call it until there are none."""
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    for pid in descendants(os.getpid(), proc):
        if pid != besides:
            _kill(pid)
    os.close(proc)


def read_file(path: str, directory: int | None = None) -> bytes:
    """Return the content of a file of ``/proc``.

    Raises:
        OSError: it is not there, or not readable.
    """
    descriptor = os.open(path, os.O_RDONLY, dir_fd=directory)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def children(pid: int, proc: int) -> list[int]:
    """Return the processes that a process has started, or adopted."""
    children: list[int] = []
    try:
        threads = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
        try:
            for thread in os.listdir(threads):
                children += map(int, read_file(f"{thread}/children", threads).split())
        finally:
            os.close(threads)
    except OSError:
        pass  # it has just ended; its children have another parent now
    return children


def _inode(path: str, directory: int) -> int | None:
    try:
        return os.stat(path, dir_fd=directory).st_ino
    except OSError:
        return None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself
