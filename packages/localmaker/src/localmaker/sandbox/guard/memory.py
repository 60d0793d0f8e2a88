"""The memory of a process tree and of the machine, in bytes, measured as cheaply as the answer allows."""

from __future__ import annotations

import os
import time

from localmaker.sandbox.guard.tree import children, descendants, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from localmaker.sandbox.guard.tree import Tree

_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024
_BLOCK = 512
_GROWTH_BYTES = 1024**2
_PAUSES, _CALM_SECONDS = 9, 0.5


def process_bytes(
    proc: int, pids: Collection[str], limit: int, *, swapping: bool, counted: Collection[int] = ()
) -> dict[str, int]:
    """Return the memory of each process: exact where all of them exceed the limit, at least the true value otherwise.

    Private and shared memory counts, swapped or not; pages of files do not. What processes share counts once.

    Args:
        proc: descriptor of a ``/proc``.
        pids: the processes, by their names in it.
        limit: bytes.
        swapping: whether the machine has swapped anything.
        counted: inodes of files in memory that are counted already; exact values leave them out.
    """
    # From cheap to exact. The first includes pages of files, the second counts what is shared for each process.
    sizes: dict[str, int] = {}
    for measure in (_without_files,) if swapping else (_resident, _without_files):
        sizes = {pid: measure(proc, pid) for pid in pids}
        if sum(sizes.values()) <= limit:
            return sizes
    return {pid: _proportional(proc, pid, counted) for pid in pids}


def machine_memory() -> tuple[int, bool, int]:
    """Return what programs still get without swapping, whether anything is swapped, and what files in memory take."""
    values = _values(read_file("/proc/meminfo"), (b"MemAvailable", b"SwapTotal", b"SwapFree", b"Shmem"))
    return values[b"MemAvailable"], values[b"SwapTotal"] != values[b"SwapFree"], values[b"Shmem"]


def kernel_kills() -> int:
    """Return how many processes of the machine the kernel has killed for lack of memory since it started."""
    for line in read_file("/proc/vmstat").splitlines():
        if line.startswith(b"oom_kill "):
            return int(line.split()[1])
    return 0


def is_largest_job(proc: int) -> bool:
    """Return whether no other job of this endpoint uses more memory than the one below this process.

    Args:
        proc: descriptor of the machine's ``/proc``.
    """
    own = os.getpid()
    # The endpoint has children that are no jobs.
    guards = [pid for pid in children(os.getppid(), proc) if _command(proc, pid) == _command(proc, own)]
    sizes = {guard: _job_bytes(proc, guard) for guard in guards}
    return max(sizes, key=lambda guard: (sizes[guard], guard), default=own) == own


class MemoryFiles:
    """The files in memory that a job holds open without a file system of its own (``memfd_create``), mapped or not.

    Looking at every descriptor of a job takes time. It is done when such files have grown on the machine, else twice a
    second at most, and never for more than a tenth of the time.
    """

    def __init__(self) -> None:
        #: Bytes of each, by its inode.
        self.sizes: dict[int, int] = {}
        self._device = _memory_device()
        self._on_machine = 0
        self._due = self._due_if_calm = 0.0

    def stored(self, proc: int, pids: Collection[str], on_machine: int) -> int:
        """Return the bytes that they take.

        Args:
            proc: descriptor of a ``/proc``.
            pids: the job's processes, by their names in it.
            on_machine: bytes that all files in memory of the machine take.
        """
        start = time.monotonic()
        grown = on_machine > self._on_machine + _GROWTH_BYTES
        if start >= (self._due if grown else self._due_if_calm):
            self.sizes = dict(found for pid in pids for found in self._held(f"{pid}/fd", proc))
            self._on_machine, now = on_machine, time.monotonic()
            self._due = now + _PAUSES * (now - start)
            self._due_if_calm = max(self._due, now + _CALM_SECONDS)
        return sum(self.sizes.values())

    def _held(self, folder: str, proc: int) -> Iterator[tuple[int, int]]:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
        except OSError:
            return  # the process has ended
        try:
            for name in os.listdir(descriptor):  # noqa: PTH208 - a descriptor
                try:
                    state = os.stat(name, dir_fd=descriptor)
                except OSError:
                    continue  # it was closed
                if state.st_dev == self._device and state.st_blocks:
                    yield state.st_ino, state.st_blocks * _BLOCK
        except OSError:
            return  # the process has ended
        finally:
            os.close(descriptor)


class MemoryFileSystems:
    """The file systems of a job that are held in memory: its ``/dev/shm``, the changes to its environment.

    Args:
        tree: the job's processes.
        directory: descriptor of the job's directory, which is on the disk.
    """

    def __init__(self, tree: Tree, directory: int) -> None:
        self._tree = tree
        self._disk_blocks = os.fstatvfs(directory).f_blocks
        self._found: dict[bytes, int] = {}
        self._mounts = b""

    def stored(self) -> int:
        """Return the bytes that they store now."""
        self._find()
        states = {os.fstatvfs(descriptor) for descriptor in self._found.values()}
        # Several mounts may show one file system: an overlay says what its upper layer stores.
        amounts = {(state.f_blocks, state.f_bfree, state.f_ffree): state.f_frsize for state in states}
        return sum((blocks - free) * size for (blocks, free, _), size in amounts.items())

    def _find(self) -> None:
        if self._tree.init is None:
            return
        try:
            mounts = read_file(f"{self._tree.init}/mountinfo", self._tree.proc)
            if mounts == self._mounts:
                return
            self._mounts = mounts
            machine = {line.split()[2] for line in read_file("/proc/self/mountinfo").splitlines()}
        except OSError:
            return
        for line in mounts.splitlines():
            fields, _, kind = line.partition(b" - ")
            device, path = fields.split()[2], fields.split()[4]
            if kind.split()[0] not in (b"tmpfs", b"overlay") or device in machine or device in self._found:
                continue
            descriptor = self._tree.open_inside(os.fsdecode(path))
            if descriptor is None:
                continue
            on_disk = os.fstatvfs(descriptor).f_blocks == self._disk_blocks
            if _device(os.fstat(descriptor).st_dev, b"%d:%d") == device and not on_disk:
                self._found[device] = descriptor
            else:
                os.close(descriptor)  # hidden by another mount, or an overlay that stores its changes on the disk


def _command(proc: int, pid: int) -> bytes:
    try:
        return read_file(f"{pid}/cmdline", proc)
    except OSError:
        return b""  # it has ended


def _job_bytes(proc: int, guard: int) -> int:
    """Return the memory of all processes below a guard, whatever they say of themselves to the kernel."""
    return sum(_resident(proc, str(pid)) for pid in descendants(guard, proc))


def _resident(proc: int, pid: str) -> int:
    try:
        return int(read_file(f"{pid}/statm", proc).split(maxsplit=2)[1]) * _PAGE
    except OSError:
        return 0  # it has ended


def _without_files(proc: int, pid: str) -> int:
    try:
        return sum(_values(read_file(f"{pid}/status", proc), (b"RssAnon", b"RssShmem", b"VmSwap")).values())
    except OSError:
        return 0


def _proportional(proc: int, pid: str, counted: Collection[int]) -> int:
    try:
        found = _values(read_file(f"{pid}/smaps_rollup", proc), (b"Pss_Anon", b"Pss_Shmem", b"SwapPss"))
        if b"Pss_Anon" not in found:
            return _without_files(proc, pid)
        shared = _anonymous_shared(proc, pid, counted) if found[b"Pss_Shmem"] else 0
    except OSError:
        return _without_files(proc, pid)  # 0 if it has ended
    return found[b"Pss_Anon"] + found[b"SwapPss"] + shared


def _memory_device() -> int:
    """Return the device of the files in memory that are in no mounted file system."""
    descriptor = os.memfd_create("")
    device = os.fstat(descriptor).st_dev
    os.close(descriptor)
    return device


def _anonymous_shared(proc: int, pid: str, counted: Collection[int]) -> int:
    """Return a process's part of the shared memory that is in no mounted file system (those are counted as a whole)."""
    device = _device(_memory_device(), b"%02x:%02x")
    total, counts = 0, False
    for line in read_file(f"{pid}/smaps", proc).splitlines():
        name, *values = line.split(maxsplit=5)
        if not name.endswith(b":"):
            counts = values[2] == device and int(values[3]) not in counted
        elif counts and name == b"Pss:":
            total += int(values[0]) * _KIB
    return total


def _device(number: int, written: bytes) -> bytes:
    return written % (os.major(number), os.minor(number))


def _values(text: bytes, names: tuple[bytes, ...]) -> dict[bytes, int]:
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if name in names:
            found[name] = int(value.split()[0]) * _KIB
    return found
